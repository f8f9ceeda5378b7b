/** Log events as text, one line each: for people and for programs (block 9). */
import type { Json } from "./json.ts";
import { stringifyJson } from "./json-write.ts";
import type { LogEvent } from "./log.ts";
import { toPlain } from "./plain.ts";
import { maskUrl, REDACTED, type Redactor } from "./redact.ts";
import { isSecretKey } from "./secrets.ts";
import type { TraceContext } from "./trace.ts";

/**
 * `2026-01-02T03:04:05.678Z  INFO lua: text script=x.lua key=value`, without a line end. Further lines of the
 * text are indented and control characters are escaped, so that no text can pose as another event or drive a
 * terminal. `timeMs`: milliseconds since 1970.
 */
export function formatPretty(event: LogEvent, timeMs: number, redactor?: Redactor): string {
  const pairs: [string, unknown][] = [
    ["script", event.script],
    ["isle", event.isle === "handler" ? event.isle : undefined],
    ["task", event.task],
    // the text of an `ab.obs` event says them all
    ...event.fields?.["prefix"] === "ab.obs" ? [] : Object.entries(event.fields ?? {}),
  ];
  const known = pairs.filter(([, value]) => value !== undefined);
  const text = event.msg + known.map(([key, value]) => ` ${key}=${shownText(value)}`).join("");
  const head = `${new Date(timeMs).toISOString()} ${event.level.toUpperCase().padStart(5)} ${event.target}: `;
  return head + showLines(redactor === undefined ? text : redactor.text(text));
}

/**
 * One JSON object, its keys in the order of the specification, what is not known left out; without a line
 * end.
 */
export function formatJson(event: LogEvent, timeMs: number, redactor?: Redactor): string {
  const { trace } = event;
  const all: Record<string, unknown> = {
    time: new Date(timeMs).toISOString(), level: event.level, target: event.target, msg: event.msg,
    script: event.script, isle: event.isle, task: event.task,
    trace_id: trace?.trace_id, span_id: trace?.span_id, run_id: trace?.run_id,
    agent_id: trace?.agent_id, agent_name: trace?.agent_name, fields: event.fields,
  };
  const parts: string[] = [];
  for (const [key, value] of Object.entries(all)) {
    if (value === undefined || value === "") continue;
    const plain = toPlain(value);
    parts.push(`"${key}":${jsonText(redactor === undefined ? plain : redactor.json(plain))}`);
  }
  return `{${parts.join(",")}}`;
}

/**
 * The message of an `ab.obs` event: `prefix=ab.obs event=E component=C trace_id=… k=v…` in this order. Secret
 * keys are masked, `url` is shown without what may hide a secret.
 */
export function obsLine(
  event: string, component: string, trace: TraceContext, kv: Readonly<Record<string, unknown>> = {},
): string {
  const { trace_id, run_id, agent_id, agent_name } = trace;
  const named = { prefix: "ab.obs", event, component, trace_id, run_id, agent_id, agent_name };
  const given = Object.entries(kv).filter(([, value]) => value !== undefined);
  const masked = given.map(([key, value]): [string, unknown] => [key, masks(key, value)]);
  return [...Object.entries(named), ...masked].map(([key, value]) => `${key}=${valueText(value)}`).join(" ");
}

function masks(key: string, value: unknown): unknown {
  if (isSecretKey(key)) return REDACTED;
  return key === "url" && typeof value === "string" ? maskUrl(value) : value;
}

/** A value as text: objects as JSON, for the eyes of people. */
function shownText(value: unknown): string {
  const plain = toPlain(value);
  return typeof plain === "object" && plain !== null ? jsonText(plain) : valueText(plain);
}

/** Empty → `""`; with space, `=` or what would break the line → a JSON string; else as it is. */
function valueText(value: unknown): string {
  const plain = toPlain(value);
  const text = typeof plain === "string" ? plain : jsonText(plain);
  return text === "" || /[\s=\u0000-\u001f]|^"/.test(text) ? JSON.stringify(text) : text;
}

function jsonText(plain: Json): string {
  const written = stringifyJson(plain);
  return written.ok ? written.text : written.problem;
}

/** Tab and line feed stay, other control characters show as `\x1b`. */
function showLines(text: string): string {
  return text
    .replace(/\r\n/g, "\n")
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g, escapeControl)
    .replace(/\n(?=.)/g, "\n    ")
    .replace(/\n+$/, "");
}

function escapeControl(c: string): string {
  const code = c.charCodeAt(0);
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
}
