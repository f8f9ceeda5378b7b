/**
 * What an isle does for the host: it handles events and is called back.
 * takes messages; gives outcomes; promises one for each, unless the isle dies, which answers all; what the
 * host gave counts against the isle's memory until the work is over; refuses a function that was released.
 */
import { toFaultData } from "@atoll-run/core";
import type { Value } from "../../bridges/op.ts";
import { blockError } from "../../errors.ts";
import { TYPE } from "../lua/exports.ts";
import type { LuaJson } from "../lua/json.ts";
import type { Kept } from "../lua/kept.ts";
import type { Task } from "../lua/tasks.ts";
import { sizeOf } from "../lua/values.ts";
import { OutOfMemory } from "../lua/vm-errors.ts";
import type { LuaVm } from "../lua/vm.ts";
import type { FileBuffers } from "./file-buffers.ts";
import type { FromThread, IsleEvent, Outcome, ToThread } from "./protocol.ts";

/** One call of a function of the script. */
export interface Work {
  /** Bytes that are held for it here. */
  readonly bytes: number;
  /** Pushes the function and its arguments; gives their number. */
  take(L: number): number;
  /** Reads the first result of the function, inside the coroutine, and keeps it as `reply`. */
  read(L: number): Value;
  reply: Value;
}

export interface WorkParts {
  readonly isle: number;
  readonly vm: LuaVm;
  readonly json: LuaJson;
  readonly kept: Kept;
  readonly files: FileBuffers;
  /** Pushes `event.tx`. */
  pushEventTx(L: number): void;
  post(message: FromThread): void;
}

interface Moments {
  begun(task: Task): void;
  ended(task: Task): void;
}

export class Works {
  readonly #parts: WorkParts;
  readonly #callbacks = new Map<number, Task>();
  readonly #works = new Map<Task, Work>();

  constructor(parts: WorkParts) {
    this.#parts = parts;
  }

  /** The work of a task that was begun here. */
  of(task: Task): Work {
    return this.#works.get(task) as Work;
  }

  event(event: IsleEvent): void {
    const { vm, json, kept, files, isle, post } = this.#parts;
    const { host, alarms, state } = vm;
    const known = kept.borrow(event.ref);
    const deadlineAt = host.monotonic() + (event.leftMs ?? Infinity);
    const off = event.leftMs === undefined ? undefined
      : alarms.set(event.leftMs, () => vm.abortEvent(event.seq));
    const work: Work = {
      bytes: event.payload.length + event.meta.length + (event.raw?.length ?? 0),
      take: (L) => {
        if (!known) throw noHandler(event.kind);
        kept.push(L, event.ref);
        this.#pushEvent(L, event);
        return 2;
      },
      reply: "null",
      read: (L) => (state.x.lua_gettop(L) === 0 ? "null" : json.encodeReply(L, 1, "reply encode")),
    };
    this.#perform("handler", work, {
      begun: (task) => {
        task.eventSeq = event.seq;
        task.deadlineAt = deadlineAt;
        // its time may have ended while another task kept the VM
        if (host.monotonic() >= deadlineAt || host.abortRequested() === event.seq) vm.abortTask(task);
      },
      ended: (task) => {
        off?.();
        if (known) kept.giveBack(event.ref);
        const late = task.end?.how === "aborted" && host.monotonic() >= deadlineAt;
        const outcome = late ? handlerLate(event.kind)
          : outcomeOf(vm, task, () => ({ text: work.reply as string }));
        files.settle(() => post({ t: "handled", isle, seq: event.seq, outcome }));
      },
    });
  }

  #pushEvent(L: number, event: IsleEvent): void {
    const { vm: { state }, json } = this.#parts;
    state.x.lua_createtable(L, 0, 5);
    for (const key of ["kind", "id"] as const) {
      state.pushText(L, key);
      state.pushText(L, event[key]);
      state.x.lua_rawset(L, -3);
    }
    for (const key of ["payload", "meta"] as const) {
      state.pushText(L, key);
      json.decodeText(L, event[key], "S", `${key} decode`);
      if (key === "payload" && event.raw !== undefined) this.#pushRaw(L, event.raw);
      state.x.lua_rawset(L, -3);
    }
    if (event.tx === true) {
      state.pushText(L, "tx");
      this.#parts.pushEventTx(L);
      state.x.lua_rawset(L, -3);
    }
  }

  /** Bytes that JSON cannot hold: they are `data` of the payload on top, or the payload itself where that is nil. */
  #pushRaw(L: number, raw: Uint8Array): void {
    const { state } = this.#parts.vm;
    if (state.x.lua_type(L, -1) !== TYPE.table) {
      state.pop(L);
      state.push(L, raw);
      return;
    }
    state.pushText(L, "data");
    state.push(L, raw);
    state.x.lua_rawset(L, -3);
  }

  callback(message: ToThread & { t: "callback" }): void {
    const { vm, json, kept, isle, post } = this.#parts;
    const { state } = vm;
    const { call, ref, args } = message;
    const known = kept.borrow(ref);
    const work: Work = {
      bytes: args.reduce((sum, arg) => sum + ("j" in arg ? arg.j.length : sizeOf(arg.v)), 0),
      take: (L) => {
        if (!known) throw blockError("run.cancelled", "cancelled");
        state.room(L, args.length + 4);
        kept.push(L, ref);
        for (const arg of args) {
          if ("j" in arg) json.decodeText(L, arg.j, "J", "callback");
          else state.push(L, arg.v);
        }
        return args.length + 1;
      },
      reply: undefined,
      read: (L) => state.get(L, 1),
    };
    this.#perform("callback", work, {
      begun: (task) => this.#callbacks.set(call, task),
      ended: (task) => {
        this.#callbacks.delete(call);
        if (known) kept.giveBack(ref);
        const outcome = outcomeOf(vm, task, () => ({ text: "" }));
        post({ t: "called", isle, call, outcome: outcome.ok ? { ok: true, value: work.reply } : outcome });
      },
    });
  }

  abortCallback(call: number): void {
    const task = this.#callbacks.get(call);
    if (task !== undefined) this.#parts.vm.abortTask(task);
  }

  /**
   * The runner takes function and arguments inside the coroutine, so that a full memory is a Lua error there.
   */
  #perform(kind: "handler" | "callback", work: Work, o: Moments): void {
    const { vm } = this.#parts;
    const { state } = vm;
    const fits = work.bytes <= state.bytesLeft;
    if (fits) state.hold(work.bytes);
    vm.enter(() => {
      state.pushKnown(state.main, "runner");
      const task = vm.spawn(state.main, kind);
      this.#works.set(task, {
        ...work,
        take: (L) => {
          if (!fits) throw new OutOfMemory();
          return work.take(L);
        },
        read: (L) => (work.reply = work.read(L)),
      });
      o.begun(task);
      task.onEnd.push(() => {
        this.#works.delete(task);
        if (fits) state.letGo(work.bytes);
        if (vm.ending === null) o.ended(task);
      });
    });
  }
}

/** How a task ended; `read` gives what it returned. */
export function outcomeOf(
  vm: LuaVm, task: Task, read: (T: number) => { text: string; warning?: string },
): Outcome {
  if (task.end?.how === "returned") return { ok: true, ...read(task.thread) };
  if (task.end?.how === "aborted") return { ok: false, text: "task aborted", traceback: "" };
  const { text, traceback, fault, value } = vm.raised(task);
  const more = { ...(fault === undefined ? {} : { fault }), ...(value === undefined ? {} : { value }) };
  return { ok: false, text, traceback, ...more };
}

/** The function that should handle the event is not in this isle. */
function noHandler(kind: string): Error {
  return blockError("bus.no_handler", `no Lua handler for kind \`${kind}\``, { facts: { kind } });
}

function handlerLate(kind: string): Outcome {
  const fault = toFaultData(blockError("bus.timeout", "handler timeout", { facts: { kind } }));
  return { ok: false, text: fault.text, traceback: "", fault };
}
