/**
 * What OpenAI Chat Completions refuse with 400, in the words of the API. The first thing wrong is told, as
 * there.
 */
import type { Json } from "@atoll-run/core";
import { isObject, type JsonObject, listOf, type MockAsk, objects, textOf } from "./dialect.ts";
import type { MockFailure } from "./script.ts";

/** `code` "" = null in the answer. */
export type OpenaiRefusal = MockFailure & { readonly param?: string };

const ROLES = ["system", "assistant", "user", "function", "tool", "developer"];

export function checkOpenai({ body }: MockAsk): OpenaiRefusal | undefined {
  return checkHead(body) ?? checkTools(body) ?? checkMessages(body["messages"]);
}

function refuse(message: string, param?: string, code = ""): OpenaiRefusal {
  return { status: 400, message, code, ...(param === undefined ? {} : { param }) };
}

function missing(name: string): OpenaiRefusal {
  return refuse(`Missing required parameter: '${name}'.`, name, "missing_required_parameter");
}

function wrongType(name: string, wanted: string, value: Json): OpenaiRefusal {
  return refuse(`Invalid type for '${name}': expected ${wanted}, but got ${kindOf(value)} instead.`, name,
    "invalid_type");
}

function tooShort(name: string): OpenaiRefusal {
  return refuse(`Invalid '${name}': empty array. Expected an array with minimum length 1, but got an empty array instead.`,
    name, "empty_array");
}

function kindOf(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return { string: "a string", number: "a number", boolean: "a boolean",
    bigint: "an integer" }[typeof value as string]
    ?? "an object";
}

function checkHead(body: JsonObject): OpenaiRefusal | undefined {
  if (typeof body["model"] !== "string") return refuse("you must provide a model parameter");
  const { messages, stream, stream_options: options, temperature } = body;
  if (messages === undefined) return missing("messages");
  if (!Array.isArray(messages)) return wrongType("messages", "an array of objects", messages);
  if (messages.length === 0) return tooShort("messages");
  if (options !== undefined && stream !== true) {
    return refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.",
      "stream_options");
  }
  if (temperature !== undefined && (typeof temperature !== "number" || temperature < 0 || temperature > 2)) {
    return wrongType("temperature", "a decimal", temperature);
  }
  return undefined;
}

function checkTools({ tools, tool_choice: choice }: JsonObject): OpenaiRefusal | undefined {
  if (tools !== undefined && !Array.isArray(tools)) return wrongType("tools", "an array of objects", tools);
  if (Array.isArray(tools) && tools.length === 0) return tooShort("tools");
  for (const [i, tool] of objects(tools).entries()) {
    if (tool["type"] === undefined) return missing(`tools[${i}].type`);
    const made = tool["function"];
    if (!isObject(made)) return missing(`tools[${i}].function`);
    if (made["name"] === undefined) return missing(`tools[${i}].function.name`);
    if (!/^[a-zA-Z0-9_-]{1,64}$/.test(textOf(made["name"]))) {
      return refuse(`Invalid 'tools[${i}].function.name': string does not match pattern. Expected a string that matches `
        + "the pattern '^[a-zA-Z0-9_-]+$'.", `tools[${i}].function.name`, "invalid_value");
    }
    const schema = made["parameters"];
    if (schema === undefined) continue;
    if (!isObject(schema)) return wrongType(`tools[${i}].function.parameters`, "an object", schema);
    if (schema["type"] !== "object" || (schema["properties"] !== undefined
      && !isObject(schema["properties"]))) {
      return refuse(`Invalid schema for function '${textOf(made["name"])}': schema must be a JSON Schema of `
        + `'type: "object"'.`, `tools[${i}].function.parameters`, "invalid_function_parameters");
    }
  }
  return choice !== undefined && listOf(tools).length === 0
    ? refuse("Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
      "tool_choice")
    : undefined;
}

function checkMessages(given: Json | undefined): OpenaiRefusal | undefined {
  /** Calls of the last assistant message that have no answer yet. */
  let open: string[] = [];
  let asked: string[] = [];
  for (const [i, message] of listOf(given).entries()) {
    const where = `messages[${i}]`;
    if (!isObject(message)) return wrongType(where, "an object", message);
    const { role } = message;
    if (role === undefined) return missing(`${where}.role`);
    if (!ROLES.includes(textOf(role))) {
      return refuse(`Invalid value: '${textOf(role)}'. Supported values are: 'system', 'assistant', 'user', 'function', `
        + "'tool', and 'developer'.", `${where}.role`, "invalid_value");
    }
    if (role !== "tool" && open.length > 0) return unanswered(open, i);
    const problem = checkMessage(message, i) ?? (role === "tool" ? checkAnswer(message, i, asked)
      : undefined);
    if (problem !== undefined) return problem;
    if (role === "tool") open = open.filter((id) => id !== message["tool_call_id"]);
    else open = asked = objects(message["tool_calls"]).map(({ id }) => textOf(id));
  }
  return open.length > 0 ? unanswered(open, listOf(given).length) : undefined;
}

function unanswered(ids: readonly string[], i: number): OpenaiRefusal {
  return refuse("An assistant message with 'tool_calls' must be followed by tool messages responding to each "
    + `'tool_call_id'. The following tool_call_ids did not have response messages: ${ids.join(", ")}`,
    `messages.[${i}].role`);
}

function checkAnswer(message: JsonObject, i: number, asked: readonly string[]): OpenaiRefusal | undefined {
  const id = message["tool_call_id"];
  if (asked.length === 0) {
    return refuse("Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
      + "'tool_calls'.", `messages.[${i}].role`);
  }
  if (id === undefined) return missing(`messages[${i}].tool_call_id`);
  return asked.includes(textOf(id)) ? undefined
    : refuse(`Invalid parameter: 'tool_call_id' of '${textOf(id)}' not found in 'tool_calls' of previous message.`,
      `messages.[${i}].tool_call_id`);
}

function checkMessage(message: JsonObject, i: number): OpenaiRefusal | undefined {
  const { role, content, tool_calls: calls } = message;
  const at = `messages[${i}]`;
  if (calls !== undefined && role === "assistant") {
    if (!Array.isArray(calls)) return wrongType(`${at}.tool_calls`, "an array of objects", calls);
    if (calls.length === 0) return tooShort(`${at}.tool_calls`);
    for (const [j, call] of objects(calls).entries()) {
      const problem = checkCall(call, `${at}.tool_calls[${j}]`);
      if (problem !== undefined) return problem;
    }
  }
  const mayBeNull = role === "assistant" && Array.isArray(calls);
  if (content === null || content === undefined) {
    return mayBeNull ? undefined
      : refuse("Invalid value for 'content': expected a string, got null.", `messages.[${i}].content`);
  }
  if (typeof content === "string") return undefined;
  if (!Array.isArray(content)) {
    return wrongType(`${at}.content`, "one of a string or array of objects", content);
  }
  if (content.length === 0) return tooShort(`${at}.content`);
  const untyped = objects(content).findIndex(({ type }) => type === undefined);
  return untyped < 0 ? undefined : missing(`${at}.content[${untyped}].type`);
}

function checkCall(call: JsonObject, where: string): OpenaiRefusal | undefined {
  if (typeof call["id"] !== "string") return missing(`${where}.id`);
  if (call["type"] === undefined) return missing(`${where}.type`);
  const made = call["function"];
  if (!isObject(made)) return missing(`${where}.function`);
  if (typeof made["name"] !== "string") return missing(`${where}.function.name`);
  const args = made["arguments"];
  if (args === undefined) return missing(`${where}.function.arguments`);
  return typeof args === "string" ? undefined : wrongType(`${where}.function.arguments`, "a string", args);
}
