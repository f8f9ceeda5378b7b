/**
 * One JavaScript isle inside its thread: speaks the messages of thread/protocol.ts.
 * takes messages of the host and calls of the code in the isle; gives answers to both; promises an outcome for
 * the script, each event and each callback, unless the isle dies, which answers all; refuses nothing it was
 * sent; never runs script code outside the VM.
 */
import { toFaultData } from "@atoll-run/core";
import type { Value } from "../../bridges/op.ts";
import { blockError } from "../../errors.ts";
import { limitOf, Terminate } from "../lua/vm-errors.ts";
import { cpu, spending } from "../thread/account.ts";
import type { IsleTenant } from "../thread/isle-tenant.ts";
import { Output } from "../thread/output.ts";
import { CONTROL, type FromThread, type IsleEvent, type IsleSetup, type Outcome, type ToThread } from "../thread/protocol.ts";
import type { ThreadParts } from "../thread/tenant.ts";
import { JsCalls, withText } from "./calls.ts";
import { toGuestSetup } from "./functions.ts";
import { bootSource } from "./guest/boot.ts";
import { InsideCalls } from "./inside-calls.ts";
import { LiveTasks } from "./live-tasks.ts";
import type { HostArgs } from "./machine.ts";
import { JsModules } from "./modules.ts";
import { pack, packJson, type Packed, unpack } from "./pack.ts";
import type { JsThrown } from "./thrown.ts";
import { isTypeScript, stripTypes } from "./types.ts";
import { toJsonText } from "./values.ts";
import { JsVm } from "./vm.ts";

/** An abort is over after this many times its CPU time, however little of it the isle got. */
const ABORT_BUSY_MAX = 10;

export type JsThreadParts = Pick<ThreadParts, "post" | "pump" | "messageWaits" | "soon" | "beat" | "rests">;

interface Handling {
  readonly kind: string;
  readonly deadlineAt: number;
  aborted: boolean;
  off(): void;
}

export class JsTenant implements IsleTenant {
  readonly isle: number;
  readonly setup: IsleSetup;
  readonly vm: JsVm;
  readonly output: Output;
  readonly #parts: JsThreadParts;
  readonly #control: Int32Array;
  readonly #calls: JsCalls;
  readonly #inside: InsideCalls;
  readonly #modules: JsModules;
  readonly #handling = new Map<number, Handling>();
  readonly #callbacks = new Set<number>();
  readonly #tasks: LiveTasks;
  #scriptRuns = false;
  #linger: (() => void) | null = null;
  #closed: (() => void) | null = null;

  constructor(isle: number, setup: IsleSetup, parts: JsThreadParts) {
    this.isle = isle;
    this.setup = setup;
    this.#parts = parts;
    this.#control = new Int32Array(setup.control);
    const control = this.#control;
    this.output = new Output({ isle, control, post: (message, move) => parts.post(message, move) });
    this.vm = new JsVm({
      killRequested: () => Atomics.load(control, CONTROL.kill) !== 0,
      abortRequested: () => Atomics.load(control, CONTROL.abortEvent),
      abortEvent: (seq) => this.#abortEvent(seq), cpu, spent: spending(setup.spent),
      polled: (now) => this.output.polled(now), messageWaits: () => parts.messageWaits(),
      beat: () => parts.beat(), rests: () => parts.rests(),
      sized: (bytes) => Atomics.store(control, CONTROL.bytes, bytes), soon: (work) => parts.soon(work), later: (work) => void setImmediate(work),
      ending: (why) => this.#ending(why), died: (why) => this.#died(why), quiet: () => this.#quiet(),
    }, { limits: setup.limits, shared: setup.shared });
    this.#calls = new JsCalls({
      isle, vm: this.vm, post: (message) => this.post(message), pump: (ms) => parts.pump(ms),
      event: () => this.#currentEvent(),
    });
    this.#tasks = new LiveTasks(this.output);
    this.#modules = new JsModules({ scriptName: setup.scriptName, askNow: (op, args) => this.#calls.askNow(op, args) });
    this.#inside = new InsideCalls({
      vm: this.vm, calls: this.#calls, output: this.output, caughtUp: () => this.#caughtUp(),
      done: (what, id, value, ok) => this.#done(what, id, value, ok), tasks: this.#tasks, event: () => this.#currentEvent(),
    });
  }

  async open(): Promise<this> {
    const globals = Object.entries(this.setup.globals).map(([name, text]) => `  ${JSON.stringify(name)}: ${text}`);
    const source = bootSource(toGuestSetup(this.setup, this.isle), `{\n${globals.join(",\n")}\n}`);
    await this.vm.open(source, {
      call: (args: HostArgs) => this.#inside.call(args),
      normalize: (base, name) => this.#modules.normalize(base, name), load: (name) => this.#modules.load(name),
    });
    return this;
  }

  /** Everything printed before a message is with the host before it. */
  post(message: FromThread): void {
    this.output.post(message);
  }

  /** Printed faster than the host can take: the thread waits, for a bounded time where others are on it. */
  #caughtUp(): void {
    const { shared, limits } = this.vm;
    const until = performance.now() + (shared ? limits.syncWaitMsMax : Infinity);
    while (this.output.behind && performance.now() < until) {
      if (Atomics.load(this.#control, CONTROL.kill) !== 0) throw new Terminate("cancelled", "cancelled");
      this.#parts.pump(20);
    }
  }

  // ---- from the host

  hear(message: ToThread): void {
    if (this.vm.dead !== null) return;
    switch (message.t) {
      case "reply":
      case "json":
      case "fault": this.#calls.answer(message); return;
      case "run": this.#run(message.source, message.chunk); return;
      case "event": this.#event(message.event); return;
      case "install": this.#install(message.call, message.fn.chunk); return;
      case "callback": this.#callback(message); return;
      case "abortCallback": this.#abortCallback(message.call); return;
      case "release": this.vm.send("release", message.ref); return;
      case "room": this.output.room(); return;
      case "abortEvent": this.#abortEvent(message.seq); return;
      case "linger": this.#lingerUntilIdle(message.everyMs); return;
      case "kill": this.vm.interrupt(); return;
      default:
    }
  }

  #run(source: string | Uint8Array, chunk: string): void {
    const name = chunk.replace(/^@/, "");
    const given = typeof source === "string" ? source : new TextDecoder().decode(source);
    const typed = this.setup.engine === "ts" || isTypeScript(name);
    const stripped = typed ? stripTypes(given) : { ok: true as const, source: given };
    if (!stripped.ok) {
      this.#ran(syntaxOutcome(`${name}:${stripped.line}: ${stripped.problem}`));
      return;
    }
    this.#scriptRuns = true;
    this.#modules.main(name);
    this.vm.enter({
      run: (machine) => machine.compile(stripped.source, name),
      after: (thrown) => {
        if (thrown === undefined) this.vm.send("run", 0, { text: name });
        else this.#ran(syntaxOutcome(whereOf(thrown, name)));
      },
    });
  }

  #install(call: number, specifier: string): void {
    this.vm.send("install", call, { text: this.#modules.fromScript(specifier) });
  }

  #event(event: IsleEvent): void {
    const { seq, kind } = event;
    const off = event.leftMs === undefined ? () => undefined
      : this.vm.alarms.set(event.leftMs, () => this.#abortEvent(seq));
    const deadlineAt = performance.now() + (event.leftMs ?? Infinity);
    this.#handling.set(seq, { kind, deadlineAt, aborted: false, off });
    this.vm.send("event", seq, { ...packEvent(event), extra: String(event.ref) });
  }

  #callback(message: ToThread & { t: "callback" }): void {
    this.#callbacks.add(message.call);
    const values = message.args.map((arg) => ("j" in arg ? unpackJson(arg.j) : withText(arg.v)));
    this.vm.send("callback", message.call, { ...pack(values), extra: String(message.ref) });
  }

  #abortCallback(call: number): void {
    if (!this.#callbacks.delete(call)) return;
    this.post({ t: "called", isle: this.isle, call, outcome: { ok: false, text: "task aborted", traceback: "" } });
  }

  /** Tells the handler that its time is over; one that goes on computing takes its isle along. May come from a poll. */
  #abortEvent(seq: number): void {
    const handling = this.#handling.get(seq);
    if (handling === undefined || handling.aborted) return;
    handling.aborted = true;
    handling.off();
    const at = performance.now();
    this.vm.send("abort", 0, { text: `event${seq}` });
    this.#calls.abortEvent(seq);
    const { meter, limits: { taskAbortMsMax }, alarms } = this.vm;
    const computes = (): boolean => meter.sliceAt <= at;
    const clock = { cpuMs: () => meter.cpuMs, lastMs: taskAbortMsMax * ABORT_BUSY_MAX, idle: () => !computes() };
    handling.off = alarms.setCpu(taskAbortMsMax, clock, () => {
      if (computes()) this.vm.end(new Terminate("crashed", "a handler did not end after its abort"));
      else this.#handled(seq, { ok: false, text: "task aborted", traceback: "" });
    });
  }

  // ---- outcomes

  #done(what: string, id: number, given: Value, ok: boolean): void {
    // where there is no room for an error, QuickJS throws null
    const lost = !ok && this.vm.starved && (given as { text?: string }).text === "null";
    const value = lost ? { text: "not enough memory", traceback: "" } : given;
    switch (what) {
      case "ran": this.#ran(ok ? scriptValue(value) : failure(value)); return;
      case "handled": this.#handled(id, ok ? reply(value) : failure(value)); return;
      case "called":
        if (!this.#callbacks.delete(id)) return;
        this.post({ t: "called", isle: this.isle, call: id, outcome: ok ? { ok: true, value } : failure(value) });
        return;
      default:
        this.post({ t: "installed", isle: this.isle, call: id, ref: ok ? Number(value) : 0,
          ...(ok ? {} : { problem: failure(value).text }) });
    }
  }

  #ran(outcome: Outcome): void {
    this.#scriptRuns = false;
    if (this.vm.ending === null) this.post({ t: "ran", isle: this.isle, outcome });
    else this.#endIfIdle();
  }

  #handled(seq: number, outcome: Outcome): void {
    const handling = this.#handling.get(seq);
    if (handling === undefined) return;
    this.#handling.delete(seq);
    handling.off();
    if (this.vm.ending !== null) {
      this.#endIfIdle();
      return;
    }
    const late = handling.aborted && performance.now() >= handling.deadlineAt;
    const aborted: Outcome = { ok: false, text: "task aborted", traceback: "" };
    const told = late ? handlerLate(handling.kind) : handling.aborted ? aborted : outcome;
    this.post({ t: "handled", isle: this.isle, seq, outcome: told });
  }

  /**
   * Calls made now belong to this event: it is the only one that runs, and the script itself only waits for
   * events.
   */
  #currentEvent(): { seq: number; deadlineAt: number } | undefined {
    if (this.#tasks.size > 0 || (this.setup.role === "main" && this.#scriptRuns && !this.#calls.serving)) return undefined;
    for (const [seq, { deadlineAt, aborted }] of this.#handling) if (!aborted) return { seq, deadlineAt };
    return undefined;
  }

  // ---- the end

  #quiet(): void {
    // it went without a word: there was no room left to say why
    const waits = !this.#calls.idle || this.#callbacks.size > 0;
    if (this.vm.starved && !waits) {
      const starved: Outcome = { ok: false, text: "not enough memory", traceback: "" };
      if (this.#scriptRuns) this.#ran(starved);
      for (const seq of [...this.#handling.keys()]) this.#handled(seq, starved);
    }
    if (this.#linger !== null && this.#idle()) this.#linger();
  }

  /** Nothing that the script began is under way. */
  #idle(): boolean {
    return this.#tasks.size === 0 && this.#calls.idle && !this.#scriptRuns && this.#callbacks.size === 0;
  }

  #lingerUntilIdle(everyMs: number): void {
    const timer = setInterval(() => {
      const names = [...this.#tasks.names, ...this.#calls.names];
      this.output.note({ level: "warn", target: "block",
        msg: `waiting for ${names.length} tasks nobody joined: ${names.slice(0, 10).join(", ")}` });
    }, everyMs);
    this.#linger = () => {
      clearInterval(timer);
      this.#linger = null;
      this.post({ t: "idle", isle: this.isle });
    };
    this.#stopLinger = () => clearInterval(timer);
    // looks whether it is idle when what is ready has run
    this.vm.wake();
  }

  #stopLinger: () => void = () => undefined;

  #ending(why: Terminate): void {
    this.#calls.cancelAll();
    if (!this.vm.occupied && !this.#scriptRuns && this.#handling.size === 0) this.vm.die(why);
  }

  #endIfIdle(): void {
    const why = this.vm.ending;
    if (why !== null && !this.#scriptRuns && this.#handling.size === 0) this.vm.die(why);
  }

  #died(why: Terminate): void {
    this.#stop();
    this.post({ t: "died", isle: this.isle, why: why.cause_code, text: why.message, ...limitOf(why) });
    this.#closed?.();
  }

  #stop(): void {
    this.#tasks.close();
    this.#calls.close();
    this.#stopLinger();
  }

  /** Lets go of the isle. One that is being ended has its soft time first. */
  close(closed: () => void): void {
    const last = (): void => {
      this.#closed = null;
      this.#stop();
      this.output.flush();
      this.vm.drop();
      closed();
    };
    if (this.vm.dead !== null || this.vm.ending === null) last();
    else this.#closed = last;
  }
}

function scriptValue(value: Value): Outcome {
  try {
    return { ok: true, text: toJsonText(value, "value") };
  } catch (error) {
    return { ok: true, text: "null", warning: `the script's value has no JSON form: ${(error as Error).message}` };
  }
}

function reply(value: Value): Outcome {
  try {
    return { ok: true, text: toJsonText(value, "reply encode") };
  } catch (error) {
    const fault = toFaultData(error as ReturnType<typeof blockError>);
    return { ok: false, text: fault.text, traceback: "", fault };
  }
}

function failure(told: Value): Outcome & { ok: false } {
  return { ok: false, ...told as { text: string; traceback: string } };
}

function handlerLate(kind: string): Outcome {
  const fault = toFaultData(blockError("bus.timeout", "handler timeout", { facts: { kind } }));
  return { ok: false, text: fault.text, traceback: "", fault };
}

function syntaxOutcome(text: string): Outcome {
  return { ok: false, text, traceback: "", fault: { code: "script.syntax", text, facts: {}, retry: "never" } };
}

/** `name:line:column: what`. */
function whereOf({ message, stack }: JsThrown, name: string): string {
  const place = stack.split("\n").map((line) => line.trim().replace(/^at /, "")).find((line) => line.startsWith(`${name}:`));
  return `${place ?? name}: ${message}`;
}

function unpackJson(text: string): Value {
  const packed = packJson(text);
  return unpack(packed.text, (i) => packed.bytes[i] as Uint8Array);
}

function packEvent({ kind, id, payload, meta, raw, tx }: IsleEvent): Packed {
  const named = JSON.stringify({ kind, id }).slice(0, -1);
  const ending = tx === true ? `,"tx":true}` : "}";
  try {
    const text = `${named},"payload":${payload},"meta":${meta}${ending}`;
    return raw === undefined ? packJson(text) : packRaw(text, raw);
  } catch (error) {
    return pack({ fault: toFaultData(error as ReturnType<typeof blockError>) as unknown as Value });
  }
}

/** Bytes that JSON cannot hold: they are `data` of the payload, or the payload itself where that is null. */
function packRaw(text: string, raw: Uint8Array): Packed {
  const event = unpackJson(text) as Record<string, Value>;
  const payload = event["payload"];
  return pack({ ...event, payload: payload === null ? raw : { ...payload as Record<string, Value>, data: raw } });
}
