/** A Lua state with plain values and code: what bridges work with. */
import type { Value } from "../../bridges/op.ts";
import { LuaMachine, SLOT } from "./machine.ts";
import { pushValue, readValue } from "./values.ts";

const encoder = new TextEncoder();

export class LuaState extends LuaMachine {
  // ---- values

  /** A plain value at a stack index. Functions become references when `keep` is given, else undefined. */
  get(L: number, index: number, keep?: (L: number, index: number) => number): Value {
    return readValue(this, L, index, keep);
  }

  push(L: number, value: Value): void {
    pushValue(this, L, value);
  }

  // ---- code

  /** Compiles; on failure the error text is returned and nothing is left on the stack. */
  load(
    L: number, code: string | Uint8Array, chunk: string, mode: "t" | "b" | "bt" = "bt",
  ): string | undefined {
    const bytes = typeof code === "string" ? encoder.encode(code) : code;
    const p = this.copyIn(bytes);
    const names = encoder.encode(`${chunk}\0${mode}\0`);
    const q = this.copyIn(names);
    const status = this.x.luaL_loadbufferx(L, p, bytes.length, q, q + encoder.encode(chunk).length + 1);
    this.x.free(q);
    this.x.free(p);
    if (status === 0) return undefined;
    const text = this.lossyText(L, -1);
    this.x.lua_settop(L, -2);
    return text;
  }

  /** Name of the chunk that the Lua function at an index is from, as it was loaded: `@file.lua`, `=[C]`. */
  chunkName(L: number, index: number): string {
    const { x, scratch } = this;
    x.lua_pushvalue(L, index);
    // ">S": the function on top; `source` is the fifth word of the record
    this.memory.bytes.set([0x3e, 0x53, 0], scratch);
    x.lua_getinfo(L, scratch, scratch + 16);
    return this.cstring(this.memory.words[(scratch + 32) >> 2] as number);
  }

  /** Bytecode of the Lua function on top of the stack, with its debug names. */
  dump(L: number): Uint8Array {
    this.dumped = [];
    this.x.lua_dump(L, SLOT.writer, 0, 0);
    const all = new Uint8Array(this.dumped.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.dumped) {
      all.set(part, at);
      at += part.length;
    }
    this.dumped = [];
    return all;
  }
}
