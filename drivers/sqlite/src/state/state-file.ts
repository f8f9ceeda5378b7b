/**
 * The file `state.sqlite`, as its one writer sees it. What waits is one transaction with one sync; a batch that is
 * refused is taken back alone; when the transaction fails, none of its batches was done.
 */
import { accessSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  isFault, stateBroken, stateBusy, stateFull, stateNewer, type Batch, type Commit, type Fault
} from "@atoll-run/core";
import { Compiled } from "./compiled.ts";
import { MIGRATIONS } from "./migrations.ts";
import { createOps, Refused, type ApplyOp } from "./state-ops.ts";
import { createReads, type ReadName, type StateReads } from "./state-reads.ts";
import type { StateWorkerData } from "./protocol.ts";

/** Numbers reserved with one write; the rest is skipped when the process dies. */
const SEQS_RESERVED = 4_096;
/** WAL pages (16 MiB) at which a commit checkpoints even though the writer is busy. */
const CHECKPOINT_PAGES = 4_000;
const SCOPES_MAX = 10_000;
/**
 * A group commit ends when its statements have taken so many times as long as its sync will: a larger one would save
 * little, and whoever waits for the first of its batches would wait for the last.
 */
const SYNC_SHARE = 1;
const BUSY = 5;
const FULL = 13;

interface Scope {
  readonly id: number;
  epoch: number;
}

export class StateFile {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #sql: Compiled;
  readonly #apply: ApplyOp;
  readonly #reads: StateReads;
  readonly #scopes = new Map<string, Scope>();
  #lastSeq = 0;
  #reserved = 0;
  #broken: Fault | undefined;
  #dirty = false;
  /** What a COMMIT takes, nearly, milliseconds. */
  #syncMs = 1;

  /** Opens and migrates, in a folder that is this process's; `isThere`: it is not made. Throws a `StateFault` and leaves nothing open. */
  constructor({ dir, durability, busyTimeoutMs }: Pick<StateWorkerData, "dir" | "durability" | "busyTimeoutMs">, { isThere = false } = {}) {
    this.#path = dir === null ? ":memory:" : join(dir, "state.sqlite");
    try {
      if (isThere) accessSync(this.#path);
      this.#db = new DatabaseSync(this.#path, { timeout: busyTimeoutMs });
    } catch (error) {
      throw this.#toFault(error, false);
    }
    this.#sql = new Compiled(this.#db);
    this.#apply = createOps({ sql: this.#sql, nextSeq: () => ++this.#lastSeq });
    this.#reads = createReads(this.#sql, (name) => this.#scope(name)?.id ?? 0);
    try {
      this.#db.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=${durability === "full" ? "FULL" : "NORMAL"}`);
      this.#db.exec(`PRAGMA wal_autocheckpoint=${CHECKPOINT_PAGES}; PRAGMA temp_store=MEMORY`);
      this.#migrate();
      this.#lastSeq = this.#reserved = this.#sql.row("reserved")?.[0] as number;
    } catch (error) {
      this.close();
      throw isFault(error) ? error : this.#toFault(error, false);
    }
  }

  /**
   * One transaction, of as many batches as are worth one sync; `next` gives undefined when no more waits. Gives a `Commit`
   * for each that it did; throws when none was done.
   */
  commitAll(next: () => Batch | undefined): Commit[] {
    if (this.#broken !== undefined) throw this.#broken;
    let committing = false;
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      const commits = this.#applyAll(next);
      if (commits.length === 1 && commits[0]?.ok === false) {
        this.#rollBack();
        return commits;
      }
      committing = true;
      this.#sync();
      this.#dirty = true;
      return commits;
    } catch (error) {
      this.#rollBack();
      throw this.#toFault(error, committing);
    }
  }

  read(name: ReadName, args: readonly unknown[]): unknown {
    if (this.#broken !== undefined) throw this.#broken;
    try {
      return (this.#reads[name] as (...given: readonly unknown[]) => unknown)(...args);
    } catch (error) {
      throw isFault(error) ? error : this.#toFault(error, false);
    }
  }

  /** Moves what was committed from the WAL into the file; for idle moments. */
  checkpoint(): void {
    if (!this.#dirty || this.#broken !== undefined) return;
    this.#dirty = false;
    try {
      this.#db.exec("PRAGMA wal_checkpoint(PASSIVE)");
    } catch {
      // Nothing is lost: the rows stay in the WAL, and the next idle moment tries again.
      this.#dirty = true;
    }
  }

  /** It takes nothing any more. */
  get isBroken(): boolean {
    return this.#broken !== undefined;
  }

  /**
   * All that was committed is in the file and on the disk: also a commit that had failed and is there in spite of it. Throws where that
   * cannot be said.
   */
  settle(): void {
    try {
      this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (error) {
      throw this.#toFault(error, false);
    }
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  /** A first one that is refused is the only one. */
  #applyAll(next: () => Batch | undefined): Commit[] {
    const untilMs = performance.now() + SYNC_SHARE * this.#syncMs;
    const commits: Commit[] = [];
    for (let batch = next(); batch !== undefined;) {
      const after = next();
      // One alone is taken back with the transaction: a savepoint would copy each page once for each of its ops.
      const alone = commits.length === 0 && after === undefined;
      const commit = this.#commitOne(batch, alone);
      commits.push(commit);
      if (alone && !commit.ok || performance.now() > untilMs) break;
      // What came meanwhile shares the sync.
      batch = after ?? next();
    }
    return commits;
  }

  #sync(): void {
    const begunMs = performance.now();
    this.#db.exec("COMMIT");
    // One that took far longer has made a checkpoint as well.
    this.#syncMs += (Math.min(performance.now() - begunMs, 2 * this.#syncMs) - this.#syncMs) / 8;
  }

  #commitOne({ scope: name, epoch, at_ms, ops }: Batch, alone: boolean): Commit {
    const scope = this.#scope(name) ?? this.#addScope(name);
    if (epoch !== null && epoch !== scope.epoch) {
      return { ok: false, at: 0, refusal: { why: "stale_epoch", epoch: scope.epoch } };
    }
    this.#reserve(ops.length);
    // An op changes nothing before it knows that it is not refused: one alone needs no way back.
    const several = ops.length > 1 && !alone;
    const values: number[] = [];
    if (several) this.#db.exec("SAVEPOINT batch");
    try {
      for (const op of ops) {
        values.push(op.op === "attach" ? this.#attach(scope) : this.#apply(op, { scope: scope.id, at_ms }));
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (several) this.#db.exec("ROLLBACK TO batch; RELEASE batch");
      return { ok: false, at: values.length, refusal: error.refusal };
    }
    if (several) this.#db.exec("RELEASE batch");
    return { ok: true, values };
  }

  #attach(scope: Scope): number {
    this.#sql.run("freeLeased", scope.id);
    this.#sql.run("setEpoch", ++scope.epoch, scope.id);
    return scope.epoch;
  }

  #scope(name: string): Scope | undefined {
    const known = this.#scopes.get(name);
    if (known !== undefined) return known;
    const row = this.#sql.row("scope", name);
    return row === undefined ? undefined : this.#keep(name, { id: row[0] as number, epoch: row[1] as number });
  }

  #addScope(name: string): Scope {
    this.#sql.run("addScope", name);
    return this.#scope(name) as Scope;
  }

  #keep(name: string, scope: Scope): Scope {
    if (this.#scopes.size >= SCOPES_MAX) this.#scopes.clear();
    this.#scopes.set(name, scope);
    return scope;
  }

  /** Enough for one batch more. Before its savepoint, which a refusal rolls back. */
  #reserve(ops: number): void {
    if (this.#lastSeq + ops <= this.#reserved) return;
    this.#reserved = this.#lastSeq + SEQS_RESERVED;
    this.#sql.run("reserve", this.#reserved);
  }

  #rollBack(): void {
    // What was learned inside the transaction is not true any more.
    this.#scopes.clear();
    this.#reserved = 0;
    try {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
    } catch (error) {
      this.#broken ??= stateBroken(this.#path, (error as Error).message, { cause: error });
    }
  }

  /** `committing`: it may be durable although it failed. All but a full disk and a foreign lock ends the store. */
  #toFault(error: unknown, committing: boolean): Fault {
    const { errcode = 0, message } = error as { errcode?: number; message: string };
    const code = errcode & 0xff;
    if (code === BUSY) return stateBusy(this.#path, error);
    if (code === FULL) return stateFull(this.#path, error);
    this.#broken ??= stateBroken(this.#path, message, { cause: error });
    return stateBroken(this.#path, message, { uncertain: committing, cause: error });
  }

  #migrate(): void {
    const version = this.#db.prepare("PRAGMA user_version").get()?.["user_version"] as number;
    if (version > MIGRATIONS.length) throw stateNewer(this.#path, version);
    for (const [i, sql] of MIGRATIONS.entries()) {
      if (i >= version) this.#db.exec(`BEGIN IMMEDIATE; ${sql}; PRAGMA user_version = ${i + 1}; COMMIT`);
    }
  }
}
