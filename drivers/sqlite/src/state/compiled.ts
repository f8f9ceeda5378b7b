/** Statements compiled at first use, called with values in the order of their `?`. */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { READS, WRITES } from "./statements.ts";

export type Cell = string | number | null | Uint8Array;
export type Row = readonly Cell[];

export class Compiled {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** How many rows it changed. */
  run(name: keyof typeof WRITES, ...values: readonly SQLInputValue[]): number {
    return Number(this.#get(WRITES[name]).run(...values).changes);
  }

  /** The row that a write returned. */
  returned(name: keyof typeof WRITES, ...values: readonly SQLInputValue[]): Row | undefined {
    return this.#get(WRITES[name]).get(...values) as unknown as Row | undefined;
  }

  row(name: keyof typeof READS, ...values: readonly SQLInputValue[]): Row | undefined {
    return this.#get(READS[name]).get(...values) as unknown as Row | undefined;
  }

  rows(name: keyof typeof READS, ...values: readonly SQLInputValue[]): Iterable<Row> {
    return this.#get(READS[name]).iterate(...values) as unknown as Iterable<Row>;
  }

  #get(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    statement.setReturnArrays(true);
    this.#statements.set(sql, statement);
    return statement;
  }
}
