/** What goes into a request and comes out of its answer. */
import { stringifyJson } from "@atoll-run/core";
import { JsonText } from "../bridges/op.ts";
import { parseExact } from "./exact.ts";
import type { Message } from "./pipe.ts";
import { jsonKind, rpcFailed } from "./texts.ts";
import type { McpObject, McpToolResult } from "./types.ts";

/**
 * Arguments of a call: a JSON object, or its text, which keeps every number as it is written. Throws
 * `mcp.rpc` for what is none.
 */
export function toArguments(what: string, server: string, args: unknown, noun = "arguments"): Message {
  let value: unknown = args ?? {};
  if (value instanceof JsonText) value = parseExact(value.text);
  else {
    const written = stringifyJson(value);
    if (!written.ok) throw rpcFailed(what, server, { reason: written.problem });
    value = parseExact(written.text);
  }
  const kind = jsonKind(value);
  if (kind === "object") return value as Message;
  throw rpcFailed(what, server, { reason: `${noun} must be a JSON object (got ${kind})` });
}

/** The same for a call of a tool: text goes to the server as it is, where it surely can. */
export function toToolArguments(what: string, server: string, args: unknown): Message | JsonText {
  // an object, and no line end between its tokens: a message is one line
  if (args instanceof JsonText && args.text.startsWith("{") && !args.text.includes("\n")) return args;
  return toArguments(what, server, args);
}

export function toToolResult({ content, isError, structuredContent }: Message): McpToolResult {
  return {
    content: (content ?? []) as McpObject[], isError: isError === true,
    ...(structuredContent === undefined ? {} : { structuredContent }),
  };
}

/** Throws `mcp.rpc` for what is neither a prompt nor a resource. */
export function checkRef(server: string, ref: unknown): void {
  const type = (ref as { type?: unknown } | null)?.type;
  if (type === "ref/prompt" || type === "ref/resource") return;
  const what = `complete on '${server}'`;
  if (type === undefined) throw rpcFailed(what, server, { reason: "ref object has no 'type' field" });
  const reason = `invalid ref kind '${String(type)}', expected 'ref/prompt' or 'ref/resource'`;
  throw rpcFailed(what, server, { reason });
}
