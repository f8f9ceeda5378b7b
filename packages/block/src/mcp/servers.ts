/**
 * The MCP servers of one block, for scripts and for the agent loop alike; see `Mcp` in types.ts for each function.
 *
 *     const servers = new McpServers(parts, limits);        // loads the SDK with the first connection
 *     await servers.connect({ name: "fs", command: "mcp-fs", args: ["."] }, { signal });
 *     const tools = await servers.listTools("fs", { signal });
 *     const { content } = await servers.callTool("fs", "read", { path: "a" }, { signal });
 *     await servers.close();
 *
 * takes specs and calls; gives answers as servers sent them; promises that no call waits for another server, that
 * grants and guard are asked, and that `close` leaves no process; refuses calls of servers that are not connected.
 * A `scope()` has names, listeners and handlers of its own and ends with its parent.
 */
import { resolve } from "node:path";
import {
  type BlockLimits, type Clock, emptyTrace, formatTraceparent, isFault, isSecretKey, isSecretName, type Json, type LogLevel,
  newSpanId, type Ids, stringifyJson, type TraceContext,
} from "@atoll-run/core";
import { JsonText } from "../bridges/op.ts";
import type { HttpClient } from "../bridges/http/client.ts";
import type { ChildRunner } from "../children/runner.ts";
import { blockError } from "../errors.ts";
import type { Gate } from "../grants/create-gate.ts";
import { answerAsked } from "./asks.ts";
import { parseExact } from "./exact.ts";
import { type Asking, Link } from "./link.ts";
import { Notices, toNotice } from "./notices.ts";
import type { Message } from "./pipe.ts";
import type { Method } from "./sdk.ts";
import { jsonKind, rpcFailed, unknownServer } from "./texts.ts";
import type {
  Mcp, McpCallOptions, McpCapability, McpClosed, McpHandlers, McpListener, McpNoticeType, McpObject, McpServerInfo,
  McpServerSpec, McpToolResult,
} from "./types.ts";

/** What the guard is asked; an answer stands for the call, undefined lets it go on. Throws `grant.denied`. */
export type McpGuard = (o: {
  readonly grant: string; readonly tool?: string; readonly what: string; readonly args: Json; readonly signal: AbortSignal;
}) => Promise<Json | undefined>;

export interface McpParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly gate: Pick<Gate, "restricted" | "run" | "url" | "mcp" | "mcpWithholds">;
  readonly runner: ChildRunner;
  /** The block's HTTP client, loaded when it is needed. */
  readonly client: () => Promise<HttpClient>;
  /** Where children start and relative paths begin; absolute. */
  readonly projectRoot: string;
  /** What servers are told of us. */
  readonly version: string;
  readonly guard?: McpGuard | undefined;
  log(level: LogLevel, target: string, msg: string, fields?: Record<string, unknown>): void;
  /** A value that must not be seen in logs, events and errors. */
  secret(value: string): void;
  state(fact: { readonly server: string; readonly state: "up" | "down" }): void;
}

/** `mcpMs`: one round trip; `mcpNotificationsMax`: of each server. */
export type McpLimits = Pick<
  BlockLimits, "mcpMs" | "mcpNotificationsMax" | "mcpStderrBytesMax" | "mcpStopMs" | "httpBodyBytesMax"
>;

interface Entry {
  /** Settles when the server is connected, or is known not to be. */
  readonly opening: Promise<Link>;
  readonly notices: Notices;
  link: Link | undefined;
}

/** Pages of one listing; more is a server that goes in circles. */
const PAGES_MAX = 1_000;
const CAPABILITIES: readonly McpCapability[] = ["sampling", "roots", "elicitation"];

export class McpServers implements Mcp {
  readonly #parts: McpParts;
  readonly #limits: McpLimits;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Map<string, McpListener>();
  readonly #handlers = new Map<string, McpHandlers[keyof McpHandlers]>();
  readonly #scopes = new Set<McpServers>();
  /** Servers that are being closed, or were replaced. */
  readonly #closing = new Set<Promise<unknown>>();
  readonly #killed: string[] = [];
  readonly #ended = new AbortController();
  readonly #leave: (one: McpServers) => void;

  constructor(parts: McpParts, limits: McpLimits, leave: (one: McpServers) => void = () => undefined) {
    this.#parts = parts;
    this.#limits = limits;
    this.#leave = leave;
  }

  // ---- connections

  async connect(given: McpServerSpec, o: McpCallOptions): Promise<void> {
    const spec = await this.#admit(given, o.signal);
    this.#mustBeOpen();
    const old = this.#entries.get(spec.name);
    const notices = new Notices({
      server: spec.name, limit: this.#limits.mcpNotificationsMax, log: (...line) => this.#parts.log(...line),
      listener: (type) => this.#listeners.get(`${type}:${spec.name}`) ?? this.#listeners.get(`${type}:`),
    });
    const opening = (async () => {
      if (old !== undefined) await this.#end(spec.name, old);
      return await this.#open(spec, notices, o);
    })();
    const entry: Entry = { opening, notices, link: undefined };
    this.#entries.set(spec.name, entry);
    try {
      entry.link = await opening;
    } catch (error) {
      if (this.#entries.get(spec.name) === entry) this.#entries.delete(spec.name);
      if (isFault(error) && error.code === "mcp.timeout") this.#warn("mcp initialize timed out", { server: spec.name });
      throw error;
    }
    if (this.#ended.signal.aborted) await this.#end(spec.name, entry);
    else this.#parts.state({ server: spec.name, state: "up" });
  }

  #mustBeOpen(): void {
    if (this.#ended.signal.aborted) throw blockError("run.cancelled", "cancelled");
  }

  /** Asks grants and guard, and makes places absolute. */
  async #admit(spec: McpServerSpec, signal: AbortSignal): Promise<McpServerSpec> {
    const { gate, projectRoot, guard, secret } = this.#parts;
    gate.mcp(spec.name, "");
    if ("url" in spec) {
      const url = URL.parse(spec.url);
      const what = `http connect '${spec.name}' to ${spec.url.slice(0, 200)}`;
      if (url === null) throw blockError("mcp.handshake", `MCP error: ${what}: invalid URL`, { facts: { server: spec.name } });
      gate.url(url);
      if (spec.authHeader !== undefined) secret(spec.authHeader);
      for (const [name, value] of Object.entries(spec.headers ?? {})) if (isSecretKey(name) || /auth/i.test(name)) secret(value);
      await guard?.({ grant: `net:${url.host}`, what: "mcp.connect_http", args: [spec.name, spec.url], signal });
      return spec;
    }
    const cwd = resolve(projectRoot, spec.cwd ?? ".");
    const command = spec.command.includes("/") ? resolve(cwd, spec.command) : spec.command;
    gate.run(command, false);
    for (const [name, value] of Object.entries(spec.env ?? {})) if (isSecretName(name)) secret(value);
    const args = [spec.name, command, [...spec.args ?? []]];
    await guard?.({ grant: `run:${command}`, what: "mcp.connect", args, signal });
    return { ...spec, command, cwd };
  }

  async #open(spec: McpServerSpec, notices: Notices, o: McpCallOptions): Promise<Link> {
    const sdk = await import("./sdk.ts");
    const { name } = spec;
    const { clock, gate, runner, client, version, state } = this.#parts;
    const advertised = new Set(CAPABILITIES.filter((one) =>
      spec.capabilities?.[one] !== false && !gate.mcpWithholds(name, one)));
    const warn = (msg: string): void => this.#warn(msg, { server: name });
    return await Link.open(sdk, spec, {
      parts: {
        clock, gate, runner, client, limits: this.#limits, version, warn,
        asked: (method, params, signal) => answerAsked({
          server: name, advertised, warn, refuse: (why, message) => new sdk.RequestRefused(why, message),
          handler: (what) => (this.#handlers.get(`${what}:${name}`) ?? this.#handlers.get(`${what}:`)) as never,
        }, method, { params, signal }),
        noticed: (method, params) => {
          const notice = toNotice(name, method, params);
          if (notice !== undefined) notices.push(notice);
        },
        down: () => state({ server: name, state: "down" }),
      },
      signal: AbortSignal.any([o.signal, this.#ended.signal]),
      timeoutMs: o.timeoutMs ?? spec.timeoutMs ?? this.#limits.mcpMs, capabilities: toCapabilities(advertised),
    });
  }

  async disconnect(server: string): Promise<void> {
    const entry = this.#entries.get(server);
    if (entry === undefined) return;
    this.#entries.delete(server);
    await this.#end(server, entry);
  }

  #end(name: string, entry: Entry): Promise<void> {
    entry.notices.close();
    const ending = (async () => {
      const link = await entry.opening.catch(() => undefined);
      if (await link?.close() === true) this.#killed.push(name);
    })();
    this.#closing.add(ending);
    return ending.finally(() => this.#closing.delete(ending));
  }

  has(server: string): boolean {
    return this.#entries.get(server)?.link !== undefined;
  }

  scope(): McpServers {
    this.#mustBeOpen();
    const one = new McpServers(this.#parts, this.#limits, (done) => this.#scopes.delete(done));
    this.#scopes.add(one);
    return one;
  }

  async close(): Promise<McpClosed> {
    this.#ended.abort(blockError("run.cancelled", "cancelled"));
    const scopes = [...this.#scopes].map((one) => one.close());
    const own = [...this.#entries].map(([name, entry]) => this.#end(name, entry));
    this.#entries.clear();
    await Promise.all([...own, ...this.#closing]);
    const inner = await Promise.all(scopes);
    this.#leave(this);
    return { killed: [...this.#killed, ...inner.flatMap(({ killed }) => killed)] };
  }

  // ---- calls

  #link(server: string, op: string): Link {
    const link = this.#entries.get(server)?.link;
    if (link !== undefined) return link;
    this.#warn(`mcp ${op} on unknown server`, { server });
    throw unknownServer(server);
  }

  async #ask(
    server: string, o: { op: string; what?: string; grant?: string; method: Method; params: Message; call: McpCallOptions },
    more: Partial<Asking> = {},
  ): Promise<Message> {
    this.#parts.gate.mcp(server, o.grant ?? "*");
    const link = this.#link(server, o.op);
    const what = `${o.op}${o.what === undefined ? "" : ` '${o.what}'`} on '${server}'`;
    const timeoutMs = o.call.timeoutMs ?? link.spec.timeoutMs ?? this.#limits.mcpMs;
    return await link.request(o.method, o.params, { what, signal: o.call.signal, timeoutMs, ...more });
  }

  async callTool(
    server: string, tool: string, args: unknown, o: McpCallOptions & { readonly onId?: ((id: number) => void) | undefined },
  ): Promise<McpToolResult> {
    this.#parts.gate.mcp(server, tool);
    const what = `call_tool '${tool}' on '${server}'`;
    const given = toArguments(what, server, args);
    const { spec } = this.#link(server, "call_tool");
    const grant = `mcp:${server}/${tool}`;
    const answer = await this.#parts.guard?.({
      grant, tool, what: "mcp.call", args: [server, tool, JSON.parse(JSON.stringify(given)) as Json], signal: o.signal,
    });
    if (answer !== undefined) return toToolResult(answer as Message);
    const params = { name: tool, ...this.#traced(spec, given, o.trace ?? emptyTrace()) };
    this.#observe("mcp_call", { server, tool });
    let ok = false;
    try {
      const result = await this.#ask(server, { op: "call_tool", what: tool, grant: tool, method: "tools/call", params, call: o }, {
        onId: o.onId,
      });
      ok = result["isError"] !== true;
      return toToolResult(result);
    } finally {
      this.#observe("mcp_result", { server, tool, ok });
    }
  }

  #traced(spec: McpServerSpec, args: Message, trace: TraceContext): Message {
    if (spec.traceContext !== true) return { arguments: args };
    const { trace_id, run_id, agent_id, agent_name } = trace;
    const span_id = newSpanId(this.#parts.ids);
    const traceparent = formatTraceparent({ trace_id, span_id }) ?? formatTraceparent({ trace_id: this.#parts.ids.uuid4(), span_id });
    return { arguments: { ...args, __ab_obs: { trace_id, run_id, agent_id, agent_name } }, _meta: { traceparent } };
  }

  #observe(event: "mcp_call" | "mcp_result", fields: Record<string, unknown>): void {
    this.#parts.log("info", "lua", event, { prefix: "ab.obs", event, component: "mcp", ...fields });
  }

  cancel(server: string, id: number): boolean {
    this.#parts.gate.mcp(server, "");
    return this.#link(server, "cancel").cancel(id);
  }

  async #list(server: string, o: { op: string; key: string; method: Method; grant?: string; call: McpCallOptions }): Promise<readonly McpObject[]> {
    const all: McpObject[] = [];
    let cursor: unknown;
    for (let page = 0; page < PAGES_MAX; page++) {
      const params = cursor === undefined ? {} : { cursor };
      const result = await this.#ask(server, { ...o, params });
      all.push(...result[o.key] as McpObject[]);
      if (result["nextCursor"] === undefined || result["nextCursor"] === cursor) return all;
      cursor = result["nextCursor"];
    }
    throw rpcFailed(`${o.op} on '${server}'`, server, { reason: `more than ${PAGES_MAX} pages` });
  }

  listTools(server: string, call: McpCallOptions): Promise<readonly McpObject[]> {
    return this.#list(server, { op: "list_tools", key: "tools", method: "tools/list", grant: "", call });
  }

  listResources(server: string, call: McpCallOptions): Promise<readonly McpObject[]> {
    return this.#list(server, { op: "list_resources", key: "resources", method: "resources/list", call });
  }

  listResourceTemplates(server: string, call: McpCallOptions): Promise<readonly McpObject[]> {
    const op = "list_resource_templates";
    return this.#list(server, { op, key: "resourceTemplates", method: "resources/templates/list", call });
  }

  listPrompts(server: string, call: McpCallOptions): Promise<readonly McpObject[]> {
    return this.#list(server, { op: "list_prompts", key: "prompts", method: "prompts/list", call });
  }

  async readResource(server: string, uri: string, call: McpCallOptions): Promise<readonly McpObject[]> {
    const result = await this.#ask(server, { op: "read_resource", what: uri, method: "resources/read", params: { uri }, call });
    return result["contents"] as McpObject[];
  }

  async subscribeResource(server: string, uri: string, call: McpCallOptions): Promise<void> {
    await this.#ask(server, { op: "subscribe_resource", what: uri, method: "resources/subscribe", params: { uri }, call });
  }

  async unsubscribeResource(server: string, uri: string, call: McpCallOptions): Promise<void> {
    await this.#ask(server, { op: "unsubscribe_resource", what: uri, method: "resources/unsubscribe", params: { uri }, call });
  }

  async getPrompt(server: string, prompt: string, args: unknown, call: McpCallOptions): ReturnType<Mcp["getPrompt"]> {
    this.#parts.gate.mcp(server, "*");
    const what = `get_prompt '${prompt}' on '${server}'`;
    const given = toArguments(what, server, args, "args");
    const params = { name: prompt, ...(args === undefined ? {} : { arguments: given }) };
    const result = await this.#ask(server, { op: "get_prompt", what: prompt, method: "prompts/get", params, call });
    const { messages, description } = result as { messages: McpObject[]; description?: unknown };
    return { messages, ...(typeof description === "string" ? { description } : {}) };
  }

  async complete(
    server: string, { ref, arg, value }: { readonly ref: unknown; readonly arg: string; readonly value: string }, call: McpCallOptions,
  ): ReturnType<Mcp["complete"]> {
    this.#parts.gate.mcp(server, "*");
    checkRef(server, ref);
    const params = { ref, argument: { name: arg, value } };
    const result = await this.#ask(server, { op: "complete", method: "completion/complete", params, call });
    const { values, total, hasMore } = result["completion"] as { values: string[]; total?: number; hasMore?: boolean };
    return { values, ...(total === undefined ? {} : { total }), ...(hasMore === undefined ? {} : { hasMore }) };
  }

  async ping(server: string, call: McpCallOptions): Promise<number> {
    const begun = this.#parts.clock.monotonic();
    await this.#ask(server, { op: "ping", grant: "", method: "ping", params: {}, call });
    return Math.round(this.#parts.clock.monotonic() - begun);
  }

  serverInfo(server: string): McpServerInfo {
    this.#parts.gate.mcp(server, "");
    const { protocolVersion, capabilities, serverInfo, instructions } = this.#link(server, "server_info").initialized;
    return {
      protocolVersion: String(protocolVersion), capabilities: capabilities as McpObject, serverInfo: serverInfo as McpObject,
      ...(typeof instructions === "string" ? { instructions } : {}),
    };
  }

  async notifyRootsListChanged(server: string): Promise<boolean> {
    this.#parts.gate.mcp(server, "");
    await this.#link(server, "notify_roots_list_changed").notifyRoots();
    return true;
  }

  // ---- what servers tell and ask

  listen(type: McpNoticeType, server: string | undefined, hear: McpListener | undefined): void {
    put(this.#listeners, `${type}:${server ?? ""}`, hear);
  }

  handle<K extends keyof McpHandlers>(what: K, server: string | undefined, answer: McpHandlers[K] | undefined): void {
    put(this.#handlers, `${what}:${server ?? ""}`, answer);
  }

  #warn(msg: string, fields: Record<string, unknown>): void {
    this.#parts.log("warn", "mcp", msg, fields);
  }
}

function put<V>(map: Map<string, V>, key: string, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

function toCapabilities(advertised: ReadonlySet<McpCapability>): Message {
  return {
    ...(advertised.has("sampling") ? { sampling: {} } : {}), ...(advertised.has("roots") ? { roots: { listChanged: true } } : {}),
    ...(advertised.has("elicitation") ? { elicitation: { form: {} } } : {}),
  };
}

function toArguments(what: string, server: string, args: unknown, noun = "arguments"): Message {
  let value: unknown = args ?? {};
  if (value instanceof JsonText) value = parseExact(value.text);
  else {
    const written = stringifyJson(value);
    if (!written.ok) throw rpcFailed(what, server, { reason: written.problem });
    value = parseExact(written.text);
  }
  const kind = jsonKind(value);
  if (kind !== "object") throw rpcFailed(what, server, { reason: `${noun} must be a JSON object (got ${kind})` });
  return value as Message;
}

function toToolResult({ content, isError, structuredContent }: Message): McpToolResult {
  return {
    content: (content ?? []) as McpObject[], isError: isError === true,
    ...(structuredContent === undefined ? {} : { structuredContent }),
  };
}

function checkRef(server: string, ref: unknown): void {
  const type = (ref as { type?: unknown } | null)?.type;
  if (type === "ref/prompt" || type === "ref/resource") return;
  const what = `complete on '${server}'`;
  if (type === undefined) throw rpcFailed(what, server, { reason: "ref object has no 'type' field" });
  throw rpcFailed(what, server, { reason: `invalid ref kind '${String(type)}', expected 'ref/prompt' or 'ref/resource'` });
}
