/**
 * What Anthropic Messages refuse with 400, in the words of the API: so that a history which the mock takes is
 * one that the real service takes. The first thing wrong is told, as there.
 */
import type { Json } from "@atoll-run/core";
import { isObject, type JsonObject, listOf, type MockAsk, objects, textOf } from "./dialect.ts";
import type { MockFailure } from "./script.ts";

const FIELDS = new Set([
  "model", "messages", "max_tokens", "system", "metadata", "stop_sequences", "stream", "temperature",
    "top_k", "top_p",
  "tools", "tool_choice", "thinking", "service_tier", "container", "mcp_servers", "output_config",
    "output_format",
  "cache_control", "inference_geo",
]);
const CONTEXT_BETA = "context-management-2025-06-27";
const CACHE_MARKS_MAX = 4;

export function checkAnthropic(ask: MockAsk): MockFailure | undefined {
  const problem = checkHead(ask) ?? checkTools(ask.body) ?? checkMessages(ask.body) ?? checkMarks(ask.body);
  return problem === undefined ? undefined : { status: 400, message: problem };
}

function checkHead({ headers, body }: MockAsk): string | undefined {
  if (headers["anthropic-version"] === undefined) return "anthropic-version: header is required";
  for (const name of ["model", "max_tokens", "messages"]) {
    if (!(name in body)) return `${name}: Field required`;
  }
  const betas = headers["anthropic-beta"] ?? "";
  for (const name of Object.keys(body)) {
    const known = FIELDS.has(name) || (name === "context_management" && betas.includes(CONTEXT_BETA));
    if (!known) return `${name}: Extra inputs are not permitted`;
  }
  const { max_tokens: most, temperature, system, stop_sequences: stops } = body;
  if (!Number.isInteger(most)) return "max_tokens: Input should be a valid integer";
  if (Number(most) < 1) return "max_tokens: Input should be greater than or equal to 1";
  if (temperature !== undefined && (typeof temperature !== "number" || temperature < 0 || temperature > 1)) {
    return "temperature: range: 0..1";
  }
  if (stops !== undefined && !Array.isArray(stops)) return "stop_sequences: Input should be a valid list";
  const isBlank = listOf(system).some((block) => isObject(block) && textOf(block["text"]) === "");
  return isBlank ? "system: text content blocks must be non-empty" : undefined;
}

function checkTools({ tools, tool_choice: choice }: JsonObject): string | undefined {
  if (tools !== undefined && !Array.isArray(tools)) return "tools: Input should be a valid list";
  const names = new Set<string>();
  for (const [i, tool] of objects(tools).entries()) {
    // Tools of the service itself have a type and no schema.
    if (tool["type"] !== undefined && tool["type"] !== "custom") continue;
    const name = textOf(tool["name"]);
    if (!/^[a-zA-Z0-9_-]{1,128}$/.test(name)) {
      return `tools.${i}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'`;
    }
    if (names.has(name)) return "tools: Tool names must be unique.";
    names.add(name);
    const schema = tool["input_schema"];
    if (schema === undefined) return `tools.${i}.custom.input_schema: Field required`;
    if (!isObject(schema)) return `tools.${i}.custom.input_schema: Input should be a valid dictionary`;
    if (schema["type"] === undefined) return `tools.${i}.custom.input_schema.type: Field required`;
    if (schema["type"] !== "object") return `tools.${i}.custom.input_schema.type: Input should be 'object'`;
    const { properties } = schema;
    if (properties !== undefined && !isObject(properties)) {
      return `tools.${i}.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12`;
    }
  }
  if (choice === undefined) return undefined;
  if (!isObject(choice)) return "tool_choice: Input should be a valid dictionary";
  if (choice["type"] === "tool" && !names.has(textOf(choice["name"]))) {
    return `Tool '${textOf(choice["name"])}' not found in provided tools`;
  }
  return listOf(tools).length === 0 ? "tool_choice may only be specified while providing tools" : undefined;
}

function checkMessages({ messages }: JsonObject): string | undefined {
  if (!Array.isArray(messages)) return "messages: Input should be a valid list";
  if (messages.length === 0) return "messages: at least one message is required";
  const merged: Turn[] = [];
  for (const [i, message] of (messages as readonly Json[]).entries()) {
    const problem = checkMessage(message, { i, isLast: i === messages.length - 1 });
    if (problem !== undefined) return problem;
    const { role, content } = message as JsonObject;
    const last = merged.at(-1);
    // Neighbours of one role count as one message.
    if (last !== undefined && last.role === role) last.blocks.push(...objects(content));
    else merged.push({ role: textOf(role), at: i, blocks: [...objects(content)] });
  }
  if (merged[0]?.role !== "user") return 'messages: first message must use the "user" role';
  return checkPairs(merged);
}

interface Turn {
  readonly role: string;
  /** Place of its first message. */
  readonly at: number;
  readonly blocks: JsonObject[];
}

function checkMessage(message: Json, { i, isLast }: { i: number; isLast: boolean }): string | undefined {
  if (!isObject(message)) return `messages.${i}: Input should be a valid dictionary`;
  const { role, content } = message;
  if (role === "system") {
    return 'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" '
      + "as an input message role.";
  }
  if (role !== "user" && role !== "assistant") {
    return `messages: Unexpected role "${textOf(role)}". Allowed roles are "user" or "assistant".`;
  }
  for (const name of Object.keys(message)) {
    if (name !== "role" && name !== "content") return `messages.${i}.${name}: Extra inputs are not permitted`;
  }
  if (content === undefined) return `messages.${i}.content: Field required`;
  const isEmpty = content === "" || (Array.isArray(content) && content.length === 0);
  if (isEmpty && !(isLast && role === "assistant")) {
    return `messages.${i}: all messages must have non-empty content except for the optional final assistant message`;
  }
  if (typeof content === "string") return isLast ? checkEnd(role, content) : undefined;
  if (!Array.isArray(content)) return `messages.${i}.content: Input should be a valid list`;
  for (const [j, block] of (content as readonly Json[]).entries()) {
    const problem = checkBlock(block, `messages.${i}.content.${j}`, role);
    if (problem !== undefined) return problem;
  }
  const end = objects(content).at(-1);
  return isLast && end?.["type"] === "text" ? checkEnd(role, textOf(end["text"])) : undefined;
}

function checkEnd(role: string, text: string): string | undefined {
  return role === "assistant" && /\s$/.test(text)
    ? "messages: final assistant content cannot end with trailing whitespace" : undefined;
}

function checkBlock(block: Json, where: string, role: string): string | undefined {
  if (!isObject(block)) return `${where}: Input should be a valid dictionary`;
  switch (block["type"]) {
    case undefined: return `${where}.type: Field required`;
    case "text": {
      if (typeof block["text"] !== "string") return `${where}.text.text: Input should be a valid string`;
      return block["text"] === "" ? "messages: text content blocks must be non-empty"
        : block["text"].trim() === "" ? "messages: text content blocks must contain non-whitespace text"
          : undefined;
    }
    case "tool_use": return role === "assistant" ? checkToolUse(block, `${where}.tool_use`)
      : `${where}: \`tool_use\` blocks can only be in \`assistant\` messages`;
    case "tool_result": {
      if (role !== "user") return `${where}: \`tool_result\` blocks can only be in \`user\` messages`;
      if (typeof block["tool_use_id"] !== "string") return `${where}.tool_result.tool_use_id: Field required`;
      const { content } = block;
      const fits = content === undefined || typeof content === "string" || Array.isArray(content);
      if (!fits) return `${where}.tool_result.content: Input should be a valid list`;
      const isBlank = objects(content).some(({ type, text }) => type === "text" && text === "");
      return isBlank ? "messages: text content blocks must be non-empty" : undefined;
    }
    case "thinking": return typeof block["signature"] === "string" ? undefined
      : `${where}.thinking.signature: Field required`;
    default: return undefined;
  }
}

function checkToolUse({ id, name, input }: JsonObject, where: string): string | undefined {
  if (typeof id !== "string") return `${where}.id: Field required`;
  if (!/^[a-zA-Z0-9_-]+$/.test(id)) return `${where}.id: String should match pattern '^[a-zA-Z0-9_-]+$'`;
  if (typeof name !== "string") return `${where}.name: Field required`;
  if (input === undefined) return `${where}.input: Field required`;
  return isObject(input) ? undefined : `${where}.input: Input should be a valid dictionary`;
}

/** Every call has one result, in the next message, and every result a call in the one before. */
function checkPairs(turns: readonly Turn[]): string | undefined {
  const seen = new Set<string>();
  for (const [k, { role, at, blocks }] of turns.entries()) {
    const calls = idsOf(turns[k - 1], "tool_use", "id");
    const results = role === "user" ? idsOf(turns[k], "tool_result", "tool_use_id") : [];
    for (const id of results) {
      if (!calls.includes(id)) {
        const j = blocks.findIndex((block) => block["tool_use_id"] === id);
        return `messages.${at}.content.${j}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${id}. Each `
          + "`tool_result` block must have a corresponding `tool_use` block in the previous message.";
      }
      if (results.indexOf(id) !== results.lastIndexOf(id)) {
        return `messages.${at}.content: each tool_use must have a single result. Found multiple \`tool_result\` `
          + `blocks with id: ${id}`;
      }
    }
    if (role !== "assistant") continue;
    const own = idsOf(turns[k], "tool_use", "id");
    for (const id of own) {
      if (seen.has(id) || own.indexOf(id) !== own.lastIndexOf(id)) return `messages.${at}: \`tool_use\` ids must be unique`;
    }
    for (const id of own) seen.add(id);
    const answered = idsOf(turns[k + 1], "tool_result", "tool_use_id");
    const open = own.filter((id) => !answered.includes(id));
    if (open.length > 0) {
      return `messages.${at}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: `
        + `${open.join(", ")}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`;
    }
  }
  return undefined;
}

function idsOf(turn: Turn | undefined, type: string, field: string): string[] {
  return (turn?.blocks ?? []).filter((block) => block["type"] === type).map((block) => textOf(block[field]));
}

function checkMarks(body: JsonObject): string | undefined {
  const blocks = [...objects(body["system"]), ...objects(body["tools"]),
    ...objects(body["messages"]).flatMap(({ content }) => objects(content))];
  const marks = blocks.filter((block) => isObject(block["cache_control"])).length;
  return marks > CACHE_MARKS_MAX
    ? `A maximum of ${CACHE_MARKS_MAX} blocks with cache_control may be provided. Found ${marks}.`
      : undefined;
}
