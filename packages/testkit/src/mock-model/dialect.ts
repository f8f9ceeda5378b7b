/**
 * What the two APIs have in common for the mock: a request as a script sees it, and how answers are put into
 * words.
 */
import type { Json } from "@atoll-run/core";
import type { MockApi, MockFailure, MockReply } from "./script.ts";

export type JsonObject = { readonly [key: string]: Json };

/** A request that was read, whichever API it is for. */
export interface MockAsk {
  readonly api: MockApi;
  /** With its query. */
  readonly path: string;
  /** Names in lower case. As they came: with keys. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body as it was sent. */
  readonly text: string;
  readonly body: JsonObject;
  readonly model: string;
  readonly stream: boolean;
  readonly system: string;
  /** Text of the last message of a user. */
  readonly lastText: string;
  /** Tool results behind the last assistant message. */
  readonly toolResults: readonly string[];
  readonly tools: readonly string[];
  readonly messages: readonly Json[];
}

/** Numbers for ids: 1, 2, … in the order of use, so that the same run gives the same bytes. */
export type NextId = (kind: string) => string;

export interface Dialect {
  readonly api: MockApi;
  /** Header that carries the id of a request. */
  readonly idHeader: string;
  /** The parts of a request that conditions look at. */
  view(body: JsonObject): Pick<MockAsk, "system" | "lastText" | "toolResults" | "tools" | "messages">;
  /** The key of a request, if it has one. */
  keyOf(headers: Readonly<Record<string, string>>): string | undefined;
  missingKey: MockFailure;
  wrongKey: MockFailure;
  noModel(model: string): MockFailure;
  /** What the real API would refuse, in its words. */
  check(ask: MockAsk): MockFailure | undefined;
  error(failure: MockFailure, requestId: string): Json;
  whole(reply: MockReply, ask: MockAsk, id: NextId): Json;
  /** Whole frames of the stream, each with its blank line. */
  frames(reply: MockReply, ask: MockAsk, id: NextId): string[];
  /** The frame of an error in the middle of a stream. */
  errorFrame(failure: MockFailure): string;
  /** A body of 200 without what every body has. */
  hollow(ask: MockAsk, id: NextId): Json;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value as readonly Json[] : [];
}

export function objects(value: Json | undefined): readonly JsonObject[] {
  return listOf(value).filter((item) => isObject(item));
}

export function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

/** The text of a content that is a text or a list of blocks. */
export function contentText(content: Json | undefined): string {
  if (typeof content === "string") return content;
  return objects(content).filter((block) => block["type"] === "text").map((block) =>
    textOf(block["text"])).join("\n");
}

/** `text` in pieces of so many characters; no surrogate pair is cut. */
export function piecesOf(text: string, reply: MockReply): string[] {
  const size = reply.piece_chars ?? 12;
  const chars = [...text];
  const pieces: string[] = [];
  for (let at = 0; at < chars.length; at += size) pieces.push(chars.slice(at, at + size).join(""));
  return pieces;
}

export function inputText(call: { readonly input?: Json; readonly arguments_text?: string }): string {
  return call.arguments_text ?? jsonText(call.input ?? {});
}

/** `JSON.rawJSON` is in every engine we run on, and not yet in the types of the language. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): object };

/** JSON text with the keys in their order, and integers beyond 2^53 exactly. */
export function jsonText(value: Json): string {
  return JSON.stringify(value, (_key, item: Json) => (typeof item === "bigint" ? rawJSON(String(item))
    : item));
}

export interface Tokens {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
}

export function tokensOf(reply: MockReply, ask: MockAsk): Tokens {
  const said = (reply.text ?? "") + (reply.thinking ?? "") + (reply.tool_calls ?? []).map(inputText).join("");
  const usage = reply.usage ?? {};
  return {
    input: usage.input_tokens ?? Math.ceil(ask.text.length / 4),
    output: usage.output_tokens ?? Math.max(1, Math.ceil(said.length / 4)),
    cacheRead: usage.cache_read_tokens ?? 0, cacheWrite: usage.cache_write_tokens ?? 0,
  };
}
