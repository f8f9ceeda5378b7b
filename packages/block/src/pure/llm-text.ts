/** What a script does with the answer of a model: `llm.extract_json`, `llm.strip_fences`. */
import { JsonText, type Value } from "../bridges/op.ts";
import { blockError } from "../errors.ts";
import { readLenient, skipSpace, type JsonPart } from "./lenient-json.ts";
import type { PureFns } from "./pure-fn.ts";
import { toPlainText, toUnits } from "./text.ts";

const FENCE = "```";
/** The word behind an opening fence, on its line. */
const LANGUAGE = /[ \t]*[A-Za-z][\w.+#-]*(?=\s)/y;
/** The line that opens a block: marks, then perhaps a language. */
const OPENING = /^[ \t]*(`{3,})[^`\n]*\n/m;
const ONE_LINE = /^\s*```([^`\n]*)```\s*$/;

export const llmTextFns: PureFns = {
  extract_json: { args: ["text:string"], call: ([text]) => new JsonText(extractJson(toPlainText(text))) },
  strip_fences: { args: ["text:string"], call: stripFences },
};

/**
 * Strict JSON text of the first fence that holds nothing but a JSON value, else of the first object or
 * array whose brackets balance. Throws `json.decode` when there is none.
 */
export function extractJson(text: string): string {
  const json = findFenced(text) ?? findBalanced(text);
  if (json === undefined) throw blockError("json.decode", "no JSON found in the text");
  return json;
}

function findFenced(text: string): string | undefined {
  let open = text.indexOf(FENCE);
  while (open >= 0) {
    LANGUAGE.lastIndex = open + FENCE.length;
    const start = skipSpace(text, open + FENCE.length + (LANGUAGE.exec(text)?.[0].length ?? 0));
    const part = readLenient(text, start);
    if (part !== undefined && isFenceEnd(text, part)) return part.json;
    const close = text.indexOf(FENCE, open + FENCE.length);
    open = close < 0 ? -1 : text.indexOf(FENCE, close + FENCE.length);
  }
  return undefined;
}

/** A fence that nobody closed ends with the text: the answer was cut there. */
function isFenceEnd(text: string, part: JsonPart): boolean {
  const end = skipSpace(text, part.end);
  return end === text.length || text.startsWith(FENCE, end);
}

function findBalanced(text: string): string | undefined {
  let ends: ReadonlyMap<number, number> | undefined;
  for (let at = nextOpening(text, 0); at >= 0;) {
    const part = readLenient(text, at);
    if (part !== undefined) return part.json;
    // What balances and is no JSON is left as a whole: a part of a broken value is not the value asked for.
    ends ??= balancedEnds(text);
    at = nextOpening(text, (ends.get(at) ?? at) + 1);
  }
  return undefined;
}

function nextOpening(text: string, from: number): number {
  const object = text.indexOf("{", from);
  const array = text.indexOf("[", from);
  return object < 0 ? array : array < 0 ? object : Math.min(object, array);
}

/** Where each bracket that has a partner is closed. Quotes are not looked at: in prose they mean nothing. */
function balancedEnds(text: string): ReadonlyMap<number, number> {
  const ends = new Map<number, number>();
  const open: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === "{" || char === "[") open.push(at);
    if (char !== "}" && char !== "]") continue;
    const start = open.at(-1);
    if (start === undefined || (text[start] === "{") !== (char === "}")) continue;
    open.pop();
    ends.set(start, at);
  }
  return ends;
}

function stripFences([text]: readonly Value[]): Value {
  const { texts: [all = ""], back } = toUnits([text]);
  return back(insideFence(all));
}

/**
 * The inside of the first fenced block, without the line break before its closing fence; an answer that was
 * cut may lack that fence. A text without a fence stays as it is.
 */
export function insideFence(text: string): string {
  const open = OPENING.exec(text);
  if (open === null) return ONE_LINE.exec(text)?.[1] ?? text;
  const marks = open[1]?.length ?? FENCE.length;
  const start = open.index + open[0].length;
  const lines = text.slice(start).split("\n");
  const close = lines.findIndex((line) => isClosing(line, marks));
  return close < 0 ? lines.join("\n") : lines.slice(0, close).join("\n").replace(/\r$/, "");
}

/** A line of nothing but at least as many marks as the opening has. */
function isClosing(line: string, marks: number): boolean {
  const found = line.trim();
  return found.length >= marks && found === "`".repeat(found.length);
}
