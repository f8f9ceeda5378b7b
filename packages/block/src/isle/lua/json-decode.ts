/**
 * JSON text straight onto the Lua stack: strings are taken from the VM's memory without a detour through
 * JavaScript, so integers, floats and bytes stay exact. RFC 8259; nesting up to 128.
 */
import { INT64_MAX, INT64_MIN, JSON_DEPTH_MAX } from "@atoll-run/core";
import { plainEnd } from "./json-plain.ts";
import type { LuaState } from "./state.ts";

export interface DecodeRules {
  /** J: null is the sentinel. S: null is nil. */
  readonly null: "sentinel" | "nil";
  /** Marks the table on top of the stack as an array: an empty one, or one whose nulls became holes. */
  markArray(L: number): void;
}

/** A text that is not JSON; `at` is a byte offset. */
export class JsonProblem extends Error {
  readonly at: number;
  readonly deep: boolean;
  constructor(text: string, at: number, deep = false) {
    super(text);
    this.at = at;
    this.deep = deep;
  }
}

/**
 * Pushes the value of the `size` bytes of UTF-8 at `p`, which must stay where they are. On a problem the
 * stack is left dirty: the caller is a host function that raises.
 */
export function decodeJson(
  state: LuaState, L: number, rules: DecodeRules, text: { p: number; size: number },
): void {
  new Decoder(state, L, rules, text).decode();
}

/** More digits than any integer of 64 bits has. */
const INT64_DIGITS = 19;
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** One for each text: a finalizer that Lua runs in between may decode another one. */
class Decoder {
  readonly #state: LuaState;
  readonly #rules: DecodeRules;
  readonly #L: number;
  readonly #start: number;
  readonly #end: number;
  #at: number;
  #depth = 0;
  #isNull = false;

  constructor(state: LuaState, L: number, rules: DecodeRules, text: { p: number; size: number }) {
    this.#state = state;
    this.#rules = rules;
    this.#L = L;
    this.#start = text.p;
    this.#at = text.p;
    this.#end = text.p + text.size;
  }

  decode(): void {
    this.#space();
    this.#value();
    this.#space();
    if (this.#at < this.#end) throw this.#problem("trailing characters");
  }

  /** The byte at the cursor, −1 at the end. */
  #peek(): number {
    return this.#at < this.#end ? (this.#state.memory.bytes[this.#at] as number) : -1;
  }

  #problem(text: string): JsonProblem {
    const { bytes } = this.#state.memory;
    let line = 1;
    let column = 0;
    for (let p = this.#start; p < Math.min(this.#at + 1, this.#end); p++) {
      if (bytes[p] === 10) {
        line++;
        column = 0;
      } else column++;
    }
    const what = this.#at >= this.#end ? `EOF while parsing: ${text}` : text;
    return new JsonProblem(`${what} at line ${line} column ${column}`, this.#at - this.#start);
  }

  #space(): void {
    const { bytes } = this.#state.memory;
    while (this.#at < this.#end) {
      const c = bytes[this.#at];
      if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return;
      this.#at++;
    }
  }

  #value(): void {
    this.#state.worked(1);
    this.#isNull = false;
    const c = this.#peek();
    if (c === 0x22) this.#string();
    else if (c === 0x7b) this.#object();
    else if (c === 0x5b) this.#array();
    else if (c === 0x2d || (c >= 0x30 && c <= 0x39)) this.#number();
    else if (c === 0x74) this.#word("true", () => this.#state.x.lua_pushboolean(this.#L, 1));
    else if (c === 0x66) this.#word("false", () => this.#state.x.lua_pushboolean(this.#L, 0));
    else if (c === 0x6e) {
      this.#word("null", () => {
        if (this.#rules.null === "nil") this.#state.x.lua_pushnil(this.#L);
        else this.#state.x.lua_pushlightuserdata(this.#L, 0);
        this.#isNull = true;
      });
    } else throw this.#problem("expected value");
  }

  #word(word: string, push: () => void): void {
    const { bytes } = this.#state.memory;
    for (let i = 0; i < word.length; i++) {
      if (this.#at + i >= this.#end || bytes[this.#at + i] !== word.charCodeAt(i)) {
        this.#at += i;
        throw this.#problem("expected ident");
      }
    }
    this.#at += word.length;
    push();
  }

  #number(): void {
    const { bytes } = this.#state.memory;
    const from = this.#at;
    let p = from;
    if (bytes[p] === 0x2d) p++;
    const first = p;
    const digits = (): number => {
      const begin = p;
      while (p < this.#end && (bytes[p] as number) >= 0x30 && (bytes[p] as number) <= 0x39) p++;
      return p - begin;
    };
    const count = digits();
    const bad = (): never => {
      this.#at = p;
      throw this.#problem("invalid number");
    };
    if (count === 0 || (count > 1 && bytes[first] === 0x30)) bad();
    let float = false;
    if (p < this.#end && bytes[p] === 0x2e) {
      float = true;
      p++;
      if (digits() === 0) bad();
    }
    if (p < this.#end && (bytes[p] === 0x65 || bytes[p] === 0x45)) {
      float = true;
      p++;
      if (p < this.#end && (bytes[p] === 0x2b || bytes[p] === 0x2d)) p++;
      if (digits() === 0) bad();
    }
    this.#at = p;
    if (float || count > 15) this.#wideNumber(from, p, float || count > INT64_DIGITS);
    else {
      let value = 0;
      for (let i = first; i < p; i++) value = value * 10 + (bytes[i] as number) - 0x30;
      this.#state.x.push_integer(this.#L, first === from ? value : -value);
    }
  }

  /** A float, or an integer that may be beyond 2^53; beyond int64 it becomes a float. */
  #wideNumber(from: number, to: number, float: boolean): void {
    let text = "";
    for (let i = from; i < to; i++) text += String.fromCharCode(this.#state.memory.bytes[i] as number);
    const integer = float ? undefined : BigInt(text);
    if (integer !== undefined && integer <= INT64_MAX && integer >= INT64_MIN) {
      this.#state.x.lua_pushinteger(this.#L, integer);
      return;
    }
    const value = Number(text);
    if (!Number.isFinite(value)) {
      this.#at = from;
      throw this.#problem("number out of range");
    }
    this.#state.x.lua_pushnumber(this.#L, value);
  }

  /** Without an escape the bytes are taken as they stand. */
  #string(): void {
    const { bytes } = this.#state.memory;
    const from = ++this.#at;
    const end = this.#end;
    const p = plainEnd(bytes, from, end);
    const c = p < end ? bytes[p] : undefined;
    this.#at = p;
    if (c === 0x22) {
      this.#at++;
      this.#state.worked((p - from) >> 6);
      this.#state.x.lua_pushlstring(this.#L, from, p - from);
      return;
    }
    if (c === undefined) throw this.#problem("a string");
    if (c !== 0x5c) throw this.#problem("control character (\\u0000-\\u001F) found while parsing a string");
    this.#escaped(from, p);
  }

  #escaped(from: number, firstEscape: number): void {
    const { bytes } = this.#state.memory;
    let p = firstEscape;
    while (p < this.#end && bytes[p] !== 0x22) p += bytes[p] === 0x5c ? 2 : 1;
    if (p >= this.#end) {
      this.#at = this.#end;
      throw this.#problem("a string");
    }
    this.#state.worked((p - from) >> 4);
    const raw = bytes.subarray(from - 1, p + 1);
    this.#at = p + 1;
    let text: string;
    try {
      text = JSON.parse(strict.decode(raw)) as string;
    } catch {
      this.#at = firstEscape;
      throw this.#problem("invalid escape");
    }
    if (!text.isWellFormed()) {
      this.#at = firstEscape;
      throw this.#problem("lone surrogate in hex escape");
    }
    this.#state.pushText(this.#L, text);
  }

  #enter(): void {
    if (++this.#depth > JSON_DEPTH_MAX) {
      throw new JsonProblem(`JSON nesting too deep (limit: ${JSON_DEPTH_MAX})`, this.#at - this.#start, true);
    }
    this.#state.room(this.#L, 6);
    this.#at++;
    this.#space();
    this.#state.x.lua_createtable(this.#L, 0, 0);
  }

  #array(): void {
    this.#enter();
    let marked = this.#peek() === 0x5d;
    if (marked) this.#at++;
    for (let i = 1n, more = !marked; more; i++) {
      this.#value();
      if (this.#isNull && this.#rules.null === "nil") marked = true;
      this.#state.x.lua_rawseti(this.#L, -2, i);
      more = this.#another(0x5d, "expected `,` or `]`");
    }
    if (marked) this.#rules.markArray(this.#L);
    this.#isNull = false;
    this.#depth--;
  }

  #object(): void {
    this.#enter();
    let more = this.#peek() !== 0x7d;
    if (!more) this.#at++;
    while (more) {
      if (this.#peek() !== 0x22) throw this.#problem("key must be a string");
      this.#string();
      this.#space();
      if (this.#peek() !== 0x3a) throw this.#problem("expected `:`");
      this.#at++;
      this.#space();
      this.#value();
      this.#state.x.lua_rawset(this.#L, -3);
      more = this.#another(0x7d, "expected `,` or `}`");
    }
    this.#isNull = false;
    this.#depth--;
  }

  /** After an element: does another one follow, or is this the end? */
  #another(end: number, problem: string): boolean {
    this.#space();
    const c = this.#peek();
    if (c !== 0x2c && c !== end) throw this.#problem(problem);
    this.#at++;
    if (c === end) return false;
    this.#space();
    if (this.#peek() === end) throw this.#problem("trailing comma");
    return true;
  }
}
