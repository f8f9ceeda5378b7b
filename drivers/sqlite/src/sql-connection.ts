/** One open database inside the SQL child. Every method blocks until SQLite is done. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { SqlValue } from "@atoll-run/core";
import { isBlankSql, parameterNames, type ParameterNames } from "./sql-parameters.ts";
import type { ChildAnswer, ConnectionState, FailAnswer, Opening, RunRequest } from "./sql-protocol.ts";
import { rowsToJson, type Bound } from "./sql-rows.ts";
import { SqlWatch } from "./sql-watch.ts";
import { toSqliteFailure } from "./sqlite-failure.ts";

/** Compiled statements kept by their text. */
const STATEMENTS_MAX = 64;
/** Bytes of one value in a restricted script (SQLite's own bound is 1 GB). */
const RESTRICTED_VALUE_BYTES_MAX = 64 * 1024 * 1024;

interface Compiled {
  readonly statement: StatementSync;
  readonly names: ParameterNames;
  /** What follows this statement in its text. */
  readonly tail: string;
}

export class SqlConnection {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #watch: SqlWatch;
  readonly #compiled = new Map<string, Compiled>();
  readonly #counters: StatementSync;

  /**
   * Makes the folder of the file. Throws the error of SQLite; a file that is no database is left as it is.
   */
  constructor(o: Opening) {
    if (!o.temporary) mkdirSync(dirname(o.path), { recursive: true });
    this.#path = o.path;
    this.#watch = new SqlWatch(o.restricted);
    this.#db = new DatabaseSync(o.path, {
      timeout: o.busyTimeoutMs, readBigInts: true, returnArrays: true, defensive: o.restricted,
      // As the common builds of SQLite: scripts written for them say name = "x".
      enableDoubleQuotedStringLiterals: true,
      ...(o.restricted ? { limits: { length: RESTRICTED_VALUE_BYTES_MAX } } : {}),
    });
    try {
      setJournal(this.#db, o);
      for (const [name, value] of o.pragmas) this.#db.exec(`PRAGMA ${name}='${value.replaceAll("'", "''")}'`);
      this.#counters = this.#db.prepare("SELECT changes(), last_insert_rowid(), total_changes()");
    } catch (error) {
      this.#db.close();
      throw error;
    }
    this.#db.setAuthorizer(this.#watch.decide);
  }

  run(request: RunRequest): ChildAnswer {
    this.#watch.begin(request.sql);
    try {
      const result = request.op === "query" ? { rows: this.#query(request) } : this.#exec(request);
      return { ok: true, ...result, state: this.#state() };
    } catch (error) {
      return this.#fail(error);
    }
  }

  close(): void {
    this.#compiled.clear();
    this.#db.close();
  }

  #query({ sql, params }: RunRequest): string {
    let rows = "[]";
    this.#each(sql, params, (statement, bound, last) => {
      if (last) rows = rowsToJson(statement, bound);
      else drain(statement, bound);
    });
    return rows;
  }

  #exec({ sql, params }: RunRequest): { affected: bigint; last_id: bigint } {
    let [, lastId, before] = this.#count();
    let affected = 0n;
    this.#each(sql, params, (statement, bound) => {
      drain(statement, bound);
      const [changes, id, total] = this.#count();
      // `changes()` keeps the count of an earlier statement when this one was no INSERT, UPDATE or DELETE.
      affected = total === before ? 0n : changes;
      lastId = id;
      before = total;
    });
    return { affected, last_id: lastId };
  }

  #each(
    sql: string, params: readonly SqlValue[],
    step: (statement: StatementSync, bound: Bound, last: boolean) => void,
  ): void {
    if (sql.includes("\0")) throw new Error("the text of a statement may not contain NUL");
    let rest = sql;
    let used = 0;
    while (!isBlankSql(rest)) {
      const { statement, names, tail } = this.#compile(rest);
      const last = isBlankSql(tail);
      const left = params.length - used;
      if (left < names.length || (last && left > names.length)) {
        throw new Error(`wrong number of parameters: the statement has ${names.length}, ${left} were given`);
      }
      try {
        step(statement, bind(names, params.slice(used, used + names.length)), last);
      } catch (error) {
        // A statement that has failed would report that failure once more when it is reset for its next run.
        this.#compiled.delete(rest);
        throw error;
      }
      used += names.length;
      rest = tail;
    }
    if (used < params.length) {
      throw new Error(`wrong number of parameters: there is no statement, ${params.length} were given`);
    }
  }

  #compile(sql: string): Compiled {
    const kept = this.#compiled.get(sql);
    if (kept !== undefined) {
      // Back to the end, so that the first is the one not used for longest.
      this.#compiled.delete(sql);
      this.#compiled.set(sql, kept);
      return kept;
    }
    const statement = this.#db.prepare(sql);
    const text = statement.sourceSQL;
    const compiled = { statement, names: parameterNames(text), tail: sql.slice(text.length) };
    this.#compiled.set(sql, compiled);
    if (this.#compiled.size > STATEMENTS_MAX) {
      const oldest = this.#compiled.keys().next().value;
      if (oldest !== undefined) this.#compiled.delete(oldest);
    }
    return compiled;
  }

  #count(): [changes: bigint, lastId: bigint, total: bigint] {
    return this.#counters.get() as unknown as [bigint, bigint, bigint];
  }

  #state(): ConnectionState {
    const { pinned, pragmas } = this.#watch;
    return { inTransaction: this.#db.isTransaction, pinned, pragmas };
  }

  #fail(error: unknown): FailAnswer {
    const { denial } = this.#watch;
    const state = this.#state();
    if (denial === undefined) return { ...toFailAnswer(error, this.#path), state };
    const { verb, object, reason } = denial;
    return {
      ok: false, code: "grant.denied", text: `denied: sql ${verb} ${object} (${reason}); needs grant all`,
      facts: { verb: `sql ${verb}`, object, reason, grant: "all" }, retry: "never", state,
      hint: "Run the script without restrictions, or do without this statement.",
    };
  }
}

/** `sql error: …` */
export function toFailAnswer(error: unknown, path: string): FailAnswer {
  const { message, retry, hint, sqlite_code } = toSqliteFailure(error, path);
  return {
    ok: false, code: "sql.failed", text: `sql error: ${message}`, facts: { sqlite_code, path }, retry,
    ...(hint === undefined ? {} : { hint }),
  };
}

function setJournal(db: DatabaseSync, o: Opening): void {
  // A temporary file outlives its child but not its owner: WAL keeps it whole through a kill, without one
  // flush.
  const mode = o.temporary ? "WAL" : o.journalMode;
  try {
    db.exec(`PRAGMA journal_mode=${mode}; PRAGMA synchronous=${o.temporary ? "OFF" : "FULL"}`);
  } catch (error) {
    // A file that this user may only read can still be queried.
    if (((error as { errcode?: number }).errcode ?? 0) % 256 !== 8) throw error;
  }
}

function drain(statement: StatementSync, bound: Bound): void {
  const rows = statement.iterate(...bound);
  while (!rows.next().done);
}

function bind(names: ParameterNames, values: readonly SqlValue[]): Bound {
  const named: Record<string, SqlValue> = {};
  const positional = values.filter((value, i) => {
    const name = names[i];
    if (name !== undefined) named[name] = value;
    return name === undefined;
  });
  return [named, ...positional];
}
