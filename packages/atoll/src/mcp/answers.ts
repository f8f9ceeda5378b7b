/** From what a handler returned to a result of MCP. Pure. */
import { type Json, stringifyJson } from "@atoll-run/core";
import type { CallEnd, ServedTool } from "./tool-host.ts";

type JsonObject = { readonly [key: string]: Json };

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export interface ToolAnswer {
  readonly content: readonly JsonObject[];
  readonly isError?: boolean;
  readonly structuredContent?: JsonObject;
}

/**
 * A text is one block of text, nil none; a table with `content` is a whole result (`is_error`,
 * `structured_content`); any other table is its JSON, as text and, when it has keys, as structured content.
 * An error is a result that says so.
 */
export function toAnswer(end: CallEnd): ToolAnswer {
  if (!end.ok) return { content: [text(end.text)], isError: true };
  const { value } = end;
  if (value === null) return { content: [] };
  if (typeof value === "string") return { content: [text(value)] };
  if (isObject(value) && Array.isArray(value["content"])) {
    const isError = value["is_error"] ?? value["isError"];
    const structured = value["structured_content"] ?? value["structuredContent"];
    return { content: near(value["content"]) as readonly JsonObject[],
      ...(isError === true ? { isError } : {}), ...(isObject(structured) ? { structuredContent: near(structured) as JsonObject } : {}) };
  }
  return { content: [text(plain(value))],
    ...(isObject(value) ? { structuredContent: near(value) as JsonObject } : {}) };
}

/** The protocol's library writes no integers beyond 2^53: there they become the nearest number. */
function near(value: Json): Json {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return (value as readonly Json[]).map(near);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, near(item)]));
}

function text(words: string): JsonObject {
  return { type: "text", text: words };
}

function plain(value: Json): string {
  const written = stringifyJson(value);
  return written.ok ? written.text : written.problem;
}

/**
 * A tool as a client sees it. An empty table of Lua is a list; where a schema wants an object it becomes one.
 */
export function toListed(tool: ServedTool): JsonObject {
  const input = isObject(tool.input_schema) ? mended(tool.input_schema) as JsonObject : {};
  return {
    name: tool.name, description: tool.description ?? "", inputSchema: { type: "object", ...input },
    ...(tool.title === undefined ? {} : { title: tool.title }),
    ...(isObject(tool.output_schema) ? { outputSchema: mended(tool.output_schema) } : {}),
    ...(isObject(tool.annotations) ? { annotations: tool.annotations } : {}),
  };
}

const OBJECTS = new Set(["properties", "$defs", "definitions", "patternProperties", "items",
  "additionalProperties"]);

function mended(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(mended);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) =>
    [name, OBJECTS.has(name) && Array.isArray(item) && item.length === 0 ? {} : mended(item)]));
}
