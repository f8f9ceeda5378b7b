/**
 * The Lua VM of one isle.
 * takes compiled Lua, limits and a port to the host; gives tasks that run scripts; promises that no script outlives a kill,
 * a budget or its memory cap; refuses work once dead; never lets a host exception be caught by Lua, save typed faults.
 */
import { type FaultData, isFault, toFaultData } from "@atoll-run/core";
import { blockError } from "../../errors.ts";
import { STATUS, TYPE } from "./exports.ts";
import { LuaErrors, LuaRaise, type Raised } from "./errors.ts";
import { bootPrelude } from "./prelude.ts";
import { LuaState, OutOfMemory, POLL_TICKS, SLOT, type StateHost, Terminate } from "./state.ts";
import { type Deliver, Scheduler, type Task, type TaskKind, type Wait } from "./tasks.ts";

/** A value no script can make: "a wait for the host is outstanding". */
export const AWAIT = 8;
const HOOK_COUNT = 8;
/** Soft errors are raised for this long before an isle is ended for good. */
export const SOFT_MS = 80;
/** An aborted task may clean up for this long; then its isle is killed. */
const ABORT_MS = 500;
const ABORT_RAISE_MS = 100;
const SLICE_MS = 5;
/** After this much time without a break the worker looks at its messages again. */
const BATCH_MS = 5;

export interface VmLimits {
  readonly bytesMax: number;
  /** CPU and wall milliseconds of the whole run; CPU milliseconds without giving way. */
  readonly cpuMsMax: number;
  readonly wallMsMax: number;
  readonly sliceMsMax: number;
  readonly liveTasksMax: number;
}

export interface VmHost {
  /** Non-zero when the host wants this isle ended; read from shared memory. */
  killRequested(): boolean;
  /** Number of the event whose handler is to be aborted, 0 for none; read from shared memory. */
  abortRequested(): number;
  monotonic(): number;
  now(): number;
  /** Bytes for stdout (1) or a warning of Lua's own (2). */
  write(descriptor: number, bytes: Uint8Array): void;
  /** Blocks until a message came or `ms` passed, and handles what came; false when that cannot be here. */
  pump(ms: number): boolean;
  /** The VM may not be entered any more. */
  died(why: Terminate): void;
  /** Runs `work` after messages had their turn. */
  later(work: () => void): void;
  /** Runs `work` once, as soon as what is going on in the thread is done. */
  soon(work: () => void): void;
  warn(text: string): void;
  /** A message for this thread has not been looked at: a shared isle gives way for it. */
  messageWaits(): boolean;
  /** Called at each poll: a chance to send what waits. */
  polled(now: number): void;
}

export type HostFunction = (L: number) => number;

export class LuaVm {
  readonly state: LuaState;
  readonly errors: LuaErrors;
  readonly tasks: Scheduler;
  readonly host: VmHost;
  readonly limits: VmLimits;
  current: Task | null = null;
  cpuMs = 0;
  readonly #functions: HostFunction[] = [];
  readonly #startedAt: number;
  readonly #resume: (task: Task) => Promise<number> | number;
  readonly #shared: boolean;
  #inHost = 0;
  #sliceAt = 0;
  #ending: { at: number; why: Terminate } | null = null;
  #running = false;

  constructor(module: WebAssembly.Module, host: VmHost, options: { limits: VmLimits; shared: boolean }) {
    this.host = host;
    this.limits = options.limits;
    this.#shared = options.shared;
    this.#startedAt = host.monotonic();
    this.#sliceAt = this.#startedAt;
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
      const args = task.firstArgs;
      task.firstArgs = 0;
      return promised === undefined ? x.lua_resume(task.thread, 0, args, scratch) : promised(task.thread, 0, args, scratch);
    };
    this.errors = bootPrelude(this);
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
   * cannot yield the whole isle waits instead.
   */
  wait(L: number, start: (settle: (deliver: Deliver) => void) => Wait): number {
    const task = this.current;
    if (task === null) throw new LuaRaise("attempt to wait outside a task");
    this.#refuse(task);
    let settled: Deliver | null = null;
    let suspended = false;
    const settle = (deliver: Deliver): void => {
      if (settled !== null) return;
      settled = deliver;
      if (suspended && task.wait === wait) this.tasks.ready(task, deliver);
    };
    const wait = start(settle);
    const now = (): Deliver | null => settled;
    const early = now();
    if (early !== null) return early(L);
    if (this.state.x.lua_isyieldable(L) === 0) return this.#waitHere(L, wait, now);
    suspended = true;
    task.wait = wait;
    this.state.x.lua_settop(L, 0);
    this.state.x.lua_pushlightuserdata(L, AWAIT);
    return -2;
  }

  #refuse(task: Task): void {
    if (task.aborting || this.#ending !== null) throw new LuaRaise(this.#ending === null ? "task aborted" : "cancelled");
    if (task.cancelled) throw new LuaRaise("task cancelled");
  }

  /** A comparator or a pattern callback cannot yield: the isle waits, its cancel and deadlines stay live. */
  #waitHere(L: number, wait: Wait, settled: () => Deliver | null): number {
    if (wait.local === true) {
      wait.cancel();
      throw blockError("isle.would_block", "runtime error: isle would block: the answer must come from this isle itself");
    }
    const strict = this.state.strict;
    const begun = this.host.monotonic();
    for (;;) {
      const deliver = settled();
      if (deliver !== null) {
        this.state.strict = strict;
        this.#sliceAt += this.host.monotonic() - begun;
        return deliver(L);
      }
      const task = this.current;
      this.#limits(this.host.monotonic());
      if (task !== null && (task.aborting || task.cancelled || this.#ending !== null)) {
        wait.cancel();
        this.#refuse(task);
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

  /** A wait for a time, in milliseconds. */
  sleep(L: number, ms: number): number {
    const dueAt = this.host.monotonic() + ms;
    return this.wait(L, (settle) => {
      const timer = setTimeout(() => settle(() => 0), ms);
      return {
        dueAt,
        cancel: () => clearTimeout(timer),
      };
    });
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
    const { x, main } = this.state;
    x.lua_checkstack(main, 4);
    const thread = x.lua_newthread(main);
    const ref = this.state.ref(main);
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
    this.#interrupt(task, "task cancelled");
  }

  /** Ends a task whatever its code does; what does not end in time takes the isle along. */
  abortTask(task: Task): void {
    if (task.state === "ended" || task.aborting) return;
    task.abortedAt = this.host.monotonic();
    if (task.state === "ready" && task.deliver === null && this.state.x.lua_status(task.thread) === 0 && task.raisedAt === 0) {
      this.#end(task, { how: "aborted" });
      return;
    }
    this.#interrupt(task, "task aborted");
    const timer = setTimeout(() => {
      if (task.state !== "ended") this.end(new Terminate("crashed", `task ${task.id} did not end after its abort`));
    }, ABORT_MS);
    task.onEnd.push(() => clearTimeout(timer));
  }

  #interrupt(task: Task, text: string): void {
    if (task.state !== "waiting") return;
    const { wait } = task;
    wait?.cancel();
    this.tasks.ready(task, (L) => {
      this.state.pushText(L, text);
      return -1;
    });
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
          const resumed = this.#step(task);
          if (resumed !== undefined) await resumed;
        }
        if (this.state.dead !== null) return;
        if (this.host.monotonic() > until && !this.tasks.idle) break;
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
    const { x } = this.state;
    const T = task.thread;
    const awaiting = count === 1 && x.lua_type(T, -1) === TYPE.lightuserdata && x.lua_touserdata(T, -1) === AWAIT;
    const pause = !awaiting && count > 0 && x.lua_type(T, -count) === TYPE.number ? Number(this.state.number(T, -count)) : 0;
    this.state.pop(T, count);
    if (awaiting) {
      task.state = "waiting";
      if (task.aborting) this.#interrupt(task, "task aborted");
      else if (task.cancelled) this.#interrupt(task, "task cancelled");
      return;
    }
    // a bare coroutine.yield() gives way; with a number it sleeps that many milliseconds
    task.state = "waiting";
    if (pause > 0) {
      const timer = setTimeout(() => this.tasks.ready(task, null), pause);
      task.wait = { cancel: () => clearTimeout(timer) };
    } else this.host.later(() => task.state === "waiting" && this.tasks.ready(task, null));
  }

  // ---- metering, cancel, kill

  #poll(): number {
    const now = this.host.monotonic();
    this.host.polled(now);
    this.#limits(now);
    const task = this.current;
    if (this.#ending !== null) {
      if (now - this.#ending.at >= SOFT_MS) throw this.#ending.why;
      if (task !== null && task.raisedAt < this.#ending.at) this.#setHook();
    } else if (task !== null) {
      const abort = this.host.abortRequested();
      if (abort !== 0 && task.kind === "handler" && task.eventSeq === abort && !task.aborting) this.abortTask(task);
      if (task.aborting && now - task.raisedAt > ABORT_RAISE_MS) this.#setHook();
      if (task.abortedAt !== null && now - task.abortedAt > ABORT_MS) {
        this.end(new Terminate("crashed", `task ${task.id} did not end after its abort`));
      }
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
    for (const task of this.tasks.live) this.#interrupt(task, "cancelled");
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

  /** What a failed task raised. */
  raised(task: Task): Raised {
    return this.errors.read(task.thread);
  }
}

function toTerminate(error: unknown, capHit: boolean): Terminate {
  if (error instanceof Terminate) return error;
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return capHit ? new Terminate("memory", "not enough memory") : new Terminate("crashed", text);
}

export type { FaultData };
