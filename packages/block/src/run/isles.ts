/**
 * The isles of one run, seen from the host.
 * takes messages of their threads; gives outcomes of scripts, handlers and callbacks; promises an answer to every call of
 * an op; refuses calls of an isle that is gone; never runs script code itself.
 */
import { isFault, LateAbort, onAbort, type Stop, toFault, toFaultData } from "@atoll-run/core";
import { JsonText, type OpCall, type Ops, type Value } from "../bridges/op.ts";
import type { Aside } from "../bus/dispatcher.ts";
import type { EventOrigin } from "../bus/origin.ts";
import { type BlockError, blockError } from "../errors.ts";
import type { CallTrace } from "../observe/spans.ts";
import type { IsleHandle, IslePlacing } from "../isle/host/threads.ts";
import {
  type Arg, CONTROL, type FromThread, type IsleEvent, type IsleSetup, type MovedFunction, type Outcome, type Role,
} from "../isle/thread/protocol.ts";
import { IsleCall } from "./isle-call.ts";

export interface IslesParts {
  readonly placing: IslePlacing;
  setup(role: Role, control: SharedArrayBuffer, shared: boolean): Omit<IsleSetup, "spent">;
  readonly ops: () => Ops;
  readonly trace: CallTrace;
  readonly callsMax: number;
  /** Calls are known by their task, so that several handlers may be under way. */
  readonly apart: boolean;
  print(role: Role, bytes: Uint8Array): void | Promise<void>;
  /** `trace`: of the event that is handled, else of the run. */
  note(role: Role, note: FromThread & { t: "note" }, trace: CallTrace): void;
  /** The isle is gone by itself; `fault` says why. */
  died(role: Role, fault: BlockError): void;
}

type Died = FromThread & { t: "died" };

interface Open {
  readonly role: Role;
  readonly handle: IsleHandle;
  readonly calls: Map<number, LateAbort>;
  readonly queue: (FromThread & { t: "call" })[];
  /** Who asked, for the events whose handlers run. */
  readonly asked: Map<number, Asked>;
  readonly handled: Map<number, (outcome: Outcome) => void>;
  readonly called: Map<number, (outcome: (FromThread & { t: "called" })["outcome"]) => void>;
  readonly installed: Map<number, (m: FromThread & { t: "installed" }) => void>;
  ran: ((outcome: Outcome) => void) | null;
  idle: (() => void) | null;
  gone: BlockError | null;
}

/** Whose trace the handler of an event goes on with, and what it may do on whose behalf. */
interface Asked {
  readonly trace?: CallTrace;
  readonly origin?: EventOrigin;
  readonly aside?: () => Aside;
}

export interface EventOptions extends Asked {
  readonly stop: Stop;
}

let nextIsle = 1;

export class RunIsles {
  readonly #parts: IslesParts;
  readonly #open = new Map<Role, Open>();
  /** CPU time that all isles of this run have spent, those that were restarted included. */
  readonly #spent = new SharedArrayBuffer(8);
  #nextCall = 1;

  constructor(parts: IslesParts) {
    this.#parts = parts;
  }

  isOpen(role: Role): boolean {
    return this.#open.has(role);
  }

  /** Bytes of the isle's memory, what the host holds for it included; 0 before it is there. */
  bytes(role: Role): number {
    return this.#open.get(role)?.handle.bytes ?? 0;
  }

  get openCalls(): number {
    return [...this.#open.values()].reduce((sum, isle) => sum + isle.calls.size, 0);
  }

  open(role: Role): void {
    const other = this.#open.get(role === "main" ? "handler" : "main");
    const { thread, shared } = this.#parts.placing.place(other?.handle.thread);
    const control = new SharedArrayBuffer(CONTROL.words * 4);
    const id = nextIsle++;
    const hear = (message: FromThread): void => this.#hear(isle, message);
    const handle = thread.open(id, { ...this.#parts.setup(role, control, shared), spent: this.#spent }, hear);
    const isle: Open = {
      role, handle, calls: new Map(), queue: [], asked: new Map(), handled: new Map(), called: new Map(), installed: new Map(), ran: null, idle: null, gone: null,
    };
    this.#open.set(role, isle);
  }

  #must(role: Role): Open {
    const isle = this.#open.get(role);
    if (isle === undefined) throw blockError("isle.crashed", `runtime error: isle crashed: the ${role} isle is gone`);
    return isle;
  }

  // ---- work for an isle

  runScript(source: string | Uint8Array, chunk: string, args: readonly string[]): Promise<Outcome> {
    const isle = this.#must("main");
    return new Promise((resolve) => {
      isle.ran = resolve;
      isle.handle.send({ t: "run", isle: isle.handle.id, source, chunk, args });
    });
  }

  install(moved: MovedFunction): Promise<number> {
    const isle = this.#must("handler");
    const call = this.#nextCall++;
    return new Promise((resolve, reject) => {
      isle.installed.set(call, (m) => {
        if (m.problem === undefined) resolve(m.ref);
        else reject(blockError("bus.register", m.problem));
      });
      isle.handle.send({ t: "install", isle: isle.handle.id, call, fn: moved });
    });
  }

  /** The host will not call this function of an isle again. */
  release(role: Role, ref: number): void {
    const isle = this.#open.get(role);
    isle?.handle.send({ t: "release", isle: isle.handle.id, ref });
  }

  /** Runs one event in an isle; the reply as JSON text. */
  async handle(role: Role, event: IsleEvent, o: EventOptions): Promise<string> {
    const isle = this.#must(role);
    const { stop } = o;
    if (o.trace !== undefined || o.origin !== undefined) isle.asked.set(event.seq, o);
    const outcome = await new Promise<Outcome>((resolve) => {
      const listening = stop.hear(() => isle.handle.abortEvent(event.seq));
      isle.handled.set(event.seq, (o) => {
        listening[Symbol.dispose]();
        resolve(o);
      });
      isle.handle.send({ t: "event", isle: isle.handle.id, event });
    });
    isle.asked.delete(event.seq);
    if (outcome.ok) return outcome.text;
    if (stop.aborted) throw stop.reason;
    throw isle.gone ?? toHandlerFault(outcome);
  }

  callback(
    role: Role, ref: number, args: readonly (Value | JsonText)[], o: { readonly signal?: AbortSignal } = {},
  ): Promise<Value> {
    const isle = this.#must(role);
    const call = this.#nextCall++;
    const plain: Arg[] = args.map((arg) => (arg instanceof JsonText ? { j: arg.text } : { v: arg }));
    if (o.signal?.aborted === true) return Promise.reject(o.signal.reason);
    return new Promise((resolve, reject) => {
      const listening = onAbort(o.signal, (reason) => {
        isle.handle.send({ t: "abortCallback", isle: isle.handle.id, call });
        reject(reason);
      });
      isle.called.set(call, (outcome) => {
        listening[Symbol.dispose]();
        if (outcome.ok) resolve(outcome.value);
        else reject(isle.gone ?? (outcome.fault === undefined ? blockError("script.failed", outcome.text) : toFault(outcome.fault)));
      });
      isle.handle.send({ t: "callback", isle: isle.handle.id, call, ref, args: plain });
    });
  }

  /** Resolves when no task of the isle is left. */
  idle(role: Role, everyMs: number): Promise<void> {
    const isle = this.#open.get(role);
    if (isle === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      isle.idle = resolve;
      isle.handle.send({ t: "linger", isle: isle.handle.id, everyMs });
    });
  }

  // ---- messages of an isle

  #hear(isle: Open, message: FromThread): void {
    switch (message.t) {
      case "out": this.#print(isle, message.bytes); return;
      case "call": this.#call(isle, message); return;
      case "cancelCall": this.#cancelCall(isle, message.call); return;
      case "ran": isle.ran?.(message.outcome); return;
      case "idle": isle.idle?.(); return;
      case "handled": take(isle.handled, message.seq)?.(message.outcome); return;
      case "called": take(isle.called, message.call)?.(message.outcome); return;
      case "installed": take(isle.installed, message.call)?.(message); return;
      case "note":
        this.#parts.note(isle.role, message, this.#trace(isle, message.event));
        isle.handle.outputWritten(message.bytes);
        return;
      case "died": this.#gone(isle, deathFault(message)); return;
      default:
    }
  }

  #cancelCall(isle: Open, call: number): void {
    const queued = isle.queue.findIndex((message) => message.call === call);
    if (queued >= 0) isle.queue.splice(queued, 1);
    isle.calls.get(call)?.abort(blockError("run.cancelled", "cancelled"));
  }

  #print(isle: Open, bytes: Uint8Array): void {
    const written = this.#parts.print(isle.role, bytes);
    if (written === undefined) isle.handle.outputWritten(bytes.length);
    else written.then(() => isle.handle.outputWritten(bytes.length), () => isle.handle.outputWritten(bytes.length));
  }

  #call(isle: Open, message: FromThread & { t: "call" }): void {
    if (isle.calls.size >= this.#parts.callsMax) {
      isle.queue.push(message);
      return;
    }
    const abort = new LateAbort();
    isle.calls.set(message.call, abort);
    const done = (): void => {
      isle.calls.delete(message.call);
      const next = isle.queue.shift();
      if (next !== undefined) this.#call(isle, next);
    };
    const reply = (value: Value | JsonText): void => {
      const { id } = isle.handle;
      if (value instanceof JsonText) isle.handle.send({ t: "json", isle: id, call: message.call, text: value.text });
      else isle.handle.send({ t: "reply", isle: id, call: message.call, value });
      done();
    };
    const fail = (error: unknown): void => {
      const fault = isFault(error) ? error : blockError("runtime.failed", `runtime error: ${String(error)}`);
      isle.handle.send({ t: "fault", isle: isle.handle.id, call: message.call, fault: toFaultData(fault) });
      done();
    };
    try {
      const op = this.#parts.ops()[message.op];
      if (op === undefined) throw blockError("runtime.failed", `runtime error: ${message.op} is not available`);
      const value = op(message.args, this.#opCall(isle, message, abort));
      if (value instanceof Promise) value.then(reply, fail);
      else reply(value);
    } catch (error) {
      fail(error);
    }
  }

  #opCall(isle: Open, message: FromThread & { t: "call" }, abort: LateAbort): OpCall {
    const trace = this.#trace(isle, message.event);
    return new IsleCall(isle.role, trace, {
      abort, task: message.task, aside: () => this.#parts.apart ? isle.asked.get(message.event ?? 0)?.aside?.() : undefined,
      origin: (event = message.event ?? 0) => isle.asked.get(event)?.origin,
      callback: (role, ref, args, o) => this.callback(role, ref, args, o),
      note: (level, target, msg, fields) => {
        const note = { t: "note", isle: isle.handle.id, bytes: 0, level, target, msg, ...(fields === undefined ? {} : { fields }) } as const;
        this.#parts.note(isle.role, note, trace);
      },
    }, message.leftMs);
  }

  #trace(isle: Open, event: number | undefined): CallTrace {
    return isle.asked.get(event ?? 0)?.trace ?? this.#parts.trace;
  }

  #gone(isle: Open, fault: BlockError): void {
    if (isle.gone !== null) return;
    isle.gone = fault;
    this.#forget(isle);
    const outcome: Outcome & { ok: false } = { ok: false, text: fault.message, traceback: "", fault: toFaultData(fault) };
    isle.ran?.(outcome);
    isle.idle?.();
    for (const settle of isle.handled.values()) settle(outcome);
    for (const settle of isle.called.values()) settle(outcome);
    for (const [call, settle] of isle.installed) settle({ t: "installed", isle: isle.handle.id, call, ref: 0, problem: fault.message });
    this.#parts.died(isle.role, fault);
  }

  #forget(isle: Open): void {
    if (this.#open.get(isle.role) === isle) this.#open.delete(isle.role);
    for (const abort of isle.calls.values()) abort.abort(blockError("run.cancelled", "cancelled"));
    isle.queue.length = 0;
    void isle.handle.close().then(() => this.#parts.placing.left(isle.handle.thread));
  }

  /** Ends an isle whatever it does; its waits fail with `fault`. */
  async kill(role: Role, fault: BlockError): Promise<void> {
    const isle = this.#open.get(role);
    if (isle === undefined) return;
    this.#open.delete(role);
    await isle.handle.kill();
    this.#gone(isle, fault);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((role) => this.kill(role, blockError("run.cancelled", "cancelled"))));
  }
}

function take<V>(map: Map<number, V>, key: number): V | undefined {
  const value = map.get(key);
  map.delete(key);
  return value;
}

function deathFault({ why, text, limit }: Died): BlockError {
  switch (why) {
    case "cancelled": return blockError("run.cancelled", "cancelled");
    case "timeout": return blockError("isle.timeout", text, { facts: limit === undefined ? {} : { limit } });
    case "memory": return blockError("isle.memory", `limit error: ${text}`);
    case "output": return blockError("isle.output", text);
    case "cotenant":
      return blockError("isle.crashed", "runtime error: isle crashed: its thread was ended because of another isle", { facts: { cotenant: true } });
    default: return blockError("isle.crashed", `runtime error: isle crashed: ${text}`);
  }
}

/** What a handler raised as the fault of the nack: bridge errors stay what they are. */
function toHandlerFault(outcome: Outcome & { ok: false }): Error {
  if (outcome.fault !== undefined) return toFault(outcome.fault);
  // As for a script that ends so: its memory stays full.
  if (outcome.text === "not enough memory") return blockError("isle.memory", outcome.text);
  const facts = outcome.value === undefined ? {} : { value: outcome.value };
  return blockError("bus.handler_failed", outcome.text, { facts });
}
