/**
 * The Lua VM of one isle.
 * takes compiled Lua, limits and a port to the host; gives tasks that run scripts; promises that no script outlives a kill,
 * a budget or its memory cap; refuses work once dead; never lets a host exception be caught by Lua, save typed faults.
 */
import { isFault, toFaultData } from "@atoll-run/core";
import { blockError } from "../../errors.ts";
import { after, Alarms } from "./alarms.ts";
import { STATUS } from "./exports.ts";
import { LuaErrors, LuaRaise, type Raised } from "./errors.ts";
import { bootPrelude } from "./prelude.ts";
import { LuaState, OutOfMemory, POLL_TICKS, SLOT, type StateHost, Terminate } from "./state.ts";
import { type Deliver, Scheduler, type Task, type TaskKind, type Wait } from "./tasks.ts";
import type { HostFunction, VmHost, VmLimits } from "./vm-host.ts";

/** A value no script can make: "a wait for the host is outstanding". */
export const AWAIT = 8;
const HOOK_COUNT = 8;
/** Soft errors are raised for this long before an isle is ended for good. */
export const SOFT_MS = 80;
/** An aborted task may clean up for this long; then its isle is killed. */
const ABORT_MS = 500;
const ABORT_RAISE_MS = 100;
/** Nothing to wait for but one's turn. */
const TURN: Wait = { turn: true, dueAt: 0, cancel: () => undefined };
const SLICE_MS = 5;
/** After this much time without a break the worker looks at its messages again. */
const BATCH_MS = 5;

export class LuaVm {
  readonly state: LuaState;
  readonly errors: LuaErrors;
  readonly tasks: Scheduler;
  readonly host: VmHost;
  readonly limits: VmLimits;
  current: Task | null = null;
  cpuMs = 0;
  /** Times that also come while Lua code is busy; what they do must not enter the VM. */
  readonly alarms: Alarms;
  readonly #base: number;
  readonly #functions: HostFunction[] = [];
  readonly #startedAt: number;
  readonly #resume: (task: Task) => Promise<number> | number;
  readonly #shared: boolean;
  #inHost = 0;
  #sliceAt = 0;
  #ending: { at: number; why: Terminate } | null = null;
  #running = false;
  #abortedEvent = 0;

  constructor(module: WebAssembly.Module, host: VmHost, options: { limits: VmLimits; shared: boolean }) {
    this.host = host;
    this.limits = options.limits;
    this.#shared = options.shared;
    this.#startedAt = host.monotonic();
    this.#sliceAt = this.#startedAt;
    this.alarms = new Alarms(() => host.monotonic());
    const stateHost: StateHost = {
      poll: () => this.#poll(), call: (L, fn) => this.#call(L, fn), resumed: (L) => this.#resumed(L), hook: (L) => this.#hook(L),
      write: (fd, bytes) => host.write(fd, bytes), now: () => host.now(),
      ...(options.shared ? { suspending: () => this.#giveWay() } : {}),
    };
    this.state = new LuaState(module, stateHost, options.limits.bytesMax);
    this.tasks = new Scheduler(() => this.#wake());
    const { x, scratch } = this.state;
    const promised = options.shared ? WebAssembly.promising(x.lua_resume) : undefined;
    this.#resume = (task) => {
      // the function to call is the first argument of the one under every task
      const args = task.begun ? 0 : task.firstArgs + 1;
      task.begun = true;
      return promised === undefined ? x.lua_resume(task.thread, 0, args, scratch) : promised(task.thread, 0, args, scratch);
    };
    const { errors, base } = bootPrelude(this);
    this.errors = errors;
    this.#base = base;
  }

  // ---- host functions

  define(fn: HostFunction): number {
    return this.#functions.push(fn) - 1;
  }

  /** Sets `name` in the table on top of the stack. */
  setFunction(L: number, name: string, fn: HostFunction): void {
    this.state.pushText(L, name);
    this.state.pushFunction(L, this.define(fn));
    this.state.x.lua_rawset(L, -3);
  }

  #call(L: number, fn: number): number {
    this.#inHost++;
    try {
      return (this.#functions[fn] as HostFunction)(L);
    } catch (error) {
      return this.raise(L, error);
    } finally {
      this.#inHost--;
    }
  }

  /** Pushes an error for Lua; what is not meant for scripts goes on and ends the isle. */
  raise(L: number, error: unknown): number {
    if (error instanceof LuaRaise || error instanceof OutOfMemory) this.state.pushText(L, error.message);
    else if (isFault(error)) this.errors.push(L, toFaultData(error));
    else throw error;
    return -1;
  }

  // ---- waiting

  /**
   * Suspends the current task until `settle` is called. `start` begins the work and says how to give it up. In places that
   * cannot yield the whole isle waits instead. `shielded`: a soft cancel does not end this wait.
   */
  wait(L: number, start: (settle: (deliver: Deliver) => void) => Wait, shielded = false): number {
    const task = this.current;
    if (task === null) throw new LuaRaise("attempt to wait outside a task");
    this.#refuse(task);
    const refused = task.cancelled && !shielded;
    const here = this.state.x.lua_isyieldable(L) === 0;
    if (refused && here) throw cancelledError();
    let settled: Deliver | null = null;
    let suspended = false;
    const settle = (deliver: Deliver): void => {
      if (settled !== null) return;
      settled = deliver;
      if (suspended && task.wait === wait) this.tasks.ready(task, deliver);
    };
    // one that catches its cancel again and again still gives way to the others each time
    const wait = refused ? TURN : start(settle);
    const now = (): Deliver | null => settled;
    const early = now();
    if (early !== null) return early(L);
    if (here) return this.#waitHere(L, wait, { settled: now, shielded });
    suspended = true;
    task.wait = wait;
    task.shielded = shielded;
    this.state.x.lua_settop(L, 0);
    this.state.x.lua_pushlightuserdata(L, AWAIT);
    return -2;
  }

  #refuse(task: Task): void {
    if (this.#ending !== null) throw new LuaRaise("cancelled");
    if (task.aborting) throw this.#abortError(task);
  }

  /** From the first of these on, what the task has to close has its time. */
  #abortError(task: Task): LuaRaise {
    if (task.raisedAt < (task.abortedAt ?? 0)) task.raisedAt = this.host.monotonic();
    return new LuaRaise("task aborted");
  }

  /** A comparator or a pattern callback cannot yield: the isle waits, its cancel and deadlines stay live. */
  #waitHere(L: number, wait: Wait, o: { settled: () => Deliver | null; shielded: boolean }): number {
    if (wait.local === true) {
      wait.cancel();
      throw blockError("isle.would_block", "runtime error: isle would block: the answer must come from this isle itself");
    }
    const strict = this.state.strict;
    const begun = this.host.monotonic();
    for (;;) {
      const deliver = o.settled();
      if (deliver !== null) {
        this.state.strict = strict;
        this.#sliceAt += this.host.monotonic() - begun;
        return deliver(L);
      }
      const task = this.current;
      this.#limits(this.host.monotonic());
      if (task !== null && (task.aborting || this.#ending !== null)) {
        wait.cancel();
        this.#refuse(task);
      }
      if (task?.cancelled === true && !o.shielded) {
        wait.cancel();
        throw wait.cancelled?.() ?? cancelledError();
      }
      const left = (wait.dueAt ?? Infinity) - this.host.monotonic();
      if (left <= 0) {
        wait.cancel();
        return 0;
      }
      if (!this.host.pump(Math.max(0, Math.min(left, 10)))) {
        wait.cancel();
        throw blockError("isle.would_block", "runtime error: isle would block: this wait must be where a coroutine can yield");
      }
    }
  }

  /** A wait for a time, in milliseconds, never shorter; 0 only gives way to the other tasks. */
  sleep(L: number, ms: number): number {
    if (!(ms > 0)) return this.wait(L, () => TURN);
    const monotonic = (): number => this.host.monotonic();
    const dueAt = monotonic() + ms;
    return this.wait(L, (settle) => ({ dueAt, cancel: after(ms, monotonic, () => settle(() => 0)) }));
  }

  #resumed(L: number): number {
    const task = this.current as Task;
    const deliver = task.deliver;
    task.deliver = null;
    this.#inHost++;
    try {
      this.state.x.lua_settop(L, 0);
      return deliver === null ? 0 : deliver(L);
    } catch (error) {
      return this.raise(L, error);
    } finally {
      this.#inHost--;
    }
  }

  // ---- tasks

  /** A coroutine whose function is on top of `from`; it is taken. Starts at its turn. */
  spawn(from: number, kind: TaskKind): Task {
    if (this.tasks.live.size >= this.limits.liveTasksMax) {
      this.state.pop(from);
      throw blockError("isle.memory", `limit error: too many live tasks (limit: ${this.limits.liveTasksMax})`);
    }
    const { x } = this.state;
    x.lua_checkstack(from, 4);
    const thread = x.lua_newthread(from);
    const ref = this.state.ref(from);
    this.state.pushRef(thread, this.#base);
    x.lua_xmove(from, thread, 1);
    const task = this.tasks.create(kind, { thread, ref });
    task.startedAt = this.host.monotonic();
    this.tasks.ready(task, null);
    return task;
  }

  /** Soft cancel: `task cancelled` at this and each later suspension point. */
  cancelTask(task: Task): void {
    if (task.state === "ended" || task.cancelled) return;
    task.cancelled = true;
    if (!task.shielded) this.#cancelWait(task);
    for (const hear of task.onCancel) hear("cancel");
  }

  #cancelWait(task: Task): void {
    const error = task.wait?.cancelled;
    this.#interrupt(task, (L) => this.raise(L, error?.() ?? cancelledError()));
  }

  /** Ends a task whatever its code does; what does not end in time takes the isle along. Does not enter the VM. */
  abortTask(task: Task): void {
    if (task.state === "ended" || task.aborting) return;
    task.abortedAt = this.host.monotonic();
    this.#abortWait(task);
    for (const hear of task.onCancel) hear("abort");
    const off = this.alarms.set(ABORT_MS, () => this.end(new Terminate("crashed", `task ${task.id} did not end after its abort`)));
    task.onEnd.push(off);
  }

  #abortWait(task: Task): void {
    const raise: Deliver = (L) => this.raise(L, this.#abortError(task));
    if (task.state === "ready") task.deliver = raise;
    else this.#interrupt(task, raise);
  }

  #interrupt(task: Task, deliver: Deliver): void {
    if (task.state !== "waiting") return;
    const { wait } = task;
    wait?.cancel();
    this.tasks.ready(task, deliver);
  }

  /** The time of an event is over: its handler, and what runs under the handler's name, is aborted. */
  abortEvent(seq: number): void {
    for (const task of this.tasks.live) if (task.identity.kind === "handler" && task.eventSeq === seq) this.abortTask(task);
  }

  #end(task: Task, end: NonNullable<Task["end"]>): void {
    this.tasks.ended(task, end, this.host.monotonic());
    this.state.unref(task.ref);
    // every task unwound by itself: no need to wait out the soft time
    if (this.#ending !== null && this.tasks.live.size === 0) this.#die(this.#ending.why);
  }

  // ---- running

  #wake(): void {
    if (this.#running || this.state.dead !== null) return;
    this.#running = true;
    this.host.soon(() => this.#batch());
  }

  /** Runs what is ready, for a few milliseconds at a time. */
  async #batch(): Promise<void> {
    const until = this.host.monotonic() + BATCH_MS;
    try {
      for (let task = this.tasks.next(); task !== undefined; task = this.tasks.next()) {
        if (task.state === "ready") {
          if (!task.begun && (task.aborting || this.#ending !== null)) this.#end(task, { how: "aborted" });
          else {
            const resumed = this.#step(task);
            if (resumed !== undefined) await resumed;
          }
        }
        if (this.state.dead !== null) return;
        if (!this.tasks.idle && (this.host.monotonic() > until || this.host.messageWaits())) break;
      }
    } finally {
      this.#running = false;
    }
    if (!this.tasks.idle) this.host.later(() => this.#wake());
  }

  #step(task: Task): Promise<void> | undefined {
    this.current = task;
    task.state = "running";
    this.state.strict = true;
    this.#sliceAt = this.host.monotonic();
    try {
      const status = this.#resume(task);
      if (typeof status === "number") {
        this.#after(task, status);
        return undefined;
      }
      return status.then((s) => this.#after(task, s)).catch((error: unknown) => this.#die(error));
    } catch (error) {
      this.#die(error);
      return undefined;
    }
  }

  #after(task: Task, status: number): void {
    this.state.strict = false;
    this.current = null;
    this.cpuMs += this.host.monotonic() - this.#sliceAt;
    const { memory, scratch } = this.state;
    try {
      if (status === STATUS.yield) this.#yielded(task, memory.words[scratch >> 2] as number);
      else if (status === STATUS.ok) this.#end(task, task.aborting ? { how: "aborted" } : { how: "returned" });
      else this.#end(task, task.aborting ? { how: "aborted" } : { how: "failed" });
    } catch (error) {
      this.#die(error);
    }
  }

  #yielded(task: Task, count: number): void {
    this.state.pop(task.thread, count);
    task.state = "waiting";
    if (task.aborting) this.#abortWait(task);
    else if (task.cancelled && !task.shielded) this.#cancelWait(task);
    else if (task.wait === null || task.wait.turn === true) this.tasks.ready(task, null);
  }

  // ---- metering, cancel, kill

  #poll(): number {
    const now = this.host.monotonic();
    this.host.polled(now);
    this.#limits(now);
    this.alarms.look(now);
    const task = this.current;
    if (this.#ending !== null) {
      if (now - this.#ending.at >= SOFT_MS) throw this.#ending.why;
      if (task !== null && task.raisedAt < this.#ending.at) this.#setHook();
    } else if (task !== null) {
      const abort = this.host.abortRequested();
      if (abort !== this.#abortedEvent) {
        this.#abortedEvent = abort;
        this.abortEvent(abort);
      }
      if (task.aborting && now - task.raisedAt > ABORT_RAISE_MS) this.#setHook();
    }
    const due = now - this.#sliceAt > SLICE_MS || this.host.messageWaits();
    return this.#shared && due && this.#inHost === 0 && this.current !== null ? 0 : POLL_TICKS;
  }

  #limits(now: number): void {
    if (this.#ending !== null) return;
    if (this.host.killRequested()) this.end(new Terminate("cancelled", "cancelled"));
    else if (now - this.#startedAt > this.limits.wallMsMax) {
      this.end(new Terminate("timeout", `limit error: wall time over ${this.limits.wallMsMax} ms`));
    } else if (this.current !== null) {
      const slice = now - this.#sliceAt;
      if (this.cpuMs + slice > this.limits.cpuMsMax) {
        this.end(new Terminate("timeout", `limit error: CPU time over ${this.limits.cpuMsMax} ms`));
      } else if (slice > this.limits.sliceMsMax) {
        this.end(new Terminate("timeout", `limit error: ${this.limits.sliceMsMax} ms of CPU without giving way`));
      } else if (now > this.current.deadlineAt && !this.current.aborting) this.abortTask(this.current);
    }
  }

  #setHook(): void {
    this.state.x.lua_sethook(this.state.x.running.value, SLOT.hook, HOOK_COUNT, 1);
  }

  /** Raises the soft error in the running thread; Lua may catch it, our pcall throws it on. */
  #hook(L: number): void {
    this.state.x.lua_sethook(L, 0, 0, 0);
    const task = this.current;
    if (task === null || !this.cancelling()) return;
    task.raisedAt = this.host.monotonic();
    this.state.pushText(L, this.#ending === null ? "task aborted" : "cancelled");
  }

  /** True while errors of the current task must not be caught. */
  cancelling(): boolean {
    return this.#ending !== null || (this.current?.aborting ?? false);
  }

  /** Ends the isle: softly for a while, then for good. */
  end(why: Terminate): void {
    if (this.#ending !== null || this.state.dead !== null) return;
    this.#ending = { at: this.host.monotonic(), why };
    for (const task of this.tasks.live) this.#interrupt(task, (L) => this.raise(L, new LuaRaise("cancelled")));
    setTimeout(() => this.#die(why), SOFT_MS).unref();
    if (this.tasks.live.size === 0) this.#die(why);
  }

  /** The host asked for the end while nothing ran: look at once instead of at the next poll. */
  interrupt(): void {
    this.#limits(this.host.monotonic());
  }

  /** Lets go of the VM without running anything more. */
  drop(): void {
    if (this.state.dead === null) {
      this.state.dead = new Terminate("cancelled", "cancelled");
      this.alarms.clear();
      for (const task of this.tasks.live) task.wait?.cancel();
      this.tasks.live.clear();
    }
  }

  /** CPU milliseconds of this isle until now. */
  get cpuMsNow(): number {
    return this.cpuMs + (this.current === null ? 0 : this.host.monotonic() - this.#sliceAt);
  }

  get ending(): Terminate | null {
    return this.#ending?.why ?? null;
  }

  #die(error: unknown): void {
    if (this.state.dead !== null) return;
    const why = this.#ending?.why ?? toTerminate(error, this.state.capHit);
    this.state.dead = why;
    this.current = null;
    this.alarms.clear();
    for (const task of this.tasks.live) task.wait?.cancel();
    this.tasks.live.clear();
    this.host.died(why);
  }

  /** Suspends the running Lua code so that timers, messages and other isles have their turn. */
  #giveWay(): Promise<number> {
    const task = this.current;
    const strict = this.state.strict;
    this.cpuMs += this.host.monotonic() - this.#sliceAt;
    this.current = null;
    this.state.strict = false;
    return new Promise((resolve, reject) => {
      // two turns: what the first one makes ready runs before this goes on
      this.host.later(() => this.host.later(() => {
        if (this.state.dead !== null) {
          reject(new Terminate("cancelled", "cancelled"));
          return;
        }
        this.current = task;
        this.state.strict = strict;
        this.#sliceAt = this.host.monotonic();
        resolve(POLL_TICKS);
      }));
    });
  }

  /** Message handler under every task: keeps where its error was raised. */
  failing(L: number): number {
    const { strict } = this.state;
    this.state.strict = false;
    if (this.current !== null && !this.cancelling()) this.current.traceback = this.errors.traceback(L);
    this.state.strict = strict;
    this.state.x.lua_settop(L, 1);
    return 1;
  }

  /** What a failed task raised. */
  raised(task: Task): Raised {
    return this.errors.read(task.thread, task.traceback);
  }
}

function cancelledError(): Error {
  return blockError("task.cancelled", "task cancelled");
}

function toTerminate(error: unknown, capHit: boolean): Terminate {
  if (error instanceof Terminate) return error;
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return capHit ? new Terminate("memory", "not enough memory") : new Terminate("crashed", text);
}

export type { HostFunction, VmHost, VmLimits };
