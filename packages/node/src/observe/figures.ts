/** How long things took in a node, and how large they were: one for all of its rooms (spec: node 11.3). */
import { NODE_LIMITS } from "../limits.ts";
import { COUNTS, Histogram, PairHistograms } from "./histogram.ts";

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly histogram: Histogram;
}

export class Figures {
  /** From acceptance to the first run. */
  readonly queueWait = new Histogram();
  /** Of each run, by route and how it ended. */
  readonly dispatch = new PairHistograms(NODE_LIMITS.observe.routeLabelsMax);
  /** From handing a batch to the store to its answer. */
  readonly commit = new Histogram();
  readonly commitOps = new Histogram(COUNTS);
  readonly hook = new Histogram();
  /** Of writes to streams that had to wait for their reader. */
  readonly creditWait = new Histogram();
  /** Of dials that came through. */
  readonly connect = new Histogram();
  /** From the loss of a connection to the next one to the same peer, or to the realm. */
  readonly recovery = { peer: new Histogram(), signaling: new Histogram() };

  /** Under their public names without the prefix. */
  samples(): readonly Sample[] {
    const plain = (name: string, histogram: Histogram): Sample => ({ name, labels: {}, histogram });
    return [
      plain("queue_wait_seconds", this.queueWait), plain("commit_seconds", this.commit), plain("commit_ops", this.commitOps),
      plain("hook_seconds", this.hook), plain("stream_credit_wait_seconds", this.creditWait), plain("connect_seconds", this.connect),
      ...Object.entries(this.recovery).map(([of, histogram]) => ({ name: "recovery_seconds", labels: { of }, histogram })),
      ...[...this.dispatch].map(([route, outcome, histogram]) => ({ name: "dispatch_seconds", labels: { route, outcome }, histogram })),
    ];
  }
}
