/**
 * Runs the tasks of one VM, one at a time.
 * takes tasks that may go on; gives each its turn; promises that nobody enters the VM while a task is on its
 * stack, running or suspended; refuses work once the isle is ending; never lets an exception out, since it
 * runs on its own.
 */
import type { Cancels } from "./cancels.ts";
import { STATUS } from "./exports.ts";
import type { Meter } from "./meter.ts";
import type { LuaState } from "./state.ts";
import type { Scheduler, Task } from "./tasks.ts";
import type { VmHost } from "./vm-host.ts";

/** After this much time without a break the worker looks at its messages again. */
const BATCH_MS = 5;

interface Looping {
  readonly host: VmHost;
  readonly state: LuaState;
  readonly tasks: Scheduler;
  readonly meter: Meter;
  current: Task | null;
  resume(task: Task): Promise<number> | number;
  ended(task: Task, how: "returned" | "failed" | "aborted"): void;
  die(error: unknown): void;
}

export class Loop {
  readonly #vm: Looping;
  readonly #cancels: Cancels;
  readonly #entries: (() => void)[] = [];
  #running = false;
  /** A task is on the VM's stack. */
  #occupied = false;

  constructor(vm: Looping, cancels: Cancels) {
    this.#vm = vm;
    this.#cancels = cancels;
  }

  /** See `LuaVm.enter`. */
  enter(work: () => void): void {
    if (this.#occupied) this.#entries.push(work);
    else this.#guarded(work);
  }

  /** Forgets what wanted to enter. */
  clear(): void {
    this.#entries.length = 0;
  }

  #guarded(work: () => void): void {
    const { state, meter } = this.#vm;
    if (state.dead !== null || meter.ending !== null) return;
    try {
      state.settleRefs();
      work();
    } catch (error) {
      this.#vm.die(error);
    }
  }

  wake(): void {
    if (this.#running || this.#vm.state.dead !== null) return;
    this.#running = true;
    this.#vm.host.soon(() => {
      this.#vm.meter.begin();
      this.#batch(this.#vm.host.monotonic() + BATCH_MS);
    });
  }

  /** Runs what is ready, for a few milliseconds at a time. No promise where nothing is suspended: each message comes by here. */
  #batch(until: number): void {
    const { tasks } = this.#vm;
    for (let task = tasks.next(); task !== undefined; task = tasks.next()) {
      const resumed = task.state === "ready" ? this.#step(task) : undefined;
      if (resumed !== undefined) {
        void resumed.then(() => this.#mayGoOn(until) ? this.#batch(until) : this.#pause());
        return;
      }
      if (!this.#mayGoOn(until)) break;
    }
    this.#pause();
  }

  /** After a step: what wanted to enter does; false when it is time for messages, or over. */
  #mayGoOn(until: number): boolean {
    const { host, state, tasks } = this.#vm;
    if (state.dead !== null) return false;
    for (let work = this.#entries.shift(); work !== undefined; work = this.#entries.shift()) this.#guarded(work);
    return tasks.idle || !(host.monotonic() > until || host.messageWaits());
  }

  #pause(): void {
    const { host, state, tasks, meter } = this.#vm;
    meter.pause();
    this.#running = false;
    if (state.dead === null && !tasks.idle) host.later(() => this.wake());
  }

  #step(task: Task): Promise<void> | undefined {
    const { state, meter } = this.#vm;
    try {
      if (!task.begun && (task.aborting || meter.ending !== null)) {
        this.#vm.ended(task, "aborted");
        return undefined;
      }
      state.settleRefs();
      this.#vm.current = task;
      task.state = "running";
      this.#occupied = true;
      state.strict = true;
      meter.turn();
      const status = this.#vm.resume(task);
      if (typeof status !== "number") {
        return status.then((s) => this.#after(task, s)).catch((error: unknown) => this.#vm.die(error));
      }
      this.#after(task, status);
    } catch (error) {
      this.#vm.die(error);
    }
    return undefined;
  }

  #after(task: Task, status: number): void {
    const { state } = this.#vm;
    state.strict = false;
    this.#vm.current = null;
    this.#occupied = false;
    const { memory, scratch } = state;
    if (status === STATUS.yield) this.#yielded(task, memory.words[scratch >> 2] as number);
    else if (task.aborting) this.#vm.ended(task, "aborted");
    else this.#vm.ended(task, status === STATUS.ok ? "returned" : "failed");
  }

  #yielded(task: Task, count: number): void {
    const { state, tasks } = this.#vm;
    state.pop(task.thread, count);
    // answered while it gave way to others on its way out of nested coroutines: it is queued already
    if (task.state === "ready") return;
    task.state = "waiting";
    if (this.#cancels.tellWaiting(task)) return;
    if (task.wait === null || task.wait.turn === true) tasks.ready(task, null);
  }
}
