/** The tools of one run: which the model is told of, in one order, and what a call of one gives. */
import { type Clock, emptyTrace, isFault, type Json, stringifyJson, withDeadline } from "@atoll-run/core";
import type { CallTrace, Spans } from "../observe/spans.ts";
import type { ToolDefinition, ToolResult, ToolUse } from "./model-port.ts";

export interface AgentTool extends ToolDefinition {
  readonly group?: string | undefined;
  /** Its calls tell a span of their own. */
  readonly spanned?: true;
  /** What it throws becomes `tool error: …`. A `ToolAnswer` is taken as it is, other values become text. */
  handler(input: Json, c: { readonly signal: AbortSignal }): Promise<ToolValue> | ToolValue;
}

export type ToolValue = Json | undefined | void | ToolAnswer;

/** The text for the model, ready made. */
export class ToolAnswer {
  readonly text: string;
  readonly isError: boolean;

  constructor(text: string, isError = false) {
    this.text = text;
    this.isError = isError;
  }
}

/** Those of the wanted groups in the order given; the first of a name wins. Undefined groups: all. */
export function collectTools<T extends { readonly name: string; readonly group?: string | undefined }>(
  lists: readonly (readonly T[])[], groups: readonly string[] | undefined,
): T[] {
  const byName = new Map<string, T>();
  for (const tool of lists.flat()) {
    if (groups !== undefined && !groups.includes(tool.group ?? "default")) continue;
    if (!byName.has(tool.name)) byName.set(tool.name, tool);
  }
  return [...byName.values()];
}

export interface ToolRunParts {
  readonly clock: Clock;
  /** `Infinity` = none. */
  readonly timeoutMs: number;
  readonly charsMax: number;
  readonly spans?: Spans | undefined;
  readonly trace?: CallTrace | undefined;
}

/** What a call waits for that is parked: it was not made, and has no result until its turn runs again. */
export function parkOf(error: unknown): string | undefined {
  const park = isFault(error) ? (error.facts as { readonly park?: unknown }).park : undefined;
  return typeof park === "string" ? park : undefined;
}

/** Runs one call of the model. Throws only what parks it. */
export async function callTool(
  tools: ReadonlyMap<string, AgentTool>, call: ToolUse, signal: AbortSignal, parts: ToolRunParts,
): Promise<ToolResult> {
  const tool = tools.get(call.name);
  const { spans, trace = emptyTrace() } = parts;
  const plain = spans === undefined || tool === undefined || tool.spanned === true;
  const { text, isError } = plain ? await answerOf(tool, call, signal, parts) : await spans.around(trace, {
    name: "tool.call", side: "internal", attributes: { "gen_ai.tool.name": tool.name }, told: (answer) => ({ failed: answer.isError }),
  }, () => answerOf(tool, call, signal, parts));
  return {
    type: "tool_result", tool_use_id: call.id, content: cut(text, parts.charsMax),
    ...(isError ? { is_error: true } : {}),
  };
}

async function answerOf(
  tool: AgentTool | undefined, call: ToolUse, signal: AbortSignal, { clock, timeoutMs }: ToolRunParts,
): Promise<ToolAnswer> {
  if (tool === undefined) return new ToolAnswer(`tool error: tool not found: ${call.name}`, true);
  try {
    const value = await withDeadline(
      (own) => tool.handler(call.input, { signal: own }), { clock, ms: timeoutMs, signal },
    );
    return value instanceof ToolAnswer ? value : new ToolAnswer(toText(value as Json | undefined));
  } catch (error) {
    if (parkOf(error) !== undefined) throw error;
    if (signal.aborted) return new ToolAnswer("tool error: cancelled", true);
    const late = isFault(error) && error.code === "core.timed_out";
    const why = late ? `timeout after ${timeoutMs / 1_000}s` : error instanceof Error ? error.message
      : String(error);
    return new ToolAnswer(`tool error: ${why}`, true);
  }
}

function toText(value: Json | undefined): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return value === undefined ? "" : String(value);
  const written = stringifyJson(value);
  if (!written.ok) throw new Error(written.problem);
  return written.text;
}

function cut(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  return `${text.slice(0, charsMax).toWellFormed()}\n[cut: ${charsMax} of ${text.length} characters]`;
}
