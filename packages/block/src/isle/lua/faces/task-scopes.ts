/**
 * Scopes of std.task: children that end before their scope does. A scope belongs to the task that opened it;
 * cancel and abort of that task reach its children, and a body with a time limit.
 */
import type { Task } from "../tasks.ts";
import type { LuaVm } from "../vm.ts";

export class Scope {
  readonly id: number;
  cancelled: boolean;
  /** The time limit has passed. */
  expired = false;
  /** What runs under the time limit, beside the children. */
  body: Task | null = null;
  readonly #vm: LuaVm;
  readonly #owner: Task;
  readonly #children = new Set<Task>();
  readonly #alarms: (() => void)[] = [];
  readonly #onCancel: (how: "cancel" | "abort") => void;
  #aborted = false;
  #drained: (() => void) | null = null;

  constructor(vm: LuaVm, id: number) {
    this.#vm = vm;
    this.id = id;
    this.#owner = vm.current as Task;
    this.cancelled = this.#owner.cancelled;
    this.#onCancel = (how) => {
      if (how === "abort") this.#abortAll();
      else {
        if (this.body !== null) vm.cancelTask(this.body);
        this.cancel();
      }
    };
    this.#owner.onCancel.add(this.#onCancel);
  }

  add(child: Task): void {
    this.#children.add(child);
    child.onEnd.push(() => {
      this.#children.delete(child);
      if (this.#children.size === 0) this.#drained?.();
    });
    if (this.#aborted) this.#vm.abortTask(child);
    else if (this.cancelled) this.#vm.cancelTask(child);
  }

  /** Soft: each child gets `task cancelled` at its suspension points, later ones from their start. */
  cancel(): void {
    this.cancelled = true;
    for (const child of this.#children) this.#vm.cancelTask(child);
  }

  abort(): void {
    this.#aborted = true;
    for (const child of this.#children) this.#vm.abortTask(child);
  }

  /** After `ms` the body is aborted, children are cancelled; who goes on is aborted `graceMs` later. */
  expireAfter(ms: number, graceMs: number): void {
    this.#alarms.push(this.#vm.alarms.set(ms, () => {
      this.expired = true;
      if (this.body !== null) this.#vm.abortTask(this.body);
      this.cancel();
      if (graceMs <= 0) this.abort();
      else this.#alarms.push(this.#vm.alarms.set(graceMs, () => this.abort()));
    }));
  }

  /** The calling task waits until the last child has ended. Its soft cancel reaches them, not the wait. */
  drain(L: number): number {
    if (this.#children.size === 0) return 0;
    return this.#vm.wait(L, (settle) => {
      this.#drained = () => settle(() => 0);
      return { local: true, cancel: () => (this.#drained = null) };
    }, true);
  }

  /** The scope is left: what still runs in it is aborted. */
  close(): void {
    this.#owner.onCancel.delete(this.#onCancel);
    for (const off of this.#alarms) off();
    this.#abortAll();
  }

  #abortAll(): void {
    if (this.body !== null) this.#vm.abortTask(this.body);
    this.abort();
  }
}
