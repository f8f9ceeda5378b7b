/**
 * Functions of a script that the host may call: kept under numbers that never come twice, so that a late call
 * finds nothing rather than another function.
 */
import type { LuaState } from "./state.ts";

/** Numbers of one isle; the next isle, which may take its place, begins after them. */
const NUMBERS = 2 ** 26;

interface Entry {
  readonly ref: number;
  /** Work on its way that will call it. */
  uses: number;
  released: boolean;
}

export class Kept {
  readonly #state: LuaState;
  readonly #entries = new Map<number, Entry>();
  #last: number;

  /** `isle`: number of the isle in its process. */
  constructor(state: LuaState, isle: number) {
    this.#state = state;
    this.#last = isle * NUMBERS;
  }

  /** Keeps the value at a stack index until its number is released. */
  keep(L: number, index: number): number {
    this.#state.x.lua_pushvalue(L, index);
    this.#entries.set(++this.#last, { ref: this.#state.ref(L), uses: 0, released: false });
    return this.#last;
  }

  /**
   * The value stays until `giveBack`, even if it is released meanwhile; false when it was released before.
   */
  borrow(id: number): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.released) return false;
    entry.uses++;
    return true;
  }

  giveBack(id: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.uses--;
    this.#settle(id, entry);
  }

  /** Pushes a value that was borrowed. */
  push(L: number, id: number): void {
    this.#state.pushRef(L, (this.#entries.get(id) as Entry).ref);
  }

  release(id: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.released = true;
    this.#settle(id, entry);
  }

  #settle(id: number, entry: Entry): void {
    if (!entry.released || entry.uses > 0) return;
    this.#entries.delete(id);
    this.#state.unref(entry.ref);
  }

  get size(): number {
    return this.#entries.size;
  }
}
