/** One isle inside its thread: the Lua VM, its faces, and the way of its calls to the host and back. */
import { type FaultData, isFault } from "@atoll-run/core";
import type { Value } from "../../bridges/op.ts";
import { blockError } from "../../errors.ts";
import type { MemoryImage } from "../lua/memory-image.ts";
import { loadMoved, modulesOf } from "../lua/moving.ts";
import type { ArgReader } from "../lua/arguments.ts";
import { LuaJson } from "../lua/json.ts";
import { Kept } from "../lua/kept.ts";
import { limitOf, OutOfMemory, type Terminate } from "../lua/vm-errors.ts";
import type { Task } from "../lua/tasks.ts";
import { LuaVm } from "../lua/vm.ts";
import { cpu, spending } from "./account.ts";
import { Calls, type Push } from "./calls.ts";
import { FileBuffers } from "./file-buffers.ts";
import type { IsleTenant } from "./isle-tenant.ts";
import { type Note, Output } from "./output.ts";
import { CONTROL, type FromThread, type IsleSetup, type MovedFunction, type ToThread } from "./protocol.ts";
import { outcomeOf, type Work, Works } from "./works.ts";

export interface ThreadParts {
  readonly module: WebAssembly.Module;
  post(message: FromThread | readonly FromThread[], move?: readonly Uint8Array[]): void;
  pump(ms: number): boolean;
  messageWaits(): boolean;
  /** The isle is at work and goes on; it rests. */
  beat(): void;
  rests(): void;
  soon(work: () => void): void;
  /** What its memory begins with, when the thread has opened others of its kind. */
  readonly image: MemoryImage | undefined;
  /** Puts the bridges into the fresh isle. */
  install(isle: Tenant): void;
}

export interface CallOptions {
  /** Shapes the answer; else it is pushed as it is. */
  readonly push?: Push;
  /**
   * Numbers of functions of the script among the arguments, which the host may call until it has answered.
   */
  readonly functions?: readonly number[];
  /** After a good answer the host may call them until it releases them. */
  readonly keeps?: boolean;
  /** A soft cancel is told to the host, and its answer awaited. */
  readonly patient?: boolean;
}

export class Tenant implements IsleTenant {
  readonly isle: number;
  readonly setup: IsleSetup;
  readonly vm: LuaVm;
  readonly json: LuaJson;
  readonly output: Output;
  readonly kept: Kept;
  readonly reader: ArgReader;
  readonly #calls: Calls;
  readonly #works: Works;
  /** Names every isle has before a script adds its own. */
  bootGlobals: readonly string[];
  /** Called when the isle is let go of, before the last of its messages; must not enter the VM. */
  readonly onClose: (() => void)[] = [];
  /** Pushes the table `event.tx`: see faces/event-tx. */
  pushEventTx: (L: number) => void = () => undefined;
  /** What was written to files and pipes and is not with the host yet. */
  readonly files = new FileBuffers((op, args, done) => this.send(op, args, done));
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed: (() => void) | null = null;

  constructor(isle: number, setup: IsleSetup, parts: ThreadParts) {
    this.isle = isle;
    this.setup = setup;
    const control = new Int32Array(setup.control);
    this.output = new Output({ isle, control, post: (message, move) => parts.post(message, move) });
    this.vm = new LuaVm(parts.module, {
      killRequested: () => Atomics.load(control, CONTROL.kill) !== 0,
      abortRequested: () => Atomics.load(control, CONTROL.abortEvent),
      monotonic: () => performance.now(), now: () => Date.now(), cpu, spent: spending(setup.spent),
      write: (fd, bytes) => {
        if (fd === 2) this.note("warn", "lua", new TextDecoder().decode(bytes));
        else this.output.write(bytes);
      },
      caughtUp: (L) => this.caughtUp(L), pump: (ms) => parts.pump(ms),
      messageWaits: () => parts.messageWaits(), beat: () => parts.beat(), rests: () => parts.rests(),
      sized: (bytes) => Atomics.store(control, CONTROL.bytes, bytes),
      polled: (now) => this.output.polled(now), died: (why) => this.#died(why),
      later: (work) => setImmediate(work), soon: (work) => parts.soon(work),
      warn: (text) => this.note("warn", "lua", text),
    }, { limits: setup.limits, shared: setup.shared, image: parts.image });
    this.bootGlobals = parts.image?.bootGlobals ?? [];
    const { state } = this.vm;
    this.json = new LuaJson(state);
    this.kept = new Kept(state, isle);
    this.reader = { state, json: this.json, kept: this.kept };
    const post = (message: FromThread): void => this.post(message);
    const common = { isle, vm: this.vm, json: this.json, kept: this.kept, post };
    this.#calls = new Calls(common);
    this.#works = new Works({
      ...common, files: this.files, pushEventTx: (L) => this.pushEventTx(L),
    });
    parts.install(this);
  }

  // ---- to the host

  /** Everything printed before a message is with the host before it. */
  post(message: FromThread): void {
    this.output.post(message);
  }

  note(level: Note["level"], target: string, msg: string, fields?: Note["fields"]): void {
    const task = this.vm.current?.identity;
    this.output.note({
      level, target, msg, ...(fields === undefined ? {} : { fields }),
      ...(task?.kind === "task" ? { task: task.name } : {}), ...(task === undefined || task.eventSeq === 0 ? {} : { event: task.eventSeq }),
    });
  }

  /** Last thing a host function does that printed or logged: its task waits while the host is far behind. */
  caughtUp(L: number): number {
    return this.output.caughtUp(this.vm, L);
  }

  flush(): void {
    this.output.flush();
  }

  /** Asks the host for an op; the calling task waits. */
  call(L: number, op: string, args: readonly Value[], o: Push | CallOptions = {}): number {
    this.files.flush();
    const { push, functions = [], keeps = false, patient = false } = typeof o === "function" ? { push: o } : o;
    return this.#calls.call(L, { op, args, functions, keeps, push, patient });
  }

  /** Asks the host for an op that no task waits for. */
  send(op: string, args: readonly Value[], done: (fault: FaultData | undefined) => void): void {
    this.#calls.send(op, args, done);
  }

  /** What the current task, a handler or a callback, is to call. */
  get work(): Work {
    return this.#works.of(this.vm.current as Task);
  }

  // ---- from the host

  hear(message: ToThread): void {
    if (this.vm.state.dead !== null) return;
    switch (message.t) {
      case "reply":
      case "json":
      case "fault": this.#calls.answer(message); return;
      case "run": this.vm.enter(() => this.#run(message.source, message.chunk, message.args)); return;
      case "event": this.#works.event(message.event); return;
      case "install": this.vm.enter(() => this.#install(message.call, message.fn)); return;
      case "callback": this.#works.callback(message); return;
      case "abortCallback": this.#works.abortCallback(message.call); return;
      case "release": this.kept.release(message.ref); return;
      case "room": this.output.room(); return;
      case "abortEvent": this.vm.abortEvent(message.seq); return;
      case "linger": this.#linger(message.everyMs); return;
      case "kill": this.vm.interrupt(); return;
      default:
    }
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
      const outcome = outcomeOf(this.vm, task, (T) => this.#value(T));
      this.files.settle(() => this.post({ t: "ran", isle: this.isle, outcome }));
    });
  }

  /** First return value as JSON text by rules J; without a JSON form it is null with a warning. */
  #value(T: number): { text: string; warning?: string } {
    if (this.vm.state.x.lua_gettop(T) === 0) return { text: "null" };
    try {
      return { text: this.json.encodeText(T, 1, "value") };
    } catch (error) {
      if (!isFault(error) && !(error instanceof OutOfMemory)) throw error;
      return { text: "null", warning: `the script's value has no JSON form: ${error.message}` };
    }
  }

  /** The death of the isle will answer everything that is open, with its reason. */
  #dying(): boolean {
    return this.vm.ending !== null;
  }

  /**
   * Modules that the function captured are required first, in a task of their own, since the host reads them.
   */
  #install(call: number, fn: MovedFunction): void {
    const { state } = this.vm;
    const answer = (work: () => number): void => {
      let ref = 0;
      let problem: string | undefined;
      try {
        ref = work();
      } catch (error) {
        if (!isFault(error) && !(error instanceof OutOfMemory)) throw error;
        problem = error.message;
      }
      this.post({ t: "installed", isle: this.isle, call, ref,
        ...(problem === undefined ? {} : { problem }) });
    };
    const load = (): number => {
      const top = state.x.lua_gettop(state.main);
      try {
        loadMoved(this, fn);
        return this.kept.keep(state.main, -1);
      } finally {
        if (state.dead === null) state.x.lua_settop(state.main, top);
      }
    };
    const modules = modulesOf(fn.captures);
    if (modules.length === 0) {
      answer(load);
      return;
    }
    state.pushKnown(state.main, "requirer");
    const task = this.vm.spawn(state.main, "callback");
    state.x.lua_checkstack(task.thread, modules.length + 1);
    for (const name of modules) state.pushText(task.thread, name);
    task.firstArgs = modules.length;
    task.onEnd.push(() => {
      if (this.#dying()) return;
      const outcome = outcomeOf(this.vm, task, () => ({ text: "" }));
      answer(() => {
        if (!outcome.ok) throw blockError("bus.register", outcome.text);
        return load();
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
      this.note("warn", "block",
        `waiting for ${names.length} tasks nobody joined: ${names.slice(0, 10).join(", ")}`);
    }, everyMs);
    this.#timers.add(timer);
    this.vm.tasks.onIdle = done;
    done();
  }

  // ---- the end

  #died(why: Terminate): void {
    this.post({ t: "died", isle: this.isle, why: why.cause_code, text: why.message, ...limitOf(why) });
    this.#closed?.();
  }

  /** Lets go of the isle. One that is being ended has its soft time first. */
  close(closed: () => void): void {
    const last = (): void => {
      this.#closed = null;
      for (const timer of this.#timers) clearInterval(timer);
      for (const step of this.onClose.splice(0)) step();
      this.flush();
      this.vm.drop();
      closed();
    };
    if (this.vm.state.dead !== null || this.vm.ending === null) last();
    else this.#closed = last;
  }
}
