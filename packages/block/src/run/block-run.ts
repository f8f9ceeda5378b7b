/**
 * One run of a block.
 * takes a config and parts; gives a result; promises the start order and the end-of-run order of the specification
 * (block 2.2, 2.3); refuses events once it ends; never leaves a thread, child, file or timer behind.
 */
import { type BlockLimits, type Clock, emptyTrace, Events, type Ids, isFault, type Json, LIMITS, type LogEvent } from "@atoll-run/core";
import { ANY_KIND, Bus, type Handle } from "../bus/dispatcher.ts";
import type { ScriptHandler } from "../bridges/bus.ts";
import type { Ops } from "../bridges/op.ts";
import type { BlockConfig, BlockEvents, BlockResult, BlockRun, BlockStats, HostCall, RequestOptions } from "../config.ts";
import { type BlockError, blockError } from "../errors.ts";
import type { IslePlacing } from "../isle/host/threads.ts";
import type { Outcome, Role } from "../isle/thread/protocol.ts";
import { findTelemetry } from "../observe/find-telemetry.ts";
import type { Telemetry } from "../observe/telemetry.ts";
import { readObs, toObsLog } from "../observe/obs-events.ts";
import { RunIsles } from "./isles.ts";
import { createKit, type Kit, type KitLinks, type KitParts } from "./kit.ts";
import { bounded, hostHandle, readValue, scriptFault } from "./answers.ts";
import { callForHost } from "./host-call.ts";
import { Masking } from "./masking.ts";
import { type Prepared, prepare, toText } from "./prepare.ts";
import { MovedHandlers } from "./moved-handlers.ts";
import { finish } from "./finish.ts";
import { type JoinedConfig, joinMesh, named, type OpenRelay } from "./joining.ts";
import { PrintMeter } from "./print-meter.ts";
import { isleSetup } from "./setup.ts";

export interface RunParts extends KitParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly placing: IslePlacing;
  /** Joins a mesh that a config names by its realm; without it such a config is refused. */
  readonly relay?: OpenRelay;
}

/** How the script ended, before the end-of-run order. */
type Ending =
  | { readonly how: "returned"; readonly value: string; readonly warning?: string }
  | { readonly how: "exited"; readonly code: number; readonly from: Role }
  | { readonly how: "failed"; readonly fault: Error };

type Ask = Parameters<KitLinks["ask"]>[0];

export class Run implements BlockRun {
  readonly ready: Promise<void>;
  readonly serves: Promise<void>;
  readonly result: Promise<BlockResult>;
  readonly #parts: RunParts;
  readonly #config: BlockConfig;
  readonly #events: Events<BlockEvents>;
  readonly #masking = new Masking();
  readonly #warnings: string[] = [];
  readonly #begun: number;
  #phase: BlockStats["phase"] = "starting";
  over = false;
  #bus: Bus | undefined;
  #isles: RunIsles | undefined;
  #moved: MovedHandlers | undefined;
  #kit: Kit | undefined;
  #meter: PrintMeter | undefined;
  #telemetry: Telemetry | undefined;
  #ending: Ending | undefined;
  #about: Pick<LogEvent, "script" | "trace"> = {};
  #reader: "serve" | "autoServe" | null = null;
  #serving: { stop(): void } | null = null;
  #stopped: { readonly reason: string } | null = null;
  #graceTimer: Disposable | undefined;
  readonly #reads = Promise.withResolvers<void>();
  readonly #cancelled = Promise.withResolvers<void>();
  #end: (ending: Ending) => void = () => undefined;
  readonly #ended: Promise<Ending>;

  constructor(parts: RunParts, config: BlockConfig) {
    this.#parts = parts;
    this.#config = config;
    this.#begun = parts.clock.monotonic();
    this.#events = new Events<BlockEvents>({ onError: (error, name) => this.#warn(`a listener of ${name} failed: ${String(error)}`) });
    this.#ended = new Promise((resolve) => {
      this.#end = (ending) => {
        this.over = true;
        resolve(ending);
      };
    });
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    this.ready.catch(() => undefined);
    this.result = this.#run(ready.resolve).catch((error: unknown) => {
      const masked = this.#masking.fault(error);
      ready.reject(masked);
      throw masked;
    });
    this.result.catch(() => undefined);
    this.serves = this.#reads.promise;
    this.serves.catch(() => undefined);
    const over = (cause?: unknown): void => this.#reads.reject(blockError("bus.closed", "the run ended and took no event: a script that is to hear events ends with bus.serve()", { cause }));
    this.result.then(() => over(), (cause: unknown) => over(cause));
  }

  async #run(begun: () => void): Promise<BlockResult> {
    const { signal } = this.#config;
    const cancel = (): void => this.cancel(signal?.reason);
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      let prepared = await prepare(this.#config);
      this.#masking.learn(prepared.env);
      for (const warning of prepared.warnings) this.#warn(warning);
      this.#telemetry = (await findTelemetry())?.({
        script: prepared.name, trace: prepared.trace, stats: () => {
          const { bus_depth, isles } = this.stats();
          return { queue: bus_depth, isles: isles.map(({ role, bytes = 0 }) => ({ role, bytes })) };
        },
      });
      const joined = await this.#join(prepared);
      prepared = named(prepared, joined);
      this.#telemetry?.named(prepared.trace);
      try {
        this.#start(prepared, joined);
      } catch (error) {
        await joined.leaveMesh?.();
        throw error;
      }
      if (signal?.aborted === true) cancel();
      begun();
      const ending = this.#ending = await this.#ended;
      this.#phase = "stopping";
      const unfinished = await this.#finish(prepared, ending);
      return this.#settle(ending, unfinished);
    } finally {
      signal?.removeEventListener("abort", cancel);
      this.#graceTimer?.[Symbol.dispose]();
      const ending = this.#ending;
      this.#telemetry?.ended(ending?.how ?? "failed", ending?.how === "failed" && isFault(ending.fault) ? ending.fault.code : undefined);
      this.#phase = "ended";
      this.#events.close();
    }
  }

  // ---- start

  async #join({ env }: Prepared): Promise<JoinedConfig> {
    const over = new AbortController();
    void this.#ended.then(() => over.abort());
    return await joinMesh(this.#config, {
      open: this.#parts.relay, env, signal: over.signal, secret: (value) => this.#masking.add(value),
    });
  }

  #start(prepared: Prepared, config: JoinedConfig): void {
    const { clock } = this.#parts;
    const bus = new Bus({
      clock, warn: (text) => this.#log("warn", "bus", text),
      received: (event) => this.#events.emit("bus:received", { kind: event.kind, id: event.id }),
      handled: (event, ms) => this.#events.emit("bus:handled", { kind: event.kind, id: event.id, duration_ms: ms }),
      failed: (event, fault) => this.#failed(event, fault), full: (by) => this.#busFull(by, prepared.limits),
    }, prepared.limits);
    this.#bus = bus;
    for (const [kind, handler] of Object.entries(this.#config.hostHandlers ?? {})) bus.register(kind, { handle: this.#seen(kind, hostHandle(handler)) });
    if (this.#config.anyHandler !== undefined) bus.register(ANY_KIND, { handle: this.#seen(ANY_KIND, hostHandle(this.#config.anyHandler)) });
    const kit = createKit(this.#parts, config, prepared, {
      logs: () => this.#logs, log: (...line) => this.#log(...line), telemetry: this.#telemetry,
      emit: (name, fact) => this.#emit(name, fact), exit: (code, from) => this.#end({ how: "exited", code, from }),
      secret: (value) => this.#masking.add(value), release: (role, ref) => this.#isles?.release(role, ref),
      bus: {
        owned: () => this.#reader, register: (kind, handler, timeoutMs) => this.#register(kind, handler, timeoutMs),
        serve: () => this.#serve(),
        emit: (e, emitSignal) => bus.put({ ...e, id: e.id ?? this.#parts.ids.uuid4() }, IGNORED, { what: "bus.emit", signal: emitSignal }),
      },
      ask: (e, what, o) => this.#ask(e, what, o),
    });
    this.#kit = kit;
    this.#isles = new RunIsles({
      placing: this.#parts.placing, trace: prepared.trace, callsMax: prepared.limits.isleQueueMax, apart: prepared.engine === "lua",
      setup: (role, control, shared) => isleSetup(this.#config, prepared, { parts: this.#parts, role, control, shared, agentId: kit.agentId }),
      ops: (): Ops => kit.ops, print: (role, bytes) => this.#print(role, bytes),
      note: (role, note, trace) => kit.note(role, note, trace), died: (role, fault) => this.#died(role, fault),
    });
    this.#about = { script: prepared.name, trace: prepared.trace };
    this.#meter = new PrintMeter(prepared.limits, (text) => {
      this.#emit("limit", { limit: "isle.output", text });
      this.#log("warn", "block", text);
    });
    this.#moved = new MovedHandlers(this.#isles, prepared.limits, (text) => this.#log("warn", "bus", text));
    if (this.#config.autoServe === true) {
      this.#reader = "autoServe";
      bus.read();
      this.#reads.resolve();
    }
    this.#isles.open("main");
    this.#events.emit("started", { script: prepared.name });
    this.#log("debug", "block", "started", { script: prepared.name });
    this.#phase = "running";
    void this.#isles.runScript(prepared.source, prepared.chunk, this.#config.args ?? []).then((outcome) => this.#ran(outcome));
  }

  #ran(outcome: Outcome): void {
    if (outcome.ok) {
      this.#end({ how: "returned", value: outcome.text, ...(outcome.warning === undefined ? {} : { warning: outcome.warning }) });
    } else this.#end({ how: "failed", fault: scriptFault(outcome) });
  }

  // ---- bus

  async #register(kind: string, handler: ScriptHandler, timeoutMs: number | undefined): Promise<void> {
    const { handle, placed } = await (this.#moved as MovedHandlers).add(kind, handler);
    const replaced = this.#bus?.register(kind, { handle: this.#seen(kind, handle), ...(timeoutMs === undefined ? {} : { timeoutMs }) });
    placed();
    if (replaced === true) this.#log("warn", "bus", `bus.on: handler for '${kind}' replaced`);
  }

  #seen(kind: string, handle: Handle): Handle {
    return this.#telemetry?.handler(kind, handle) ?? handle;
  }

  async #serve(): Promise<void> {
    this.#reader = "serve";
    const stop = Promise.withResolvers<void>();
    this.#serving = { stop: stop.resolve };
    this.#bus?.read();
    this.#reads.resolve();
    if (this.#stopped !== null) stop.resolve();
    await stop.promise;
    this.#serving = null;
    if (await this.#bus?.drain() === false) this.#log("warn", "bus", "bus.serve: grace window exceeded; forcing exit");
    if (this.#stopped !== null) this.#cancelAfterGrace();
  }

  /** A stop becomes a cancel when the script does not end within the grace time. */
  #cancelAfterGrace(): void {
    const graceMs = this.#config.limits?.graceMs ?? LIMITS.graceMs.default;
    this.#graceTimer ??= this.#parts.clock.after(graceMs, () => this.cancel(this.#stopped?.reason));
  }

  #busFull(by: "busEventsMax" | "busBytesMax" | undefined, limits: BlockLimits): void {
    if (by === undefined) return this.#log("info", "bus", "bus: queue has room again");
    const text = `bus: queue full (${limits[by]}${by === "busBytesMax" ? " bytes" : ""})`;
    this.#emit("limit", { limit: "bus.overloaded", text });
    this.#log("warn", "bus", text);
  }

  #failed(event: { kind: string; id: string }, fault: unknown): void {
    const { code, message } = isFault(fault) ? fault : { code: "bus.handler_failed", message: String(fault) };
    this.#emit("bus:failed", { kind: event.kind, id: event.id, code, text: message });
    this.#log("warn", "bus", `handler for '${event.kind}' failed: ${message}`);
  }

  #ask(
    e: Ask, what: string,
    o: { deadlineMs?: number; signal?: AbortSignal | undefined },
  ): Promise<string> {
    const bus = this.#bus;
    if (bus === undefined) return Promise.reject(blockError("bus.closed", `${what}: bus channel closed: the run has not started`));
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const deadlineAt = o.deadlineMs === undefined ? {} : { deadlineAt: this.#parts.clock.monotonic() + o.deadlineMs };
    bus.put({ ...e, id: e.id ?? this.#parts.ids.uuid4(), ...deadlineAt },
      { settle: resolve, fail: reject }, { what, ...(o.signal === undefined ? {} : { signal: o.signal, unwanted: o.signal }) }).catch(reject);
    return bounded(promise, this.#parts.clock, { ...o, kind: e.kind });
  }

  // ---- isles

  #died(role: Role, fault: BlockError): void {
    if (fault.code === "isle.timeout" || fault.code === "isle.memory") this.#emit("limit", { limit: fault.code, text: fault.message });
    this.#kit?.isleGone(role);
    if (role === "main" || this.#phase !== "running" || OF_THE_RUN.has(fault.facts["limit"])) {
      this.#end({ how: "failed", fault });
      return;
    }
    if (!this.#moved?.restart(this.#parts.clock.monotonic(), fault.facts["cotenant"] !== true)) this.#end({ how: "failed", fault });
    else this.#emit("isle:restarted", { isle: "handler", why: fault.message });
  }

  #print(role: Role, all: Uint8Array): void | Promise<void> {
    const bytes = (this.#meter as PrintMeter).admit(all, this.#parts.clock.monotonic());
    if (bytes.length === 0) return undefined;
    this.#events.emit("print", { bytes, isle: role });
    return this.#kit?.stdout(bytes, role);
  }

  // ---- end

  async #finish(prepared: Prepared, ending: Ending): Promise<string[]> {
    const { how } = ending;
    const { unfinished, warnings } = await finish({
      clock: this.#parts.clock, bus: this.#bus as Bus, isles: this.#isles as RunIsles, kit: this.#kit as Kit,
      linger: how === "returned", cancelled: this.#cancelled.promise, killMain: how !== "returned", atOnce: how === "exited" && ending.from === "handler", limits: prepared.limits, owned: this.#reader !== null,
    });
    for (const warning of warnings) this.#warn(warning);
    return unfinished;
  }

  #settle(ending: Ending, unfinished: string[]): BlockResult {
    const duration_ms = this.#parts.clock.monotonic() - this.#begun;
    this.#events.emit("ended", { outcome: ending.how, duration_ms, unfinished });
    if (ending.how === "failed") throw ending.fault;
    if (ending.how === "returned" && ending.warning !== undefined) this.#warn(ending.warning);
    const value = ending.how === "returned" ? readValue(ending.value) : null;
    const usage = this.#kit?.usage();
    const outcome = ending.how === "exited" ? "exited" : this.#stopped === null ? "returned" : "stopped";
    return {
      value, outcome, exit_code: ending.how === "exited" ? ending.code : 0, duration_ms,
      ...usage === undefined ? {} : { usage }, bus: { ...(this.#bus as Bus).counts },
      unfinished, warnings: this.#warnings,
    };
  }

  #warn(text: string): void {
    const max = this.#config.limits?.warningsMax ?? LIMITS.warningsMax.default;
    if (this.#warnings.length < max) this.#warnings.push(this.#masking.text(text));
    this.#log("warn", "block", text);
  }

  /** Tells an event with texts in it. */
  #emit<N extends keyof BlockEvents>(name: N, fact: BlockEvents[N]): void {
    this.#events.emit(name, this.#masking.fields({ ...fact }) as unknown as BlockEvents[N]);
  }

  get #logs(): boolean {
    return this.#config.log !== undefined || this.#events.isHeard("log");
  }

  #log(...[level, target, said, given, trace = this.#about.trace]: Parameters<KitLinks["log"]>): void {
    if (!this.#logs) return;
    const obs = readObs(said, given);
    const line = obs === undefined ? { msg: said, fields: given } : toObsLog(obs, given ?? {}, trace ?? emptyTrace());
    const fields = line.fields === undefined ? {} : { fields: this.#masking.fields(line.fields) };
    const event = { level, target, msg: this.#masking.text(line.msg), ...fields };
    this.#events.emit("log", event);
    this.#config.log?.write({ ...event, ...this.#about, ...placeOf(line.fields), ...(trace === undefined ? {} : { trace }) });
  }

  // ---- public

  cancel(_reason?: unknown): void {
    if (this.#phase === "ended") return;
    this.#cancelled.resolve();
    this.#end({ how: "failed", fault: blockError("run.cancelled", "cancelled") });
  }

  stats(): BlockStats {
    const isles = (["main", "handler"] as const).filter((role) => this.#isles?.isOpen(role) === true).map((role) => ({ role, bytes: this.#isles?.bytes(role) ?? 0 }));
    return { phase: this.#phase, bus_depth: this.#bus?.depth ?? 0, isles, open_calls: this.#isles?.openCalls ?? 0 };
  }

  async emit(kind: string, payload: Json, o: { id?: string; meta?: Json; signal?: AbortSignal } = {}): Promise<void> {
    await this.ready;
    const event = { kind, id: o.id ?? this.#parts.ids.uuid4(), payload: toText(payload, "payload"), meta: toText(o.meta ?? null, "meta") };
    await this.#bus?.put(event, IGNORED, { what: "emit", ...(o.signal === undefined ? {} : { signal: o.signal }) });
  }

  async request(kind: string, payload: Json, o: RequestOptions = {}): Promise<Json> {
    if (this.#phase === "starting") await this.ready;
    const { id, trace, raw, origin } = o;
    const event = {
      kind, payload: toText(payload, "payload"), meta: toText(o.meta ?? null, "meta"), ...(id === undefined ? {} : { id }),
      ...(trace === undefined ? {} : { trace }), ...(raw === undefined ? {} : { raw }), ...(origin === undefined ? {} : { origin }),
    };
    const reply = await this.#ask(event, "request", o).catch((error: unknown) => {
      throw this.#masking.fault(error);
    });
    return readValue(reply);
  }

  async call(o: HostCall): Promise<Json> {
    if (this.#phase === "starting") await this.ready;
    const kit = this.#phase === "running" ? this.#kit : undefined;
    if (kit === undefined) throw blockError("bus.closed", `${o.fn}: the run is over`);
    return await callForHost(kit.ops, o).catch((error: unknown) => {
      throw this.#masking.fault(error);
    });
  }

  handles(kind: string): boolean {
    return this.#bus?.handles(kind) === true;
  }

  stop(reason = "stop"): Promise<BlockResult> {
    this.#stopped ??= { reason };
    if (this.#serving !== null) this.#serving.stop();
    else if (this.#reader === "autoServe") this.#cancelAfterGrace();
    else if (this.#reader === null) this.cancel(reason);
    return this.result;
  }

  /** True while a first signal should be a graceful stop rather than a cancel. */
  get serving(): boolean {
    return this.#reader !== null;
  }

  on<N extends keyof BlockEvents>(name: N, hear: (fact: BlockEvents[N]) => void, o: { signal?: AbortSignal } = {}): void {
    this.#events.on(name, hear, o);
  }

  events(o: { buffer?: number } = {}): ReturnType<BlockRun["events"]> {
    const buffer = o.buffer ?? this.#config.limits?.runEventsMax ?? LIMITS.runEventsMax.default;
    return this.#events.stream({ buffer }) as ReturnType<BlockRun["events"]>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cancel("disposed");
    await this.result.catch(() => undefined);
  }
}

/** Where a line comes from, when an isle said it. */
function placeOf(fields: Readonly<Record<string, unknown>> | undefined): Pick<LogEvent, "isle" | "task"> {
  const { isle, task } = fields ?? {};
  return {
    ...(isle === "main" || isle === "handler" ? { isle } : {}), ...(typeof task === "string" ? { task } : {}),
  };
}

/** A new isle would meet them at once. */
const OF_THE_RUN: ReadonlySet<unknown> = new Set(["cpuMsMax", "wallMsMax"]);
const IGNORED = { settle: () => undefined, fail: () => undefined };
