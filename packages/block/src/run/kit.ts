/**
 * The tools of one run: gate, children, stores, network, and the ops that scripts call with them. Everything is made when
 * it is first used.
 */
import { type Clock, type Ids, type Json, type KvStore, parseJson, type SeriesStore, type SqlDatabase } from "@atoll-run/core";
import type { Usage } from "../agent/options.ts";
import { type BusOpParts, busOps } from "../bridges/bus.ts";
import { eventTxOps } from "../bridges/event-tx.ts";
import { ScriptEnv, envOps } from "../bridges/env.ts";
import { fsOps } from "../bridges/fs.ts";
import { givenOps } from "../bridges/given.ts";
import { Handles } from "../bridges/handles.ts";
import { meshOps, serveMesh } from "../bridges/mesh.ts";
import { JsonText, type Ops } from "../bridges/op.ts";
import { shOps } from "../bridges/sh.ts";
import { stdioOps } from "../bridges/stdio.ts";
import { storeOps } from "../bridges/stores.ts";
import { ChildRunner } from "../children/runner.ts";
import type { BusEvent } from "../bus/event.ts";
import type { BlockEvents, OutputSource } from "../config.ts";
import manifest from "../../package.json" with { type: "json" };
import { blockError } from "../errors.ts";
import { deniedError } from "../grants/denied.ts";
import { askGuard, guarded } from "./guarded.ts";
import type { JoinedConfig } from "./joining.ts";
import { type LazyAgent, lazyAgent, type LazyAgentParts } from "./lazy-agent.ts";
import { lazyHttp } from "./lazy-http.ts";
import { type LazyMcp, lazyMcp } from "./lazy-mcp.ts";
import type { McpParts } from "../mcp/parts.ts";
import type { Resolver } from "../bridges/http/client.ts";
import { createGate, type Gate } from "../grants/create-gate.ts";
import type { FromThread, Role } from "../isle/thread/protocol.ts";
import { readDumpMode } from "../observe/dump-mode.ts";
import { type ModelCalls, observeModels } from "../observe/model-calls.ts";
import { OBS } from "../observe/obs-events.ts";
import type { CallTrace } from "../observe/spans.ts";
import type { Telemetry } from "../observe/telemetry.ts";
import { moduleOps } from "../modules/ops.ts";
import { scriptModuleOps } from "../modules/script-modules.ts";
import type { SearchDirs } from "../modules/search.ts";
import { stdlibOps } from "../stdlib/ops.ts";
import { type Prepared, toText } from "./prepare.ts";
import { Sinks } from "./sinks.ts";
import { Telling } from "./telling.ts";

/** How stores are opened; the composing program names the drivers. */
export interface StoreOpeners {
  sql(o: { path: string | undefined; restricted: boolean; env: Readonly<Record<string, string>> }): SqlDatabase;
  kv(o: { path: string | undefined; env: Readonly<Record<string, string>> }): KvStore;
  series(o: { path: string | undefined; env: Readonly<Record<string, string>> }): SeriesStore;
}

export interface KitParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly stores: StoreOpeners;
  /** Names to addresses, in tests; default the system's. */
  readonly resolver?: Resolver;
  /** `PATH` of the program itself. */
  readonly searchPath: string;
  /** Writes to the program's own stdout or stderr: what "inherit" means. */
  readonly inherit: (stream: "stdout" | "stderr", bytes: Uint8Array) => void | Promise<void>;
  /** Folder of blocks beside the program, when it has one: searched after those of the project. */
  readonly programBlocksDir?: string;
  /** Looks after children even when this process is killed. */
  readonly childWatch?: ChildWatch;
}

/** One for all runs of a process. Contract: returns at once and never throws. */
export interface ChildWatch {
  /** The value of `ATOLL_CHILD_OF` in every child begins with it and a `.`; unique, without `/` and `.`. */
  readonly mark: string;
  /** Called before each start of a child. */
  starting(): void;
  /** A process group has begun, or is known to be gone. */
  up(group: number): void;
  down(group: number): void;
}

export interface KitLinks {
  /** Somebody reads the log: else a line need not be made. */
  logs(): boolean;
  /** Only when somebody takes spans and figures. */
  readonly telemetry: Telemetry | undefined;
  /** `trace`: who asks; default the run. */
  log(...line: [level: "debug" | "info" | "warn" | "error", target: string, msg: string, fields?: Record<string, unknown>, trace?: CallTrace]): void;
  emit<N extends keyof BlockEvents>(name: N, fact: BlockEvents[N]): void;
  /** A script asked for the end; `from`: where. */
  exit(code: number, from: Role): void;
  /** The host will not call this function of an isle again. */
  release(role: Role, ref: number): void;
  /** A value that must not be seen in logs, events and errors from now on. */
  secret(value: string): void;
  readonly bus: BusOpParts;
  ask(e: Omit<BusEvent, "seq" | "id" | "deadlineAt"> & { readonly id?: string }, what: string, o: { deadlineMs?: number; signal?: AbortSignal | undefined }): Promise<string>;
}

export interface Kit {
  readonly ops: Ops;
  readonly agentId: string;
  /** Tokens of all calls of models so far. */
  usage(): Usage | undefined;
  stdout(bytes: Uint8Array, from: OutputSource): void | Promise<void>;
  note(role: Role, note: FromThread & { t: "note" }, trace: CallTrace): void;
  /** Lets go of what an isle that is gone had open. */
  isleGone(role: Role): void;
  /** Names of MCP servers that had to be killed. */
  closeMcp(): Promise<readonly string[]>;
  endChildren(): Promise<void>;
  /** Files that scripts left open, and the databases. */
  closeStores(): Promise<void>;
  closeNetwork(): Promise<void>;
  flush(): Promise<void>;
}

export function createKit(parts: KitParts, config: JoinedConfig, p: Prepared, links: KitLinks): Kit {
  const telling = new Telling(config.denied);
  const gate = createGate({
    grants: p.grants, projectRoot: p.projectRoot, cwd: p.projectRoot, secrets: config.secrets ?? [],
    onDenied: (denial) => {
      const text = deniedError(denial).message;
      const about = { text, grant: denial.grant ?? "" };
      links.emit("denied", about);
      telling.tell(about);
      links.telemetry?.denied(denial.grant ?? denial.verb);
      // all others raise; a variable just reads as nil
      if (denial.verb === "env") links.log("warn", "block", text);
    },
  });
  const env = new ScriptEnv(p.env, gate);
  const sinks = new Sinks({ stdout: config.stdout, stderr: config.stderr }, parts.inherit);
  const runner = runnerOf(parts, { p, gate, env, links });
  const handles = new Handles(256);
  const closing: Promise<void>[] = [];
  const stores = lazyStores(parts, config, p);
  const http = httpOf(parts, config, p, gate);
  const mcp = openMcp({ gate, runner, client: http.client, clock: parts.clock, ids: parts.ids }, config, p, links);
  const models = modelCallsOf(p, links);
  const agent = agentOf(parts, config, p, { observe: models.observe, gate, env, kv: stores.kv, mcp: () => mcp.servers(), links });
  const ops: Ops = {
    ...busOps(links.bus), ...envOps(env), ...storeOps({ ...stores, now: () => parts.clock.now() }, p.limits),
    ...meshOps({ mesh: config.mesh, gate }, p.limits), ...eventTxOps(gate), ...givenOps(config.bridges ?? {}, gate),
    ...shOps({ gate, runner, clock: parts.clock, handles, projectRoot: p.projectRoot,
      write: (stream, bytes) => sinks[stream](bytes, "child") }, p.limits),
    ...http.ops, ...mcp.ops, ...agent.ops, ...fsOps({ gate, clock: parts.clock, ids: parts.ids, handles }, p.limits), ...toolOps(config),
    ...stdioOps({ stderr: (bytes) => sinks.stderr(bytes, "main") }), ...moduleOps({ gate, clock: parts.clock, dirs: searchDirs(parts, p) }, p.limits),
    ...scriptModuleOps({ gate, clock: parts.clock, dirs: searchDirs(parts, p) }, p.limits),
    ...stdlibOps({ variable: (name) => env.all()[name], dumps: () => readDumpMode(env.all()).mode !== "off" }),
    "os.exit": ([code], call) => {
      links.exit(Number(code ?? 0), call.isle);
      return new Promise(() => undefined);
    },
  };
  const serving = config.mesh === undefined ? undefined : serveMesh(config.mesh, {
    ask: (e, o) => links.ask(e, "mesh", o), log: (msg) => links.log("warn", "mesh", msg), ackMsMax: p.limits.ackMsMax,
  });
  const told = telling.before(guarded(ops, config.guard, gate));
  return {
    ops: links.telemetry?.ops(told) ?? told, agentId: config.mesh?.id ?? "", usage: () => models.usage(), stdout: sinks.stdout,
    note: (role, note, trace) => {
      const task = note.task === undefined ? {} : { task: note.task };
      links.log(note.level, note.target, note.msg, { ...task, ...note.fields, isle: role }, trace);
      const called = calledTool(note);
      if (called === undefined) return;
      const { event, ...tool } = called;
      if (event === "tool_result") links.emit("tool:called", tool);
      links.telemetry?.tool(event, { ...tool, place: `${role} ${note.task ?? note.event ?? ""}`, trace });
    },
    isleGone: (role) => {
      mcp.isleGone(role);
      closing.push(handles.closeIsle(role));
    },
    closeMcp: async () => (await mcp.close()).killed,
    endChildren: () => runner.killAll(), closeStores: async () => {
      await Promise.all([...closing, handles.closeAll(), stores.close()]);
    },
    closeNetwork: async () => {
      serving?.[Symbol.dispose]();
      await Promise.all([http.close(), agent.close(), config.leaveMesh?.()]);
    },
    flush: () => sinks.flush(),
  };
}

function runnerOf(
  { clock, ids, searchPath, childWatch }: KitParts,
  { p: { limits: { childrenLiveMax, childStopMs } }, gate, env, links }: { readonly p: Prepared; readonly gate: Gate; readonly env: ScriptEnv; readonly links: KitLinks },
): ChildRunner {
  return new ChildRunner({
    clock, gate, env: () => env.all(), searchPath, onStarting: () => childWatch?.starting(),
    // Each run has one of its own: it ends only what carries that.
    mark: [...childWatch === undefined ? [] : [childWatch.mark], ids.uuid4()].join("."),
    onChild: ({ pid, state }) => {
      childWatch?.[state](pid);
      links.emit(state === "up" ? "child:up" : "child:down", { pid });
    },
  }, { childrenLiveMax, childStopMs });
}

function httpOf(parts: KitParts, config: JoinedConfig, p: Prepared, gate: Gate): ReturnType<typeof lazyHttp> {
  return lazyHttp({
    gate, clock: parts.clock, ids: parts.ids, ...(parts.resolver === undefined ? {} : { resolver: parts.resolver }),
    ...(config.http === undefined ? {} : { client: config.http }),
  }, p.limits);
}

function openMcp(
  parts: Pick<McpParts, "gate" | "runner" | "client" | "clock" | "ids">, config: JoinedConfig, p: Prepared, links: KitLinks,
): LazyMcp {
  const { guard } = config;
  return lazyMcp({
    ...parts, projectRoot: p.projectRoot, version: manifest.version,
    ...(guard === undefined ? {} : { guard: ({ aside, ...asked }) => askGuard(guard, { ...asked, ...aside === undefined ? {} : { aside } }) }),
    logs: () => links.logs(), log: (level, ...line) => links.log(level === "trace" ? "debug" : level, ...line),
    secret: (value) => links.secret(value), state: (fact) => links.emit("mcp:state", fact),
    release: (role, ref) => links.release(role, ref),
  }, { ...p.limits, mcpMs: config.mcpTimeoutMs ?? p.limits.mcpMs });
}

/** Where modules are looked for: in the folders of the run, then in that of the program. */
export function searchDirs(parts: Pick<KitParts, "programBlocksDir">, p: Prepared): SearchDirs {
  const { scriptDir, projectRoot } = p;
  return { scriptDir, projectRoot, ...(parts.programBlocksDir === undefined ? {} : { programBlocksDir: parts.programBlocksDir }) };
}

/** What the lines around a tool call tell. */
function calledTool({ target, fields }: FromThread & { t: "note" }):
  BlockEvents["tool:called"] & { event: "tool_call" | "tool_result" } | undefined {
  const event = fields?.["event"];
  if (target !== "lua" || fields?.["prefix"] !== OBS || (event !== "tool_call" && event !== "tool_result")) return undefined;
  return { event, tool: String(fields["tool"]), ok: fields["ok"] === true };
}

function modelCallsOf(p: Prepared, links: KitLinks): ModelCalls {
  return observeModels({
    env: p.env, trace: p.trace, log: (...line) => links.log(...line), called: (fact) => links.emit("model:called", fact),
  });
}

function agentOf(
  parts: KitParts, config: JoinedConfig, p: Prepared,
  o: Pick<LazyAgentParts, "gate" | "kv" | "mcp" | "observe"> & { readonly env: ScriptEnv; readonly links: KitLinks },
): LazyAgent {
  return lazyAgent({
    gate: o.gate, kv: o.kv, mcp: o.mcp, grants: p.grants, clock: parts.clock, ids: parts.ids, configured: p.env,
    env: (name) => o.env.get(name),
    ...(parts.resolver === undefined ? {} : { resolver: parts.resolver }),
    ...(config.http === undefined ? {} : { client: config.http }),
    ...(config.agentSessions === undefined ? {} : { sessions: config.agentSessions }), watch: config.agentWatch,
    secret: (value) => o.links.secret(value), spans: o.links.telemetry, observe: o.observe,
  }, p.limits);
}

function toolOps(config: JoinedConfig): Ops {
  return {
    "tool.host": async ([name, input], call) => {
      const tool = config.hostTools?.find((t) => t.name === name);
      if (tool === undefined) throw blockError("tool.not_found", `tool not found: ${String(name)}`);
      const reply = await tool.handler(readJson(String(input)), { signal: call.signal, isle: call.isle, trace: call.trace });
      return reply === undefined ? undefined : new JsonText(toText(reply, `tool ${tool.name}`));
    },
  };
}

function readJson(text: string): Json {
  const parsed = parseJson(text);
  if (!parsed.ok) throw blockError("json.decode", `tool input: ${parsed.problem}`);
  return parsed.value;
}

interface LazyStores {
  sql(): SqlDatabase;
  kv(): KvStore;
  series(): SeriesStore;
  close(): Promise<void>;
}

function lazyStores(parts: KitParts, config: JoinedConfig, p: Prepared): LazyStores {
  const open: AsyncDisposable[] = [];
  const once = <T extends AsyncDisposable>(make: () => T): (() => T) => {
    let made: T | undefined;
    return () => {
      if (made === undefined) {
        made = make();
        open.push(made);
      }
      return made;
    };
  };
  return {
    sql: once(() => parts.stores.sql({ path: config.sqlPath, restricted: p.grants !== "all", env: p.env })),
    kv: once(() => parts.stores.kv({ path: config.kvPath, env: p.env })),
    series: once(() => parts.stores.series({ path: config.tsPath, env: p.env })),
    close: async () => {
      await Promise.all(open.map((store) => store[Symbol.asyncDispose]()));
    },
  };
}

