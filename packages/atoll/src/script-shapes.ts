/** Made by `npm run api` from the declaration of the script API; do not edit. */

/** Plain data. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json | undefined };
/** What a statement may be given for a `?`; null is NULL. */
export type SqlValue = null | boolean | number | bigint | string;
/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/** An event as its handler gets it. */
export interface BusEvent {
  /** Kind of the event. */ readonly kind: string;
  /** Id of the event. */ readonly id: string;
  /** What it carries. */ readonly payload?: Json;
  /** Who sent it and how long it may take: `{from, deadline_ms}` of a peer's request. */ readonly meta?: Json;
  /** What is to be done together with the answer; only when a node delivered the event. */ readonly tx?: EventTx;
}

/** Records; all of it is done in the one commit that finishes the event, or nothing. */
export interface EventTx {
  /** Puts a document. */ set(ns: string, key: string, value: Json): Promise<void>;
  /** Removes a document. */ delete(ns: string, key: string): Promise<void>;
  /** The document, with what was recorded here. */ get(ns: string, key: string): Promise<Json | undefined>;
  /** Tells a node once the event is finished, until it took it. */ tell(to: string, route: string, payload?: Json): Promise<void>;
}

/** How a handler runs. */
export interface HandlerOptions {
  /** Where it runs; default `handler`, where it never blocks the script. */ readonly isle?: "main" | "handler";
  /** Milliseconds one event may take. */ readonly timeoutMs?: number;
  /** Ends the call when it is aborted. */ readonly signal?: AbortSignal;
}

/** How long to wait for a peer. */
export interface MeshOptions {
  /** Milliseconds. */ readonly timeoutMs?: number;
  /** Ends the call when it is aborted. */ readonly signal?: AbortSignal;
}

/** A member, as it knows itself. */
export interface MobSelf {
  /** Its id. */ readonly id: string;
  /** Name of its profile. */ readonly profile: string;
  /** Rises with each respawn and reset. */ readonly generation: number;
  /** Of its profile and its own. */ readonly labels: Readonly<Record<string, string>>;
  /** As it was spawned with. */ readonly context?: Json;
  /** Of its profile; of `auto` that of the first provider with a key, nil without one. */ readonly model?: string;
  /** Of that model. */ readonly provider?: string;
  /** Id of its session. */ readonly session: string;
  /** Those it may address. */ readonly wired_to: readonly string[];
}

/** Another member. */
export interface MobPeer {
  /** Its id. */ readonly id: string;
  /** Name of its profile. */ readonly profile: string;
  /** `dormant`, `active`, …: a dormant one is woken by a turn. */ readonly state: string;
  /** Of its profile and its own. */ readonly labels: Readonly<Record<string, string>>;
  /** For people. */ readonly display_name?: string;
}

/** How a turn is given. */
export interface MobSendOptions {
  /** Stands for this one turn: the same key and content give the same ticket. Default: one that stays the same when the turn that sends runs again. */ readonly key?: string;
  /** Turns of one conversation run one at a time. Default: this member. */ readonly conversation?: string;
  /** `turn`, of `send`: its end comes back as a turn for this member: `{in_reply_to, state, output, error}`, `event.meta.in_reply_to`. */ readonly reply?: string;
  /** From acceptance to the end; `request` waits as long. Default and most: what is left of the turn that asks, for `send` and `wake` 10 min. */ readonly timeoutMs?: number;
  /** Ends the call when it is aborted. */ readonly signal?: AbortSignal;
}

/** A turn that is stored. */
export interface MobTicket {
  /** Its id. */ readonly turn_id: string;
  /** Whose it is. */ readonly member: string;
  /** `queued`, or what has become of it. */ readonly state: string;
  /** It was there already, under that key. */ readonly duplicate: boolean;
}

/** How a flow is started. */
export interface MobFlowOptions {
  /** Stands for this one run; default as in MobSendOptions. */ readonly key?: string;
  /** Ends the call when it is aborted. */ readonly signal?: AbortSignal;
}

/** A flow that runs. */
export interface MobRun {
  /** Its id. */ readonly run_id: string;
  /** `running`, or what has become of it. */ readonly state: string;
}

/** How a request is sent. */
export interface HttpOptions {
  /** Default `GET`. */ readonly method?: string;
  /** Added to those sent anyway; yours win. */ readonly headers?: Readonly<Record<string, string | (readonly string[])>>;
  /** Sent as it is. */ readonly body?: string;
  /** Seconds for all of it; in stream mode until the headers, then between chunks. Default 120. */ readonly timeout?: number;
  /** Bytes, counted while reading and after decompression. Default 10 MiB. */ readonly maxBody?: number;
  /** Redirects to follow. Default 10. */ readonly redirect?: number | boolean;
  /** Default true. */ readonly decompress?: boolean;
  /** Give the body to `on_data` as it comes. */ readonly stream?: boolean;
  /** Gets each event or chunk; `return false` stops. */ readonly onData?: (data: string, event: SseEvent) => unknown;
  /** Ends the call when it is aborted. */ readonly signal?: AbortSignal;
}

/** The answer of a server. */
export interface HttpReply {
  /** HTTP status. */ readonly status: number;
  /** Names in lower case; of several the last one. */ readonly headers: Readonly<Record<string, string>>;
  /** All values of each name. */ readonly headers_all: Readonly<Record<string, readonly string[]>>;
  /** Exact bytes; absent in stream mode. */ readonly body?: string;
}

/** What a server-sent event says of itself. */
export interface SseEvent {
  /** Its type. */ readonly event?: string;
  /** Its id. */ readonly id?: string;
  /** Milliseconds. */ readonly retry?: number;
}

/** How a command runs. */
export interface ShOptions {
  /** Seconds, then its process group is ended. Default 30. */ readonly timeout?: number;
  /** Folder; default the project's. */ readonly cwd?: string;
  /** Variables to add. */ readonly env?: Readonly<Record<string, string>>;
  /** Its input; default none. */ readonly stdin?: string;
  /** Bytes of each stream; default 10 MiB. */ readonly maxOutput?: number;
  /** Arguments; then no shell is used. */ readonly args?: readonly string[];
  /** Leave it running; needs the grant `run:detach`. */ readonly detach?: boolean;
  /** Ends the call when it is aborted. */ readonly signal?: AbortSignal;
}

/** How a command ended. */
export interface ShResult {
  /** It ran to an end, whatever its code. */ readonly ok: boolean;
  /** Exit code, -1 when a signal ended it; `grant.denied` when it was refused. */ readonly code?: number | string;
  /** What it wrote. */ readonly stdout?: string;
  /** What it wrote there. */ readonly stderr?: string;
  /** Signal that ended it. */ readonly signal?: string;
  /** There was more output. */ readonly truncated?: boolean;
  /** Why it is not ok: `timeout after 30s`, `exec error: …`. */ readonly error?: string;
  /** It was ended by the timeout. */ readonly timed_out?: boolean;
  /** Process of a detached command. */ readonly pid?: number;
}

/** What a model is told of a tool. */
export interface ToolSchema {
  /** When and how to use it. */ readonly description?: string;
  /** JSON Schema of its input. */ readonly input_schema?: Json;
}

/** What a model is not told of a tool. */
export interface ToolMeta {
  /** Name of a group of tools. */ readonly group?: string;
}

/** A tool as a model is told of it. */
export interface ToolEntry {
  /** Its name. */ readonly name: string;
  /** When and how to use it. */ readonly description: string;
  /** JSON Schema of its input. */ readonly input_schema: Json;
  /** Name of a group of tools. */ readonly group?: string;
}

/** How a server is started. */
export interface McpConnectOptions {
  /** Send `__ab_obs` with every call. Default false. */ readonly traceContext?: boolean;
  /** Folder; default the project's. */ readonly cwd?: string;
  /** Variables to add. */ readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds of one round trip. Default 30,000. */ readonly timeoutMs?: number;
  /** Set one to false to withhold it: `sampling`, `roots`, `elicitation`. */ readonly capabilities?: Readonly<Record<string, unknown>>;
  /** Ends the call when it is aborted. */ readonly signal?: AbortSignal;
}

/** How a server is reached. */
export interface McpHttpOptions {
  /** Sent as `Bearer …`. */ readonly authHeader?: string;
  /** Sent with every request. */ readonly headers?: Readonly<Record<string, string>>;
  /** Default `http`. */ readonly transport?: "http" | "sse";
  /** Send `__ab_obs` with every call. Default false. */ readonly traceContext?: boolean;
  /** Milliseconds of one round trip. Default 30,000. */ readonly timeoutMs?: number;
  /** Set one to false to withhold it: `sampling`, `roots`, `elicitation`. */ readonly capabilities?: Readonly<Record<string, unknown>>;
  /** Ends the call when it is aborted. */ readonly signal?: AbortSignal;
}

/** How a tool is called. */
export interface McpCallOptions {
  /** Milliseconds, then the server is told to stop. */ readonly timeoutMs?: number;
  /** Gets the id of the request, for `mcp.cancel`. */ readonly onId?: (id: number) => unknown;
  /** Ends the call when it is aborted. */ readonly signal?: AbortSignal;
}

/** An answer without content. */
export interface McpDone {
  /** It worked. */ readonly ok: boolean;
  /** Why it did not. */ readonly error?: string;
  /** Code of the error. */ readonly code?: string;
}

/** What a tool gave. */
export interface McpCallResult {
  /** It worked. */ readonly ok: boolean;
  /** Why it did not. */ readonly error?: string;
  /** Code of the error. */ readonly code?: string;
  /** Blocks, as in MCP. */ readonly content?: readonly Json[];
  /** The tool says that it failed. */ readonly is_error?: boolean;
  /** Data beside the blocks. */ readonly structured_content?: Json;
}

/** Tools of a server. */
export interface McpTools {
  /** It worked. */ readonly ok: boolean;
  /** Why it did not. */ readonly error?: string;
  /** Code of the error. */ readonly code?: string;
  /** As in MCP. */ readonly tools?: readonly Json[];
}

/** Resources of a server. */
export interface McpResources {
  /** It worked. */ readonly ok: boolean;
  /** Why it did not. */ readonly error?: string;
  /** Code of the error. */ readonly code?: string;
  /** As in MCP. */ readonly resources?: readonly Json[];
}

/** Templates of a server. */
export interface McpResourceTemplates {
  /** It worked. */ readonly ok: boolean;
  /** Why it did not. */ readonly error?: string;
  /** Code of the error. */ readonly code?: string;
  /** As in MCP. */ readonly resource_templates?: readonly Json[];
}

/** Prompts of a server. */
export interface McpPrompts {
  /** It worked. */ readonly ok: boolean;
  /** Why it did not. */ readonly error?: string;
  /** Code of the error. */ readonly code?: string;
  /** As in MCP. */ readonly prompts?: readonly Json[];
}

/** What a resource holds. */
export interface McpContents {
  /** It worked. */ readonly ok: boolean;
  /** Why it did not. */ readonly error?: string;
  /** Code of the error. */ readonly code?: string;
  /** As in MCP. */ readonly contents?: readonly Json[];
}

/** A prompt. */
export interface McpMessages {
  /** It worked. */ readonly ok: boolean;
  /** Why it did not. */ readonly error?: string;
  /** Code of the error. */ readonly code?: string;
  /** As in MCP. */ readonly messages?: readonly Json[];
  /** What it is for. */ readonly description?: string;
}

/** How an argument may go on. */
export interface McpCompletion {
  /** It worked. */ readonly ok: boolean;
  /** Why it did not. */ readonly error?: string;
  /** Code of the error. */ readonly code?: string;
  /** Proposals. */ readonly values?: readonly string[];
  /** How many there are. */ readonly total?: number;
  /** There are more. */ readonly has_more?: boolean;
}

/** That a server answers. */
export interface McpPing {
  /** It worked. */ readonly ok: boolean;
  /** Why it did not. */ readonly error?: string;
  /** Code of the error. */ readonly code?: string;
  /** Milliseconds it took. */ readonly latency_ms?: number;
}

/** What a server said of itself. */
export interface McpServerInfo {
  /** It worked. */ readonly ok: boolean;
  /** Why it did not. */ readonly error?: string;
  /** Code of the error. */ readonly code?: string;
  /** `{protocolVersion, capabilities, serverInfo, instructions?}`. */ readonly server_info?: Json;
}

/** Progress of a call. */
export interface McpProgress {
  /** Always that. */ readonly type: "progress";
  /** Which server. */ readonly server: string;
  /** Which call. */ readonly token: string;
  /** How far. */ readonly progress: number;
  /** Of how much. */ readonly total?: number;
  /** What it does. */ readonly message?: string;
}

/** A log line of a server. */
export interface McpLog {
  /** Always that. */ readonly type: "log";
  /** Which server. */ readonly server: string;
  /** debug, info, warning or error. */ readonly level: string;
  /** Part of the server, or empty. */ readonly logger: string;
  /** JSON. */ readonly data: string;
}

/** A resource changed. */
export interface McpResourceUpdate {
  /** Always that. */ readonly type: "resource_update";
  /** Which server. */ readonly server: string;
  /** Which one. */ readonly uri: string;
}

/** A list changed. */
export interface McpListChanged {
  /** `tools_list_changed` and so on. */ readonly type: string;
  /** Which server. */ readonly server: string;
}

/** What a model said. */
export interface McpSample {
  /** Its name; default `unknown`. */ readonly model?: string;
  /** Why it stopped. */ readonly stop_reason?: string;
  /** Default `assistant`. */ readonly role?: string;
  /** A block, as in MCP. */ readonly content: Json;
}

/** A folder that a server may know of. */
export interface McpRoot {
  /** `file://…`. */ readonly uri: string;
  /** Name for people. */ readonly name?: string;
}

/** What the user said. */
export interface McpElicited {
  /** What the user did. */ readonly action: "accept" | "decline" | "cancel";
  /** With `accept`: the answer. */ readonly content?: Json;
}

/** What a field must be. */
export interface FieldRule {
  /** Its type. */ readonly type?: "string" | "number" | "integer" | "boolean" | "table" | "function" | "any";
  /** It must be there. */ readonly required?: boolean;
  /** Least number. */ readonly min?: number;
  /** Greatest number. */ readonly max?: number;
  /** Least length. */ readonly min_len?: number;
  /** Greatest length. */ readonly max_len?: number;
  /** All it may be. */ readonly one_of?: readonly unknown[];
}

/** An entry of a folder. */
export interface FileEntry {
  /** Name without the folder. */ readonly name: string;
  /** `file`, `dir`, `symlink` or `other`. */ readonly type: string;
  /** Bytes. */ readonly size: number;
}

/** Of a file or folder. */
export interface FileStat {
  /** `file`, `dir`, `symlink` or `other`. */ readonly type: string;
  /** Bytes. */ readonly size: number;
  /** Seconds since 1970. */ readonly modified: number;
  /** Seconds since 1970. */ readonly created: number;
  /** Permission bits. */ readonly mode: number;
}

/** Of a file or folder. */
export interface FileMetadata {
  /** Bytes. */ readonly size: number;
  /** Seconds since 1970. */ readonly modified: number;
  /** It is a folder. */ readonly is_dir: boolean;
  /** It is a file. */ readonly is_file: boolean;
}

/** What a statement changed. */
export interface SqlChange {
  /** Rows that changed. */ readonly affected: number;
  /** Row id of the last insert. */ readonly last_id: number;
}

/** Which tools of a store are registered. */
export interface StoreToolOptions {
  /** Names without prefix; default all. */ readonly allowed?: readonly string[];
  /** Default `sql_`, `kv_` or `ts_`. */ readonly prefix?: string;
  /** kv: the one namespace that the tools use; a model cannot name another. */ readonly nsLock?: string;
  /** Ends the call when it is aborted. */ readonly signal?: AbortSignal;
}

/** Which rows of a series, and how they are summed up. */
export interface SeriesQuery {
  /** Milliseconds, inclusive. */ readonly from?: number;
  /** Milliseconds, inclusive. */ readonly to?: number;
  /** Only rows that have all of these; `1` is not `"1"`. */ readonly tags?: Readonly<Record<string, unknown>>;
  /** One row `{value}` instead of rows. */ readonly agg?: "count" | "sum" | "avg" | "last";
  /** With `agg`: one row for each stretch of so many milliseconds. */ readonly bucketMs?: number;
  /** Rows at most. */ readonly limit?: number;
  /** Rows to leave out first. */ readonly offset?: number;
  /** Ends the call when it is aborted. */ readonly signal?: AbortSignal;
}

/** A row of a series. */
export interface SeriesRow {
  /** Milliseconds since 1970. */ readonly ts?: number;
  /** Begin of its stretch of time. */ readonly bucket_ts?: number;
  /** What was appended, or what it comes to. */ readonly value?: Json;
  /** As appended. */ readonly tags?: Readonly<Record<string, unknown>>;
}

/** How a task runs. */
export interface TaskOptions {
  /** For logs. */ readonly name?: string;
  /** All are alike: `coroutine.yield(ms)` sleeps. */ readonly driver?: "async_fn" | "async" | "coroutine";
  /** Ends the call when it is aborted. */ readonly signal?: AbortSignal;
}

/** A task, seen from outside. */
export interface TaskHandle {
  /** `t1` and so on. */ readonly id: string;
  /** Its name. */ readonly name?: string;
  /** Waits for the task and gives its first result, or raises its error; once. */ join(): Promise<unknown>;
  /** Ends the task where it waits. */ abort(): void;
  /** Has it ended? */ isFinished(): boolean;
  /** Milliseconds since it began, until it ended. */ elapsed(): number;
}

/** What an agent does, with which model, and how long. */
export interface AgentOptions {
  /** What to do. */ readonly prompt: string;
  /** Who it is. */ readonly system?: string;
  /** Messages before the prompt. */ readonly history?: readonly Json[];
  /** `anthropic` (default) or `openai`. */ readonly provider?: string;
  /** Default from the environment. */ readonly model?: string;
  /** Where the model is. */ readonly baseUrl?: string;
  /** Its key. */ readonly apiKey?: string;
  /** Variable that holds the key. */ readonly apiKeyEnv?: string;
  /** Of one answer. Default 4096. */ readonly maxTokens?: number;
  /** Seconds of one model call with its retries. Default 120. */ readonly timeout?: number;
  /** Passed on. */ readonly temperature?: number;
  /** Passed on. */ readonly topP?: number;
  /** Passed on. */ readonly stop?: readonly string[];
  /** Added to the request of a model. */ readonly extraBody?: Readonly<Record<string, unknown>>;
  /** Rounds of tools. Default 20. */ readonly maxIterations?: number;
  /** Tokens of all calls. */ readonly maxTokensBudget?: number;
  /** `all` counts cache tokens too. */ readonly budgetCounts?: "in_out" | "all";
  /** Milliseconds of all of it. */ readonly maxWallMs?: number;
  /** Mark what the provider may cache. Default true. */ readonly cacheControl?: boolean;
  /** Let the provider clear old tool results. Default true. */ readonly contextManagement?: boolean;
  /** Replaces how. */ readonly contextManagementConfig?: Readonly<Record<string, unknown>>;
  /** Default `auto`. */ readonly toolChoice?: string | Readonly<Record<string, unknown>>;
  /** Only tools of these groups; ungrouped ones are `default`. */ readonly toolGroups?: readonly string[];
  /** `{name, description, input_schema}` or `{name, schema, handler, group?}`. */ readonly extraTools?: readonly Readonly<Record<string, unknown>>[];
  /** `{name, command, args, env?, trace_context}` or `{name, url, transport_opts, trace_context}`. */ readonly mcpServers?: readonly Readonly<Record<string, unknown>>[];
  /** For each server. */ readonly sampling?: unknown;
  /** For each server: tools that list and read its resources. */ readonly enableResources?: unknown;
  /** For each server: tools that list and get its prompts. */ readonly enablePrompts?: unknown;
  /** Progress of MCP calls. */ readonly onProgress?: (event: McpProgress) => unknown;
  /** Log it instead. */ readonly progressToLog?: boolean;
  /** Log lines of MCP servers. */ readonly onLog?: (event: McpLog) => unknown;
  /** Log them instead. */ readonly logToStderr?: boolean;
  /** `{turn_number, content, tool_calls, usage, context_management?}` after each model call. */ readonly onTurn?: (info: Readonly<Record<string, unknown>>) => unknown;
  /** `{trace_id, run_id, agent_id, agent_name}` of this run. */ readonly logMeta?: Readonly<Record<string, unknown>>;
  /** Tools of one turn that run together. Default 1; true is 8. */ readonly parallelTools?: number | boolean;
  /** Read the answers as they are written. */ readonly stream?: boolean;
  /** Each piece of them. */ readonly onDelta?: (event: AgentDelta) => unknown;
  /** After connect errors, 408, 429 and 5xx. Default 2. */ readonly retries?: number;
  /** Seconds of one tool. */ readonly toolTimeout?: number;
  /** Then it is cut. Default 200,000. */ readonly maxToolResultChars?: number;
  /** Ends the call when it is aborted. */ readonly signal?: AbortSignal;
}

/** A piece of an answer. */
export interface AgentDelta {
  /** Of what. */ readonly type: "text" | "thinking" | "tool_input";
  /** The piece. */ readonly text: string;
  /** Block it belongs to. */ readonly index: number;
}

/** How a run ended. */
export interface AgentResult {
  /** It ended well; a bound counts as well. */ readonly ok: boolean;
  /** What the model said last. */ readonly content?: string;
  /** Tokens of all calls. */ readonly usage?: AgentUsage;
  /** Model calls. */ readonly num_turns?: number;
  /** The whole talk; valid as `history`. */ readonly messages?: readonly Json[];
  /** Why it ended. */ readonly stopped_by?: "end_turn" | "max_tokens" | "max_iterations" | "budget" | "wall" | "refusal" | "error" | "cancelled";
  /** What went wrong. */ readonly error?: string;
  /** Its code. */ readonly error_code?: string;
  /** `{status, type, request_id, message}` of the provider. */ readonly error_detail?: Readonly<Record<string, unknown>>;
}

/** Tokens. */
export interface AgentUsage {
  /** Read. */ readonly input_tokens: number;
  /** Written. */ readonly output_tokens: number;
  /** Both. */ readonly total_tokens: number;
  /** Read from the cache. */ readonly cache_read_tokens: number;
  /** Written to the cache. */ readonly cache_write_tokens: number;
}
