/**
 * What an isle may spend, and its end.
 * takes the limits of a VM; gives the answer to each of its polls; promises that code over a limit meets an
 * error it may clean up after, then one that nothing in Lua can catch; refuses nothing; never enters the VM,
 * since a poll may come in the middle of an allocation.
 */
import type { Alarms } from "./alarms.ts";
import { CpuAccount } from "./cpu-account.ts";
import { LuaRaise } from "./errors.ts";
import { POLL_TICKS, SLOT } from "./machine.ts";
import { afterSoftTime, timeOver } from "./over-limit.ts";
import type { LuaState } from "./state.ts";
import { Terminate } from "./vm-errors.ts";
import type { Scheduler, Task } from "./tasks.ts";
import type { VmHost, VmLimits } from "./vm-host.ts";

/** The hook is asked for after the next instruction. */
const HOOK_COUNT = 8;

/** The VM as its meter sees it. */
export interface Metered {
  readonly host: VmHost;
  readonly limits: VmLimits;
  /** Placed beside other isles. */
  readonly shared: boolean;
  readonly state: LuaState;
  readonly tasks: Scheduler;
  readonly alarms: Alarms;
  current: Task | null;
  /** Host functions on the stack: JavaScript cannot be suspended. */
  readonly hostDepth: number;
  abortEvent(seq: number): void;
  /** Whoever waits learns that the isle is ending. */
  interruptAll(): void;
  /** The instance is dropped. */
  die(why: unknown): void;
}

export class Meter {
  readonly #vm: Metered;
  readonly #account: CpuAccount;
  /** Wall time at which the current task began to run. */
  #sliceAt = 0;
  #abortedEvent = 0;
  #ending: { readonly at: number; readonly why: Terminate } | null = null;

  constructor(vm: Metered) {
    this.#vm = vm;
    const { cpuMsMax, wallMsMax } = vm.limits;
    this.#account = new CpuAccount(vm.host, cpuMsMax, { alone: !vm.shared });
    if (wallMsMax !== Infinity) vm.alarms.set(wallMsMax, () => this.end(timeOver("wallMsMax", wallMsMax)));
  }

  /** Why the isle is being ended; null while it is not. */
  get ending(): Terminate | null {
    return this.#ending?.why ?? null;
  }

  /** CPU milliseconds of this isle until now. */
  get cpuMs(): number {
    return this.#account.ms;
  }

  // ---- the clock of what runs

  /** From now on the thread's time is this isle's. What others of the run have spent may be all of it. */
  begin(): void {
    const { host, limits: { cpuMsMax } } = this.#vm;
    const now = host.monotonic();
    this.#sliceAt = now;
    this.#account.begin(now);
    host.beat();
    if (this.#account.over(now)) this.end(timeOver("cpuMsMax", cpuMsMax));
  }

  pause(): void {
    this.#vm.host.rests();
    this.#account.pause();
  }

  /** The next task has its turn. */
  turn(): void {
    this.#sliceAt = this.#vm.host.monotonic();
  }

  // ---- polls

  /** The next budget of ticks; 0 asks for suspension. Throws what ends the VM. */
  poll(): number {
    const { host, limits, shared, hostDepth } = this.#vm;
    const now = this.look();
    host.polled(now);
    const task = this.#vm.current;
    if (this.#ending !== null) {
      if (task !== null && task.raisedAt < this.#ending.at) this.#setHook();
    } else if (task !== null && task.aborting && now - task.raisedAt > limits.softStopMs) this.#setHook();
    if (!shared || hostDepth > 0 || task === null) return POLL_TICKS;
    return now - this.#sliceAt > limits.giveWayMs || host.messageWaits() ? 0 : POLL_TICKS;
  }

  /** Loops in JavaScript look here: as `poll`, and a soft cancel is an error at once. */
  worked(): void {
    this.look();
    if (this.#ending !== null) throw new LuaRaise("cancelled");
    if (this.#vm.current?.aborting === true) throw new LuaRaise("task aborted");
  }

  /** As `check`; throws when the VM is dead. */
  look(): number {
    const now = this.check();
    if (this.#vm.state.dead !== null) throw this.#vm.state.dead;
    return now;
  }

  /** Sees what the host wants and which limit is over. Gives the time. */
  check(): number {
    const { host, alarms } = this.#vm;
    const now = host.monotonic();
    host.beat();
    if (this.#ending === null) {
      if (host.killRequested()) this.end(new Terminate("cancelled", "cancelled"));
      else {
        this.#spent(now);
        const event = host.abortRequested();
        if (event !== this.#abortedEvent) {
          this.#abortedEvent = event;
          this.#vm.abortEvent(event);
        }
      }
    }
    alarms.look(now);
    return now;
  }

  #spent(now: number): void {
    if (!this.#account.runs || this.#vm.current === null) return;
    const { limits, shared } = this.#vm;
    const slice = shared ? "sliceSharedMsMax" : "sliceMsMax";
    const max = limits[slice];
    if (this.#account.over(now)) this.end(timeOver("cpuMsMax", limits.cpuMsMax));
    else if (now - this.#sliceAt > max && this.#account.sinceBegin > max) this.end(timeOver(slice, max));
  }

  // ---- errors raised in code that runs

  #setHook(): void {
    const { x } = this.#vm.state;
    x.lua_sethook(x.running.value, SLOT.hook, HOOK_COUNT, 1);
  }

  /** Raises the soft error in the running thread; Lua may catch it, our pcall throws it on. */
  hook(L: number): void {
    const { state, current } = this.#vm;
    state.x.lua_sethook(L, 0, 0, 0);
    if (current === null || !this.cancelling()) return;
    current.raisedAt = this.#vm.host.monotonic();
    state.pushText(L, this.#ending === null ? "task aborted" : "cancelled");
  }

  /** True while errors of the current task must not be caught. */
  cancelling(): boolean {
    return this.#ending !== null || (this.#vm.current?.aborting ?? false);
  }

  // ---- the end

  /** Ends the isle: softly for a while, then for good. */
  end(why: Terminate): void {
    const { host, limits, tasks, state } = this.#vm;
    if (this.#ending !== null || state.dead !== null) return;
    this.#ending = { at: host.monotonic(), why };
    this.#vm.interruptAll();
    afterSoftTime(this.#vm.alarms, limits.softStopMs, { cpuMs: () => this.cpuMs }, () => this.#vm.die(why));
    if (tasks.live.size === 0) this.#vm.die(why);
  }

  // ---- giving way

  /** Suspends the running Lua code so that timers, messages and other isles have their turn. */
  giveWay(): Promise<number> {
    const { host, state, current } = this.#vm;
    const { strict } = state;
    this.pause();
    this.#vm.current = null;
    state.strict = false;
    return new Promise((resolve, reject) => {
      // two turns: what the first one makes ready runs before this goes on
      host.later(() => host.later(() => {
        if (state.dead !== null) {
          reject(state.dead as Error);
          return;
        }
        this.#vm.current = current;
        state.strict = strict;
        this.begin();
        resolve(POLL_TICKS);
      }));
    });
  }
}
