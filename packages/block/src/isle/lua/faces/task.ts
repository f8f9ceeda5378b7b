/**
 * `std.task`: cooperative tasks of this isle. Handles, scopes and tokens are Lua objects (task-source.ts)
 * over the few host functions here; nothing of it needs the host's main thread.
 */
import { type BlockCode, blockError } from "../../../errors.ts";
import type { Tenant } from "../../thread/tenant.ts";
import { badArgument } from "../arguments.ts";
import { TYPE } from "../exports.ts";
import type { Task } from "../tasks.ts";
import type { HostFunction, LuaVm } from "../vm.ts";
import { runLazily } from "./later.ts";
import { Failures } from "./task-failures.ts";
import { Scope } from "./task-scopes.ts";
import { TASK_FIRST, TASK_SOURCE } from "./task-source.ts";

interface Entry {
  readonly n: number;
  readonly task: Task;
  readonly name: string | undefined;
  readonly scope: number | undefined;
}

/** Names of the host functions, in order; `installTask` gives them. */
const HOST = [
  "start", "running", "abort", "aborting", "current", "failed", "taken", "lost", "clock", "pause", "check", "await", "open_scope",
  "close_scope", "cancel_scope", "scope_cancelled", "expired", "drain", "run_body", "await_body", "fail", "bad",
] as const;
const SOURCE = `local _, ${HOST.join(", ")}, default_grace = ...\n${TASK_SOURCE}`;

export function installTask(isle: Tenant): void {
  const args = (): (HostFunction | number)[] => {
    const face = new TaskFace(isle);
    const functions = { ...face.tasks(), ...face.waits(), ...face.scopes(), ...face.errors() };
    return [...HOST.map((name) => functions[name] as HostFunction), isle.setup.taskGraceMs];
  };
  runLazily(isle, "task", { source: TASK_FIRST }, { source: SOURCE, args });
}

class TaskFace {
  readonly #vm: LuaVm;
  readonly #failures: Failures;
  /** Tasks that have not ended, by their number; the number of an ended one is known to its handle only. */
  readonly #live = new Map<number, Entry>();
  readonly #entries = new WeakMap<Task, Entry>();
  readonly #scopes = new Map<number, Scope>();
  #lastTask = 0;
  #lastScope = 0;

  constructor(isle: Tenant) {
    this.#vm = isle.vm;
    this.#failures = new Failures(isle);
  }

  tasks(): Record<string, HostFunction> {
    const vm = this.#vm;
    const { state } = vm;
    return {
      start: (L) => {
        const name = state.x.lua_type(L, 2) === TYPE.string ? state.lossyText(L, 2) : undefined;
        const scope = state.x.lua_type(L, 3) === TYPE.number ? this.#scope(L, 3) : undefined;
        state.x.lua_settop(L, 1);
        return this.#integer(L, this.#start(L, name, scope));
      },
      running: (L) => this.#boolean(L, this.#live.has(this.#number(L, 1))),
      abort: (L) => {
        const entry = this.#live.get(this.#number(L, 1));
        if (entry !== undefined) vm.abortTask(entry.task);
        return 0;
      },
      aborting: (L) => this.#boolean(L, vm.current?.aborting === true),
      current: (L) => {
        const identity = (vm.current as Task).identity;
        const entry = this.#entries.get(identity);
        if (entry === undefined) return 0;
        this.#integer(L, entry.n);
        state.push(L, entry.name);
        this.#boolean(L, identity.cancelled || identity.aborting);
        return 3;
      },
      failed: (L) => {
        const entry = this.#live.get(this.#number(L, 1));
        const text = state.lossyText(L, 2);
        const told = entry !== undefined && !(entry.task.cancelled && text.startsWith("task cancelled"));
        if (told) this.#failures.add(entry.n, { name: entry.name, text, scope: entry.scope });
        return this.#boolean(L, told);
      },
      taken: (L) => {
        this.#failures.taken(this.#number(L, 1));
        return 0;
      },
      lost: (L) => {
        this.#failures.tell(this.#number(L, 1));
        return 0;
      },
    };
  }

  /** The function is on top of the stack. */
  #start(L: number, name: string | undefined, scope: Scope | undefined): number {
    const parent = this.#vm.current as Task;
    const task = this.#vm.spawn(L, "task");
    const n = ++this.#lastTask;
    const entry: Entry = { n, task, name, scope: scope?.id };
    task.name = name ?? `t${n}`;
    // its calls belong to the trace of the event; the time of the event is the handler's alone
    task.eventSeq = parent.eventSeq;
    this.#live.set(n, entry);
    this.#entries.set(task, entry);
    task.onEnd.push(() => this.#live.delete(n));
    scope?.add(task);
    return n;
  }

  waits(): Record<string, HostFunction> {
    const vm = this.#vm;
    return {
      clock: (L) => {
        vm.state.x.lua_pushnumber(L, vm.host.monotonic());
        return 1;
      },
      pause: (L) => vm.sleep(L, vm.state.x.lua_tonumberx(L, 1, 0)),
      check: () => {
        const task = vm.current as Task;
        if (task.cancelled && !task.aborting) throw blockError("task.cancelled", "task cancelled");
        return 0;
      },
      await: (L) => {
        const entry = this.#live.get(this.#number(L, 1));
        if (entry === undefined) return 0;
        if (entry.task === (vm.current as Task).identity) {
          throw blockError("runtime.failed", "a task cannot join itself");
        }
        return this.#waitFor(L, entry.task, false);
      },
    };
  }

  #waitFor(L: number, task: Task, shielded: boolean): number {
    return this.#vm.wait(L, (settle) => {
      const hear = (): void => settle(() => 0);
      task.onEnd.push(hear);
      return {
        local: true,
        cancel: () => {
          const at = task.onEnd.indexOf(hear);
          if (at >= 0) task.onEnd.splice(at, 1);
        },
      };
    }, shielded);
  }

  scopes(): Record<string, HostFunction> {
    const vm = this.#vm;
    const act = (work: (scope: Scope) => void): HostFunction => (L) => {
      work(this.#scope(L, 1));
      return 0;
    };
    return {
      open_scope: (L) => {
        const scope = new Scope(vm, ++this.#lastScope);
        this.#scopes.set(scope.id, scope);
        return this.#integer(L, scope.id);
      },
      close_scope: act((scope) => {
        this.#scopes.delete(scope.id);
        scope.close();
        this.#failures.tellScope(scope.id);
      }),
      cancel_scope: act((scope) => scope.cancel()),
      scope_cancelled: (L) => this.#boolean(L, this.#scope(L, 1).cancelled),
      expired: (L) => this.#boolean(L, this.#scope(L, 1).expired),
      drain: (L) => this.#scope(L, 1).drain(L),
      run_body: (L) => {
        const scope = this.#scope(L, 1);
        const [ms, graceMs] = [3, 4].map((i) => vm.state.x.lua_tonumberx(L, i, 0)) as [number, number];
        vm.state.x.lua_settop(L, 2);
        scope.body = this.#startBody(L);
        scope.expireAfter(ms, graceMs);
        return 0;
      },
      await_body: (L) => {
        const { body } = this.#scope(L, 1);
        return body === null || body.state === "ended" ? 0 : this.#waitFor(L, body, true);
      },
    };
  }

  #startBody(L: number): Task {
    const parent = this.#vm.current as Task;
    const body = this.#vm.spawn(L, "body");
    body.identity = parent.identity;
    body.name = parent.name;
    body.eventSeq = parent.eventSeq;
    body.deadlineAt = parent.deadlineAt;
    return body;
  }

  errors(): Record<string, HostFunction> {
    const { state } = this.#vm;
    const text = (L: number, index: number): string => state.lossyText(L, index);
    return {
      fail: (L) => {
        throw blockError(text(L, 1) as BlockCode, text(L, 2));
      },
      bad: (L) => {
        throw badArgument(text(L, 1), this.#number(L, 2), text(L, 3), text(L, 4));
      },
    };
  }

  #scope(L: number, index: number): Scope {
    return this.#scopes.get(this.#number(L, index)) as Scope;
  }

  #number(L: number, index: number): number {
    return this.#vm.state.x.lua_tonumberx(L, index, 0);
  }

  #integer(L: number, value: number): number {
    this.#vm.state.x.push_integer(L, value);
    return 1;
  }

  #boolean(L: number, value: boolean): number {
    this.#vm.state.x.lua_pushboolean(L, value ? 1 : 0);
    return 1;
  }
}
