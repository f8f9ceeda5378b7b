/** `std.json` (rules S) and bridge JSON (rules J) of one isle: the only place where the two meet. */
import { blockError } from "../../errors.ts";
import { JsonDecoder, JsonProblem } from "./json-decode.ts";
import { EncodeProblem, JsonEncoder } from "./json-encode.ts";
import { OutOfMemory } from "./state.ts";
import type { LuaState } from "./state.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class LuaJson {
  readonly #state: LuaState;
  /** Metatable that marks an array; weak by identity, no fields a script could trip over. */
  readonly #arrayMark: number;
  readonly #decodeS: JsonDecoder;
  readonly #decodeJ: JsonDecoder;
  readonly #encodeS: JsonEncoder;
  readonly #encodePretty: JsonEncoder;
  readonly #encodeJ: JsonEncoder;

  constructor(state: LuaState) {
    this.#state = state;
    state.x.lua_createtable(state.main, 0, 0);
    this.#arrayMark = state.ref(state.main);
    const mark = { markArray: (L: number) => this.markArray(L) };
    const isArray = (L: number, index: number): boolean => this.isArray(L, index);
    this.#decodeS = new JsonDecoder(state, { null: "nil", ...mark });
    this.#decodeJ = new JsonDecoder(state, { null: "sentinel", ...mark });
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

  /** J: text of a value for the host. `what` begins the error text. */
  encodeText(L: number, index: number, what: string): string {
    const bytes = this.#guard(() => this.#encodeJ.encode(L, index), "json.encode", what);
    return utf8(bytes, what);
  }

  /** S: text of an event's reply; no prefix in errors. */
  encodeReply(L: number, index: number, what: string): string {
    return utf8(this.#guard(() => this.#encodeS.encode(L, index), "json.encode", what), what);
  }

  /** `std.json.encode` and `encode_pretty`: pushes the text. */
  encodeS(L: number, index: number, pretty: boolean): void {
    const by = pretty ? this.#encodePretty : this.#encodeS;
    const bytes = this.#guard(() => by.encode(L, index), "json.encode", "json.encode");
    utf8(bytes, "json.encode");
    this.#state.pushBytes(L, bytes);
  }

  /** `std.json.decode` of the string at an index: pushes the value. */
  decodeS(L: number, index: number): void {
    const p = this.#state.x.lua_tolstring(L, index, this.#state.scratch);
    const size = this.#state.memory.words[this.#state.scratch >> 2] as number;
    if (typeof this.#state.text(p, size) !== "string") throw blockError("json.decode", "json.decode: the text is not valid UTF-8");
    this.#guard(() => this.#decodeS.decode(L, p, size), "json.decode", "json.decode");
  }

  /** Pushes the value of a text that came from the host. */
  decodeText(L: number, text: string, rules: "S" | "J", what: string): void {
    const bytes = encoder.encode(text);
    const p = this.#state.copyIn(bytes);
    try {
      const decoder = rules === "S" ? this.#decodeS : this.#decodeJ;
      this.#guard(() => decoder.decode(L, p, bytes.length), "json.decode", what);
    } finally {
      this.#state.x.free(p);
    }
  }

  #guard<T>(work: () => T, code: "json.encode" | "json.decode", what: string): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof OutOfMemory) throw error;
      if (error instanceof EncodeProblem || error instanceof JsonProblem) {
        const facts = error instanceof JsonProblem ? { at: error.at } : {};
        throw blockError(error.deep ? "json.depth" : code, `${what}: ${error.message}`, { facts });
      }
      throw error;
    }
  }
}

function utf8(bytes: Uint8Array, what: string): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw blockError("json.encode", `${what}: a string is not valid UTF-8; encode bytes as text (base64, hex) first`);
  }
}
