/**
 * Pages of rows for those who are told all of them (spec: mob 11.7).
 *
 * takes a place in the roster; gives the events of the members that follow, written once for all who see the same at about the same time;
 * promises rows as of the entry that is asked for, or later; refuses nothing; never keeps more than a few pages.
 */
import { rowEvent } from "./events.ts";
import type { Rows } from "./rows.ts";

export interface RowPage {
  readonly seq: number;
  readonly bytes: Uint8Array;
  readonly count: number;
  /** Undefined: it is the last one. */
  readonly next: string | undefined;
}

/** About 40 KiB each: who begin together go on together. */
const PAGES_MAX = 16;

export class RowPages {
  readonly #cursor: (seq: number) => string;
  readonly #kept = new Map<string, RowPage>();

  constructor(cursor: (seq: number) => string) {
    this.#cursor = cursor;
  }

  /** `asOf`: `seq` of the entry that the rows have to be as of. */
  page(rows: Rows, { after, asOf }: { readonly after: string | undefined; readonly asOf: number }): RowPage {
    const name = JSON.stringify([rows.key, after]);
    const known = this.#kept.get(name);
    if (known !== undefined && known.seq >= asOf) return known;
    const cursor = this.#cursor(rows.seq);
    const { rows: told, next } = rows.page(after);
    const page = { seq: rows.seq, bytes: Buffer.from(told.map((row) => rowEvent(row, { cursor, moves: false })).join("")), count: told.length, next };
    this.#kept.delete(name);
    this.#kept.set(name, page);
    const [oldest] = this.#kept.size > PAGES_MAX ? this.#kept.keys() : [];
    if (oldest !== undefined) this.#kept.delete(oldest);
    return page;
  }

  /** Nobody is there to be told. */
  clear(): void {
    this.#kept.clear();
  }
}
