/**
 * JSON text straight onto the Lua stack: strings are taken from the VM's memory without a detour through JavaScript, so
 * integers, floats and bytes stay exact. RFC 8259; nesting up to 128.
 */
import type { LuaState } from "./state.ts";

export const JSON_DEPTH_MAX = 128;
const INT64_MAX = 9_223_372_036_854_775_807n;
const INT64_MIN = -9_223_372_036_854_775_808n;

export interface DecodeRules {
  /** J: null is the sentinel. S: null is nil. */
  readonly null: "sentinel" | "nil";
  /** Called with an empty array on the stack: marks it, so that it stays an array. */
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

export class JsonDecoder {
  readonly #state: LuaState;
  readonly #rules: DecodeRules;
  #L = 0;
  #at = 0;
  #end = 0;
  #start = 0;
  #depth = 0;

  constructor(state: LuaState, rules: DecodeRules) {
    this.#state = state;
    this.#rules = rules;
  }

  /** Pushes the value of the text at `p`. On a problem the stack is left dirty: the caller resets it. */
  decode(L: number, p: number, size: number): void {
    this.#L = L;
    this.#start = p;
    this.#at = p;
    this.#end = p + size;
    this.#depth = 0;
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
    if (!float && count <= 15) {
      let value = 0;
      for (let i = first; i < p; i++) value = value * 10 + (bytes[i] as number) - 0x30;
      this.#state.x.push_integer(this.#L, first === from ? value : -value);
      return;
    }
    let text = "";
    for (let i = from; i < p; i++) text += String.fromCharCode(bytes[i] as number);
    const integer = float ? undefined : BigInt(text);
    if (integer === undefined || integer > INT64_MAX || integer < INT64_MIN) this.#state.x.lua_pushnumber(this.#L, Number(text));
    else this.#state.x.lua_pushinteger(this.#L, integer);
  }

  /** Without an escape the bytes are taken as they stand. */
  #string(): void {
    const { bytes } = this.#state.memory;
    const from = ++this.#at;
    for (let p = from; p < this.#end; p++) {
      const c = bytes[p] as number;
      if (c === 0x22) {
        this.#at = p + 1;
        this.#state.x.lua_pushlstring(this.#L, from, p - from);
        return;
      }
      if (c === 0x5c) {
        this.#escaped(from, p);
        return;
      }
      if (c < 0x20) {
        this.#at = p;
        throw this.#problem("control character (\\u0000-\\u001F) found while parsing a string");
      }
    }
    this.#at = this.#end;
    throw this.#problem("a string");
  }

  #escaped(from: number, firstEscape: number): void {
    const { bytes } = this.#state.memory;
    let p = firstEscape;
    while (p < this.#end && bytes[p] !== 0x22) p += bytes[p] === 0x5c ? 2 : 1;
    if (p >= this.#end) {
      this.#at = this.#end;
      throw this.#problem("a string");
    }
    const raw = bytes.slice(from - 1, p + 1);
    this.#at = p + 1;
    let text: string;
    try {
      text = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw)) as string;
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
    if (++this.#depth > JSON_DEPTH_MAX) throw new JsonProblem(`JSON nesting too deep (limit: ${JSON_DEPTH_MAX})`, this.#at - this.#start, true);
    this.#state.x.lua_checkstack(this.#L, 6);
    this.#at++;
    this.#space();
  }

  #array(): void {
    this.#enter();
    const { x } = this.#state;
    x.lua_createtable(this.#L, 0, 0);
    if (this.#peek() === 0x5d) {
      this.#at++;
      this.#rules.markArray(this.#L);
      this.#depth--;
      return;
    }
    for (let i = 1n; ; i++) {
      this.#value();
      x.lua_rawseti(this.#L, -2, i);
      this.#space();
      const c = this.#peek();
      if (c !== 0x2c && c !== 0x5d) throw this.#problem("expected `,` or `]`");
      this.#at++;
      if (c === 0x5d) break;
      this.#space();
      if (this.#peek() === 0x5d) throw this.#problem("trailing comma");
    }
    this.#depth--;
  }

  #object(): void {
    this.#enter();
    const { x } = this.#state;
    x.lua_createtable(this.#L, 0, 0);
    if (this.#peek() === 0x7d) {
      this.#at++;
      this.#depth--;
      return;
    }
    for (;;) {
      if (this.#peek() !== 0x22) throw this.#problem("key must be a string");
      this.#string();
      this.#space();
      const colon = this.#peek();
      if (colon !== 0x3a) throw this.#problem("expected `:`");
      this.#at++;
      this.#space();
      this.#value();
      x.lua_rawset(this.#L, -3);
      this.#space();
      const c = this.#peek();
      if (c !== 0x2c && c !== 0x7d) throw this.#problem("expected `,` or `}`");
      this.#at++;
      if (c === 0x7d) break;
      this.#space();
      if (this.#peek() === 0x7d) throw this.#problem("trailing comma");
    }
    this.#depth--;
  }
}
