/**
 * Calls of ops of the host, from the question to the answer.
 * takes arguments that left the VM; gives the answer to the task that waits; promises that what is held for a
 * call counts against the memory of its isle; refuses a call that does not fit; never enters the VM itself.
 */
import { type FaultData, toFault } from "@atoll-run/core";
import type { Value } from "../../bridges/op.ts";
import { blockError } from "../../errors.ts";
import type { Kept } from "../lua/kept.ts";
import type { LuaJson } from "../lua/json.ts";
import { OutOfMemory } from "../lua/vm-errors.ts";
import type { Deliver, Task } from "../lua/tasks.ts";
import { sizeOf } from "../lua/values.ts";
import type { LuaVm } from "../lua/vm.ts";
import type { FromThread, ToThread } from "./protocol.ts";

/** Shapes an answer for Lua: pushes results and gives their number. */
export type Push = (L: number, value: Value) => number;

export interface CallParts {
  readonly isle: number;
  readonly vm: LuaVm;
  readonly json: LuaJson;
  readonly kept: Kept;
  post(message: FromThread): void;
}

interface Open {
  settle(deliver: Deliver): void;
  readonly push: Push | undefined;
  /** Bytes held for its arguments. */
  readonly bytes: number;
  /**
   * Functions among its arguments, which live as long as the call; with `keeps`, as long as the host wants.
   */
  readonly functions: readonly number[];
  readonly keeps: boolean;
}

export interface CallOrder {
  readonly op: string;
  readonly args: readonly Value[];
  readonly functions: readonly number[];
  readonly keeps: boolean;
  readonly push: Push | undefined;
  /** A soft cancel of the task does not end the wait: the host is told, and answers with what it has. */
  readonly patient: boolean;
}

export type Answer = ToThread & { t: "reply" | "json" | "fault" };

export class Calls {
  readonly #parts: CallParts;
  readonly #open = new Map<number, Open>();
  readonly #sent = new Map<number, (fault: FaultData | undefined) => void>();
  #next = 1;

  constructor(parts: CallParts) {
    this.#parts = parts;
  }

  /** Asks for an op; the current task waits. `functions` are released when the call is over. */
  call(L: number, o: CallOrder): number {
    const { vm, isle } = this.#parts;
    const task = vm.current as Task;
    try {
      return vm.wait(L, (settle) => {
        const bytes = sizeOf(o.args);
        vm.state.hold(bytes);
        const call = this.#next++;
        this.#open.set(call, { settle, push: o.push, bytes, functions: o.functions, keeps: o.keeps });
        const left = task.deadlineAt - vm.host.monotonic();
        this.#parts.post({
          t: "call", isle, call, op: o.op, args: o.args, task: task.identity.id,
          ...(left === Infinity ? {} : { leftMs: left }),
          ...(task.eventSeq === 0 ? {} : { event: task.eventSeq }),
        });
        const tell = (): void => this.#parts.post({ t: "cancelCall", isle, call });
        if (o.patient) this.#tellOfCancel(task, call, tell);
        return {
          cancel: () => {
            this.#close(call);
            tell();
          },
          cancelled: () => cancelledError(o.op),
          // what the host calls back would have to run here
          local: o.functions.length > 0 && !o.keeps,
        };
      }, o.patient);
    } catch (error) {
      for (const id of o.functions) this.#parts.kept.release(id);
      throw error;
    }
  }

  #tellOfCancel(task: Task, call: number, tell: () => void): void {
    const open = this.#open.get(call) as Open;
    const hear = (how: "cancel" | "abort"): void => {
      if (how === "cancel") tell();
    };
    task.onCancel.add(hear);
    this.#open.set(call, {
      ...open,
      settle: (deliver) => {
        task.onCancel.delete(hear);
        open.settle(deliver);
      },
    });
    if (task.cancelled) tell();
  }

  /** Asks for an op that no task waits for. */
  send(op: string, args: readonly Value[], done: (fault: FaultData | undefined) => void): void {
    const call = this.#next++;
    this.#sent.set(call, done);
    const { isle, vm } = this.#parts;
    this.#parts.post({ t: "call", isle, call, op, args, task: vm.current?.identity.id ?? 0 });
  }

  answer(message: Answer): void {
    const done = this.#sent.get(message.call);
    if (done !== undefined) {
      this.#sent.delete(message.call);
      done(message.t === "fault" ? message.fault : undefined);
      return;
    }
    const open = this.#close(message.call, message.t !== "fault");
    if (open !== undefined) open.settle(this.#deliver(message, open.push));
  }

  /**
   * The answer is held until the task takes it. One that does not fit beside what the isle has is an error
   * there.
   */
  #deliver(message: Answer, push: Push | undefined): Deliver {
    const { vm, json } = this.#parts;
    if (message.t === "fault") return (L) => vm.raise(L, toFault(message.fault));
    const bytes = message.t === "json" ? message.text.length : sizeOf(message.value);
    try {
      vm.state.hold(bytes);
    } catch (error) {
      if (!(error instanceof OutOfMemory)) throw error;
      return (L) => vm.raise(L, error);
    }
    const deliver: Deliver = (L) => {
      try {
        if (message.t === "json") json.decodeText(L, message.text, "J", "reply");
        else if (push !== undefined) return push(L, message.value);
        else vm.state.push(L, message.value);
        return 1;
      } finally {
        vm.state.letGo(bytes);
      }
    };
    deliver.drop = () => vm.state.letGo(bytes);
    return deliver;
  }

  #close(call: number, well = false): Open | undefined {
    const open = this.#open.get(call);
    if (open === undefined) return undefined;
    this.#open.delete(call);
    this.#parts.vm.state.letGo(open.bytes);
    if (!(well && open.keeps)) for (const id of open.functions) this.#parts.kept.release(id);
    return open;
  }
}

/** A soft cancel that meets a call of a store names the call. */
function cancelledError(op: string): Error {
  const store = /^std\.(sql|kv)\./.exec(op)?.[1] as "sql" | "kv" | undefined;
  if (store === undefined) return blockError("task.cancelled", "task cancelled");
  return blockError(`${store}.cancelled`, `task cancelled during ${op.slice("std.".length)}`);
}
