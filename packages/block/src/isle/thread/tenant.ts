/** One isle inside its thread: the Lua VM, its faces, and the way of its calls to the host and back. */
import { type FaultData, isFault, toFault, toFaultData } from "@atoll-run/core";
import type { Value } from "../../bridges/op.ts";
import { blockError } from "../../errors.ts";
import { installFaces } from "../lua/faces/all.ts";
import { loadMoved, modulesOf } from "../lua/moving.ts";
import type { ArgReader } from "../lua/arguments.ts";
import { LuaJson } from "../lua/json.ts";
import type { Deliver, Task } from "../lua/tasks.ts";
import { LuaVm } from "../lua/vm.ts";
import { concat } from "./bytes.ts";
import { FileBuffers } from "./file-buffers.ts";
import { CONTROL, type FromThread, type IsleEvent, type IsleSetup, type MovedFunction, type Outcome, type ToThread } from "./protocol.ts";

export interface ThreadParts {
  readonly module: WebAssembly.Module;
  post(message: FromThread, move?: Uint8Array): void;
  pump(ms: number): boolean;
  outputAcked(): number;
  messageWaits(): boolean;
  soon(work: () => void): void;
}

/** Printed bytes wait at most this long, or until there are this many. */
const FLUSH_BYTES = 16_384;
const FLUSH_MS = 20;
/** Output the host has not written yet; beyond it the script waits. */
const OUTPUT_AHEAD_BYTES = 1 << 20;

export class Tenant {
  readonly isle: number;
  readonly setup: IsleSetup;
  readonly vm: LuaVm;
  readonly json: LuaJson;
  readonly #parts: ThreadParts;
  readonly #control: Int32Array;
  readonly #calls = new Map<number, (deliver: Deliver) => void>();
  readonly #callbacks = new Map<number, Task>();
  /** Lua function that runs a handler or callback: see faces/events. */
  runner = 0;
  /** Names every isle has before a script adds its own. */
  bootGlobals: readonly string[] = [];
  /** Called when the isle is let go of, before the last of its messages; must not enter the VM. */
  readonly onClose: (() => void)[] = [];
  /** Lua function that requires each of its arguments: see faces/require. */
  requirer = 0;
  readonly reader: ArgReader;
  /** What was written to files and pipes and is not with the host yet. */
  readonly files = new FileBuffers((op, args, done) => this.send(op, args, done));
  #nextCall = 1;
  #out: Uint8Array[] = [];
  #outBytes = 0;
  #outSince = 0;
  #outSent = 0;

  constructor(isle: number, setup: IsleSetup, parts: ThreadParts) {
    this.isle = isle;
    this.setup = setup;
    this.#parts = parts;
    this.#control = new Int32Array(setup.control);
    this.vm = new LuaVm(parts.module, {
      killRequested: () => Atomics.load(this.#control, CONTROL.kill) !== 0,
      abortRequested: () => Atomics.load(this.#control, CONTROL.abortEvent),
      monotonic: () => performance.now(), now: () => Date.now(),
      write: (fd, bytes) => this.#write(fd, bytes), pump: (ms) => parts.pump(ms),
      messageWaits: () => parts.messageWaits(),
      polled: (now) => this.#outBytes > 0 && now - this.#outSince > FLUSH_MS && this.flush(),
      died: (why) => this.post({ t: "died", isle, why: why.cause_code, text: why.message }),
      later: (work) => setImmediate(work), soon: (work) => parts.soon(work), warn: (text) => this.note("warn", "lua", text),
    }, { limits: setup.limits, shared: setup.shared });
    this.json = new LuaJson(this.vm.state);
    const { state } = this.vm;
    this.reader = {
      state, json: this.json,
      keep: (L, index) => {
        state.x.lua_pushvalue(L, index);
        return state.ref(L);
      },
    };
    installFaces(this);
  }

  // ---- to the host

  /** Everything printed before a message is with the host before it. */
  post(message: FromThread): void {
    this.flush();
    this.#parts.post(message);
  }

  note(level: "debug" | "info" | "warn" | "error", target: string, msg: string, fields?: Readonly<Record<string, unknown>>): void {
    this.post({ t: "note", isle: this.isle, level, target, msg, ...(fields === undefined ? {} : { fields }) });
  }

  flush(): void {
    if (this.#outBytes === 0) return;
    const bytes = concat(this.#out, this.#outBytes);
    this.#outSent = (this.#outSent + this.#outBytes) | 0;
    this.#out = [];
    this.#outBytes = 0;
    this.#parts.post({ t: "out", isle: this.isle, bytes }, bytes);
  }

  #write(descriptor: number, bytes: Uint8Array): void {
    if (descriptor === 2) {
      this.note("warn", "lua", new TextDecoder().decode(bytes).trimEnd());
      return;
    }
    if (bytes.length === 0) return;
    if (this.#outBytes === 0) {
      this.#outSince = performance.now();
      setImmediate(() => this.flush());
    }
    this.#out.push(bytes);
    this.#outBytes += bytes.length;
    if (this.#outBytes >= FLUSH_BYTES) this.flush();
    while (((this.#outSent - this.#parts.outputAcked()) | 0) > OUTPUT_AHEAD_BYTES) {
      this.#parts.pump(10);
      if (Atomics.load(this.#control, CONTROL.kill) !== 0) return;
    }
  }

  /** Asks the host for an op; the calling task waits. `push` may shape the answer, else it is pushed as it is. */
  call(L: number, op: string, args: readonly Value[], push?: (L: number, value: Value) => number): number {
    const task = this.vm.current as Task;
    this.files.flush();
    return this.vm.wait(L, (settle) => {
      const call = this.#nextCall++;
      this.#calls.set(call, settle);
      if (push !== undefined) this.#shapes.set(call, push);
      const left = task.deadlineAt - performance.now();
      this.post({
        t: "call", isle: this.isle, call, op, args, task: task.identity.id, ...(left === Infinity ? {} : { leftMs: left }),
        ...(task.eventSeq === 0 ? {} : { event: task.eventSeq }),
      });
      return {
        cancel: () => {
          this.#calls.delete(call);
          this.#shapes.delete(call);
          this.post({ t: "cancelCall", isle: this.isle, call });
        },
        cancelled: () => cancelledError(op),
      };
    });
  }

  readonly #shapes = new Map<number, (L: number, value: Value) => number>();

  /** Asks the host for an op that no task waits for. */
  send(op: string, args: readonly Value[], done: (fault: FaultData | undefined) => void): void {
    const call = this.#nextCall++;
    this.#sent.set(call, done);
    this.post({ t: "call", isle: this.isle, call, op, args, task: this.vm.current?.identity.id ?? 0 });
  }

  readonly #sent = new Map<number, (fault: FaultData | undefined) => void>();

  #answered(call: number, fault: FaultData | undefined): boolean {
    const done = this.#sent.get(call);
    this.#sent.delete(call);
    done?.(fault);
    return done !== undefined;
  }

  // ---- from the host

  hear(message: ToThread): void {
    if (this.vm.state.dead !== null) return;
    switch (message.t) {
      case "reply": {
        if (this.#answered(message.call, undefined)) return;
        const { value } = message;
        const shape = this.#shapes.get(message.call);
        this.#settle(message.call, (L) => {
          if (shape !== undefined) return shape(L, value);
          if (value === undefined) return 0;
          this.vm.state.push(L, value);
          return 1;
        });
        return;
      }
      case "json":
        this.#settle(message.call, (L) => {
          this.json.decodeText(L, message.text, "J", "reply");
          return 1;
        });
        return;
      case "fault":
        if (this.#answered(message.call, message.fault)) return;
        this.#settle(message.call, (L) => this.vm.raise(L, toFault(message.fault)));
        return;
      case "run": this.#run(message.source, message.chunk, message.args); return;
      case "event": this.#event(message.event); return;
      case "install": this.#install(message.call, message.fn); return;
      case "callback": this.#callback(message); return;
      case "abortCallback": {
        const task = this.#callbacks.get(message.call);
        if (task !== undefined) this.vm.abortTask(task);
        return;
      }
      case "abortEvent": this.vm.abortEvent(message.seq); return;
      case "linger": this.#linger(message.everyMs); return;
      case "kill": this.vm.interrupt(); return;
      default:
    }
  }

  #settle(call: number, deliver: Deliver): void {
    const settle = this.#calls.get(call);
    this.#calls.delete(call);
    this.#shapes.delete(call);
    settle?.(deliver);
  }

  #run(source: string | Uint8Array, chunk: string, args: readonly string[]): void {
    const { state } = this.vm;
    const problem = state.load(state.main, source, chunk, this.setup.textOnly ? "t" : "bt");
    if (problem !== undefined) {
      const fault = { code: "script.syntax", text: problem, facts: {}, retry: "never" as const };
      this.post({ t: "ran", isle: this.isle, outcome: { ok: false, text: problem, traceback: "", fault } });
      return;
    }
    const task = this.vm.spawn(state.main, "script");
    for (const arg of args) state.pushText(task.thread, arg);
    task.firstArgs = args.length;
    task.onEnd.push(() => {
      if (this.#dying()) return;
      const outcome = this.#outcome(task, (T) => this.#value(T));
      this.files.settle(() => this.post({ t: "ran", isle: this.isle, outcome }));
    });
  }

  /** First return value as JSON text by rules J; without a JSON form it is null with a warning. */
  #value(T: number): { text: string; warning?: string } {
    if (this.vm.state.x.lua_gettop(T) === 0) return { text: "null" };
    try {
      return { text: this.json.encodeText(T, 1, "value") };
    } catch (error) {
      return { text: "null", warning: `the script's value has no JSON form: ${error instanceof Error ? error.message : String(error)}` };
    }
  }

  /** The death of the isle will answer everything that is open, with its reason. */
  #dying(): boolean {
    return this.vm.ending !== null;
  }

  #outcome(task: Task, read: (T: number) => { text: string; warning?: string }): Outcome {
    if (task.end?.how === "returned") return { ok: true, ...read(task.thread) };
    if (task.end?.how === "aborted") return { ok: false, text: "task aborted", traceback: "" };
    const { text, traceback, fault, value } = this.vm.raised(task);
    return { ok: false, text, traceback, ...(fault === undefined ? {} : { fault }), ...(value === undefined ? {} : { value }) };
  }

  /** Runs `fn(event)` as a task: the runner takes both inside the coroutine, so that a full memory is a Lua error there. */
  #event(event: IsleEvent): void {
    const { state } = this.vm;
    state.pushRef(state.main, this.runner);
    const task = this.vm.spawn(state.main, "handler");
    task.eventSeq = event.seq;
    if (event.leftMs !== undefined) task.deadlineAt = performance.now() + event.leftMs;
    this.work.set(task, {
      take: (L) => {
        state.pushRef(L, event.ref);
        this.#pushEvent(L, event);
        return 2;
      },
      reply: "null",
      read: (L) => (state.x.lua_gettop(L) === 0 ? "null" : this.json.encodeReply(L, 1, "reply encode")),
    });
    task.onEnd.push(() => {
      const { reply } = this.work.get(task) as Work;
      this.work.delete(task);
      if (this.#dying()) return;
      const outcome = this.#outcome(task, () => ({ text: reply as string }));
      this.files.settle(() => this.post({ t: "handled", isle: this.isle, seq: event.seq, outcome }));
    });
  }

  /** What handler and callback tasks are to call, and what they gave. */
  readonly work = new Map<Task, Work>();

  #pushEvent(L: number, event: IsleEvent): void {
    const { state } = this.vm;
    state.x.lua_checkstack(L, 8);
    state.x.lua_createtable(L, 0, 4);
    for (const key of ["kind", "id"] as const) {
      state.pushText(L, key);
      state.pushText(L, event[key]);
      state.x.lua_rawset(L, -3);
    }
    for (const key of ["payload", "meta"] as const) {
      state.pushText(L, key);
      this.json.decodeText(L, event[key], "S", `${key} decode`);
      state.x.lua_rawset(L, -3);
    }
  }

  #callback(message: ToThread & { t: "callback" }): void {
    const { state } = this.vm;
    state.pushRef(state.main, this.runner);
    const task = this.vm.spawn(state.main, "callback");
    this.#callbacks.set(message.call, task);
    this.work.set(task, {
      take: (L) => {
        state.pushRef(L, message.ref);
        state.x.lua_checkstack(L, message.args.length + 4);
        for (const arg of message.args) {
          if ("j" in arg) this.json.decodeText(L, arg.j, "J", "callback");
          else state.push(L, arg.v);
        }
        return message.args.length + 1;
      },
      reply: undefined,
      read: (L) => state.get(L, 1),
    });
    task.onEnd.push(() => {
      const { reply } = this.work.get(task) as Work;
      this.work.delete(task);
      this.#callbacks.delete(message.call);
      if (this.#dying()) return;
      const outcome = this.#outcome(task, () => ({ text: "" }));
      this.post({ t: "called", isle: this.isle, call: message.call, outcome: outcome.ok ? { ok: true, value: reply } : outcome });
    });
  }

  /** Modules that the function captured are required first, in a task of their own, since the host reads them. */
  #install(call: number, fn: MovedFunction): void {
    const { state } = this.vm;
    const answer = (work: () => number): void => {
      let ref = 0;
      let problem: string | undefined;
      try {
        ref = work();
      } catch (error) {
        problem = isFault(error) ? toFaultData(error).text : error instanceof Error ? error.message : String(error);
      }
      this.post({ t: "installed", isle: this.isle, call, ref, ...(problem === undefined ? {} : { problem }) });
    };
    const modules = modulesOf(fn.captures);
    if (modules.length === 0) {
      answer(() => loadMoved(this, fn));
      return;
    }
    state.pushRef(state.main, this.requirer);
    const task = this.vm.spawn(state.main, "callback");
    state.x.lua_checkstack(task.thread, modules.length + 1);
    for (const name of modules) state.pushText(task.thread, name);
    task.firstArgs = modules.length;
    task.onEnd.push(() => {
      if (this.#dying()) return;
      const outcome = this.#outcome(task, () => ({ text: "" }));
      answer(() => {
        if (!outcome.ok) throw new Error(outcome.text);
        return loadMoved(this, fn);
      });
    });
  }

  /** Tells the host once every task of std.task has ended; names those that still run. */
  #linger(everyMs: number): void {
    const left = (): Task[] => [...this.vm.tasks.live].filter((task) => task.kind === "task");
    const done = (): void => {
      if (left().length > 0) return;
      clearInterval(timer);
      this.files.settle(() => this.post({ t: "idle", isle: this.isle }));
    };
    const timer = setInterval(() => {
      const names = left().map((task) => task.name);
      this.note("warn", "block", `waiting for ${names.length} tasks nobody joined: ${names.slice(0, 10).join(", ")}`);
    }, everyMs);
    this.#timers.add(timer);
    this.vm.tasks.onIdle = done;
    done();
  }

  readonly #timers = new Set<NodeJS.Timeout>();

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const step of this.onClose) step();
    this.flush();
    this.vm.drop();
  }
}

/** A soft cancel that meets a call of a store names the call. */
function cancelledError(op: string): Error {
  const store = /^std\.(sql|kv)\./.exec(op)?.[1] as "sql" | "kv" | undefined;
  if (store === undefined) return blockError("task.cancelled", "task cancelled");
  return blockError(`${store}.cancelled`, `task cancelled during ${op.slice("std.".length)}`);
}

export interface Work {
  /** Pushes the function and its arguments; gives their number. */
  take(L: number): number;
  /** First result of the function, read inside the coroutine. */
  read(L: number): Value;
  reply: Value;
}
