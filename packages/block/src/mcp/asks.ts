/**
 * What servers ask of the script: a model's answer, the roots, a form. takes the request as it came; gives
 * the result as MCP has it; promises an answer to each, "method not found" where nobody answers and "decline"
 * where nobody fills in forms; refuses a handler's answer that is none.
 */
import type { Message } from "./pipe.ts";
import type { McpCapability, McpHandlers } from "./types.ts";

/** Makes an error of JSON-RPC. */
export type Refuse = (why: "method not found" | "internal", message: string) => Error;

export interface AskParts {
  readonly server: string;
  /** What was advertised to this server. */
  readonly advertised: ReadonlySet<McpCapability>;
  handler<K extends keyof McpHandlers>(what: K): McpHandlers[K] | undefined;
  readonly refuse: Refuse;
  warn(msg: string): void;
}

const METHODS: Readonly<Record<string, McpCapability>> = {
  "sampling/createMessage": "sampling", "roots/list": "roots", "elicitation/create": "elicitation",
};

export async function answerAsked(
  parts: AskParts, method: string, o: { params: Message; signal: AbortSignal },
): Promise<Message> {
  const what = Object.hasOwn(METHODS, method) ? METHODS[method] : undefined;
  if (what === undefined || !parts.advertised.has(what)) noAnswer(parts);
  try {
    const { server } = parts;
    if (what === "sampling") return toMessage(parts, await parts.handler(what)?.(server, text(o.params), o));
    if (what === "roots") return toRoots(parts, await parts.handler(what)?.(server, o));
    return await elicit(parts, o);
  } catch (error) {
    if (!(error instanceof Error) || o.signal.aborted) throw error;
    if (typeof (error as { code?: unknown }).code === "number") throw error;
    parts.warn(`mcp.set_${what}_handler: handler failed: ${error.message}`);
    throw parts.refuse("internal", error.message);
  }
}

function text(value: unknown): string {
  return JSON.stringify(value ?? null);
}

function isTable(value: unknown): value is Message {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function noAnswer(parts: AskParts): never {
  throw parts.refuse("method not found", "Method not found");
}

function toMessage(parts: AskParts, reply: unknown): Message {
  if (reply === undefined || reply === null) noAnswer(parts);
  if (!isTable(reply)) throw parts.refuse("internal", "the sampling handler must return a table");
  const { content, model, role, stop_reason: stopReason } = reply;
  const block = typeof content === "string" ? { type: "text", text: content } : content;
  if (typeof block !== "object" || block === null) {
    throw parts.refuse("internal", "the sampling handler must return content");
  }
  return {
    model: typeof model === "string" ? model : "unknown", role: role === "user" ? "user" : "assistant",
    content: block,
    ...(typeof stopReason === "string" ? { stopReason } : {}),
  };
}

function toRoots(parts: AskParts, reply: unknown): Message {
  if (reply === undefined || reply === null) noAnswer(parts);
  // an empty table of Lua is a list as well
  const list: unknown[] | undefined = Array.isArray(reply) ? reply
    : isTable(reply) && Object.keys(reply).length === 0 ? [] : undefined;
  const roots = list?.map((root) => {
    if (!isTable(root) || typeof root["uri"] !== "string") return undefined;
    return { uri: root["uri"], ...(typeof root["name"] === "string" ? { name: root["name"] } : {}) };
  });
  if (roots === undefined || roots.includes(undefined)) {
    throw parts.refuse("internal", "the roots handler must return a list of {uri, name?}");
  }
  return { roots };
}

async function elicit(
  parts: AskParts, { params, signal }: { params: Message; signal: AbortSignal },
): Promise<Message> {
  const handler = parts.handler("elicitation");
  if (handler === undefined || (params["mode"] ?? "form") !== "form") return { action: "decline" };
  const schema = text(params["requestedSchema"]);
  const reply = await handler(parts.server, String(params["message"] ?? ""), { schema, signal });
  if (reply === undefined || reply === null) return { action: "decline" };
  const { action, content } = isTable(reply) ? reply : {};
  if (action !== "accept" && action !== "decline" && action !== "cancel") {
    throw parts.refuse("internal", "the elicitation handler must return action accept, decline or cancel");
  }
  if (action !== "accept") return { action };
  if (isTable(content)) return { action, content };
  throw parts.refuse("internal", "the elicitation handler must return content with accept");
}
