/**
 * A history that a strict model accepts: every tool call is answered by the message after it, results stand
 * first, no message is empty.
 */
import type { Json } from "@atoll-run/core";
import {
  type Block, isToolResult, isToolUse, type Message, type ToolResult, type ToolUse,
} from "./model-port.ts";
import { fieldsOf } from "./provider.ts";

/** What stands for a message without content, which no provider takes. */
const EMPTY: Block = { type: "text", text: "(empty)" };

/** The messages as they may be sent: without empty texts. */
export function sendable(messages: readonly Message[]): Message[] {
  return messages.map(({ role, content }) => {
    if (typeof content === "string") return { role, content: content === "" ? [EMPTY] : content };
    const said = content.filter((block) => block.type !== "text" || (block as { text?: Json }).text !== "");
    return { role, content: said.length === 0 ? [EMPTY] : said };
  });
}

export function blocksOf(content: Message["content"]): readonly Block[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}

/** Results of tool calls that were not made. */
export function notRun(calls: readonly ToolUse[], why: string): ToolResult[] {
  return calls.map(
    ({ id }) => ({ type: "tool_result", tool_use_id: id, content: `not run: ${why}`, is_error: true }),
  );
}

/** Calls of the last assistant message that have no result yet. */
export function openCalls(messages: readonly Message[]): ToolUse[] {
  const at = messages.findLastIndex((message) => message.role === "assistant");
  const calls = at < 0 ? [] : blocksOf((messages[at] as Message).content).filter(isToolUse);
  const answered = new Set(messages.slice(at + 1).flatMap(({ content }) => blocksOf(content))
    .filter(isToolResult).map((result) => result.tool_use_id));
  return calls.filter((call) => !answered.has(call.id));
}

/**
 * The history with every call answered: one that its message after does not answer gets `not run: <why>`.
 * The calls of the last assistant message may be left open for the caller.
 */
export function closed(messages: readonly Message[], why: string, o: { keepLast?: boolean } = {}): Message[] {
  const whole: Message[] = [];
  const last = messages.findLastIndex((message) => message.role === "assistant");
  let waiting: readonly ToolUse[] = [];
  const answer = (next: Message | undefined): Message | undefined => {
    if (waiting.length === 0) return next;
    const blocks = next?.role === "user" ? blocksOf(next.content) : [];
    const given = blocks.filter(isToolResult);
    const missing = waiting.filter((call) => !given.some((result) => result.tool_use_id === call.id));
    waiting = [];
    if (missing.length === 0) return next;
    const results = [...given, ...notRun(missing, why)];
    whole.push({ role: "user", content: [...results, ...blocks.filter((block) => !isToolResult(block))] });
    return next?.role === "user" ? undefined : next;
  };
  for (const [at, message] of messages.entries()) {
    const rest = answer(message);
    if (rest === undefined) continue;
    whole.push(rest);
    if (rest.role === "assistant" && !(o.keepLast === true && at === last)) {
      waiting = blocksOf(rest.content).filter(isToolUse);
    }
  }
  answer(undefined);
  return whole;
}

/** Adds what the user says: to the last message when that is the user's too, so that roles take turns. */
export function withPrompt(messages: readonly Message[], prompt: Message["content"]): Message[] {
  const last = messages.at(-1);
  if (last?.role !== "user") return [...messages, { role: "user", content: prompt }];
  const content = [...blocksOf(last.content), ...blocksOf(prompt)];
  return [...messages.slice(0, -1), { role: "user", content }];
}

/** Adds a result to the message that answers the last assistant message, in the order of the calls. */
export function withResult(messages: readonly Message[], result: ToolResult): Message[] {
  const last = messages.at(-1);
  if (last?.role === "assistant") return [...messages, { role: "user", content: [result] }];
  const blocks = last === undefined ? [] : blocksOf(last.content);
  const before = messages.at(-2);
  const order = before === undefined ? [] : blocksOf(before.content).filter(isToolUse).map((call) => call.id);
  const place = ({ tool_use_id }: ToolResult): number => order.indexOf(tool_use_id);
  const results = [...blocks.filter(isToolResult), result].sort((a, b) => place(a) - place(b));
  const said = blocks.filter((block) => !isToolResult(block));
  return [...messages.slice(0, -1), { role: "user", content: [...results, ...said] }];
}

/** Reads messages that came from outside; undefined when they are none. */
export function readMessages(value: Json | undefined): Message[] | undefined {
  if (isEmptyTable(value)) return [];
  if (!Array.isArray(value)) return undefined;
  const messages: Message[] = [];
  for (const item of value as readonly Json[]) {
    const { role, content } = fieldsOf(item);
    if (role !== "user" && role !== "assistant") return undefined;
    if (typeof content === "string") messages.push({ role, content });
    else if (Array.isArray(content)) messages.push({ role, content: content as readonly Block[] });
    else if (content === undefined || isEmptyTable(content)) messages.push({ role, content: [] });
    else return undefined;
  }
  return messages;
}

/** An empty Lua table, which may have been meant as a list. */
function isEmptyTable(value: Json | undefined): boolean {
  return value === null || (
    typeof value === "object" && !Array.isArray(value) && Object.keys(value).length === 0
  );
}
