/**
 * The MCP servers of one run. takes their specs; gives their tools; promises that they are closed with the
 * run on every path; refuses a run one of whose servers cannot be reached, with its name; never shares a
 * server with the script.
 */
import { emptyTrace, isFault, type Json, parseJson } from "@atoll-run/core";
import { BlockError, type BlockCode, blockError } from "../errors.ts";
import type { Mcp, McpNotice, McpObject, McpServerSpec, McpToolResult } from "../mcp/types.ts";
import { mcpSpan, NO_SPANS } from "../observe/spans.ts";
import { readMessages } from "./history.ts";
import { type Message, type ModelPort, textOf } from "./model-port.ts";
import { type AgentOptions, invalid } from "./options.ts";
import { type Fields, fieldsOf, listOf, textField } from "./provider.ts";
import type { McpContext, OpenMcpServers } from "./run-agent.ts";
import { type AgentTool, ToolAnswer } from "./tools.ts";

const SAMPLE_TOKENS = 4_096;

interface Setting extends McpContext {
  readonly mcp: Mcp;
  readonly options: AgentOptions;
}

/** Opens servers in a scope of their own of `mcp`. */
export function openServers(mcp: () => Promise<Mcp>): OpenMcpServers {
  return async (options, context) => {
    const scope = (await mcp()).scope();
    try {
      const s: Setting = { ...context, mcp: scope, options };
      const specs = (options.mcpServers ?? []).map(readSpec);
      const ends = await Promise.allSettled(
        specs.map((spec, i) => openOne(s, spec, options.mcpServers?.[i] ?? {})),
      );
      const failed = ends.find((end) => end.status === "rejected");
      if (failed !== undefined) throw failed.reason;
      const tools = ends.flatMap((end) => (end.status === "fulfilled" ? end.value : []));
      return { tools, [Symbol.asyncDispose]: async () => void await scope.close() };
    } catch (error) {
      await scope.close();
      throw error;
    }
  };
}

function readSpec(given: Fields): McpServerSpec {
  const text = (fields: Fields, name: string): string | undefined => textField(fields[name]);
  const name = text(given, "name");
  if (name === undefined || name === "") throw invalid("mcp_servers: every server needs a name");
  const common = { name, traceContext: given["trace_context"] === true };
  const url = text(given, "url");
  if (url !== undefined) {
    const { transport, ...o } = fieldsOf(given["transport_opts"]);
    return {
      ...common, url, authHeader: text(o, "auth_header"), headers: textsOf(o["headers"]),
      ...(transport === "sse" || transport === "http" ? { transport } : {}),
    };
  }
  const command = text(given, "command");
  if (command === undefined) throw invalid(`mcp_servers: '${name}' needs a command or a url`);
  return { ...common, command, args: listOf(given["args"]).map(String), cwd: text(given, "cwd"), env: textsOf(given["env"]) };
}

function textsOf(value: Json | undefined): Record<string, string> | undefined {
  if (value === undefined || value === null) return undefined;
  return Object.fromEntries(Object.entries(fieldsOf(value)).map(([name, one]) => [name, String(one)]));
}

async function openOne(s: Setting, spec: McpServerSpec, given: Fields): Promise<AgentTool[]> {
  const { mcp, options, signal, trace } = s;
  const { name } = spec;
  const mode = given["sampling"] ?? options.sampling;
  if (mode !== undefined && mode !== null && mode !== false) {
    mcp.handle("sampling", name, (_, params, o) => (typeof options.sampling === "function"
      ? options.sampling(name, params, o) : sample(s.model, params, o.signal)));
  }
  const isAsked = mode !== undefined && mode !== null && mode !== false;
  // what nobody here would answer is not offered
  const capabilities = { roots: false, elicitation: false, ...(isAsked ? {} : { sampling: false }) };
  const call = { signal, ...(trace === undefined ? {} : { trace }) };
  await named(`mcp connect failed for '${name}'`, signal, () => mcp.connect({ ...spec, capabilities }, call));
  const can = mcp.serverInfo(name).capabilities;
  listen(s, name, can["logging"] !== undefined);
  const listed = can["tools"] === undefined ? []
    : await named(`mcp list_tools failed for '${name}'`, signal, () => mcp.listTools(name, call));
  const wants = (option: string, all: boolean | undefined): boolean => (given[option] ?? all) === true;
  const hasResources = wants("enable_resources", options.enableResources) && can["resources"] !== undefined;
  const hasPrompts = wants("enable_prompts", options.enablePrompts) && can["prompts"] !== undefined;
  return [
    ...listed.map((tool) => toTool(s, name, tool)),
    ...(hasResources ? resourceTools(s, name) : []), ...(hasPrompts ? promptTools(s, name) : []),
  ];
}

async function named<T>(front: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const code: BlockCode = isFault(error) && error instanceof BlockError ? error.code : "mcp.handshake";
    throw blockError(
      code, `${front}: ${error instanceof Error ? error.message : String(error)}`, { cause: error },
    );
  }
}

/** Callbacks win over flags. */
function listen(s: Setting, server: string, hasLogging: boolean): void {
  const { mcp, options: { onProgress, onLog, progressToLog, logToStderr }, log } = s;
  const line = (notice: McpNotice): void => {
    const level = notice.type !== "log" ? "info" : notice.level === "warning" ? "warn" : notice.level;
    const said = notice.type === "log" ? notice.data : notice.type === "progress" ? notice.message
      ?? `progress ${notice.progress}` : "";
    log(level, "mcp", said, { server, ...(notice.type === "progress" ? { progress: notice.progress } : {}) });
  };
  const hear =
    (own: AgentOptions["onLog"], flag: boolean | undefined): ((notice: McpNotice) => unknown) | undefined =>
    own !== undefined ? (notice) => own(notice as unknown as Json) : flag === true ? line : undefined;
  mcp.listen("progress", server, hear(onProgress, progressToLog));
  if (hasLogging) mcp.listen("log", server, hear(onLog, logToStderr));
}

function toTool(s: Setting, server: string, tool: McpObject): AgentTool {
  const name = String(tool["name"]);
  const group = textField(fieldsOf(plain(tool["_meta"]))["group"]);
  return {
    name: `${server}__${name}`, description: textField(plain(tool["description"])) ?? "",
    input_schema: plain(tool["inputSchema"]),
    group: group ?? server, spanned: true,
    handler: async (input, { signal }) => {
      const { spans = NO_SPANS, trace = emptyTrace() } = s;
      const plan = { ...mcpSpan(server, name), told: ({ isError }: McpToolResult) => ({ failed: isError }) };
      const { content, isError } = await spans.around(
        trace, plan, (inside) => s.mcp.callTool(server, name, input, { signal, trace: inside }),
      );
      return new ToolAnswer(contentText(content), isError);
    },
  };
}

/** One text block → its text, none → "", else the JSON of all blocks. */
function contentText(content: readonly McpObject[]): string {
  if (content.length === 0) return "";
  const [first] = content;
  if (content.length === 1 && first?.["type"] === "text") return String(first["text"] ?? "");
  return JSON.stringify(content);
}

const TEXT = { type: "string" };

function resourceTools(s: Setting, server: string): AgentTool[] {
  return [
    meta(
      server, "mcp_list_resources", `List the resources of ${server}.`, {},
      (_, signal) => s.mcp.listResources(server, { signal }),
    ),
    meta(server, "mcp_read_resource", `Read a resource of ${server} by its URI.`, { properties: { uri: TEXT }, required: ["uri"] },
      (input, signal) => s.mcp.readResource(server, textField(input["uri"]) ?? "", { signal })),
  ];
}

function promptTools(s: Setting, server: string): AgentTool[] {
  const schema = { properties: { name: TEXT, arguments: { type: "object" } }, required: ["name"] };
  return [
    meta(
      server, "mcp_list_prompts", `List the prompts of ${server}.`, {},
      (_, signal) => s.mcp.listPrompts(server, { signal }),
    ),
    meta(server, "mcp_get_prompt", `Get a prompt of ${server} by its name.`, schema, (input, signal) =>
      s.mcp.getPrompt(server, textField(input["name"]) ?? "", input["arguments"] ?? {}, { signal })),
  ];
}

function meta(
  server: string, name: string, description: string,
  ...[schema, ask]: [Fields, (input: Fields, signal: AbortSignal) => Promise<unknown>]
): AgentTool {
  return {
    name: `${server}__${name}`, description, input_schema: { type: "object", ...schema }, group: server,
    handler: async (input, { signal }) => new ToolAnswer(JSON.stringify(await ask(fieldsOf(input), signal))),
  };
}

/** Answers a server that asks for a model with the model of the run. */
async function sample(model: ModelPort, params: string, signal: AbortSignal): Promise<Json> {
  const parsed = parseJson(params);
  const asked = fieldsOf(parsed.ok ? parsed.value : null);
  const given = listOf(asked["messages"]).map((one) => {
    const { role = "user", content = null } = fieldsOf(one);
    return { role, content: Array.isArray(content) ? content : [content] } as Json;
  });
  const messages: Message[] = readMessages(given) ?? [];
  const { temperature, maxTokens } = asked;
  const reply = await model.call({
    system: textField(asked["systemPrompt"]), messages, tools: [], cacheControl: false,
    maxTokens: typeof maxTokens === "number" ? maxTokens : SAMPLE_TOKENS,
    temperature: typeof temperature === "number" ? temperature : undefined,
  }, { signal });
  const stop_reason = reply.stop === "max_tokens" ? "maxTokens" : "endTurn";
  return { model: model.model, stop_reason, role: "assistant", content: { type: "text", text: textOf(reply.content) } };
}

/** Objects of the MCP room hold numbers as they came; through text they become plain values. */
function plain(value: unknown): Json {
  const parsed = parseJson(JSON.stringify(value ?? null));
  return parsed.ok ? parsed.value : null;
}
