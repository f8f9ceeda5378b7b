/** A store that tells of every entry of one journal that is committed through it, whoever commits it, in order. */
import { isFault, type Batch, type JournalEntry, type StateOp, type StateStore } from "@atoll-run/core";

export interface JournalWatch {
  readonly journal: string;
  /** `ops[i]` is the op that appended `entries[i]`. Must not throw. */
  committed(entries: readonly JournalEntry[], ops: readonly StateOp[]): void;
  /** A commit with entries ended without saying whether it was done. Must not throw. */
  unsure(): void;
}

/** `supports`, reads and faults are those of the store. */
export function watchStore(store: StateStore, watch: JournalWatch): StateStore {
  return withCommit(store, (batch, call) => {
    const committing = store.commit(batch, call);
    if (!batch.ops.some((op) => op.op === "append" && op.journal === watch.journal)) return committing;
    // Chained at once, so that what is told comes in the order of the commits.
    return committing.then((commit) => {
      if (commit.ok) tell(watch, batch, commit.values);
      return commit;
    }, (error: unknown) => {
      if (!isFault(error) || error.uncertain === true) watch.unsure();
      throw error;
    });
  });
}

/** The same store with another way to commit. Disposing of it leaves the store open: it is its opener's. */
export function withCommit(store: StateStore, commit: StateStore["commit"]): StateStore {
  return {
    supports: store.supports,
    ready: (...o) => store.ready(...o), mail: (...o) => store.mail(...o), rows: (...o) => store.rows(...o),
    expired: (...o) => store.expired(...o), parked: (...o) => store.parked(...o), find: (...o) => store.find(...o),
    outbox: (...o) => store.outbox(...o), outboxTo: (...o) => store.outboxTo(...o), letters: (...o) => store.letters(...o),
    get: (...o) => store.get(...o), keys: (...o) => store.keys(...o), journal: (...o) => store.journal(...o),
    journalBack: (...o) => store.journalBack(...o), usage: (...o) => store.usage(...o), size: (...o) => store.size(...o), wakes: (...o) => store.wakes(...o),
    commit, [Symbol.asyncDispose]: async () => undefined,
  };
}

function tell(watch: JournalWatch, { scope, at_ms, ops }: Batch, values: readonly number[]): void {
  const entries: JournalEntry[] = [];
  const appended: StateOp[] = [];
  for (let i = 0; i < ops.length; i++) {
    const op = ops[i] as StateOp;
    if (op.op !== "append" || op.journal !== watch.journal) continue;
    entries.push({ seq: values[i] as number, scope, at_ms, body: op.body });
    appended.push(op);
  }
  watch.committed(entries, appended);
}
