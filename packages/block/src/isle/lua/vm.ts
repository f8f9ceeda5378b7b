/**
 * The Lua VM of one isle.
 * takes compiled Lua, limits and a port to the host; gives tasks that run scripts; promises that no script
 * outlives a kill, a budget or its memory cap; refuses work once dead; never lets a host exception be caught
 * by Lua, save typed faults.
 */
import { isFault, toFaultData } from "@atoll-run/core";
import { blockError } from "../../errors.ts";
import { Alarms } from "./alarms.ts";
import { Cancels } from "./cancels.ts";
import { TYPE } from "./exports.ts";
import { LuaErrors, LuaRaise, type Raised } from "./errors.ts";
import { Loop } from "./loop.ts";
import { Meter, type Metered } from "./meter.ts";
import type { MemoryImage } from "./memory-image.ts";
import { bootPrelude } from "./prelude.ts";
import { LuaState } from "./state.ts";
import { OutOfMemory, StackFull, Terminate } from "./vm-errors.ts";
import { Scheduler, type Task, type TaskKind } from "./tasks.ts";
import type { HostFunction, VmHost, VmLimits } from "./vm-host.ts";
import { type Start, Waits } from "./waits.ts";

/** Calls of host functions between two polls at the most: they take longer than the ticks around them tell. */
const CALLS_A_POLL = 200;

export class LuaVm implements Metered {
  readonly state: LuaState;
  readonly errors: LuaErrors;
  readonly tasks: Scheduler;
  readonly host: VmHost;
  readonly limits: VmLimits;
  readonly shared: boolean;
  /** Times that also come while Lua code is busy; what they do must not enter the VM. */
  readonly alarms: Alarms;
  readonly meter: Meter;
  /** The task whose code runs; null between tasks and while it is suspended to let others run. */
  current: Task | null = null;
  hostDepth = 0;
  #calls = 0;
  readonly waits: Waits;
  readonly #cancels: Cancels;
  readonly #functions: HostFunction[] = [];
  readonly #resume: (task: Task) => Promise<number> | number;
  readonly #loop: Loop;
  #gone = false;

  constructor(
    module: WebAssembly.Module, host: VmHost, options: { limits: VmLimits; shared: boolean; image?: MemoryImage | undefined },
  ) {
    this.host = host;
    this.limits = options.limits;
    this.shared = options.shared;
    this.alarms = new Alarms(() => host.monotonic());
    this.state = new LuaState(module, {
      poll: () => this.meter.poll(), worked: () => this.meter.worked(), cancelling: () => this.meter.cancelling(),
      call: (L, fn) => this.#inHost(L, this.#functions[fn] as HostFunction),
      resumed: (L) => this.#inHost(L, (T) => this.#resumed(T)),
      hook: (L) => this.#hook(L), write: (fd, bytes) => host.write(fd, bytes), now: () => host.now(),
      sized: (bytes) => host.sized(bytes),
      ...(options.shared ? { suspending: () => this.meter.giveWay() } : {}),
    }, options.limits.bytesMax, options.image);
    this.tasks = new Scheduler(() => this.#loop.wake());
    this.meter = new Meter(this);
    this.waits = new Waits(this);
    this.#cancels = new Cancels(this);
    this.#loop = new Loop(this, this.#cancels);
    const { x, scratch } = this.state;
    const promised = options.shared ? WebAssembly.promising(x.lua_resume) : undefined;
    this.#resume = (task) => {
      // the function to call is the first argument of the one under every task
      const args = task.begun ? 0 : task.firstArgs + 1;
      task.begun = true;
      return promised === undefined ? x.lua_resume(task.thread, 0, args, scratch)
        : promised(task.thread, 0, args, scratch);
    };
    bootPrelude(this);
    this.errors = new LuaErrors(this.state);
  }

  // ---- host functions

  define(fn: HostFunction): number {
    return this.#functions.push(fn) - 1;
  }

  /** Sets `name` in the table on top of the stack. */
  setFunction(L: number, name: string, fn: HostFunction): void {
    this.setNumbered(L, name, this.define(fn));
  }

  /** The same with a function that has its number. */
  setNumbered(L: number, name: string, number: number): void {
    this.state.pushText(L, name);
    this.state.pushFunction(L, number);
    this.state.x.lua_rawset(L, -3);
  }

  #inHost(L: number, fn: HostFunction): number {
    this.hostDepth++;
    if (++this.#calls >= CALLS_A_POLL) this.#pollSoon();
    try {
      return fn(L);
    } catch (error) {
      return this.raise(L, error);
    } finally {
      this.hostDepth--;
    }
  }

  /** The next tick polls. */
  #pollSoon(): void {
    this.#calls = 0;
    this.state.x.budget.value = 0;
  }

  #hook(L: number): void {
    this.hostDepth++;
    try {
      this.meter.hook(L);
    } finally {
      this.hostDepth--;
    }
  }

  /** Pushes an error for Lua; what is not meant for scripts goes on and ends the isle. */
  raise(L: number, error: unknown): number {
    if (error instanceof LuaRaise || error instanceof OutOfMemory || error instanceof StackFull) {
      this.state.pushText(L, error.message);
    } else if (isFault(error)) this.errors.push(L, toFaultData(error));
    else if (isTooLarge(error)) this.state.pushText(L, "not enough memory");
    else throw error;
    return -1;
  }

  // ---- waiting

  /**
   * Suspends the current task until `settle` is called. `start` begins the work and says how to give it up.
   * In places that cannot yield the whole isle waits instead. `shielded`: a soft cancel does not end this
   * wait.
   */
  wait(L: number, start: Start, shielded = false): number {
    return this.waits.wait(L, start, shielded);
  }

  /** A wait for a time, in milliseconds, never shorter; 0 only gives way to the other tasks. */
  sleep(L: number, ms: number): number {
    return this.waits.sleep(L, ms);
  }

  #resumed(L: number): number {
    const task = this.current as Task;
    const deliver = task.deliver;
    task.deliver = null;
    this.state.x.lua_settop(L, 0);
    return deliver === null ? 0 : deliver(L);
  }

  // ---- tasks

  /**
   * A coroutine whose function is on top of `from`; it is taken. Starts at its turn. `from` is the caller's
   * coroutine in a host function, else the main state inside `enter`.
   */
  spawn(from: number, kind: TaskKind): Task {
    const { liveTasksMax } = this.limits;
    if (kind === "task" && this.tasks.live.size >= liveTasksMax) {
      throw blockError("script.argument", `limit error: too many live tasks (limit: ${liveTasksMax})`,
        { facts: { limit: liveTasksMax } });
    }
    const { x } = this.state;
    const thread = x.lua_newthread(from);
    const ref = this.state.ref(from);
    this.state.pushKnown(thread, "base");
    x.lua_xmove(from, thread, 1);
    const task = this.tasks.create(kind, { thread, ref });
    task.startedAt = this.host.monotonic();
    task.context = this.current?.context ?? 0;
    this.tasks.ready(task, null);
    return task;
  }

  /** Soft cancel: `task cancelled` at this and each later suspension point. */
  cancelTask(task: Task): void {
    this.#cancels.cancel(task);
  }

  /**
   * Ends a task whatever its code does; what does not end in time takes the isle along. Does not enter the
   * VM.
   */
  abortTask(task: Task): void {
    this.#cancels.abort(task);
  }

  /** The time of an event is over: its handler, and what runs under the handler's name, is aborted. */
  abortEvent(seq: number): void {
    this.#cancels.abortEvent(seq);
  }

  interruptAll(): void {
    this.#cancels.interruptAll();
  }

  // ---- running

  /**
   * Runs `work`, which uses the VM from outside of its tasks: at once, or as soon as no task is on the stack.
   * A suspended task may be in the middle of an allocation. Dropped when the isle is ending: its death
   * answers what is open.
   */
  enter(work: () => void): void {
    this.#loop.enter(work);
  }

  /** Goes on with a task; gives its status, at once or when it was suspended meanwhile. */
  resume(task: Task): Promise<number> | number {
    return this.#resume(task);
  }

  /** A task has unwound. */
  ended(task: Task, how: "returned" | "failed" | "aborted"): void {
    this.tasks.ended(task, { how }, this.host.monotonic());
    this.state.unref(task.ref);
    // every task unwound by itself: no need to wait out the soft time
    if (this.meter.ending !== null && this.tasks.live.size === 0) this.die(this.meter.ending);
  }

  // ---- the end

  /** Ends the isle: softly for a while, then for good. */
  end(why: Terminate): void {
    this.meter.end(why);
  }

  /** The host wants something while nothing may be running: look at once instead of at the next poll. */
  interrupt(): void {
    if (this.state.dead === null) this.meter.check();
  }

  get ending(): Terminate | null {
    return this.meter.ending;
  }

  /** True while errors of the current task must not be caught. */
  cancelling(): boolean {
    return this.meter.cancelling();
  }

  get cpuMsNow(): number {
    return this.meter.cpuMs;
  }

  /** Lets go of the VM without running anything more; nobody is told. */
  drop(): void {
    this.#gone = true;
    this.state.dead ??= new Terminate("cancelled", "cancelled");
    this.#letGo();
  }

  /** The instance cannot be entered any more; the host is told why. */
  die(error: unknown): void {
    if (this.#gone) return;
    this.#gone = true;
    const why = this.meter.ending ?? toTerminate(error);
    this.state.dead = why;
    this.#letGo();
    this.host.died(why);
  }

  #letGo(): void {
    this.current = null;
    this.alarms.clear();
    this.#loop.clear();
    for (const task of this.tasks.live) task.wait?.cancel();
    this.tasks.live.clear();
  }

  // ---- failures of tasks

  /**
   * Message handler under every task: keeps where its error was raised, and the text of an error that is a
   * table.
   */
  failing(L: number): number {
    const { state, current } = this;
    const { strict } = state;
    state.strict = false;
    if (current !== null && !this.cancelling()) {
      current.traceback = this.errors.traceback(L);
      current.errorText = state.x.lua_type(L, 2) === TYPE.string ? state.lossyText(L, 2) : "";
    }
    state.strict = strict;
    state.x.lua_settop(L, 1);
    return 1;
  }

  /** What a failed task raised. */
  raised(task: Task): Raised {
    return this.errors.read(task.thread, task);
  }
}

/** Text or a buffer beyond what the JavaScript engine can hold. */
function isTooLarge(error: unknown): boolean {
  return error instanceof RangeError
    && /string length|allocation failed|array (buffer )?length/i.test(error.message);
}

/** Why the instance cannot go on. */
export function toTerminate(error: unknown): Terminate {
  if (error instanceof Terminate) return error;
  if (error instanceof OutOfMemory || isTooLarge(error)) return new Terminate("memory", "not enough memory");
  return new Terminate("crashed", error instanceof Error ? `${error.name}: ${error.message}` : String(error));
}

export type { HostFunction, VmHost, VmLimits };
