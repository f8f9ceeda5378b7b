/**
 * Who loads which module. A file is read by the host, so two tasks may ask for one module at the same time:
 * the second waits for the first, as if loading took no time. Where waiting would never end, it loads the
 * module again, as Lua does.
 */
import { LuaRaise } from "../errors.ts";
import type { Task } from "../tasks.ts";
import type { HostFunction, LuaVm } from "../vm.ts";

interface Load {
  readonly task: Task;
  readonly waiting: Set<() => void>;
}

export class Loading {
  readonly #vm: LuaVm;
  readonly #loads = new Map<string, Load>();
  readonly #waits = new Map<Task, Load>();
  readonly #watched = new WeakSet<Task>();

  constructor(vm: LuaVm) {
    this.#vm = vm;
  }

  /**
   * `enter(name)`: true = the caller loads it; false = load it beside the one who does; nil = somebody else
   * has ended.
   */
  readonly enter: HostFunction = (L) => {
    const { state } = this.#vm;
    const name = state.lossyText(L, 1);
    const task = this.#vm.current;
    if (task === null) throw new LuaRaise("attempt to wait outside a task");
    const load = this.#loads.get(name);
    if (load === undefined) {
      this.#loads.set(name, { task, waiting: new Set() });
      this.#watch(task);
      state.push(L, true);
      return 1;
    }
    if (this.#waitsFor(load.task, task) || state.x.lua_isyieldable(L) === 0) {
      state.push(L, false);
      return 1;
    }
    return this.#vm.wait(L, (settle) => {
      const wake = (): void => {
        this.#waits.delete(task);
        settle(() => 0);
      };
      load.waiting.add(wake);
      this.#waits.set(task, load);
      const cancel = (): void => {
        load.waiting.delete(wake);
        this.#waits.delete(task);
      };
      return { cancel, local: true };
    });
  };

  /** `leave(name)`: the caller of a true `enter` has ended, well or not. */
  readonly leave: HostFunction = (L) => {
    this.#leave(this.#vm.state.lossyText(L, 1));
    return 0;
  };

  #leave(name: string): void {
    const load = this.#loads.get(name);
    this.#loads.delete(name);
    for (const wake of load?.waiting ?? []) wake();
  }

  /** Does `task` wait for `other`, itself or through others? A task is not parted from its own coroutines. */
  #waitsFor(task: Task, other: Task): boolean {
    for (let at: Task | undefined = task; at !== undefined; at = this.#waits.get(at)?.task) {
      if (at === other) return true;
    }
    return false;
  }

  /** A task that dies of an error nobody caught closes nothing. */
  #watch(task: Task): void {
    if (this.#watched.has(task)) return;
    this.#watched.add(task);
    task.onEnd.push(() => {
      for (const [name, load] of this.#loads) if (load.task === task) this.#leave(name);
    });
  }
}
