/** `std.json` (rules S) and bridge JSON (rules J) of one isle: the only place where the two meet. */
import { isUtf8 } from "node:buffer";
import { blockError } from "../../errors.ts";
import { asciiText } from "./ascii.ts";
import { type DecodeRules, decodeJson, JsonProblem } from "./json-decode.ts";
import { EncodeProblem, JsonEncoder } from "./json-encode.ts";
import type { LuaState } from "./state.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function toText(utf8: Uint8Array): string {
  return asciiText(utf8, 0, utf8.length) ?? decoder.decode(utf8);
}

export class LuaJson {
  readonly #state: LuaState;
  /** Metatable that marks an array; empty, so a script has nothing to trip over. */
  readonly #arrayMark: number;
  readonly #decode: Readonly<Record<"S" | "J", DecodeRules>>;
  readonly #encodeS: JsonEncoder;
  readonly #encodePretty: JsonEncoder;
  readonly #encodeJ: JsonEncoder;

  constructor(state: LuaState) {
    this.#state = state;
    if (!state.copied) {
      state.x.lua_createtable(state.main, 0, 0);
      state.remember(state.main, "array");
    }
    this.#arrayMark = state.refs["array"] as number;
    const markArray = (L: number): void => this.markArray(L);
    const isArray = (L: number, index: number): boolean => this.isArray(L, index);
    this.#decode = { S: { null: "nil", markArray }, J: { null: "sentinel", markArray } };
    this.#encodeS = new JsonEncoder(state, { mixed: "object", nameType: false, indent: false, isArray });
    this.#encodePretty = new JsonEncoder(state, { mixed: "object", nameType: false, indent: true, isArray });
    this.#encodeJ = new JsonEncoder(state, { mixed: "refuse", nameType: true, indent: false, isArray });
  }

  /** Marks the table on top of the stack. */
  markArray(L: number): void {
    this.#state.pushRef(L, this.#arrayMark);
    this.#state.x.lua_setmetatable(L, -2);
  }

  isArray(L: number, index: number): boolean {
    const { x } = this.#state;
    if (x.lua_getmetatable(L, index) === 0) return false;
    this.#state.pushRef(L, this.#arrayMark);
    const same = x.lua_rawequal(L, -1, -2) !== 0;
    this.#state.pop(L, 2);
    return same;
  }

  /** J: text of a value for the host. `what`, the name of the calling function, begins the error text. */
  encodeText(L: number, index: number, what: string): string {
    return this.#encode({ by: this.#encodeJ, what }, L, index, toText);
  }

  /** J: pushes the text of a value. */
  encodeJ(L: number, index: number, what: string): void {
    this.#encode({ by: this.#encodeJ, what }, L, index, (text) => this.#state.pushBytes(L, text));
  }

  /** S: text of an event's reply. */
  encodeReply(L: number, index: number, what: string): string {
    return this.#encode({ by: this.#encodeS, what }, L, index, toText);
  }

  /** `std.json.encode` and `encode_pretty`: pushes the text. */
  encodeS(L: number, index: number, pretty: boolean): void {
    const by = pretty ? this.#encodePretty : this.#encodeS;
    this.#encode({ by, what: "json.encode" }, L, index, (text) => this.#state.pushBytes(L, text));
  }

  /** `std.json.decode` of the string at an index: pushes the value. */
  decodeS(L: number, index: number): void {
    const { x, memory, scratch } = this.#state;
    const p = x.lua_tolstring(L, index, scratch);
    const size = memory.words[scratch >> 2] as number;
    if (!isUtf8(memory.bytes.subarray(p, p + size))) {
      throw blockError("json.decode", "json.decode: the text is not valid UTF-8");
    }
    this.#guard(() => decodeJson(this.#state, L, this.#decode.S, { p, size }), "json.decode", "json.decode");
  }

  /** Pushes the value of a text that came from the host. */
  decodeText(L: number, text: string, rules: "S" | "J", what: string): void {
    const at = this.#state.copyTextIn(text);
    try {
      this.#guard(() => decodeJson(this.#state, L, this.#decode[rules], at), "json.decode", what);
    } finally {
      this.#state.free(at.p);
    }
  }

  #encode<T>(
    o: { by: JsonEncoder; what: string }, L: number, index: number, use: (text: Uint8Array) => T,
  ): T {
    return this.#guard(() => o.by.encode(L, index, (text) => {
      if (isUtf8(text)) return use(text);
      throw new EncodeProblem("a string is not valid UTF-8; encode bytes as text (base64, hex) first");
    }), "json.encode", o.what);
  }

  #guard<T>(work: () => T, code: "json.encode" | "json.decode", what: string): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof EncodeProblem || error instanceof JsonProblem)) throw error;
      const facts = error instanceof JsonProblem ? { at: error.at } : {};
      throw blockError(error.deep ? "json.depth" : code, `${what}: ${error.message}`, { facts });
    }
  }
}
