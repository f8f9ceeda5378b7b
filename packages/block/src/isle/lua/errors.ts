/**
 * Faults inside Lua: an object whose `tostring` and `..` give the text, with fields code, retry,
 * retry_after_ms. And back: whatever a script raised, as plain data for the host.
 */
import { type FaultData, isFault } from "@atoll-run/core";
import type { Value } from "../../bridges/op.ts";
import { TYPE, typeName } from "./exports.ts";
import type { LuaState } from "./state.ts";
import { OutOfMemory } from "./vm-errors.ts";

/** A plain Lua error: the string as it is, no object. */
export class LuaRaise extends Error {}

/**
 * What ended a task. `fault` is set when a bridge error object was raised, `value` when the script raised a
 * table.
 */
export interface Raised {
  readonly text: string;
  readonly traceback: string;
  readonly fault?: FaultData;
  readonly value?: Value;
}

const FIELDS = ["code", "retry", "retry_after_ms"] as const;

export class LuaErrors {
  readonly #state: LuaState;

  constructor(state: LuaState) {
    this.#state = state;
  }

  push(L: number, fault: FaultData): void {
    const { x } = this.#state;
    x.lua_checkstack(L, 6);
    x.lua_createtable(L, 0, 4);
    this.#field(L, "message", fault.text);
    for (const key of FIELDS) if (fault[key] !== undefined) this.#field(L, key, fault[key]);
    if (Object.keys(fault.facts).length > 0) this.#field(L, "facts", plain(fault.facts));
    this.#state.pushKnown(L, "fault");
    x.lua_setmetatable(L, -2);
  }

  #field(L: number, key: string, value: Value): void {
    this.#state.pushText(L, key);
    this.#state.push(L, value);
    this.#state.x.lua_rawset(L, -3);
  }

  /** Reads the error value on top of a dead coroutine's stack. */
  read(T: number, seen: { traceback: string; errorText: string }): Raised {
    const { traceback } = seen;
    const fault = this.#fault(T);
    if (fault !== undefined) return { text: fault.text, traceback, fault };
    const type = this.#state.x.lua_type(T, -1);
    if (type === TYPE.string) return { text: this.#state.lossyText(T, -1), traceback };
    if (type === TYPE.number) return { text: String(this.#state.number(T, -1)), traceback };
    // without __tostring it would be an address
    const told = seen.errorText.startsWith("table: ") ? "" : seen.errorText;
    const text = told === "" ? `(error object is a ${typeName(type)} value)` : told;
    return type === TYPE.table ? { text, traceback, ...this.#tableValue(T) } : { text, traceback };
  }

  /** A table that cannot be read (too deep, too large) has no value outside. */
  #tableValue(T: number): { value?: Value } {
    try {
      return { value: this.#state.get(T, -1) };
    } catch (error) {
      if (isFault(error) || error instanceof OutOfMemory) return {};
      throw error;
    }
  }

  /**
   * Where a message handler was called from, without levels of our own: the two under each task, and
   * coroutine functions.
   */
  traceback(T: number): string {
    const { x, main } = this.#state;
    x.lua_checkstack(main, 8);
    x.luaL_traceback(main, T, 0, 2);
    const text = this.#state.lossyText(main, -1);
    this.#state.pop(main);
    return text.split("\n").slice(0, -2).filter((line) => !line.startsWith("\t[atoll")).join("\n");
  }

  /** The fault data of an error object of ours on top of the stack, else undefined. */
  #fault(T: number): FaultData | undefined {
    const { x } = this.#state;
    if (x.lua_type(T, -1) !== TYPE.table || x.lua_getmetatable(T, -1) === 0) return undefined;
    this.#state.pushKnown(T, "fault");
    const ours = x.lua_rawequal(T, -1, -2) !== 0;
    this.#state.pop(T, 2);
    if (!ours) return undefined;
    const { value } = this.#tableValue(T);
    const { message, code, retry, retry_after_ms, facts } = (value ?? {}) as Record<string, Value>;
    // a script may have changed it: then it is one of its own errors
    if (typeof message !== "string" || typeof code !== "string" || !isRetry(retry)) return undefined;
    const known = typeof facts === "object" && facts !== null ? facts as FaultData["facts"] : {};
    return {
      code, text: message, retry, facts: known,
      ...(typeof retry_after_ms === "number" ? { retry_after_ms } : {}),
    };
  }
}

function isRetry(value: Value): value is FaultData["retry"] {
  return value === "never" || value === "later" || value === "elsewhere";
}

/** Facts without what a script cannot hold. */
function plain(facts: Readonly<Record<string, unknown>>): Value {
  const text = JSON.stringify(facts, (_, v: unknown) => (typeof v === "bigint" ? Number(v) : v));
  return JSON.parse(text) as Value;
}
