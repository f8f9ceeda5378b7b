/** A store that counts what is committed through it: how long it took, and whether it goes (spec: mob 12.3). */
import { isFault, type Clock, type StateStore } from "@atoll-run/core";
import { Histogram } from "@atoll-run/node";
import { withCommit } from "./watched-store.ts";

/** Say nothing of the store. */
const OF_THE_CALLER: ReadonlySet<string> = new Set(["state.overloaded", "state.cancelled", "state.too_large"]);

export interface CommitFigures {
  /** Of each commit that was done or refused. */
  readonly seconds: Histogram;
  /** Commits that ended in a fault. */
  failed: number;
  /** The last commit that came to the store ended in that fault. */
  failing: string | undefined;
}

/** The same store; its answers come when they came before. */
export function timeCommits(store: StateStore, clock: Clock): { readonly store: StateStore; readonly commits: CommitFigures } {
  const commits: CommitFigures = { seconds: new Histogram(), failed: 0, failing: undefined };
  const timed = withCommit(store, (batch, call) => {
    const begunMs = clock.monotonic();
    const committing = store.commit(batch, call);
    // Beside the answer, not before it.
    void committing.then(() => {
      commits.seconds.observe((clock.monotonic() - begunMs) / 1_000);
      commits.failing = undefined;
    }, (error: unknown) => {
      commits.failed += 1;
      const code = isFault(error) ? error.code : "mob.internal";
      if (!OF_THE_CALLER.has(code)) commits.failing = code;
    });
    return committing;
  });
  return { store: timed, commits };
}
