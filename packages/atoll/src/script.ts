/** Made by `npm run api` from the declaration of the script API; do not edit. */
import type {
  BusEvent, HandlerOptions, MeshOptions, MobSelf, MobPeer, MobSendOptions, MobTicket, MobFlowOptions,
  MobRun, HttpOptions, HttpReply, ShOptions, ShResult, ToolSchema, ToolMeta, ToolEntry, McpConnectOptions,
  McpHttpOptions, McpCallOptions, McpDone, McpCallResult, McpTools, McpResources, McpResourceTemplates,
  McpPrompts, McpContents, McpMessages, McpCompletion, McpPing, McpServerInfo, McpProgress, McpLog,
  McpResourceUpdate, McpListChanged, McpSample, McpRoot, McpElicited, FieldRule, FileEntry, FileStat,
  FileMetadata, SqlChange, StoreToolOptions, SeriesQuery, SeriesRow, TaskOptions, TaskHandle, AgentOptions,
  AgentResult, Awaitable, Json, SqlValue,
} from "./script-shapes.ts";

export type * from "./script-shapes.ts";

/** The block's own event queue: what comes in, and who handles it. */
export declare const bus: {
  /** Handles the events of one kind; the last registration wins. */
  on(kind: string, handler: (event: BusEvent) => unknown, opts?: HandlerOptions): Promise<void>;
  /** Handles the events that no other handler is for. */
  onAny(handler: (event: BusEvent) => unknown, opts?: HandlerOptions): Promise<void>;
  /** Puts an event into the queue; waits while it is full. */
  emit(kind: string, payload?: Json, id?: string): Promise<void>;
  /** Hands out events until the run is told to stop, then returns. */
  serve(): Promise<void>;
  /** Loads a handler, the default export of a module, in the handler isle. */
  onModule(kind: string, module: string, opts?: { readonly timeoutMs?: number }): Promise<void>;
};

/** Other agents: asking them and being asked. */
export declare const mesh: {
  /** Sends a message to a peer and waits until it was handled; the answer is dropped. */
  send(id: string, payload?: Json, opts?: MeshOptions): Promise<void>;
  /** Asks a peer and gives its answer. */
  request(id: string, payload?: Json, opts?: MeshOptions): Promise<Json | undefined>;
  /** The address of this agent; empty when it has none. */
  agentId(): string;
  /** Handles what peers ask: the same as `bus.on("mesh", handler, opts)`. */
  on(handler: (event: BusEvent) => unknown, opts?: HandlerOptions): Promise<void>;
};

/** The mob that this block is a member of; each function needs its grant `mob:<function>`, `mob:flow` those of flows. */
export declare const mob: {
  /** Who this member is. */
  me(): Promise<MobSelf>;
  /** Those it is wired to, by id. */
  members(): Promise<readonly MobPeer[]>;
  /** Gives a member a turn and does not wait for it; it is stored when this returns. */
  send(to: string, content: Json, opts?: MobSendOptions): Promise<MobTicket>;
  /** Gives a member a turn and waits for what it gives, at most as long as the turn that asks has. */
  request(to: string, content: Json, opts?: MobSendOptions): Promise<Json | undefined>;
  /** Makes a member, wired to this one; it starts at its first turn. */
  spawn(spec: Readonly<Record<string, unknown>>): Promise<MobPeer>;
  /** Lets a member that this one made end, or this one itself; what it has to do is done first. */
  retire(id: string): Promise<void>;
  /** Gives itself a turn, for later: work outlives the turn that begins it. */
  wake(content: Json, opts?: MobSendOptions): Promise<MobTicket>;
  /** Writes a note into the session of this member, and its beginning into the ledger. */
  note(content: Json): Promise<void>;
  /** Starts a flow; it goes on without this member. */
  run(flow: string, params?: Json, opts?: MobFlowOptions): Promise<MobRun>;
};

/** HTTP and server-sent events. */
export declare const http: {
  /** Sends a request and gives the answer; no status raises. */
  request(url: string, opts?: HttpOptions): Promise<HttpReply>;
};

/** Commands of the system. */
export declare const sh: {
  /** Runs a command; one that fails is a result, never an error. */
  exec(cmd: string, opts?: ShOptions): Promise<ShResult>;
};

/** Tools that a model, or another part of the script, can call. */
export declare const tool: {
  /** Registers a tool; one of the same name is replaced in its place. */
  register(name: string, schema: ToolSchema, handler: (input: Json) => unknown, meta?: ToolMeta): void;
  /** Calls a tool and gives its first result. */
  call(name: string, input?: Json): Promise<unknown>;
  /** Names of all tools, in order of registration. */
  list(): readonly string[];
  /** All tools as a model is told of them, in order of registration. */
  schema(): readonly ToolEntry[];
  /** Takes a tool away; true when it was there. */
  unregister(name: string): boolean;
};

/** Log lines, with the target `lua` and the name of the script. */
export declare const log: {
  /** Writes a log line of level debug. */
  debug(msg: unknown, fields?: Readonly<Record<string, unknown>>): void;
  /** Writes a log line of level info. */
  info(msg: unknown, fields?: Readonly<Record<string, unknown>>): void;
  /** Writes a log line of level warn. */
  warn(msg: unknown, fields?: Readonly<Record<string, unknown>>): void;
  /** Writes a log line of level error. */
  error(msg: unknown, fields?: Readonly<Record<string, unknown>>): void;
};

/** What to do with the text of a model. */
export declare const llm: {
  /** The first JSON value in a fence, else the first object or array; mends small mistakes. */
  extractJson(text: string): Json | undefined;
  /** The inside of the first fenced block, else the text as it is. */
  stripFences(text: string): string;
};

/** Servers of the Model Context Protocol: their tools, resources and prompts. */
export declare const mcp: {
  /** Starts a server and talks to it over its standard streams; one of that name is closed first. */
  connect(server: string, command: string, args?: readonly string[], opts?: McpConnectOptions): Promise<void>;
  /** Connects to a server over HTTP; one of that name is closed first. */
  connectHttp(server: string, url: string, opts?: McpHttpOptions): Promise<void>;
  /** Calls a tool. */
  call(server: string, tool: string, args?: Json, opts?: McpCallOptions): Promise<McpCallResult>;
  /** All tools of a server. */
  listTools(server: string): Promise<McpTools>;
  /** All resources of a server. */
  listResources(server: string): Promise<McpResources>;
  /** All templates of resources of a server. */
  listResourceTemplates(server: string): Promise<McpResourceTemplates>;
  /** Reads a resource. */
  readResource(server: string, uri: string): Promise<McpContents>;
  /** Asks to be told when a resource changes. */
  subscribeResource(server: string, uri: string): Promise<McpDone>;
  /** Ends a subscription. */
  unsubscribeResource(server: string, uri: string): Promise<McpDone>;
  /** All prompts of a server. */
  listPrompts(server: string): Promise<McpPrompts>;
  /** Gets a prompt. */
  getPrompt(server: string, prompt: string, args?: Json): Promise<McpMessages>;
  /** Asks how an argument may go on. */
  complete(server: string, ref: Json, arg: string, value: string): Promise<McpCompletion>;
  /** Asks whether a server answers. */
  ping(server: string): Promise<McpPing>;
  /** What a server said of itself. */
  serverInfo(server: string): Promise<McpServerInfo>;
  /** Cancels a request that runs; a failure is only a warning. */
  cancel(server: string, id: number): Promise<void>;
  /** Tells a server that the roots changed; a failure is only a warning. */
  notifyRootsListChanged(server: string): Promise<void>;
  /** Hears of the progress of calls that begin while it listens. */
  onProgress(...args: [server: string, handler: ((event: McpProgress) => unknown) | undefined] | [handler: ((event: McpProgress) => unknown) | undefined]): Promise<void>;
  /** Hears the log of a server; otherwise it goes to the log. */
  onLog(...args: [server: string, handler: ((event: McpLog) => unknown) | undefined] | [handler: ((event: McpLog) => unknown) | undefined]): Promise<void>;
  /** Hears that a subscribed resource changed. */
  onResourceUpdate(...args: [server: string, handler: ((event: McpResourceUpdate) => unknown) | undefined] | [handler: ((event: McpResourceUpdate) => unknown) | undefined]): Promise<void>;
  /** Hears that the resources of a server changed. */
  onResourcesListChanged(...args: [server: string, handler: ((event: McpListChanged) => unknown) | undefined] | [handler: ((event: McpListChanged) => unknown) | undefined]): Promise<void>;
  /** Hears that the tools of a server changed. */
  onToolsListChanged(...args: [server: string, handler: ((event: McpListChanged) => unknown) | undefined] | [handler: ((event: McpListChanged) => unknown) | undefined]): Promise<void>;
  /** Hears that the prompts of a server changed. */
  onPromptsListChanged(...args: [server: string, handler: ((event: McpListChanged) => unknown) | undefined] | [handler: ((event: McpListChanged) => unknown) | undefined]): Promise<void>;
  /** Answers a server that asks for a model. */
  setSamplingHandler(...args: [server: string, handler: ((server: string, paramsJson: string) => Awaitable<McpSample | undefined>) | undefined] | [handler: ((server: string, paramsJson: string) => Awaitable<McpSample | undefined>) | undefined]): Promise<void>;
  /** Answers a server that asks for the roots. */
  setRootsHandler(...args: [server: string, handler: ((server: string) => Awaitable<readonly McpRoot[]>) | undefined] | [handler: ((server: string) => Awaitable<readonly McpRoot[]>) | undefined]): Promise<void>;
  /** Answers a server that asks the user. */
  setElicitationHandler(...args: [server: string, handler: ((server: string, message: string, schemaJson: string) => Awaitable<McpElicited>) | undefined] | [handler: ((server: string, message: string, schemaJson: string) => Awaitable<McpElicited>) | undefined]): Promise<void>;
  /** Closes a server; an unknown name is fine. */
  disconnect(server: string): Promise<void>;
};

/** The agent loop: a model that calls tools until it is done. */
export declare const agent: {
  /** Runs a model with tools; never raises. */
  run(opts: AgentOptions): Promise<AgentResult>;
};

/** Conversations that outlive a run, kept in std.kv. */
export declare const session: {
  /** The stored messages; `{}` when there are none. */
  load(id: string): Promise<readonly Json[]>;
  /** Replaces what is stored; when it returns, it is on disk. */
  save(id: string, messages: readonly Json[]): Promise<void>;
  /** Forgets a conversation; true when there was one. */
  clear(id: string): Promise<boolean>;
};

/** The standard library. */
export declare const std: {
  /** JSON texts. */
  json: {
    /** A value as JSON, its keys sorted. */
    encode(v: unknown): string;
    /** The same over several lines, indented by two. */
    encodePretty(v: unknown): string;
    /** The value of a JSON text; null is nil. */
    decode(s: string): unknown;
    /** The value in a JSON file. */
    readFile(path: string): Promise<unknown>;
    /** Writes a value as an indented JSON file. */
    writeFile(path: string, v: unknown): Promise<boolean>;
  };
  /** Environment of the block. */
  env: {
    /** A variable, or nil; nil too when no grant covers it. */
    get(key: string): Promise<string | undefined>;
    /** A variable, or the default. */
    getOr(key: string, default_: unknown): Promise<unknown>;
    /** Sets a variable for both isles and for children. */
    set(key: string, value: string): Promise<void>;
    /** The home folder, or nil. */
    home(): Promise<string | undefined>;
    /** The address of this agent; empty when it has none. */
    agentId(): string;
    /** The absolute path of the project. */
    projectRoot(): string;
  };
  /** Paths as text; only `absolute` looks at the disk. */
  path: {
    /** Parts with `/` between; an absolute part begins anew. */
    join(...parts: string[]): string;
    /** The path without its last part, or nil. */
    parent(p: string): string | undefined;
    /** The last part, or nil. */
    filename(p: string): string | undefined;
    /** The last part without its extension, or nil. */
    stem(p: string): string | undefined;
    /** The extension without its dot, or nil. */
    ext(p: string): string | undefined;
    /** The real path of what exists, links resolved. */
    absolute(path: string): Promise<string>;
    /** Does it begin at the root? */
    isAbsolute(p: string): boolean;
  };
  /** Clocks. */
  time: {
    /** Seconds since 1970, with fractions. */
    now(): number;
    /** Milliseconds since 1970. */
    millis(): number;
    /** Calls a function: seconds it took, and its results. */
    measure<T>(fn: () => T | Promise<T>): Promise<[seconds: number, result: T]>;
    /** Waits; other tasks go on meanwhile. */
    sleep(seconds: number): Promise<void>;
  };
  /** Text, counted in characters (code points). */
  string: {
    /** Without the blanks around it. */
    trim(s: string): string;
    /** Without the blanks before it. */
    trimStart(s: string): string;
    /** Without the blanks behind it. */
    trimEnd(s: string): string;
    /** The parts between separators. */
    split(s: string, sep: string): readonly string[];
    /** Does it begin so? */
    startsWith(s: string, start: string): boolean;
    /** Does it end so? */
    endsWith(s: string, end: string): boolean;
    /** Is that in it? */
    contains(s: string, part: string): boolean;
    /** With the first match replaced. */
    replace(s: string, from: string, to: string): string;
    /** With every match replaced. */
    replaceAll(s: string, from: string, to: string): string;
    /** Filled up in front. */
    padStart(s: string, w: number, fill?: string): string;
    /** Filled up at the end. */
    padEnd(s: string, w: number, fill?: string): string;
    /** At most so many characters. */
    truncate(s: string, n: number, suffix?: string): string;
    /** In capitals. */
    upper(s: string): string;
    /** In small letters. */
    lower(s: string): string;
    /** Its characters. */
    chars(s: string): readonly string[];
    /** How many characters it has. */
    charCount(s: string): number;
    /** From back to front. */
    reverse(s: string): string;
  };
  /** Tables against schemas. */
  validate: {
    /** True, or false and a message for each problem, sorted by key. */
    check(data: Readonly<Record<string, unknown>>, schema: Readonly<Record<string, string | FieldRule>>): [boolean, readonly string[] | undefined];
  };
  /** Files and folders. */
  fs: {
    /** What is in a file. */
    read(path: string): Promise<string>;
    /** The same: strings hold any bytes. */
    readBinary(path: string): Promise<Uint8Array>;
    /** Writes a file anew. */
    write(path: string, data: string): Promise<boolean>;
    /** The same: strings hold any bytes. */
    writeBinary(path: string, data: string | Uint8Array): Promise<boolean>;
    /** Writes to the end of a file. */
    append(path: string, data: string | Uint8Array): Promise<boolean>;
    /** Copies a file. */
    copy(from: string, to: string): Promise<boolean>;
    /** Renames a file or folder. */
    rename(from: string, to: string): Promise<boolean>;
    /** Is it there? */
    exists(path: string): Promise<boolean>;
    /** Is it a folder? */
    isDir(path: string): Promise<boolean>;
    /** Is it a file? */
    isFile(path: string): Promise<boolean>;
    /** Makes a folder and those above it. */
    mkdir(path: string): Promise<boolean>;
    /** Removes a file, or a folder with all that is in it. */
    remove(path: string): Promise<boolean>;
    /** All files below a folder: 256 deep, 10,000 entries at most. */
    walk(path: string): Promise<readonly string[]>;
    /** Paths that fit a pattern; `*` stops at `/`. */
    glob(path: string): Promise<readonly string[]>;
    /** What is in one folder, sorted by name. */
    list(path: string): Promise<readonly FileEntry[]>;
    /** What the system knows of a file or folder; links are followed. */
    stat(path: string): Promise<FileStat>;
    /** Size, time and kind of a file or folder. */
    metadata(path: string): Promise<FileMetadata>;
  };
  /** An SQLite database of the block. */
  sql: {
    /** Rows of a query; NULL is `std.sql.null`. */
    query(sql: string, params?: readonly SqlValue[]): Promise<Record<string, Json>[]>;
    /** Runs a statement that changes data. */
    exec(sql: string, params?: readonly SqlValue[]): Promise<SqlChange>;
    /** Registers the store as tools (query, exec) and gives their names. */
    registerTools(opts?: StoreToolOptions): readonly string[];
    /** NULL in rows and parameters. */
    readonly null: null;
  };
  /** Values under keys, in namespaces. */
  kv: {
    /** The value under a key; nil when there is none. */
    get(ns: string, key: string): Promise<Json | undefined>;
    /** Stores a value; when it returns, it is on disk. */
    set(ns: string, key: string, value: Json): Promise<void>;
    /** Deletes a key; true when it was there. */
    delete(ns: string, key: string): Promise<boolean>;
    /** Keys of a namespace, sorted by bytes. */
    list(ns: string, prefix?: string): Promise<readonly string[]>;
    /** Registers the store as tools (get, set, delete, list) and gives their names. */
    registerTools(opts?: StoreToolOptions): readonly string[];
  };
  /** Values over time. */
  ts: {
    /** Appends a value to a series. */
    append(series: string, value: Json, tags?: Readonly<Record<string, unknown>>, atMs?: number): Promise<void>;
    /** Rows of a series, or what they come to. */
    query(series: string, opts?: SeriesQuery): Promise<readonly SeriesRow[]>;
    /** The last row of a series, or nil. */
    last(series: string, tags?: Readonly<Record<string, unknown>>): Promise<SeriesRow | undefined>;
    /** Registers the store as tools (append, query, last) and gives their names. */
    registerTools(opts?: StoreToolOptions): readonly string[];
  };
  /** Tasks that run side by side in one isle, each until it waits. */
  task: {
    /** Starts a task. */
    spawn<T>(fn: (scope: { readonly signal: AbortSignal }) => Awaitable<T>, opts?: TaskOptions): TaskHandle & { cancel(): void; join(): Promise<T> };
    /** Waits; other tasks go on meanwhile. */
    sleep(ms: number): Promise<void>;
    /** Gives way to the other tasks. */
    yield(): Promise<void>;
    /** Gives way, and raises when the task was cancelled. */
    checkpoint(): Promise<void>;
    /** A flag that says stop. */
    cancelToken(): { readonly signal: AbortSignal; cancel(): void; isCancelled(): boolean; check(): void };
    /** Runs a function with a deadline; past it, it is ended with all its tasks. */
    withTimeout<T>(ms: number, fn: (scope: { readonly signal: AbortSignal }) => Awaitable<T>, opts?: { readonly graceMs?: number }): Promise<T>;
  };
};

/** What a script knows of its run. */
export declare const block: {
  /** The prompt of the run. */
  readonly prompt: string | undefined;
  /** The context of the run. */
  readonly context: string | undefined;
  readonly args: readonly string[];
  /** Aborted when the run is told to end. */
  readonly signal: AbortSignal;
  /** Who asks. */
  readonly trace: { readonly trace_id: string; readonly run_id: string; readonly agent_id: string; readonly agent_name: string };
  /** Ends the run in order, with that exit code. */
  exit(code?: number): Promise<never>;
};

/** What bridges throw. */
export declare class BlockError extends Error {
  readonly code: string;
  readonly retry: "never" | "later" | "elsewhere";
  readonly retry_after_ms?: number;
  readonly facts: Readonly<Record<string, unknown>>;
}
