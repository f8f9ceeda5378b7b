/** A store that counts what is committed through it: how long it took, and how often it failed (spec: mob 12.3). */
import type { Clock, StateStore } from "@atoll-run/core";
import { Histogram } from "@atoll-run/node";
import { withCommit } from "./watched-store.ts";

export interface CommitFigures {
  /** Of each commit that was done or refused. */
  readonly seconds: Histogram;
  /** Commits that ended in a fault. */
  failed: number;
}

/** The same store; its answers come when they came before. */
export function timeCommits(store: StateStore, clock: Clock): { readonly store: StateStore; readonly commits: CommitFigures } {
  const commits: CommitFigures = { seconds: new Histogram(), failed: 0 };
  const timed = withCommit(store, (batch, call) => {
    const begunMs = clock.monotonic();
    const committing = store.commit(batch, call);
    // Beside the answer, not before it.
    void committing.then(() => {
      commits.seconds.observe((clock.monotonic() - begunMs) / 1_000);
    }, () => {
      commits.failed += 1;
    });
    return committing;
  });
  return { store: timed, commits };
}
