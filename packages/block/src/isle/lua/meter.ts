/**
 * What an isle may spend, and its end.
 * takes the limits of a VM; gives the answer to each of its polls; promises that code over a limit meets an
 * error it may clean up after, then one that nothing in Lua can catch; refuses nothing; never enters the VM,
 * since a poll may come in the middle of an allocation.
 */
import type { Alarms } from "./alarms.ts";
import { LuaRaise } from "./errors.ts";
import { POLL_TICKS, SLOT } from "./machine.ts";
import type { LuaState } from "./state.ts";
import { Terminate } from "./vm-errors.ts";
import type { Scheduler, Task } from "./tasks.ts";
import type { VmHost, VmLimits } from "./vm-host.ts";

/** The hook is asked for after the next instruction. */
const HOOK_COUNT = 8;
/** An isle is ended for good this long before its soft time is over, so that it is gone when it is. */
const HARD_EARLY_MS = 20;
/** However little CPU time an isle gets, its soft time ends after this many times as much, before its thread is ended. */
const BUSY_MAX = 2.5;

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
  #cpuMs = 0;
  /** What all isles of the run had spent when this one began to run. */
  #runMs = 0;
  /** Wall and thread time at which this isle last began to run; wall time at which the current task did. */
  #runAt = 0;
  #cpuAt = 0;
  #sliceAt = 0;
  #runs = false;
  #abortedEvent = 0;
  #ending: { readonly at: number; readonly why: Terminate } | null = null;

  constructor(vm: Metered) {
    this.#vm = vm;
    const { wallMsMax } = vm.limits;
    if (wallMsMax === Infinity) return;
    vm.alarms.set(wallMsMax,
      () => this.end(new Terminate("timeout", `limit error: wall time over ${wallMsMax} ms`)));
  }

  /** Why the isle is being ended; null while it is not. */
  get ending(): Terminate | null {
    return this.#ending?.why ?? null;
  }

  /** CPU milliseconds of this isle until now. */
  get cpuMs(): number {
    return this.#cpuMs + (this.#runs ? this.#vm.host.cpu() - this.#cpuAt : 0);
  }

  // ---- the clock of what runs

  /** From now on the thread's time is this isle's. */
  begin(): void {
    this.#runs = true;
    this.#runAt = this.#vm.host.monotonic();
    this.#sliceAt = this.#runAt;
    this.#cpuAt = this.#vm.host.cpu();
    this.#runMs = this.#vm.host.spent(0);
    this.#vm.host.beat();
  }

  pause(): void {
    this.#vm.host.rests();
    if (!this.#runs) return;
    const ms = this.#vm.host.cpu() - this.#cpuAt;
    this.#cpuMs += ms;
    this.#runMs = this.#vm.host.spent(ms);
    this.#runs = false;
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

  /**
   * Wall time says when to look at the CPU clock, which is what counts: a busy machine must not end an isle.
   */
  #spent(now: number): void {
    if (!this.#runs || this.#vm.current === null) return;
    const { host, limits } = this.#vm;
    const { cpuMsMax } = limits;
    if (this.#runMs + now - this.#runAt > cpuMsMax && host.spent(0) + host.cpu() - this.#cpuAt > cpuMsMax) {
      this.end(new Terminate("timeout", `limit error: CPU time over ${cpuMsMax} ms`));
      return;
    }
    const max = this.#vm.shared ? limits.sliceSharedMsMax : limits.sliceMsMax;
    if (now - this.#sliceAt > max && host.cpu() - this.#cpuAt > max) {
      this.end(new Terminate("timeout", `limit error: ${max} ms of CPU without giving way`));
    }
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
    this.#dieAfter(limits.softStopMs - Math.min(HARD_EARLY_MS, limits.softStopMs / 5), why);
    if (tasks.live.size === 0) this.#vm.die(why);
  }

  /** The soft time is the isle's CPU time, so that what closes on a busy machine has it too, up to a bound. */
  #dieAfter(softMs: number, why: Terminate): void {
    const { alarms, host } = this.#vm;
    const cpuAt = this.cpuMs;
    const lastAt = host.monotonic() + softMs * BUSY_MAX;
    const look = (): void => {
      const leftMs = Math.min(softMs - (this.cpuMs - cpuAt), lastAt - host.monotonic());
      if (leftMs > 1) alarms.set(leftMs, look);
      else this.#vm.die(why);
    };
    alarms.set(softMs, look);
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
