/**
 * One user database: a bounded queue in front of a leased child.
 *
 * All owners share one connection, as scripts expect: a statement of a neighbour between BEGIN and COMMIT
 * belongs to the transaction. What is kept apart is the end: a kill fails the statement it was meant for,
 * and the owner of an open transaction hears `sql.aborted` on its next statement, also when the kill was
 * its own.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Fault, Log, SqlCall, SqlDatabase, SqlValue } from "@atoll-run/core";
import {
  fromAnswer, sqlAborted, sqlCancelled, sqlClosed, sqlCrashed, sqlNotStarted, sqlOverloaded, sqlTooLarge,
  type SqlKind,
} from "./sql-faults.ts";
import type { ProcessPool, Tenant } from "./sql-pool.ts";
import type { SqlProcess } from "./sql-process.ts";
import type { ChildAnswer, Opening, RunAnswer } from "./sql-protocol.ts";
import { Statement } from "./sql-statement.ts";

/** Statements that may wait for one database. */
export const WAITING_MAX = 256;
/** UTF-16 units of one statement with its parameters. */
const REQUEST_CHARS_MAX = 64 * 1024 * 1024;
/** A kill takes some 2 ms; a process that the system does not let go of is waited for no longer. */
const KILL_MS = 200;
/** What the statement that runs at `close` may still take. */
const CLOSE_MS = 2_000;
/** Owners that have yet to hear that their transaction is gone; the oldest are forgotten beyond this. */
const ABORTED_MAX = 1_024;

export interface DatabaseParts {
  readonly pool: ProcessPool;
  readonly opening: Opening;
  readonly log: Log | undefined;
}

let lastId = 0;

export class PooledDatabase implements SqlDatabase, Tenant {
  readonly id = ++lastId;
  readonly #pool: ProcessPool;
  readonly #log: Log | undefined;
  #opening: Opening;
  #folder: string | undefined;
  readonly #waiting: Statement[] = [];
  #overloaded = false;
  #running: Statement | undefined;
  #process: SqlProcess | undefined;
  home: SqlProcess | undefined;
  pinned = false;
  /** Owner of the open transaction. */
  #opener: string | undefined;
  readonly #aborted = new Map<string, string>();
  readonly #pragmas = new Map<string, string>();
  #usedAt = 0;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  constructor({ pool, opening, log }: DatabaseParts) {
    this.#pool = pool;
    this.#opening = opening;
    this.#log = log;
  }

  async query(sql: string, params: readonly SqlValue[], call: SqlCall): Promise<string> {
    const { rows = "[]" } = await this.#submit("query", sql, params, call);
    return rows;
  }

  async exec(
    sql: string, params: readonly SqlValue[], call: SqlCall,
  ): Promise<{ affected: bigint; last_id: bigint }> {
    const { affected = 0n, last_id = 0n } = await this.#submit("exec", sql, params, call);
    return { affected, last_id };
  }

  /**
   * Refuses what waits, gives the running statement 2 s, rolls back an open transaction, lets go of the
   * file.
   */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing ??= this.#close();
  }

  leased(process: SqlProcess): void {
    this.#process = process;
    if (process.ready) this.#next();
    else void process.started.then((ready) => ready && this.#process === process && this.#next());
  }

  idleMs(): number {
    return this.#running === undefined && this.#opener !== undefined ? performance.now() - this.#usedAt : 0;
  }

  evict(): void {
    if (this.#process === undefined) return;
    this.#abort("it was idle while other databases waited");
    void this.#pool.leave(this, this.#process);
    this.#release();
  }

  moved(): void {
    this.home = undefined;
    this.pinned = false;
  }

  lost(process: SqlProcess, how: string): void {
    if (this.home === process) this.moved();
    if (this.#process !== process) return;
    this.#process = undefined;
    const statement = this.#running;
    this.#running = undefined;
    this.#abort(statement?.stopped ? "a statement had to be killed" : `the SQL process ended (${how})`);
    if (statement !== undefined) {
      statement.reject(statement.stopped ?? sqlCrashed(statement.kind, how, process.stderr));
    } else if (!process.wasReady) this.#waiting.shift()?.reject(sqlNotStarted(how, process.stderr));
    this.#next();
  }

  #submit(kind: SqlKind, sql: string, params: readonly SqlValue[], call: SqlCall): Promise<RunAnswer> {
    if (this.#closing !== undefined) return Promise.reject(sqlClosed());
    if (call.signal?.aborted) return Promise.reject(sqlCancelled(kind, false));
    if (sizeOf(sql, params) > REQUEST_CHARS_MAX) return Promise.reject(sqlTooLarge(REQUEST_CHARS_MAX));
    if (this.#waiting.length >= WAITING_MAX) {
      this.#reportEdge(true);
      return Promise.reject(sqlOverloaded(WAITING_MAX));
    }
    const statement = new Statement({ kind, sql, params }, call, (one, fault) => this.#stop(one, fault));
    this.#waiting.push(statement);
    statement.wait();
    if (this.#running === undefined) this.#next();
    return statement.answer;
  }

  /** Runs what waits first, or gives the child back when nothing does. */
  #next(): void {
    if (this.#running !== undefined) return;
    if (this.#waiting.length <= WAITING_MAX / 2) this.#reportEdge(false);
    this.#tellAborted();
    const process = this.#process;
    const statement = process === undefined || process.ready ? this.#waiting[0] : undefined;
    if (statement === undefined) {
      if (this.#opener === undefined && this.#waiting.length === 0) this.#release();
      this.#idle?.();
    } else if (process === undefined) this.#pool.lease(this);
    else {
      this.#waiting.shift();
      void this.#run(statement, process);
    }
  }

  /** Owners whose transaction is gone hear it instead of their next statement. */
  #tellAborted(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const reason = this.#aborted.get(first.owner);
      if (reason === undefined) return;
      this.#aborted.delete(first.owner);
      this.#waiting.shift();
      first.reject(sqlAborted(reason));
    }
  }

  async #run(statement: Statement, process: SqlProcess): Promise<void> {
    this.#running = statement;
    statement.run();
    const { kind, sql, params } = statement;
    const open = this.home === process ? {} : { open: this.#open(process) };
    const answer = await process.request({ op: kind, db: this.id, sql, params, ...open });
    // Without an answer the child has ended, and `lost` settles the statement.
    if (answer === undefined || this.#running !== statement) return;
    this.#running = undefined;
    this.#learn(answer, statement.owner, process);
    if (statement.stopped !== undefined) statement.reject(statement.stopped);
    else if (answer.ok) statement.resolve(answer);
    else statement.reject(fromAnswer(answer));
    // Between two statements others may have the child, unless a transaction is open.
    if (this.#opener === undefined) this.#release();
    this.#next();
  }

  #learn({ state }: ChildAnswer, owner: string, process: SqlProcess): void {
    this.#usedAt = performance.now();
    if (state === undefined) return;
    if (this.home !== process) {
      this.home = process;
      this.#pool.settle(this, process);
    }
    this.pinned = state.pinned;
    for (const [name, value] of state.pragmas) this.#pragmas.set(name, value);
    this.#opener = state.inTransaction ? this.#opener ?? owner : undefined;
  }

  #open(process: SqlProcess): Opening {
    if (this.#opening.temporary) {
      if (this.#folder === undefined) {
        this.#folder = mkdtempSync(join(tmpdir(), "atoll-sql-"));
        this.#opening = { ...this.#opening, path: join(this.#folder, "memory.sqlite") };
      }
      process.guard(this.#folder);
    }
    return { ...this.#opening, pragmas: [...this.#pragmas] };
  }

  #stop(statement: Statement, fault: Fault): void {
    if (!statement.running) {
      const at = this.#waiting.indexOf(statement);
      if (at >= 0) this.#waiting.splice(at, 1);
      statement.reject(fault);
      return;
    }
    const process = this.#process;
    if (statement.stopped !== undefined || process === undefined) return;
    statement.stopped = fault;
    process.kill();
    this.#pool.discard(process);
    const timer = setTimeout(() => this.lost(process, "it does not end"), KILL_MS);
    void process.exited.then(() => clearTimeout(timer));
  }

  #abort(reason: string): void {
    if (this.#opener === undefined) return;
    this.#aborted.set(this.#opener, reason);
    this.#opener = undefined;
    const oldest = this.#aborted.size > ABORTED_MAX ? this.#aborted.keys().next().value : undefined;
    if (oldest !== undefined) this.#aborted.delete(oldest);
  }

  #release(): void {
    const process = this.#process;
    this.#process = undefined;
    if (process !== undefined) this.#pool.release(process);
  }

  #reportEdge(rising: boolean): void {
    if (this.#overloaded === rising) return;
    this.#overloaded = rising;
    this.#log?.write(rising
      ? { level: "warn", target: "store", msg: "sql queue is full", fields: { limit: WAITING_MAX } }
      : { level: "info", target: "store", msg: "sql queue has room again" });
  }

  async #close(): Promise<void> {
    for (const statement of this.#waiting.splice(0)) statement.reject(sqlClosed());
    this.#pool.cancel(this);
    if (this.#running !== undefined) {
      const running = this.#running;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#idle = resolve;
      const timer = setTimeout(() => this.#stop(running, sqlClosed()), CLOSE_MS);
      await promise;
      clearTimeout(timer);
    }
    // In a pool the child may be busy with another's statement: its connection is closed when that is over.
    if (this.home !== undefined) await atMost(CLOSE_MS, this.#pool.leave(this, this.home));
    this.#opener = undefined;
    this.#release();
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function atMost(ms: number, work: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}

function sizeOf(sql: string, params: readonly SqlValue[]): number {
  let chars = sql.length;
  for (const value of params) chars += typeof value === "string" ? value.length : 8;
  return chars;
}
