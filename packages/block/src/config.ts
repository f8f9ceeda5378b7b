/** What a host gives to start a block, and what it gets back (spec: block 2.1). Options are camelCase, results snake_case. */
import type { Sessions } from "./agent/session.ts";
import type { Usage } from "./agent/options.ts";
import type { AgentWatch } from "./agent/watch.ts";
import type { EventOrigin } from "./bus/origin.ts";
import type { HttpClient } from "./bridges/http/client.ts";
import type { BlockLimits, CallOpts, Clock, Ids, Json, Log, Mesh, TraceContext } from "@atoll-run/core";

/** Text, or a file that is read once at start. */
export type Text = string | { readonly file: string };
/** Where printed bytes go. A promise holds the script back until it settles. */
export type Sink = "inherit" | "ignore" | ((bytes: Uint8Array, from: OutputSource) => void | Promise<void>);
/** Who printed: an isle, or a child whose output passes through. */
export type OutputSource = "main" | "handler" | "child";
export type Reply = Json | void | Promise<Json | void>;

export type BlockScript =
  | { readonly path: string }
  | { readonly source: string; readonly name: string; readonly language?: "lua" | "js" | "ts" }
  /** An agent that answers the prompt, with the context as its system prompt; its result is the value, and event `_`. */
  | { readonly defaultAgent: true };

export interface HostEvent {
  readonly kind: string;
  readonly id: string;
  readonly payload: Json;
  readonly meta: Json;
  /** Aborted when the event's time is up or the run ends. */
  readonly signal: AbortSignal;
}
export type HostHandler = (event: HostEvent) => Reply;

export interface HostTool {
  readonly name: string;
  readonly description: string;
  readonly input_schema: Json;
  readonly group?: string;
  handler(input: Json, call: { signal: AbortSignal; isle: "main" | "handler"; trace: TraceContext }): Reply;
}

/**
 * Asked after the grants and before the call: approvals. `about`: what the host says of the message whose handler calls; `fn`: what {@link BlockRun.call}
 * does the same with, later; `aside`: lets other events be handled until `back` is called, where the guard takes long; `done`: has what the call gives
 * told to `keep`, before its script goes on; answered as `made`, that stands for the same call later.
 */
export type Guard = (call: {
  grant: string; tool?: string; args: Json; signal: AbortSignal; about?: { readonly [key: string]: Json };
  fn?: string; aside?: () => { back(): Promise<void> } | undefined; done?: (keep: (made: Json) => Promise<void>) => void;
}) =>
  Promise<"allow" | { deny: string } | { answer: Json } | { park: string } | { made: Json }>;

/** Arguments by the names of the script API; what is left out is not there. */
export type GivenArguments = { readonly [name: string]: Json };

export interface GivenCall {
  /** Aborted when the script no longer waits: its task is cancelled, or its time is up. */
  readonly signal: AbortSignal;
  readonly isle: "main" | "handler";
  readonly trace: TraceContext;
  /** Milliseconds left of the event that is handled, if one is. */
  readonly deadlineMs?: number;
  /** Of the event that is handled; one object for one event. */
  readonly origin?: EventOrigin;
}

/** What it gives goes to the script as JSON; what it throws is raised there, with its code. */
export type GivenFunction = (args: GivenArguments, call: GivenCall) => Reply;

/** By bridge, then by function: `{ mob: { send: …, "flow.run": … } }`. */
export type GivenBridges = Readonly<Record<string, Readonly<Record<string, GivenFunction>>>>;

/** A mesh through a realm: `http://127.0.0.1:8081`. */
export interface RelayConfig {
  readonly relayUrl: string;
  /** Its own identity, 64 hex digits, or the variable of `env` that holds them; default a fresh one. */
  readonly secretKey?: string | { readonly env: string };
}

export interface BlockConfig {
  readonly script: BlockScript;
  /** Folder that holds .env and blocks/, and where relative paths and children start; default: the working folder. */
  readonly projectRoot?: string;
  /** Global `arg`, and `...` of the script. */
  readonly args?: readonly string[];
  /** Globals _PROMPT and _CONTEXT: absent is nil, empty stays empty. */
  readonly prompt?: Text;
  readonly context?: Text;
  /** Milliseconds of one MCP round trip; default 30,000. */
  readonly mcpTimeoutMs?: number;
  /** Peers. A realm that is named is joined when the run starts and left at its end. */
  readonly mesh?: Mesh | RelayConfig;
  /** Installed before the script. */
  readonly hostHandlers?: Readonly<Record<string, HostHandler>>;
  /** For kinds without a handler. */
  readonly anyHandler?: HostHandler;
  readonly hostTools?: readonly HostTool[];
  /** What the bridge `mob` of scripts does, function by function: `{ mob: { send: … } }`. One that is not here raises `bridge.absent`. */
  readonly bridges?: GivenBridges;
  /** Where `session` of `agent.run` is kept; default: the store of `std.kv`. */
  readonly agentSessions?: Sessions;
  /** Hears of runs of `agent.run` and of calls of models, and may refuse them. */
  readonly agentWatch?: AgentWatch;
  /** Hand out events beside the script; only with at least one host handler. Default false. */
  readonly autoServe?: boolean;
  /** What requests of the block are sent with; stays the host's. Default: a client that checks every address it connects to. */
  readonly http?: HttpClient;
  /** Paths of the stores; ":memory:" is private to the run. */
  readonly sqlPath?: string;
  readonly kvPath?: string;
  readonly tsPath?: string;
  /** Set in both isles before the bridges; the name of a bridge is refused. */
  readonly globals?: Readonly<Record<string, Json>>;
  /** The whole environment of the block; the library reads none itself. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default "all". */
  readonly grants?: "all" | readonly string[];
  /** Secrets that children may have although grants are "all". */
  readonly secrets?: readonly string[];
  readonly guard?: Guard;
  /** Hears of each refusal by the grants; the script hears of it when this resolves, or what it rejects with instead. */
  readonly denied?: (denial: BlockEvents["denied"]) => Promise<void>;
  readonly limits?: Partial<BlockLimits>;
  /** Abort is a cancel of the run. */
  readonly signal?: AbortSignal;
  readonly stdout?: Sink;
  readonly stderr?: Sink;
  readonly log?: Log;
  /** Who runs, for logs and headers. The id of the agent is by default its address on the mesh that the run joins itself. */
  readonly trace?: Partial<TraceContext>;
}

export interface BlockResult {
  /** First value the script returned; null and a warning when it has no JSON form. */
  readonly value: Json;
  readonly outcome: "returned" | "stopped" | "exited";
  readonly exit_code: number;
  readonly duration_ms: number;
  /** Tokens of all calls of models; absent when none was called. */
  readonly usage?: Usage;
  readonly bus: { readonly emitted: number; readonly handled: number; readonly failed: number; readonly unserved: number };
  /** What the end of the run could not finish. */
  readonly unfinished: readonly string[];
  readonly warnings: readonly string[];
}

export interface BlockStats {
  readonly phase: "starting" | "running" | "stopping" | "ended";
  readonly bus_depth: number;
  readonly isles: readonly { readonly role: "main" | "handler"; readonly bytes: number }[];
  readonly open_calls: number;
}

/** What can be heard of a run; a sentence each in docs/events.md. */
export interface BlockEvents {
  "started": { readonly script: string };
  "ended": { readonly outcome: string; readonly duration_ms: number; readonly unfinished: readonly string[] };
  "log": { readonly level: string; readonly target: string; readonly msg: string; readonly fields?: Readonly<Record<string, unknown>> };
  "print": { readonly bytes: Uint8Array; readonly isle: "main" | "handler" };
  "bus:received": { readonly kind: string; readonly id: string };
  "bus:handled": { readonly kind: string; readonly id: string; readonly duration_ms: number };
  "bus:failed": { readonly kind: string; readonly id: string; readonly code: string; readonly text: string };
  "tool:called": { readonly tool: string; readonly ok: boolean };
  "model:called": {
    readonly provider: string; readonly model: string; readonly turn: number; readonly ok: boolean;
    readonly stop_reason?: string; readonly input_tokens?: number; readonly output_tokens?: number; readonly error_code?: string;
  };
  "mcp:state": { readonly server: string; readonly state: "up" | "down" };
  "child:up": { readonly pid: number };
  "child:down": { readonly pid: number };
  "denied": { readonly text: string; readonly grant: string };
  "limit": { readonly limit: string; readonly text: string };
  "isle:restarted": { readonly isle: "handler"; readonly why: string };
}
export type BlockEvent = { readonly [N in keyof BlockEvents]: { readonly name: N } & BlockEvents[N] }[keyof BlockEvents]
  | { readonly name: "lost"; readonly count: number };

export interface RequestOptions {
  readonly id?: string;
  readonly meta?: Json;
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  /** The asker's trace, which the handler goes on with. */
  readonly trace?: TraceContext;
  /** Stands in the payload as `data`, or for the payload where that is null. */
  readonly raw?: Uint8Array;
  /** Gives the handler `event.tx`. */
  readonly origin?: EventOrigin;
}

/** See {@link BlockRun.call}. */
export interface HostCall {
  /** As scripts name it. */
  readonly fn: string;
  /** In the order of its declaration, or by name where they were told so. */
  readonly args: Json;
  readonly signal: AbortSignal;
  /** What the guard is told of it. */
  readonly about: { readonly [key: string]: Json };
}

export interface BlockRun extends AsyncDisposable {
  /** The script has begun. */
  readonly ready: Promise<void>;
  readonly result: Promise<BlockResult>;
  cancel(reason?: unknown): void;
  stats(): BlockStats;
  /** Its end has begun: it takes nothing more, and what it has fails. */
  readonly over: boolean;
  /** Queues an event; settles when it is in the queue. */
  emit(kind: string, payload: Json, o?: { id?: string; meta?: Json; signal?: AbortSignal }): Promise<void>;
  /** Queues an event and waits for its answer. */
  request(kind: string, payload: Json, o?: RequestOptions): Promise<Json>;
  /**
   * Calls a function of the script API in place of the script, with arguments as the guard was told them; it is asked again, and told `about`.
   * Throws what the function throws, `bus.closed` for a run that is over.
   * @example await run.call({ fn: "std.fs.write", args: ["a.txt", "text"], about: { released: "a_1" }, signal });
   */
  call(o: HostCall): Promise<Json>;
  /** Has it a handler of exactly that kind now? `anyHandler` and `bus.on_any` are of kind {@link ANY_KIND}. */
  handles(kind: string): boolean;
  /** Resolves when somebody hands out events: `bus.serve()` or `autoServe`. Rejects when the run ends before. */
  readonly serves: Promise<void>;
  /** Graceful: `bus.serve()` returns to the script; after `graceMs` it becomes a cancel. */
  stop(reason?: string): Promise<BlockResult>;
  on<N extends keyof BlockEvents>(name: N, hear: (fact: BlockEvents[N]) => void, o?: { signal?: AbortSignal }): void;
  /** Bounded; when the reader is slow it yields `{name: "lost", count}` instead of growing. */
  events(o?: { buffer?: number }): AsyncIterable<BlockEvent>;
}

export type { CallOpts, Clock, Ids };
