/**
 * The MCP servers of one block, for scripts and for the agent loop alike; `Mcp` in types.ts tells each
 * function.
 *
 *     const servers = new McpServers(parts, limits);        // loads the SDK with the first connection
 *     await servers.connect({ name: "fs", command: "mcp-fs", args: ["."] }, { signal });
 *     const tools = await servers.listTools("fs", { signal });
 *     const { content } = await servers.callTool("fs", "read", { path: "a" }, { signal });
 *     await servers.close();
 *
 * takes specs and calls; gives answers as servers sent them; promises that no call waits for another server,
 * that grants and guard are asked, and that `close` leaves no process; refuses calls of servers that are not
 * connected. A `scope()` has names, listeners and handlers of its own and ends with its parent.
 */
import { emptyTrace, stringifyJson, type Json, type TraceContext } from "@atoll-run/core";
import { type CallTrace, outgoingTraceparent } from "../observe/spans.ts";
import { JsonText } from "../bridges/op.ts";
import { checkRef, toArguments, toToolArguments, toToolResult } from "./arguments.ts";
import { Connections } from "./connections.ts";
import { parseExact } from "./exact.ts";
import { Hearing } from "./hearing.ts";
import type { McpLimits, McpParts } from "./parts.ts";
import type { Message } from "./pipe.ts";
import type { Method } from "./sdk.ts";
import { rpcFailed } from "./texts.ts";
import type {
  Mcp, McpCallOptions, McpClosed, McpHandlers, McpListener, McpNoticeType, McpObject, McpServerInfo,
  McpServerSpec, McpToolResult,
} from "./types.ts";

/** Pages of one listing; more is a server that goes in circles. */
const PAGES_MAX = 1_000;

type ToolCall = Parameters<Mcp["callTool"]>[3];
type Completion = Awaited<ReturnType<Mcp["complete"]>>;

interface Question {
  /** Name of the call in texts, and what it is about. */
  readonly op: string;
  readonly what?: string;
  /** Tool whose grant it needs; default `*`, `""` = any of the server. */
  readonly grant?: string;
  readonly method: Method;
  readonly params: Message;
  readonly call: McpCallOptions & Pick<ToolCall, "onId">;
}

export class McpServers implements Mcp {
  readonly #parts: McpParts;
  readonly #limits: McpLimits;
  readonly #hearing: Hearing;
  readonly #connections: Connections;
  readonly #scopes = new Set<McpServers>();
  readonly #leave: (one: McpServers) => void;

  /** `leave` hears that it was closed. */
  constructor(parts: McpParts, limits: McpLimits, leave: (one: McpServers) => void = () => undefined) {
    this.#parts = parts;
    this.#limits = limits;
    this.#hearing = new Hearing(parts, limits);
    this.#connections = new Connections(parts, limits, this.#hearing);
    this.#leave = leave;
  }

  connect(spec: McpServerSpec, o: McpCallOptions): Promise<void> {
    return this.#connections.open(spec, o);
  }

  disconnect(server: string): Promise<void> {
    return this.#connections.disconnect(server);
  }

  has(server: string): boolean {
    return this.#connections.has(server);
  }

  scope(): McpServers {
    this.#connections.mustBeOpen();
    const one = new McpServers(this.#parts, this.#limits, (done) => this.#scopes.delete(done));
    this.#scopes.add(one);
    return one;
  }

  async close(): Promise<McpClosed> {
    const scopes = [...this.#scopes].map((one) => one.close());
    await this.#connections.close();
    const inner = await Promise.all(scopes);
    this.#leave(this);
    return { killed: [...this.#connections.killed, ...inner.flatMap(({ killed }) => killed)] };
  }

  // ---- calls

  #ask(server: string, o: Question): Promise<Message> {
    this.#parts.gate.mcp(server, o.grant ?? "*");
    const link = this.#connections.link(server, o.op);
    const what = `${o.op}${o.what === undefined ? "" : ` '${o.what}'`} on '${server}'`;
    const timeoutMs = o.call.timeoutMs ?? link.spec.timeoutMs ?? this.#limits.mcpMs;
    return link.request(o.method, o.params, { what, call: o.call, timeoutMs, onId: o.call.onId });
  }

  async callTool(server: string, tool: string, args: unknown, call: ToolCall): Promise<McpToolResult> {
    const { gate, guard } = this.#parts;
    gate.mcp(server, tool);
    const given = toToolArguments(`call_tool '${tool}' on '${server}'`, server, args);
    const { spec } = this.#connections.link(server, "call_tool");
    let keep: ((made: Json) => Promise<void>) | undefined;
    if (guard !== undefined) {
      const plain = JSON.parse(given instanceof JsonText ? given.text : JSON.stringify(given)) as Json;
      const shown = [server, tool, plain];
      const grant = `mcp:${server}/${tool}`;
      const about = call.origin?.()?.about;
      const stands = await guard({
        grant, tool, what: "mcp.call", args: shown, signal: call.signal, ...about === undefined ? {} : { about }, aside: () => call.aside?.(), done: (tell) => { keep = tell; },
      });
      if (stands !== undefined) return toToolResult(("made" in stands ? parseExact((stands.made as { text: string }).text) : stands.answer) as Message);
    }
    const params = { name: tool, ...this.#traced(spec, given, call.trace ?? emptyTrace()) };
    this.#observe("mcp_call", server, { tool }, call.trace);
    let ok = false;
    try {
      const asked = { op: "call_tool", what: tool, grant: tool, method: "tools/call", params, call } as const;
      const result = await this.#ask(server, asked);
      ok = result["isError"] !== true;
      const made = keep === undefined || !ok ? undefined : stringifyJson(result);
      if (made?.ok === true) await keep?.({ text: made.text });
      return toToolResult(result);
    } finally {
      this.#observe("mcp_result", server, { tool, ok }, call.trace);
    }
  }

  #traced(spec: McpServerSpec, given: Message | JsonText, trace: CallTrace): Message {
    if (spec.traceContext !== true) return { arguments: given };
    const args = given instanceof JsonText ? parseExact(given.text) as Message : given;
    const { ids } = this.#parts;
    const { trace_id, run_id, agent_id, agent_name } = trace;
    const traceparent = outgoingTraceparent(trace, ids);
    return {
      arguments: { ...args, __ab_obs: { trace_id, run_id, agent_id, agent_name } }, _meta: { traceparent },
    };
  }

  #observe(event: "mcp_call" | "mcp_result", server: string, fields: { tool: string; ok?: boolean }, trace?: TraceContext): void {
    if (!this.#parts.logs()) return;
    this.#parts.log("info", "lua", event, { prefix: "ab.obs", event, component: "mcp", server, ...fields }, trace);
  }

  cancel(server: string, id: number): boolean {
    this.#parts.gate.mcp(server, "");
    return this.#connections.link(server, "cancel").cancel(id);
  }

  async #list(server: string, o: Omit<Question, "params"> & { key: string }): Promise<readonly McpObject[]> {
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
    const method = "resources/read";
    const result = await this.#ask(server, { op: "read_resource", what: uri, method, params: { uri }, call });
    return result["contents"] as McpObject[];
  }

  async subscribeResource(server: string, uri: string, call: McpCallOptions): Promise<void> {
    const op = "subscribe_resource";
    await this.#ask(server, { op, what: uri, method: "resources/subscribe", params: { uri }, call });
  }

  async unsubscribeResource(server: string, uri: string, call: McpCallOptions): Promise<void> {
    const op = "unsubscribe_resource";
    await this.#ask(server, { op, what: uri, method: "resources/unsubscribe", params: { uri }, call });
  }

  async getPrompt(
    server: string, prompt: string, args: unknown, call: McpCallOptions,
  ): ReturnType<Mcp["getPrompt"]> {
    this.#parts.gate.mcp(server, "*");
    const what = `get_prompt '${prompt}' on '${server}'`;
    const given = toArguments(what, server, args, "args");
    const params = { name: prompt, ...(args === undefined ? {} : { arguments: given }) };
    const asked = { op: "get_prompt", what: prompt, method: "prompts/get", params, call } as const;
    const result = await this.#ask(server, asked);
    const { messages, description } = result as { messages: McpObject[]; description?: unknown };
    return { messages, ...(typeof description === "string" ? { description } : {}) };
  }

  async complete(
    server: string, { ref, arg, value }: Parameters<Mcp["complete"]>[1], call: McpCallOptions,
  ): ReturnType<Mcp["complete"]> {
    this.#parts.gate.mcp(server, "*");
    checkRef(server, ref);
    const params = { ref, argument: { name: arg, value } };
    const result = await this.#ask(server, { op: "complete", method: "completion/complete", params, call });
    const { values, total, hasMore } = result["completion"] as Completion;
    return {
      values, ...(total === undefined ? {} : { total }), ...(hasMore === undefined ? {} : { hasMore }),
    };
  }

  async ping(server: string, call: McpCallOptions): Promise<number> {
    const begun = this.#parts.clock.monotonic();
    await this.#ask(server, { op: "ping", grant: "", method: "ping", params: {}, call });
    return Math.round(this.#parts.clock.monotonic() - begun);
  }

  serverInfo(server: string): McpServerInfo {
    this.#parts.gate.mcp(server, "");
    const { initialized } = this.#connections.link(server, "server_info");
    const { protocolVersion, capabilities, serverInfo, instructions } = initialized;
    return {
      protocolVersion: String(protocolVersion),
      capabilities: capabilities as McpObject, serverInfo: serverInfo as McpObject,
      ...(typeof instructions === "string" ? { instructions } : {}),
    };
  }

  async notifyRootsListChanged(server: string): Promise<boolean> {
    this.#parts.gate.mcp(server, "");
    await this.#connections.link(server, "notify_roots_list_changed").notifyRoots();
    return true;
  }

  // ---- what servers tell and ask

  listen(type: McpNoticeType, server: string | undefined, hear: McpListener | undefined): void {
    this.#hearing.listen(type, server, hear);
  }

  handle<K extends keyof McpHandlers>(
    what: K, server: string | undefined, answer: McpHandlers[K] | undefined,
  ): void {
    this.#hearing.handle(what, server, answer);
  }
}
