/** JSON text to values, strictly by RFC 8259, keeping 64-bit integers. */
import { INT64_MAX, INT64_MIN, JSON_DEPTH_MAX, type Json, LuaFloat } from "./json.ts";
import { scanJson, stringEnd } from "./json-scan.ts";
import { assert } from "./must.ts";

export interface ParseOptions {
  /** Levels of arrays and objects; default 128, at most 1,000. */
  readonly depthMax?: number;
  /** Integers beyond ±(2^53−1) become bigint (default); false: the nearest number. */
  readonly bigint?: boolean;
  /** Whole numbers written with a point or an exponent become `LuaFloat`, so that they stay floats when written again. */
  readonly floats?: boolean;
}

/** What is wrong with a JSON text and where: `at` counts UTF-16 units from 0. */
export interface JsonProblem {
  readonly ok: false;
  readonly kind: "syntax" | "depth" | "range";
  readonly problem: string;
  readonly at: number;
}

export type ParsedJson = { readonly ok: true; readonly value: Json } | JsonProblem;

/**
 * Reads a JSON text. Integers within int64 that a number cannot hold become bigint, larger ones the nearest
 * float. A number says nothing of how it was written: `7` and `7.0` both give 7; who must tell them apart
 * keeps the text, or asks for `floats`. Duplicate keys: the last wins. Numbers beyond the range of a double are refused.
 */
export function parseJson(text: string, o: ParseOptions = {}): ParsedJson {
  const { depthMax = JSON_DEPTH_MAX, bigint = true, floats = false } = o;
  assert(depthMax >= 0 && depthMax <= 1_000, `no JSON depth limit: ${depthMax}`);
  if (scanJson(text, { depthMax, bigint, floats }) === "plain") {
    try {
      return { ok: true, value: JSON.parse(text) as Json };
    } catch {
      // The reader below finds the place and says what is wrong, in words that do not change with the engine.
    }
  }
  try {
    return { ok: true, value: new Reader(text, { depthMax, bigint, floats }).whole() };
  } catch (error) {
    if (error instanceof Stop) return { ok: false, kind: error.kind, problem: error.message, at: error.at };
    throw error;
  }
}

class Stop extends Error {
  readonly kind: JsonProblem["kind"];
  readonly at: number;

  constructor(kind: JsonProblem["kind"], problem: string, at: number) {
    super(problem);
    this.kind = kind;
    this.at = at;
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const WORDS: Readonly<Record<string, readonly [string, Json]>> = {
  t: ["true", true], f: ["false", false], n: ["null", null],
};

class Reader {
  readonly #text: string;
  readonly #o: Required<ParseOptions>;
  #at = 0;
  #depth = 0;

  constructor(text: string, o: Required<ParseOptions>) {
    this.#text = text;
    this.#o = o;
  }

  whole(): Json {
    this.#space();
    const value = this.#value();
    this.#space();
    if (this.#at < this.#text.length) throw this.#unexpected("the end");
    return value;
  }

  #value(): Json {
    const c = this.#text[this.#at];
    if (c === '"') return this.#string();
    if (c === "{") return this.#object();
    if (c === "[") return this.#array();
    const word = c === undefined ? undefined : WORDS[c];
    if (word === undefined) return this.#number();
    if (!this.#text.startsWith(word[0], this.#at)) throw this.#unexpected("a value");
    this.#at += word[0].length;
    return word[1];
  }

  #object(): Json {
    const object: Record<string, Json> = {};
    this.#open();
    while (!this.#done("}")) {
      if (this.#text[this.#at] !== '"') throw this.#unexpected("a key in double quotes");
      const key = this.#string();
      this.#space();
      this.#eat(":");
      const value = this.#value();
      // Assignment to this one key would set the prototype.
      if (key === "__proto__") {
        Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
      } else object[key] = value;
      this.#comma("}");
    }
    return object;
  }

  #array(): Json {
    const array: Json[] = [];
    this.#open();
    while (!this.#done("]")) {
      array.push(this.#value());
      this.#comma("]");
    }
    return array;
  }

  #string(): string {
    const start = this.#at;
    const end = stringEnd(this.#text, start);
    if (end < 0) throw new Stop("syntax", "a string without an end", start);
    this.#at = end + 1;
    const inner = this.#text.slice(start + 1, end);
    if (!/[\\\u0000-\u001f]/.test(inner)) return inner;
    try {
      return JSON.parse(`"${inner}"`) as string;
    } catch {
      const bad = /[\u0000-\u001f]|\\(?!["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(inner.replace(/\\\\/g, "__"));
      const what = bad?.[0] === "\\" ? "an unknown escape in a string" : "a control character in a string";
      throw new Stop("syntax", what, start + 1 + (bad?.index ?? 0));
    }
  }

  #number(): Json {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) throw this.#unexpected("a value");
    const [digits, fraction, exponent] = match;
    const value = Number(digits);
    if (!Number.isFinite(value)) throw new Stop("range", "a number beyond the range of a double", this.#at);
    this.#at += digits.length;
    const whole = fraction === undefined && exponent === undefined;
    // what JSON is says no type of it; whoever writes it again does
    if (!whole && this.#o.floats && Number.isInteger(value)) return new LuaFloat(value) as unknown as Json;
    if (!whole || !this.#o.bigint || Number.isSafeInteger(value)) return value;
    const exact = BigInt(digits);
    return exact >= INT64_MIN && exact <= INT64_MAX ? exact : value;
  }

  #open(): void {
    if (++this.#depth > this.#o.depthMax) {
      throw new Stop("depth", `JSON nesting too deep (limit: ${this.#o.depthMax})`, this.#at);
    }
    this.#at++;
    this.#space();
  }

  /** Has the array or object ended here? */
  #done(close: string): boolean {
    if (this.#text[this.#at] !== close) return false;
    this.#at++;
    this.#depth--;
    return true;
  }

  /** After an element: a comma with something behind it, or the end to come. */
  #comma(close: string): void {
    this.#space();
    if (this.#text[this.#at] === close) return;
    this.#eat(",");
    if (this.#text[this.#at] === close) throw this.#unexpected("a value after the comma");
  }

  #eat(c: string): void {
    if (this.#text[this.#at] !== c) throw this.#unexpected(`'${c}'`);
    this.#at++;
    this.#space();
  }

  #space(): void {
    let c = this.#text.charCodeAt(this.#at);
    while (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) c = this.#text.charCodeAt(++this.#at);
  }

  #unexpected(wanted: string): Stop {
    const c = this.#text.codePointAt(this.#at);
    const found = c === undefined ? "the text ends" : `found ${JSON.stringify(String.fromCodePoint(c))}`;
    return new Stop("syntax", `expected ${wanted}, ${found}`, this.#at);
  }
}
