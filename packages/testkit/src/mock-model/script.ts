/**
 * What a mock model says: a list of turns, each with conditions and a reply, an error or a broken shape.
 * Plain data, read from a JSON file or given by a test. docs/mock-model.md describes every field.
 */
import { type Json, parseJson } from "@atoll-run/core";

export type MockApi = "anthropic" | "openai";

/** Conditions on a request; all that are given must hold. */
export interface MockWhen {
  readonly api?: MockApi;
  readonly model?: string;
  readonly stream?: boolean;
  /** How many messages the request carries, the system prompt not counted. */
  readonly messages?: number;
  /** Part of the text of the last message that a user wrote. */
  readonly text?: string;
  /** Part of the system prompt. */
  readonly system?: string;
  /** Name of a tool that is offered. */
  readonly tool?: string;
  /** Part of a tool result behind the last assistant message. */
  readonly tool_result?: string;
  /** Part of the body as it was sent. */
  readonly body?: string;
}

export interface MockToolCall {
  readonly name: string;
  /** Absent: one is made. null: the call has none, as some gateways answer. */
  readonly id?: string | null;
  /** Default {}. */
  readonly input?: Json;
  /** Instead of the JSON of `input`, as it is: for arguments that are no JSON. */
  readonly arguments_text?: string;
  /** OpenAI: the arguments as an object instead of a text, as some gateways answer. */
  readonly arguments_object?: boolean;
}

export interface MockUsage {
  readonly input_tokens?: number;
  readonly output_tokens?: number;
  readonly cache_read_tokens?: number;
  readonly cache_write_tokens?: number;
}

export interface MockReply {
  readonly thinking?: string;
  readonly text?: string;
  readonly tool_calls?: readonly MockToolCall[];
  /** In the words of the API; default: what follows from the reply. */
  readonly stop_reason?: string;
  /** Default: a quarter of the characters. */
  readonly usage?: MockUsage;
  /** Characters of one piece of a stream; default 12. */
  readonly piece_chars?: number;
  /** Milliseconds between two pieces of a stream; default 0. */
  readonly piece_delay_ms?: number;
}

export interface MockFailure {
  readonly status: number;
  /** In the words of the API; default: those that the status has there. */
  readonly type?: string;
  readonly message?: string;
  /** OpenAI only. */
  readonly code?: string;
  /** Seconds, or a date: header `Retry-After`. */
  readonly retry_after?: number | string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Ways in which an answer can be broken. `…_half`: behind half of the bytes or events. */
export const MOCK_BREAKS = [
  "truncated", "drop", "drop_half", "hang", "hang_half", "bad_json", "missing_choices", "empty", "error_half",
] as const;
export type MockBreak = (typeof MOCK_BREAKS)[number];

/** An answer given byte for byte. */
export interface MockRaw {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface MockTurn {
  readonly when?: MockWhen;
  /** How often it may be used; default 1. */
  readonly times?: number | "any";
  /** Milliseconds before the first byte. */
  readonly delay_ms?: number;
  readonly reply?: MockReply;
  readonly error?: MockFailure;
  readonly broken?: MockBreak;
  readonly raw?: MockRaw;
}

export interface MockScript {
  /** Keys that are accepted; absent: every key, but one has to be there. */
  readonly keys?: readonly string[];
  /** Models that exist; absent: all. */
  readonly models?: readonly string[];
  /** Refuse what the real APIs refuse; default true. */
  readonly strict?: boolean;
  readonly turns: readonly MockTurn[];
}

type Check = (value: Json, where: string, problems: string[]) => void;
type Shape = Readonly<Record<string, Check>>;

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function a(what: string, test: (value: Json) => boolean): Check {
  return (value, where, problems) => {
    if (!test(value)) problems.push(`${where}: expected ${what}`);
  };
}

function object(shape: Shape, required: readonly string[] = []): Check {
  return (value, where, problems) => {
    if (!isObject(value)) return void problems.push(`${where}: expected an object`);
    for (const name of required) if (!(name in value)) problems.push(`${where}.${name}: is missing`);
    for (const [name, item] of Object.entries(value)) {
      const check = shape[name];
      if (check === undefined) problems.push(`${where}.${name}: there is no such field`);
      else check(item, `${where}.${name}`, problems);
    }
  };
}

function list(check: Check): Check {
  return (value, where, problems) => {
    if (!Array.isArray(value)) return void problems.push(`${where}: expected a list`);
    for (const [i, item] of value.entries()) check(item as Json, `${where}[${i}]`, problems);
  };
}

const text = a("a text", (value) => typeof value === "string");
const flag = a("true or false", (value) => typeof value === "boolean");
const whole = a("a whole number from 0",
  (value) => typeof value === "number" && Number.isInteger(value) && value >= 0);
const texts: Check = (value, where, problems) => {
  if (!isObject(value)) return void problems.push(`${where}: expected an object`);
  for (const [name, item] of Object.entries(value)) text(item, `${where}.${name}`, problems);
};
const status = a("a status from 200 to 599", (value) => Number.isInteger(value) && Number(value) >= 200
  && Number(value) < 600);

const TURN = object({
  when: object({
    api: a("anthropic or openai", (value) => value === "anthropic" || value === "openai"), model: text,
      stream: flag,
    messages: whole, text, system: text, tool: text, tool_result: text, body: text,
  }),
  times: a('a whole number from 1, or "any"', (value) => value === "any" || (Number.isInteger(value)
    && Number(value) > 0)),
  delay_ms: whole,
  reply: object({
    thinking: text, text, stop_reason: text,
    tool_calls: list(object({
      name: text, id: a("a text or null", (value) => value === null || typeof value === "string"),
      input: () => undefined, arguments_text: text, arguments_object: flag,
    }, ["name"])),
    usage: object({
      input_tokens: whole, output_tokens: whole, cache_read_tokens: whole, cache_write_tokens: whole,
    }),
    piece_chars: a("a whole number from 1", (value) => Number.isInteger(value) && Number(value) > 0),
    piece_delay_ms: whole,
  }),
  error: object({
    status, type: text, message: text, code: text, headers: texts,
    retry_after: a("a number or a text", (value) => typeof value === "number" || typeof value === "string"),
  }, ["status"]),
  broken: a(MOCK_BREAKS.join(", "), (value) => (MOCK_BREAKS as readonly Json[]).includes(value)),
  raw: object({ status, headers: texts, body: text }, ["body"]),
});

const SCRIPT = object({
  keys: list(text), models: list(text), strict: flag, turns: list(TURN),
}, ["turns"]);

export type MockScriptReading =
  | { readonly ok: true; readonly script: MockScript } | { readonly ok: false; readonly problems: readonly string[] };

/** A script from the text of a JSON file, or everything that is wrong with it: `turns[2].error.status: …`. */
export function readMockScript(source: string): MockScriptReading {
  const parsed = parseJson(source);
  if (!parsed.ok) {
    const line = source.slice(0, parsed.at).split("\n").length;
    return { ok: false, problems: [`line ${line}: ${parsed.problem}`] };
  }
  const problems: string[] = [];
  SCRIPT(parsed.value, "script", problems);
  for (const [i, turn] of turnsOf(parsed.value).entries()) {
    if (["reply", "error", "broken", "raw"].some((name) => name in turn)) continue;
    problems.push(`script.turns[${i}]: needs one of reply, error, broken, raw`);
  }
  const shown = problems.map((problem) => problem.replace(/^script\.?/, "") || problem);
  return shown.length === 0 ? { ok: true, script: parsed.value as unknown as MockScript }
    : { ok: false, problems: shown };
}

function turnsOf(value: Json): readonly { readonly [key: string]: Json }[] {
  const turns = isObject(value) ? value["turns"] : undefined;
  return Array.isArray(turns) ? turns.filter((turn: Json) => isObject(turn)) : [];
}
