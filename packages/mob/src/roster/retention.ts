/**
 * How long entries are kept (spec: mob 5.11).
 *
 * takes a ledger and its roster; gives the oldest entries up, slice by slice, when they are too old or too much; promises that
 * nothing above the newest snapshot goes, and that the view before what is left is kept, so that every later one can be told; refuses
 * nothing; never holds up a writer: it works between others, and what fails is tried again with the next look.
 */
import { isFault, type Clock, type Json, type Log, type StateOp } from "@atoll-run/core";
import { readEntry } from "../ledger/body.ts";
import type { AlsoSlice, Ledger, Writer } from "../ledger/ledger.ts";
import { LEDGER_SPACE, MOB_SCOPE } from "../ledger/names.ts";
import { rowBytes } from "../ledger/past.ts";
import type { MobLimits } from "../limits.ts";
import type { Roster } from "./roster.ts";
import { loadSnapshot, saveSnapshot } from "./snapshot.ts";
import { View } from "./view.ts";

export interface RetentionParts {
  readonly ledger: Ledger;
  readonly roster: Pick<Roster, "snapshotSeq" | "snapshot">;
  /** Of the scope of the mob. */
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Pick<MobLimits, "retentionMs" | "retentionBytes" | "auditMs">;
}

export interface Retention extends AsyncDisposable {
  /** Takes away all that is due now; gives how many entries that were. Calls share what is under way. Throws the fault of the store. */
  pass(): Promise<number>;
}

/** The size is looked at that often, the age every hour: each pass writes a view. */
const LOOK_MS = 60_000;
const LOOKS_PER_HOUR = 60;
/** When it is too much it becomes so much less, so that the next time is a while away. */
const SPARE = 1 / 8;
const PAGE = 500;
const ANSWERS_FORGOTTEN = 5_000;
const KEY = "bytes";

/** Dispose of it before the roster. */
export function openRetention(parts: RetentionParts): Retention {
  return new LiveRetention(parts);
}

class LiveRetention implements Retention {
  readonly #parts: RetentionParts;
  /** What had been counted in memory when it began, and up to where it was not. */
  readonly #begun: { readonly head: number; readonly written: number };
  readonly #closed = new AbortController();
  /** Of what is there, without what was written since it began. */
  #older: number | undefined;
  #passing: Promise<number> | undefined;
  #timer: Disposable | undefined;
  #looks = 0;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
    this.#begun = { head: parts.ledger.head, written: parts.ledger.written };
    this.#look();
  }

  pass(): Promise<number> {
    this.#passing ??= this.#pass().finally(() => { this.#passing = undefined; });
    return this.#passing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    this.#closed.abort();
    await this.#passing?.catch(() => undefined);
    if (this.#older === undefined) return;
    const { ledger, writer } = this.#parts;
    await ledger.append(writer, [], [this.#bytesOp(this.#older)]).catch((error: unknown) => this.#failed(error));
  }

  #look(): void {
    this.#timer = this.#parts.clock.after(LOOK_MS, () => {
      const { limits } = this.#parts;
      const due = this.#looks++ % LOOKS_PER_HOUR === 0 || this.#older !== undefined && this.#bytes(this.#older) > limits.retentionBytes;
      void (due ? this.pass() : Promise.resolve(0)).catch((error: unknown) => this.#failed(error)).finally(() => {
        if (!this.#closed.signal.aborted) this.#look();
      });
    });
  }

  async #pass(): Promise<number> {
    const { ledger, writer, roster, clock, limits } = this.#parts;
    const { signal } = this.#closed;
    const bytes = this.#bytes(this.#older ??= await this.#count());
    const tooMuch = bytes > limits.retentionBytes ? bytes - limits.retentionBytes * (1 - SPARE) : 0;
    const base = await this.#foldDue(clock.now() - limits.retentionMs, tooMuch);
    let entries = 0;
    if (base !== undefined && !signal.aborted) {
      // One that is under way may have begun before.
      for (let tries = 0; tries < 2 && roster.snapshotSeq < base.seq; tries++) await roster.snapshot();
      if (roster.snapshotSeq < base.seq) return 0;
      await saveSnapshot(base.keep(), { store: ledger.store, writer, now: () => clock.now(), of: "base" });
      entries += await this.#take((also) => ledger.prune(writer, base.seq, also));
    }
    entries += await this.#take((also) => ledger.pruneAudit(writer, clock.now() - limits.auditMs, also));
    await this.#forget();
    return entries;
  }

  /** The view after the last entry that is due; undefined: none is. */
  async #foldDue(beforeMs: number, tooMuch: number): Promise<View | undefined> {
    const { ledger } = this.#parts;
    let view: View | undefined;
    let left = tooMuch;
    for (let at = ledger.pruned; ;) {
      const rows = await ledger.rows(at, PAGE);
      for (const row of rows) {
        if (row.at_ms >= beforeMs && left <= 0 || this.#closed.signal.aborted) return view;
        view ??= new View(await loadSnapshot(ledger.store, "base"));
        view.fold(readEntry(row));
        left -= rowBytes(row);
        at = row.seq;
      }
      if (rows.length === 0) return view;
    }
  }

  async #take(slice: (also: AlsoSlice) => ReturnType<Ledger["prune"]>): Promise<number> {
    for (let entries = 0; ;) {
      if (this.#closed.signal.aborted) return entries;
      const older = this.#older ?? 0;
      const taken = await slice(({ bytes }) => [this.#bytesOp(older - bytes)]);
      if (taken === undefined) return entries;
      entries += taken.entries;
      this.#older = older - taken.bytes;
    }
  }

  /** Keys of entries that are older than entries are kept. */
  async #forget(): Promise<void> {
    const { ledger, writer } = this.#parts;
    for (let more = !this.#closed.signal.aborted; more;) {
      const commit = await ledger.tryAppend(writer, [], [{ op: "forget", limit: ANSWERS_FORGOTTEN }, this.#bytesOp(this.#older ?? 0)]);
      more = commit.ok && commit.values[0] === ANSWERS_FORGOTTEN && !this.#closed.signal.aborted;
    }
  }

  #bytes(older: number): number {
    return older + this.#parts.ledger.written - this.#begun.written;
  }

  /** What was counted before, and what came after that. */
  async #count(): Promise<number> {
    const { ledger } = this.#parts;
    const found = await ledger.store.get(MOB_SCOPE, LEDGER_SPACE, KEY);
    let { at, bytes } = found === undefined ? { at: ledger.pruned, bytes: 0 } : JSON.parse(found.value) as { at: number; bytes: number };
    for (;;) {
      const rows = (await ledger.rows(at, PAGE)).filter(({ seq }) => seq <= this.#begun.head);
      for (const row of rows) bytes += rowBytes(row);
      const last = rows.at(-1);
      if (last === undefined) return bytes;
      at = last.seq;
    }
  }

  /** What is counted need not be counted again. */
  #bytesOp(older: number): StateOp {
    const value: Json = { at: this.#parts.ledger.head, bytes: this.#bytes(older) };
    return { op: "put", space: LEDGER_SPACE, key: KEY, value: JSON.stringify(value), if_version: null };
  }

  #failed(error: unknown): void {
    this.#parts.log.write({
      level: "warn", target: "ledger", msg: "old entries could not be taken away", fields: { reason: isFault(error) ? error.code : String(error) },
    });
  }
}
