/**
 * JSON as models write it. Takes a text and a place in it; gives strict JSON text of the value there and
 * where it ends; promises to keep every number literal as it is written; refuses what the repairs do not
 * cover, and nesting beyond 128; never evaluates.
 *
 * Repairs: a comma behind the last item, single quotes, bare keys, and raw line breaks and tabs in strings.
 */
import { blockError } from "../errors.ts";

/** Levels of nesting, as in every JSON of scripts (spec: block 5.1). */
const DEPTH_MAX = 128;

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\p{L}\p{N}_$.])/uy;
const WORD = /(?:true|false|null)(?![\p{L}\p{N}_$])/uy;
const BARE_KEY = /[\p{L}\p{N}_$][\p{L}\p{N}_$-]*/uy;
const SPACE = /\s*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const PLAIN = /[^"'\\\u0000-\u001f]+/y;

export interface JsonPart {
  /** Strict JSON. */
  readonly json: string;
  /** Where the value ends in the text it was read from. */
  readonly end: number;
}

/** The value that starts exactly at `start`, or undefined. Throws `json.depth`. */
export function readLenient(text: string, start: number): JsonPart | undefined {
  return readValue(text, start, 1);
}

/** Where the blanks at `at` end. */
export function skipSpace(text: string, at: number): number {
  return at + (match(SPACE, text, at)?.length ?? 0);
}

function readValue(text: string, at: number, depth: number): JsonPart | undefined {
  const char = text[at];
  if (char === "{" || char === "[") return readItems(text, at, depth);
  if (char === '"' || char === "'") return readString(text, at);
  const literal = match(NUMBER, text, at) ?? match(WORD, text, at);
  return literal === undefined ? undefined : { json: literal, end: at + literal.length };
}

/** An object or an array, by its opening. */
function readItems(text: string, start: number, depth: number): JsonPart | undefined {
  if (depth > DEPTH_MAX) throw blockError("json.depth", `JSON nesting too deep (limit: ${DEPTH_MAX})`);
  const isObject = text[start] === "{";
  const close = isObject ? "}" : "]";
  const items: string[] = [];
  let at = skipSpace(text, start + 1);
  while (text[at] !== close) {
    const item = isObject ? readMember(text, at, depth) : readValue(text, at, depth + 1);
    if (item === undefined) return undefined;
    items.push(item.json);
    at = skipSpace(text, item.end);
    if (text[at] === ",") at = skipSpace(text, at + 1);
    else if (text[at] !== close) return undefined;
  }
  return { json: `${isObject ? "{" : "["}${items.join(",")}${close}`, end: at + 1 };
}

function readMember(text: string, start: number, depth: number): JsonPart | undefined {
  const bare = match(BARE_KEY, text, start);
  const key = bare === undefined ? readString(text, start) : { json: `"${bare}"`, end: start + bare.length };
  if (key === undefined) return undefined;
  const colon = skipSpace(text, key.end);
  if (text[colon] !== ":") return undefined;
  const value = readValue(text, skipSpace(text, colon + 1), depth + 1);
  return value === undefined ? undefined : { json: `${key.json}:${value.json}`, end: value.end };
}

function readString(text: string, start: number): JsonPart | undefined {
  const quote = text[start];
  if (quote !== '"' && quote !== "'") return undefined;
  const parts: string[] = [];
  let at = start + 1;
  while (at < text.length) {
    const char = text[at] ?? "";
    if (char === quote) return { json: `"${parts.join("")}"`, end: at + 1 };
    const piece = match(PLAIN, text, at) ?? match(ESCAPE, text, at);
    if (piece !== undefined) {
      parts.push(piece);
      at += piece.length;
    } else if (char === "\\") {
      if (text[at + 1] !== "'") return undefined;
      parts.push("'");
      at += 2;
    } else {
      parts.push(char === "'" ? char : JSON.stringify(char).slice(1, -1));
      at += 1;
    }
  }
  return undefined;
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}
