/**
 * Functions of a script that the host may call: kept under numbers that never come twice, so that a late call finds
 * nothing rather than another function.
 */
import type { LuaState } from "./state.ts";

export class Kept {
  readonly #state: LuaState;
  readonly #refs = new Map<number, number>();
  #last = 0;

  constructor(state: LuaState) {
    this.#state = state;
  }

  /** Keeps the value at a stack index until its number is released. */
  keep(L: number, index: number): number {
    this.#state.x.lua_pushvalue(L, index);
    this.#refs.set(++this.#last, this.#state.ref(L));
    return this.#last;
  }

  /** Pushes the value; false, and nothing is pushed, when it was released. */
  push(L: number, id: number): boolean {
    const ref = this.#refs.get(id);
    if (ref === undefined) return false;
    this.#state.pushRef(L, ref);
    return true;
  }

  release(id: number): void {
    const ref = this.#refs.get(id);
    if (ref === undefined) return;
    this.#refs.delete(id);
    this.#state.unref(ref);
  }

  get size(): number {
    return this.#refs.size;
  }
}
