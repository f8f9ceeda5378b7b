/**
 * One SQLite file of the store worker, opened at first use. What waits is run as one transaction and
 * answered after its one commit; when that fails, every write of it fails and none is done. Long reads go
 * on in slices between commits.
 */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { toSqliteFailure } from "./sqlite-failure.ts";
import { DONE, FAILED, LATE, type StoreAnswer, type StoreFileOptions } from "./store-protocol.ts";
import type { Operation, StoreTable } from "./store-table.ts";

/** Operations of one commit. */
const BATCH_MAX = 512;
/**
 * Scans that begin in one commit: each reads a slice at its place in the queue, so that it sees what was
 * set before.
 */
const BATCH_SCANS_MAX = 4;
const SCANS: ReadonlySet<string> = new Set(["kv.list", "ts.query", "ts.last"]);
const MORE = Symbol("more");
/** How long SQLite itself waits for a lock: the worker has other things to do. */
const LOCK_MS = 20;
/** From one try to the next while another program holds the lock. */
const LOCKED_AGAIN_MS = 10;
/** WAL pages (16 MiB) at which a commit checkpoints even though the worker is busy. */
const CHECKPOINT_PAGES = 4_000;

/** Primary result codes after which no other write of the batch can succeed. */
const BATCH_ENDING = new Set([7, 8, 10, 11, 13, 26]);
const BUSY = 5;

export interface QueuedOp {
  readonly id: number;
  readonly op: string;
  readonly args: readonly unknown[];
  /** On the worker's monotonic clock. */
  readonly deadlineAt: number;
}

interface Scan {
  readonly id: number;
  readonly deadlineAt: number;
  readonly rows: Iterator<undefined, unknown>;
}

export class StoreFile {
  readonly #o: StoreFileOptions;
  readonly #table: StoreTable;
  readonly #answer: (answer: StoreAnswer) => void;
  #db: DatabaseSync | undefined;
  #operations: Readonly<Record<string, Operation>> | undefined;
  #queue: QueuedOp[] = [];
  #scans: Scan[] = [];
  /** Since when and until when a lock of another program is waited for. */
  #locked: { readonly since: number; readonly until: number } | undefined;
  #dirty = false;

  constructor(table: StoreTable, o: StoreFileOptions, answer: (answer: StoreAnswer) => void) {
    this.#table = table;
    this.#o = o;
    this.#answer = answer;
  }

  add(op: QueuedOp): void {
    this.#queue.push(op);
  }

  cancel(id: number): void {
    this.#queue = this.#queue.filter((op) => op.id !== id);
    this.#scans = this.#scans.filter((scan) => scan.id !== id);
  }

  /** Milliseconds until there is something to do; Infinity = nothing waits. */
  waitMs(now: number): number {
    if (this.#scans.length > 0) return 0;
    if (this.#queue.length === 0) return Infinity;
    return this.#locked === undefined ? 0 : Math.max(0, this.#locked.until - now);
  }

  /** One commit and one slice of one scan. */
  turn(now: number): void {
    if (this.#queue.length > 0 && now >= (this.#locked?.until ?? 0)) this.#runBatch(now);
    const scan = this.#scans.shift();
    if (scan !== undefined) this.#runSlice(scan, now);
  }

  /** Moves what was committed from the WAL into the file; for idle moments. */
  checkpoint(): void {
    if (!this.#dirty || this.#db === undefined) return;
    this.#dirty = false;
    try {
      this.#db.exec("PRAGMA wal_checkpoint(PASSIVE)");
    } catch {
      // Nothing is lost: the rows stay in the WAL, and the next idle moment tries again.
      this.#dirty = true;
    }
  }

  /** What still waits is run first; scans end with an error. */
  close(): void {
    while (this.#queue.length > 0) {
      this.#locked = undefined;
      this.#runBatch(performance.now(), true);
    }
    for (const { id } of this.#scans.splice(0)) this.#fail(id, new Error("the store was closed"));
    this.#release();
  }

  #runBatch(now: number, lastTry = false): void {
    const batch = this.#takeBatch(now);
    const error = this.#tryBatch(batch);
    const since = this.#locked?.since ?? now;
    this.#locked = undefined;
    if (error === undefined) return;
    if (codeOf(error) === BUSY && now - since < this.#o.busyTimeoutMs && !lastTry) {
      this.#locked = { since, until: now + LOCKED_AGAIN_MS };
      this.#queue.unshift(...batch);
    } else this.#answerFailed(batch, error);
  }

  #takeBatch(now: number): QueuedOp[] {
    const batch: QueuedOp[] = [];
    let taken = 0;
    let scans = 0;
    for (const op of this.#queue) {
      if (taken === BATCH_MAX || scans === BATCH_SCANS_MAX) break;
      taken++;
      if (SCANS.has(op.op)) scans++;
      if (op.deadlineAt > now) batch.push(op);
      else this.#answer([op.id, LATE]);
    }
    this.#queue.splice(0, taken);
    return batch;
  }

  /**
   * Undefined when all is answered, else the error that ended the batch; then none is answered and nothing
   * is done.
   */
  #tryBatch(batch: readonly QueuedOp[]): unknown {
    const answers: StoreAnswer[] = [];
    const scans: Scan[] = [];
    let begun = false;
    try {
      for (const { id, op, args, deadlineAt } of batch) {
        const operation = this.#open()[op] as Operation;
        if (operation.kind === "write" && !begun) {
          this.#db?.exec("BEGIN IMMEDIATE");
          begun = true;
        }
        const rows = operation.kind === "scan" ? operation.run(args) : undefined;
        const run = (): unknown => rows === undefined ? operation.run(args) : nextSlice(rows);
        const answer = this.#runOne(id, run, begun);
        const goesOn = answer[1] === DONE && answer[2] === MORE;
        if (rows !== undefined && goesOn) scans.push({ id, deadlineAt, rows });
        else answers.push(answer);
      }
      if (begun) this.#db?.exec("COMMIT");
    } catch (error) {
      this.#rollBack();
      return error;
    }
    this.#dirty ||= begun;
    for (const answer of answers) this.#answer(answer);
    this.#scans.push(...scans);
    return undefined;
  }

  #rollBack(): void {
    try {
      if (this.#db?.isTransaction) this.#db.exec("ROLLBACK");
    } catch {
      // A connection that cannot even do this is given up: SQLite rolls back when the file is opened next.
      this.#release();
    }
  }

  #release(): void {
    this.#operations = undefined;
    this.#db?.close();
    this.#db = undefined;
  }

  /** Throws what concerns the whole batch; what concerns this operation alone is its answer. */
  #runOne(id: number, run: () => unknown, begun: boolean): StoreAnswer {
    try {
      return [id, DONE, run()];
    } catch (error) {
      const code = codeOf(error);
      if (code === BUSY || BATCH_ENDING.has(code) || (begun && !this.#db?.isTransaction)) throw error;
      return [id, FAILED, toSqliteFailure(error, this.#o.path)];
    }
  }

  /** The writes fail; the reads are answered from what the file holds, if it can be read. */
  #answerFailed(batch: readonly QueuedOp[], error: unknown): void {
    for (const op of batch) {
      const { kind = "write" } = this.#operations?.[op.op] ?? {};
      if (kind === "write" || this.#tryBatch([op]) !== undefined) this.#fail(op.id, error);
    }
  }

  #runSlice(scan: Scan, now: number): void {
    if (scan.deadlineAt <= now) return void this.#answer([scan.id, LATE]);
    try {
      const value = nextSlice(scan.rows);
      if (value === MORE) this.#scans.push(scan);
      else this.#answer([scan.id, DONE, value]);
    } catch (error) {
      this.#fail(scan.id, error);
    }
  }

  #fail(id: number, error: unknown): void {
    this.#answer([id, FAILED, toSqliteFailure(error, this.#o.path)]);
  }

  #open(): Readonly<Record<string, Operation>> {
    if (this.#operations !== undefined) return this.#operations;
    const { path, journalMode } = this.#o;
    if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true });
    const db = new DatabaseSync(path, { timeout: LOCK_MS });
    this.#db = db;
    try {
      db.exec(`PRAGMA journal_mode=${journalMode}; PRAGMA synchronous=FULL`);
      db.exec(`PRAGMA wal_autocheckpoint=${CHECKPOINT_PAGES}`);
      db.exec(this.#table.schema);
      return this.#operations = this.#table.open(db);
    } catch (error) {
      this.#release();
      throw error;
    }
  }
}

/** The result of a scan, or MORE when it has only come further. */
function nextSlice(rows: Iterator<undefined, unknown>): unknown {
  const { done, value } = rows.next();
  return done ? value : MORE;
}

function codeOf(error: unknown): number {
  return ((error as { errcode?: number }).errcode ?? 0) & 0xff;
}
