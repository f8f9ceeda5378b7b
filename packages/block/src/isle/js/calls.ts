/**
 * Calls of ops of the host, and times, from the question to the answer.
 * takes arguments that left the VM; gives the answer to the code that waits; promises that what is held for a
 * call counts against the memory of its isle; refuses a call that does not fit; never enters the VM itself.
 */
import { isUtf8 } from "node:buffer";
import { toFault } from "@atoll-run/core";
import type { Value } from "../../bridges/op.ts";
import { blockError } from "../../errors.ts";
import { after } from "../lua/alarms.ts";
import { sizeOf } from "../lua/values.ts";
import { Terminate } from "../lua/vm-errors.ts";
import type { FromThread, ToThread } from "../thread/protocol.ts";
import { pack, packJson } from "./pack.ts";
import type { JsVm } from "./vm.ts";

export interface JsCallParts {
  readonly isle: number;
  readonly vm: JsVm;
  post(message: FromThread): void;
  pump(ms: number): boolean;
  /** The event that a call made now belongs to. */
  event(): { readonly seq: number; readonly deadlineAt: number } | undefined;
}

type Answer = ToThread & { t: "reply" | "json" | "fault" };

interface Open {
  readonly op: string;
  readonly bytes: number;
  readonly event: number;
}

/** What a call and a timer cost beside their arguments, here and on the host, in bytes. */
const CALL_BYTES = 512;
const TIMER_BYTES = 256;

/** Numbers of calls that the thread itself makes; those of code in the isle are above 0. */
const OWN = -1;

export class JsCalls {
  readonly #parts: JsCallParts;
  readonly #open = new Map<number, Open>();
  readonly #timers = new Map<number, () => void>();
  readonly #asked = new Map<number, (message: Answer) => void>();
  #lastOwn = OWN;

  constructor(parts: JsCallParts) {
    this.#parts = parts;
  }

  /** The script waits in `bus.serve()`. */
  get serving(): boolean {
    for (const { op } of this.#open.values()) if (op === "bus.serve") return true;
    return false;
  }

  get idle(): boolean {
    return this.#open.size === 0 && this.#timers.size === 0;
  }

  get names(): string[] {
    return [...this.#open.values()].map(({ op }) => op);
  }

  /** Asks for an op; throws when it does not fit. */
  call(call: number, op: string, args: readonly Value[]): void {
    const { vm, isle } = this.#parts;
    const bytes = CALL_BYTES + sizeOf(args);
    if (!vm.hold(bytes)) throw blockError("isle.memory", "not enough memory");
    const event = this.#parts.event();
    this.#open.set(call, { op, bytes, event: event?.seq ?? 0 });
    this.#parts.post({
      t: "call", isle, call, op, args, task: event?.seq ?? 0,
      ...(event === undefined || event.deadlineAt === Infinity ? {} : { leftMs: event.deadlineAt - performance.now() }),
      ...(event === undefined ? {} : { event: event.seq }),
    });
  }

  cancel(call: number): void {
    if (this.#close(call) !== undefined) this.#parts.post({ t: "cancelCall", isle: this.#parts.isle, call });
  }

  /** The calls that belong to an event fail: its time is over. */
  abortEvent(seq: number): void {
    const calls = [...this.#open].filter(([, open]) => open.event === seq).map(([call]) => call);
    for (const call of calls) this.cancel(call);
    if (calls.length > 0) this.#parts.vm.send("abortCalls", 0, pack(calls));
  }

  answer(message: Answer): void {
    const asked = this.#asked.get(message.call);
    if (asked !== undefined) {
      this.#asked.delete(message.call);
      asked(message);
      return;
    }
    const { vm } = this.#parts;
    const open = this.#close(message.call);
    if (open === undefined) return;
    if (message.t === "fault") {
      vm.send("fault", message.call, pack(message.fault as unknown as Value));
      return;
    }
    // the text, and what it is made of
    const held = 2 * (message.t === "json" ? message.text.length : sizeOf(message.value));
    if (!vm.hold(held)) {
      const fault = { code: "isle.memory", text: "not enough memory", retry: "never" };
      vm.send("fault", message.call, pack(fault));
      return;
    }
    const packed = message.t === "json" ? packJson(message.text) : pack(shaped(open.op, message.value));
    vm.send("reply", message.call, { ...packed, held });
  }

  #close(call: number): Open | undefined {
    const open = this.#open.get(call);
    if (open === undefined) return undefined;
    this.#open.delete(call);
    this.#parts.vm.letGo(open.bytes);
    return open;
  }

  /** Asks for an op while script code is on the stack: the thread waits, bounded where others are on it. */
  askNow(op: string, args: readonly Value[]): Value {
    const { vm, isle } = this.#parts;
    const call = --this.#lastOwn;
    const answers: Answer[] = [];
    this.#asked.set(call, (message) => void answers.push(message));
    this.#parts.post({ t: "call", isle, call, op, args, task: 0 });
    const until = performance.now() + (vm.shared ? vm.limits.syncWaitMsMax : Infinity);
    while (answers.length === 0) {
      if (vm.host.killRequested()) throw new Terminate("cancelled", "cancelled");
      if (performance.now() > until) {
        this.#asked.delete(call);
        throw blockError("isle.would_block", `runtime error: isle would block: ${op}`);
      }
      this.#parts.pump(20);
    }
    const given = answers[0] as Answer;
    if (given.t === "fault") throw toFault(given.fault);
    return given.t === "json" ? given.text : given.value;
  }

  /** Throws when there is no room for one more. */
  timer(id: number, ms: number): void {
    if (!this.#parts.vm.hold(TIMER_BYTES)) throw new Terminate("memory", "not enough memory");
    const off = after(ms, () => performance.now(), () => {
      this.#forgetTimer(id);
      this.#parts.vm.send("timer", id);
    });
    this.#timers.set(id, off);
  }

  noTimer(id: number): void {
    this.#timers.get(id)?.();
    this.#forgetTimer(id);
  }

  #forgetTimer(id: number): void {
    if (this.#timers.delete(id)) this.#parts.vm.letGo(TIMER_BYTES);
  }

  /** The isle is being ended: what its script waits for has failed already, in the isle. */
  cancelAll(): void {
    for (const call of [...this.#open.keys()]) this.cancel(call);
  }

  close(): void {
    for (const off of this.#timers.values()) off();
    this.#timers.clear();
    this.#open.clear();
    this.#asked.clear();
  }
}

/** Bytes that are UTF-8 are text to a script, save where the name of an op says bytes. */
function shaped(op: string, value: Value): Value {
  if (op !== "std.fs.read_binary") return withText(value);
  return typeof value === "string" ? new TextEncoder().encode(value) : value;
}

/** The same, with text in place of bytes that are UTF-8. */
export function withText(value: Value): Value {
  if (value instanceof Uint8Array) return isUtf8(value) ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(value) : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return (value as readonly Value[]).map(withText);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withText(item)]));
}

