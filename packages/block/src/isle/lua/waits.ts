/**
 * How Lua code waits: its task is suspended until what it waits for is settled. Where a coroutine cannot
 * yield (a `sort` comparator, a `gsub` callback, a metamethod, a finalizer) the whole thread waits, and
 * cancel and deadlines stay live.
 */
import { blockError } from "../../errors.ts";
import { after } from "./alarms.ts";
import { LuaRaise } from "./errors.ts";
import type { Meter } from "./meter.ts";
import type { LuaState } from "./state.ts";
import type { Deliver, Scheduler, Task, Wait } from "./tasks.ts";
import type { VmHost, VmLimits } from "./vm-host.ts";

/** A value no script can make: "a wait for the host is outstanding". */
export const AWAIT = 8;
/** Longest time between two looks at cancel and limits during a synchronous wait. */
const PUMP_MS = 10;
/** Nothing to wait for but one's turn. */
const TURN: Wait = { turn: true, dueAt: 0, cancel: () => undefined };

export type Start = (settle: (deliver: Deliver) => void) => Wait;

interface Waiting {
  readonly host: VmHost;
  readonly limits: VmLimits;
  readonly shared: boolean;
  readonly state: LuaState;
  readonly tasks: Scheduler;
  readonly meter: Meter;
  readonly current: Task | null;
}

export class Waits {
  readonly #vm: Waiting;

  constructor(vm: Waiting) {
    this.#vm = vm;
  }

  /** See `LuaVm.wait`. */
  wait(L: number, start: Start, shielded: boolean): number {
    const { state, tasks, current: task } = this.#vm;
    if (task === null) throw new LuaRaise("attempt to wait outside a task");
    this.refuse(task);
    const refused = task.cancelled && !shielded;
    const here = state.x.lua_isyieldable(L) === 0;
    if (refused && here) throw cancelledError();
    let settled: Deliver | null = null;
    let suspended = false;
    const settle = (deliver: Deliver): void => {
      if (settled !== null) return;
      settled = deliver;
      if (suspended && task.wait === wait) tasks.ready(task, deliver);
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
    state.x.lua_settop(L, 0);
    state.x.lua_pushlightuserdata(L, AWAIT);
    return -2;
  }

  /** A wait for a time, in milliseconds, never shorter; 0 only gives way to the other tasks. */
  sleep(L: number, ms: number): number {
    if (!(ms > 0)) return this.wait(L, () => TURN, false);
    const monotonic = (): number => this.#vm.host.monotonic();
    const dueAt = monotonic() + ms;
    return this.wait(L, (settle) => ({ dueAt, cancel: after(ms, monotonic, () => settle(() => 0)) }), false);
  }

  /** A task that is being ended asks the host for nothing more. */
  refuse(task: Task): void {
    if (this.#vm.meter.ending !== null) throw new LuaRaise("cancelled");
    if (task.aborting) throw this.abortError(task);
  }

  /** From the first of these on, what the task has to close has its time. */
  abortError(task: Task): LuaRaise {
    if (task.raisedAt < (task.abortedAt ?? 0)) task.raisedAt = this.#vm.host.monotonic();
    return new LuaRaise("task aborted");
  }

  #waitHere(L: number, wait: Wait, o: { settled: () => Deliver | null; shielded: boolean }): number {
    const { state, host } = this.#vm;
    const { strict } = state;
    const begun = host.monotonic();
    const until = this.#vm.shared ? begun + this.#vm.limits.syncWaitMsMax : Infinity;
    try {
      if (wait.local === true) throw wouldBlock("the answer must come from this isle itself");
      for (;;) {
        const deliver = o.settled();
        if (deliver !== null) {
          state.strict = strict;
          return deliver(L);
        }
        this.#mayGoOn(wait, o.shielded);
        const now = host.monotonic();
        if (now >= (wait.dueAt ?? Infinity)) {
          wait.cancel();
          return 0;
        }
        if (now >= until) {
          throw wouldBlock(`a wait that cannot yield takes at most ${this.#vm.limits.syncWaitMsMax} ms here`);
        }
        const ms = Math.min((wait.dueAt ?? Infinity) - now, until - now, PUMP_MS);
        if (!host.pump(Math.ceil(ms))) throw wouldBlock("this wait must be where a coroutine can yield");
      }
    } catch (error) {
      if (o.settled() === null) wait.cancel();
      throw error;
    }
  }

  /** Throws what a cancel, an abort or a limit raises. */
  #mayGoOn(wait: Wait, shielded: boolean): void {
    this.#vm.meter.look();
    const task = this.#vm.current;
    if (task === null) return;
    this.refuse(task);
    if (task.cancelled && !shielded) throw wait.cancelled?.() ?? cancelledError();
  }
}

export function cancelledError(): Error {
  return blockError("task.cancelled", "task cancelled");
}

function wouldBlock(why: string): Error {
  return blockError("isle.would_block", `runtime error: isle would block: ${why}`);
}
