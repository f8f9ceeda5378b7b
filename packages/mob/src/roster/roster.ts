/**
 * The view of a mob, live (spec: mob 5.1, 5.11).
 *
 * takes a ledger; gives its fold as of the last committed entry; promises that whoever has seen an entry committed finds it
 * here, and that a start folds only what is newer than the last snapshot; refuses nothing; never makes a writer wait:
 * snapshots are written behind, by one loop.
 */
import { isFault, type Clock, type Log } from "@atoll-run/core";
import { toFailure } from "../errors.ts";
import { KINDS, type Entry } from "../ledger/entry.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";
import type { ProfileOf } from "./row.ts";
import { loadSnapshot, saveSnapshot } from "./snapshot.ts";
import { entryLabels } from "./row.ts";
import { View } from "./view.ts";
import { viewAt, type ViewAtOptions } from "./view-at.ts";

export interface RosterParts {
  readonly ledger: Ledger;
  /** Of the scope of the mob. */
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Pick<MobLimits, "snapshotEvery">;
  readonly profileOf?: ProfileOf;
}

export interface Roster extends AsyncDisposable {
  readonly view: View;
  /** `seq` of the newest snapshot: nothing above it may be pruned. */
  readonly snapshotSeq: number;
  /** Resolves when what is folded now is in a snapshot. */
  snapshot(): Promise<void>;
  /** The view as it was after that entry, without what retention has taken: see {@link viewAt}. */
  viewAt(seq: number, o?: ViewAtOptions): Promise<View>;
}

/** A snapshot is due after so many entries of turns and approvals for each structural one that it is due after. */
const ENTRIES_PER_STRUCTURAL = 10;
const FOLDED: ReadonlySet<string> = new Set(["structural", "turn", "approval"]);
const RETRY_MS = 5_000;

/** Dispose of it before its ledger: what is new is kept then. Throws `mob.storage_degraded`, or the fault of the store. */
export async function openRoster(parts: RosterParts): Promise<Roster> {
  const roster = new LiveRoster(parts, new View(await loadSnapshot(parts.ledger.store, "fold"), parts.profileOf));
  await roster.catchUp();
  return roster;
}

class LiveRoster implements Roster {
  readonly view: View;
  snapshotSeq: number;
  readonly #parts: RosterParts;
  #hearing: Disposable | undefined;
  /** Since the last snapshot. */
  #structural = 0;
  #others = 0;
  /** The one that is being written. */
  #saving: Promise<void> | undefined;
  #retry: Disposable | undefined;
  #closed = false;

  constructor(parts: RosterParts, view: View) {
    this.#parts = parts;
    this.view = view;
    this.snapshotSeq = view.seq;
  }

  async catchUp(): Promise<void> {
    const { ledger } = this.#parts;
    ledger.stamp((entry) => entryLabels(this.view, entry));
    // Heard from now on; what comes while older entries are read waits for them.
    const held: Entry[] = [];
    const waiting = ledger.hear((entry) => held.push(entry));
    try {
      await ledger.replay(this.view.seq, (entry) => this.#fold(entry));
    } finally {
      waiting[Symbol.dispose]();
    }
    for (const entry of held) this.#fold(entry);
    this.#hearing = ledger.hear((entry) => this.#fold(entry));
  }

  snapshot(): Promise<void> {
    this.#saving ??= this.#save().finally(() => { this.#saving = undefined; });
    return this.#saving;
  }

  viewAt(seq: number, o?: ViewAtOptions): Promise<View> {
    return viewAt(this.#parts.ledger, seq, o);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#retry?.[Symbol.dispose]();
    await this.#saving?.catch(() => undefined);
    if (this.#structural + this.#others > 0) await this.#save().catch((error: unknown) => this.#failed(error));
    this.#hearing?.[Symbol.dispose]();
  }

  #fold(entry: Entry): void {
    if (entry.seq <= this.view.seq) return;
    this.view.fold(entry);
    const kind = KINDS[entry.kind];
    if (!FOLDED.has(kind)) return;
    if (kind === "structural") this.#structural += 1;
    else this.#others += 1;
    const every = this.#parts.limits.snapshotEvery;
    if (this.#closed || this.#saving !== undefined || this.#retry !== undefined) return;
    if (this.#structural < every && this.#others < every * ENTRIES_PER_STRUCTURAL) return;
    this.snapshot().catch((error: unknown) => {
      this.#failed(error);
      if (this.#closed) return;
      this.#retry = this.#parts.clock.after(RETRY_MS, () => { this.#retry = undefined; });
    });
  }

  async #save(): Promise<void> {
    const { ledger: { store }, writer, clock } = this.#parts;
    const kept = this.view.keep();
    const [structural, others] = [this.#structural, this.#others];
    await saveSnapshot(kept, { store, writer, now: () => clock.now(), of: "fold" });
    this.snapshotSeq = kept.seq;
    this.#structural -= structural;
    this.#others -= others;
  }

  /** The older one counts; the ledger has the rest. */
  #failed(error: unknown): void {
    const { ledger, writer } = this.#parts;
    void ledger.note(writer, { kind: "checkpoint_failure", source: "mob", data: { what: "roster", error: { ...toFailure(error) } } });
    this.#parts.log.write({
      level: "warn", target: "roster", msg: "the snapshot could not be written", fields: { reason: isFault(error) ? error.code : String(error) },
    });
  }
}
