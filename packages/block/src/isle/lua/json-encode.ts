/**
 * Lua values to JSON text: compact or indented, keys sorted by bytes at every level, integers and floats kept
 * apart (42 and 42.0). Raw access only: metatables are not asked.
 */
import { floatText, JSON_DEPTH_MAX } from "@atoll-run/core";
import { TYPE, typeName } from "./exports.ts";
import { plainEnd } from "./json-plain.ts";
import type { LuaState } from "./state.ts";
import { OutOfMemory } from "./vm-errors.ts";

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
  c < 32 || c === 34 || c === 92 ? encoder.encode(JSON.stringify(String.fromCharCode(c)).slice(1, -1))
    : undefined);
const NULL = encoder.encode("null");
const TRUE = encoder.encode("true");
const FALSE = encoder.encode("false");
/** Longer lists of members are sorted by the engine. */
const INSERTED_MAX = 16;
/** A buffer that grew beyond this is let go after use. */
const KEPT_BYTES = 1 << 20;
/** An isle that writes no JSON has no room for it; else these are the least for the text, and for keys and for sorting. */
const NOTHING = new Uint8Array(0);
const OUT_BYTES_MIN = 1024;
const SIDE_BYTES_MIN = 256;

/**
 * A member of an object as it was written: where its key stands in `#keys`, and where it stands in `#out`.
 */
interface Member {
  readonly key: number;
  readonly keyEnd: number;
  readonly from: number;
  readonly to: number;
}

export class JsonEncoder {
  readonly #state: LuaState;
  readonly #rules: EncodeRules;
  #L = 0;
  #out = NOTHING;
  #length = 0;
  #lengthMax = 0;
  /** Keys of the objects that are being written, one after the other, without escapes. */
  #keys = NOTHING;
  #keysLength = 0;
  #spare = NOTHING;

  constructor(state: LuaState, rules: EncodeRules) {
    this.#state = state;
    this.#rules = rules;
  }

  /**
   * Gives the JSON of the value at a stack index to `use`: UTF-8 where the strings were, good only until it
   * returns or enters Lua code. Throws EncodeProblem, or OutOfMemory when the text would not fit the isle's
   * cap.
   */
  encode<T>(L: number, index: number, use: (text: Uint8Array) => T): T {
    this.#L = L;
    this.#length = 0;
    this.#keysLength = 0;
    this.#lengthMax = this.#state.bytesLeft;
    try {
      this.#value(this.#state.x.lua_absindex(L, index), 0);
      return use(this.#out.subarray(0, this.#length));
    } finally {
      if (this.#out.length > KEPT_BYTES) this.#out = NOTHING;
      if (this.#keys.length > KEPT_BYTES) this.#keys = NOTHING;
      if (this.#spare.length > KEPT_BYTES) this.#spare = NOTHING;
    }
  }

  #room(more: number): void {
    const need = this.#length + more;
    if (need <= this.#out.length) return;
    if (need > this.#lengthMax) throw new OutOfMemory();
    const wider = new Uint8Array(Math.max(OUT_BYTES_MIN, this.#out.length * 2, need));
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
    this.#state.worked(1);
    const type = x.lua_type(this.#L, index);
    switch (type) {
      case TYPE.none:
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
    throw new EncodeProblem(
      `unsupported type for JSON conversion${this.#rules.nameType ? `: ${typeName(type)}` : ""}`);
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
    this.#state.worked(size >> 6);
    this.#room(size + 2);
    this.#out[this.#length++] = 34;
    const end = p + size;
    for (let from = p; from < end;) {
      const to = plainEnd(bytes, from, end);
      copy(bytes, from, this.#out, { at: this.#length, size: to - from });
      this.#length += to - from;
      from = to + 1;
      if (to === end) break;
      const escaped = ESCAPED[bytes[to] as number] as Uint8Array;
      this.#room(end - to + 8);
      this.#out.set(escaped, this.#length);
      this.#length += escaped.length;
    }
    this.#byte(34);
  }

  #table(index: number, depth: number): void {
    const { x } = this.#state;
    if (depth >= JSON_DEPTH_MAX || x.lua_checkstack(this.#L, 6) === 0) {
      throw new EncodeProblem(`Lua table nesting too deep for JSON (limit: ${JSON_DEPTH_MAX})`, true);
    }
    const marked = this.#rules.isArray(this.#L, index);
    const length = marked ? this.#greatestIndex(index) : this.#state.length(this.#L, index);
    const list = length > 0 || marked;
    const stray = list ? this.#strayKey(index, length) : undefined;
    if (list && stray === undefined) this.#array(index, length, depth);
    else if (stray !== undefined && length > 0 && this.#rules.mixed === "refuse") {
      throw new EncodeProblem(`mixed table: array part and key '${stray}'`);
    } else this.#object(index, depth);
  }

  /** An array with holes ends at its last element, whatever Lua takes for its length. */
  #greatestIndex(index: number): number {
    const { x } = this.#state;
    let greatest = 0;
    x.lua_pushnil(this.#L);
    while (x.lua_next(this.#L, index) !== 0) {
      this.#state.worked(1);
      this.#state.pop(this.#L);
      if (x.lua_isinteger(this.#L, -1) === 0) continue;
      greatest = Math.max(greatest, x.lua_tonumberx(this.#L, -1, 0));
    }
    return greatest;
  }

  /** First key that is no index of the array part; a field `n` that equals its length does not count. */
  #strayKey(index: number, length: number): string | undefined {
    const { x } = this.#state;
    x.lua_pushnil(this.#L);
    while (x.lua_next(this.#L, index) !== 0) {
      this.#state.worked(1);
      const stray = this.#strayName(length);
      this.#state.pop(this.#L);
      if (stray !== undefined) {
        this.#state.pop(this.#L);
        return stray;
      }
    }
    return undefined;
  }

  /** Key and value are on top of the stack. */
  #strayName(length: number): string | undefined {
    const { x } = this.#state;
    const type = x.lua_type(this.#L, -2);
    if (type === TYPE.number) {
      const key = this.#state.number(this.#L, -2);
      return x.lua_isinteger(this.#L, -2) === 0 || key < 1 || key > length ? String(key) : undefined;
    }
    if (type !== TYPE.string) return typeName(type);
    const key = this.#state.lossyText(this.#L, -2);
    const countsItself = key === "n" && x.lua_isinteger(this.#L, -1) !== 0
      && this.#state.number(this.#L, -1) === length;
    return countsItself ? undefined : key;
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
    if (length > 0) this.#line(depth);
    this.#byte(0x5d);
  }

  /** Members are written in the table's order, each with a comma, then put in the order of their keys. */
  #object(index: number, depth: number): void {
    const { x } = this.#state;
    this.#byte(0x7b);
    const begin = this.#length;
    const keys = this.#keysLength;
    const members: Member[] = [];
    x.lua_pushnil(this.#L);
    const top = x.lua_gettop(this.#L) + 1;
    while (x.lua_next(this.#L, index) !== 0) {
      const from = this.#length;
      const key = this.#keysLength;
      this.#line(depth + 1);
      this.#key(top - 1);
      const keyEnd = this.#keysLength;
      this.#byte(0x3a);
      if (this.#rules.indent) this.#byte(0x20);
      this.#value(top, depth + 1);
      this.#byte(0x2c);
      members.push({ key, keyEnd, from, to: this.#length });
      this.#state.pop(this.#L);
    }
    this.#sort(members, begin);
    this.#keysLength = keys;
    if (members.length > 0) {
      this.#length--;
      this.#line(depth);
    }
    this.#byte(0x7d);
  }

  /** Puts the members, which fill `#out` from `begin` on, in the order of their keys. */
  #sort(members: Member[], begin: number): void {
    if (!this.#reorder(members)) return;
    const size = this.#length - begin;
    if (size > this.#spare.length) this.#spare = new Uint8Array(Math.max(SIDE_BYTES_MIN, this.#spare.length * 2, size));
    copy(this.#out, begin, this.#spare, { at: 0, size });
    let at = begin;
    for (const { from, to } of members) {
      copy(this.#spare, from - begin, this.#out, { at, size: to - from });
      at += to - from;
    }
  }

  /**
   * Sorts the list itself; false when it was in order. Most objects have a handful of members, for which this
   * is cheapest.
   */
  #reorder(members: Member[]): boolean {
    const compare = (a: Member, b: Member): number => {
      this.#state.worked(1);
      return this.#compareKeys(a, b);
    };
    let moved = false;
    for (let i = 1; i < members.length; i++) {
      const member = members[i] as Member;
      let at = i;
      for (; at > 0 && compare(members[at - 1] as Member, member) > 0; at--) {
        members[at] = members[at - 1] as Member;
      }
      members[at] = member;
      moved ||= at < i;
      if (moved && members.length > INSERTED_MAX) {
        members.sort(compare);
        return true;
      }
    }
    return moved;
  }

  /** By bytes, a beginning before what goes on. */
  #compareKeys(a: Member, b: Member): number {
    const size = Math.min(a.keyEnd - a.key, b.keyEnd - b.key);
    for (let i = 0; i < size; i++) {
      const difference = (this.#keys[a.key + i] as number) - (this.#keys[b.key + i] as number);
      if (difference !== 0) return difference;
    }
    return a.keyEnd - a.key - (b.keyEnd - b.key);
  }

  #key(index: number): void {
    const type = this.#state.x.lua_type(this.#L, index);
    if (type === TYPE.string) {
      this.#string(index);
      this.#keepKey(index);
      return;
    }
    if (type !== TYPE.number) {
      throw new EncodeProblem(`unsupported table key type for JSON: ${typeName(type)}`);
    }
    const value = this.#state.number(this.#L, index);
    const integer = this.#state.x.lua_isinteger(this.#L, index) !== 0;
    const from = this.#length + 1;
    this.#ascii(`"${integer ? String(value) : floatText(value as number)}"`);
    this.#appendKey(this.#out, from, this.#length - 1);
  }

  #keepKey(index: number): void {
    const { x, memory, scratch } = this.#state;
    const p = x.lua_tolstring(this.#L, index, scratch);
    this.#appendKey(memory.bytes, p, p + (memory.words[scratch >> 2] as number));
  }

  #appendKey(bytes: Uint8Array, from: number, to: number): void {
    const need = this.#keysLength + to - from;
    if (need > this.#keys.length) {
      const wider = new Uint8Array(Math.max(SIDE_BYTES_MIN, this.#keys.length * 2, need));
      wider.set(this.#keys.subarray(0, this.#keysLength));
      this.#keys = wider;
    }
    for (let i = from; i < to; i++) this.#keys[this.#keysLength++] = bytes[i] as number;
  }
}

/** For the few bytes of a usual member, a loop costs less than making a view of them. */
function copy(
  source: Uint8Array, from: number, target: Uint8Array, to: { readonly at: number; readonly size: number },
): void {
  const { at, size } = to;
  if (size > 256) target.set(source.subarray(from, from + size), at);
  else for (let i = 0; i < size; i++) target[at + i] = source[from + i] as number;
}
