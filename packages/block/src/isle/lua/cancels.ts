/**
 * How a task is ended from outside: a soft cancel is an error at each place where the task waits, an abort is
 * one that our `pcall` and coroutines pass on. Nothing here enters the VM: it may be called in the middle of
 * an instruction.
 */
import type { Alarms } from "./alarms.ts";
import { LuaRaise } from "./errors.ts";
import type { Meter } from "./meter.ts";
import { Terminate } from "./vm-errors.ts";
import type { Deliver, Scheduler, Task } from "./tasks.ts";
import type { VmHost, VmLimits } from "./vm-host.ts";
import { cancelledError, type Waits } from "./waits.ts";

/** An abort is over after this many times its CPU time, however little of it the isle got. */
const BUSY_MAX = 10;

interface Cancelling {
  readonly host: VmHost;
  readonly limits: VmLimits;
  readonly tasks: Scheduler;
  readonly alarms: Alarms;
  readonly meter: Meter;
  readonly waits: Waits;
  raise(L: number, error: unknown): number;
}

export class Cancels {
  readonly #vm: Cancelling;

  constructor(vm: Cancelling) {
    this.#vm = vm;
  }

  /** See `LuaVm.cancelTask`. */
  cancel(task: Task): void {
    if (task.state === "ended" || task.cancelled) return;
    task.cancelled = true;
    if (!task.shielded) this.#cancelWait(task);
    for (const hear of task.onCancel) hear("cancel");
  }

  /** See `LuaVm.abortTask`. */
  abort(task: Task): void {
    if (task.state === "ended" || task.aborting) return;
    task.abortedAt = this.#vm.host.monotonic();
    this.#abortWait(task);
    for (const hear of task.onCancel) hear("abort");
    this.#bound(task);
  }

  /** An abort has its time in CPU milliseconds of the isle, so that a busy machine ends nobody. */
  #bound(task: Task): void {
    const { limits: { taskAbortMsMax }, alarms, meter } = this.#vm;
    const off = alarms.setCpu(taskAbortMsMax, { cpuMs: () => meter.cpuMs, lastMs: taskAbortMsMax * BUSY_MAX },
      () => meter.end(new Terminate("crashed", `task ${task.id} did not end after its abort`)));
    task.onEnd.push(off);
  }

  /** The time of an event is over: its handler, and what runs under the handler's name, is aborted. */
  abortEvent(seq: number): void {
    for (const task of this.#vm.tasks.live) {
      if (task.identity.kind === "handler" && task.eventSeq === seq) this.abort(task);
    }
  }

  /** The isle is ending: whoever waits is told. */
  interruptAll(): void {
    for (const task of this.#vm.tasks.live) {
      this.#interrupt(task, this.#raise(() => new LuaRaise("cancelled")));
    }
  }

  /**
   * A task that has just begun to wait learns at once what happened before. True when there was something.
   */
  tellWaiting(task: Task): boolean {
    if (this.#vm.meter.ending !== null) this.#interrupt(task, this.#raise(() => new LuaRaise("cancelled")));
    else if (task.aborting) this.#abortWait(task);
    else if (task.cancelled && !task.shielded) this.#cancelWait(task);
    else return false;
    return true;
  }

  #cancelWait(task: Task): void {
    const error = task.wait?.cancelled;
    this.#interrupt(task, this.#raise(() => error?.() ?? cancelledError()));
  }

  #abortWait(task: Task): void {
    const raise = this.#raise(() => this.#vm.waits.abortError(task));
    if (task.state === "ready") {
      task.deliver?.drop?.();
      task.deliver = raise;
    } else this.#interrupt(task, raise);
  }

  #raise(error: () => Error): Deliver {
    return (L) => this.#vm.raise(L, error());
  }

  #interrupt(task: Task, deliver: Deliver): void {
    if (task.state !== "waiting") return;
    const { wait } = task;
    wait?.cancel();
    this.#vm.tasks.ready(task, deliver);
  }
}
