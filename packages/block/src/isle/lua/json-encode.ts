/**
 * Lua values to JSON text: compact or indented, keys sorted by bytes at every level, integers and floats kept apart
 * (42 and 42.0). Raw access only: metatables are not asked.
 */
import { TYPE, typeName } from "./exports.ts";
import { JSON_DEPTH_MAX } from "./json-decode.ts";
import type { LuaState } from "./state.ts";

export interface EncodeRules {
  /** S writes a table with an array part and other keys as an object; J refuses it. */
  readonly mixed: "object" | "refuse";
  /** Says the type of a value that has no JSON form. */
  readonly nameType: boolean;
  readonly indent: boolean;
  /** Is the table at this index marked as an array? */
  isArray(L: number, index: number): boolean;
}

export class EncodeProblem extends Error {
  readonly deep: boolean;
  constructor(text: string, deep = false) {
    super(text);
    this.deep = deep;
  }
}

const encoder = new TextEncoder();
const ESCAPED: readonly (Uint8Array | undefined)[] = Array.from({ length: 128 }, (_, c) =>
  c < 32 || c === 34 || c === 92 ? encoder.encode(JSON.stringify(String.fromCharCode(c)).slice(1, -1)) : undefined);
const NULL = encoder.encode("null");
const TRUE = encoder.encode("true");
const FALSE = encoder.encode("false");

/** A float as JSON, told apart from an integer by its point or exponent. */
export function floatText(value: number): string {
  const text = String(value).replace("e+", "e");
  return /[.e]/.test(text) ? text : `${text}.0`;
}

export class JsonEncoder {
  readonly #state: LuaState;
  readonly #rules: EncodeRules;
  #L = 0;
  #out = new Uint8Array(1024);
  #length = 0;

  constructor(state: LuaState, rules: EncodeRules) {
    this.#state = state;
    this.#rules = rules;
  }

  /** JSON of the value at a stack index, as UTF-8 (valid only where the strings were). The view is good until the next call. */
  encode(L: number, index: number): Uint8Array {
    this.#L = L;
    this.#length = 0;
    this.#value(this.#state.x.lua_absindex(L, index), 0);
    return this.#out.subarray(0, this.#length);
  }

  #room(more: number): void {
    if (this.#length + more <= this.#out.length) return;
    const wider = new Uint8Array(Math.max(this.#out.length * 2, this.#length + more));
    wider.set(this.#out.subarray(0, this.#length));
    this.#out = wider;
  }

  #put(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#out.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #byte(c: number): void {
    this.#room(1);
    this.#out[this.#length++] = c;
  }

  #ascii(text: string): void {
    this.#room(text.length);
    for (let i = 0; i < text.length; i++) this.#out[this.#length++] = text.charCodeAt(i);
  }

  #line(depth: number): void {
    if (!this.#rules.indent) return;
    this.#byte(10);
    for (let i = 0; i < depth; i++) this.#ascii("  ");
  }

  #value(index: number, depth: number): void {
    const { x } = this.#state;
    const type = x.lua_type(this.#L, index);
    switch (type) {
      case TYPE.nil: this.#put(NULL); return;
      case TYPE.boolean: this.#put(x.lua_toboolean(this.#L, index) !== 0 ? TRUE : FALSE); return;
      case TYPE.number: this.#number(index); return;
      case TYPE.string: this.#string(index); return;
      case TYPE.lightuserdata:
        if (x.lua_touserdata(this.#L, index) !== 0) this.#unsupported(type);
        this.#put(NULL);
        return;
      case TYPE.table: this.#table(index, depth); return;
      default: this.#unsupported(type);
    }
  }

  #unsupported(type: number): never {
    throw new EncodeProblem(`unsupported type for JSON conversion${this.#rules.nameType ? `: ${typeName(type)}` : ""}`);
  }

  #number(index: number): void {
    const { x } = this.#state;
    const value = x.lua_tonumberx(this.#L, index, 0);
    if (x.lua_isinteger(this.#L, index) !== 0) {
      this.#ascii(Number.isSafeInteger(value) ? String(value) : String(x.lua_tointegerx(this.#L, index, 0)));
      return;
    }
    if (!Number.isFinite(value)) {
      const shown = Number.isNaN(value) ? "NaN" : value > 0 ? "inf" : "-inf";
      throw new EncodeProblem(`cannot convert ${shown} to JSON number`);
    }
    this.#ascii(floatText(value));
  }

  #string(index: number): void {
    const { x, memory, scratch } = this.#state;
    const p = x.lua_tolstring(this.#L, index, scratch);
    const size = memory.words[scratch >> 2] as number;
    const { bytes } = memory;
    this.#room(size + 2);
    this.#out[this.#length++] = 34;
    for (let i = p; i < p + size; i++) {
      const c = bytes[i] as number;
      const escaped = c < 128 ? ESCAPED[c] : undefined;
      if (escaped === undefined) this.#out[this.#length++] = c;
      else {
        this.#room(p + size - i + 8);
        this.#out.set(escaped, this.#length);
        this.#length += escaped.length;
      }
    }
    this.#byte(34);
  }

  #table(index: number, depth: number): void {
    const { x } = this.#state;
    if (depth >= JSON_DEPTH_MAX || x.lua_checkstack(this.#L, 6) === 0) {
      throw new EncodeProblem(`Lua table nesting too deep for JSON (limit: ${JSON_DEPTH_MAX})`, true);
    }
    const length = x.lua_rawlen(this.#L, index);
    if (length === 0 && this.#empty(index)) {
      this.#ascii(this.#rules.isArray(this.#L, index) ? "[]" : "{}");
      return;
    }
    const stray = length > 0 ? this.#strayKey(index, length) : undefined;
    if (length > 0 && stray === undefined) {
      this.#array(index, length, depth);
      return;
    }
    if (stray !== undefined && this.#rules.mixed === "refuse") {
      throw new EncodeProblem(`mixed table: array part and key '${stray}'`);
    }
    this.#object(index, depth);
  }

  #empty(index: number): boolean {
    const { x } = this.#state;
    x.lua_pushnil(this.#L);
    if (x.lua_next(this.#L, index) === 0) return true;
    this.#state.pop(this.#L, 2);
    return false;
  }

  /** First key that is no index of the array part; a field `n` that equals its length does not count. */
  #strayKey(index: number, length: number): string | undefined {
    const { x } = this.#state;
    x.lua_pushnil(this.#L);
    while (x.lua_next(this.#L, index) !== 0) {
      const type = x.lua_type(this.#L, -2);
      let stray: string | undefined;
      if (type === TYPE.number) {
        const key = this.#state.number(this.#L, -2);
        if (x.lua_isinteger(this.#L, -2) === 0 || key < 1 || key > length) stray = String(key);
      } else if (type === TYPE.string) {
        const key = this.#state.lossyText(this.#L, -2);
        const countsItself = key === "n" && x.lua_isinteger(this.#L, -1) !== 0 && this.#state.number(this.#L, -1) === length;
        if (!countsItself) stray = key;
      } else stray = typeName(type);
      this.#state.pop(this.#L);
      if (stray !== undefined) {
        this.#state.pop(this.#L);
        return stray;
      }
    }
    return undefined;
  }

  #array(index: number, length: number, depth: number): void {
    this.#byte(0x5b);
    for (let i = 1; i <= length; i++) {
      if (i > 1) this.#byte(0x2c);
      this.#line(depth + 1);
      this.#state.x.lua_rawgeti(this.#L, index, BigInt(i));
      this.#value(this.#state.x.lua_gettop(this.#L), depth + 1);
      this.#state.pop(this.#L);
    }
    this.#line(depth);
    this.#byte(0x5d);
  }

  /** Members are written in the table's order, then put in the order of their keys. */
  #object(index: number, depth: number): void {
    const { x } = this.#state;
    this.#byte(0x7b);
    const begin = this.#length;
    const members: { key: string; from: number; to: number }[] = [];
    x.lua_pushnil(this.#L);
    while (x.lua_next(this.#L, index) !== 0) {
      const top = x.lua_gettop(this.#L);
      const from = this.#length;
      this.#line(depth + 1);
      const key = this.#key(top - 1);
      this.#ascii(this.#rules.indent ? ": " : ":");
      this.#value(top, depth + 1);
      members.push({ key, from, to: this.#length });
      this.#state.pop(this.#L);
    }
    const written = this.#out.slice(begin, this.#length);
    members.sort((a, b) => compareBytes(a.key, b.key));
    this.#length = begin;
    members.forEach(({ from, to }, i) => {
      if (i > 0) this.#byte(0x2c);
      this.#put(written.subarray(from - begin, to - begin));
    });
    if (members.length > 0) this.#line(depth);
    this.#byte(0x7d);
  }

  #key(index: number): string {
    const type = this.#state.x.lua_type(this.#L, index);
    if (type === TYPE.string) {
      this.#string(index);
      return this.#state.lossyText(this.#L, index);
    }
    if (type !== TYPE.number) throw new EncodeProblem(`unsupported table key type for JSON: ${typeName(type)}`);
    const value = this.#state.number(this.#L, index);
    const key = this.#state.x.lua_isinteger(this.#L, index) !== 0 ? String(value) : floatText(value as number);
    this.#ascii(`"${key}"`);
    return key;
  }
}

/** Order of the UTF-8 bytes: that of code points. UTF-16 differs only where surrogates meet U+E000 and above. */
function compareBytes(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const surrogate = (c: number): boolean => c >= 0xd800 && c <= 0xdfff;
    if (surrogate(x) !== surrogate(y)) return surrogate(x) ? 1 : -1;
    return x - y;
  }
  return a.length - b.length;
}
