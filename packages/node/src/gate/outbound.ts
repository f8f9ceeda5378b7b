/**
 * The way out (spec: node 2.8, 2.9, 5.15, 6.6, 6.7). Types only: the seam between dispatch, host and gate.
 *
 * takes what somebody asks of another node; gives answers; promises that each ask ends by its deadline and leaves no
 * pending entry; refuses with a `NodeError`; never runs anything twice that may have run, unless it is idempotent.
 */
import type { Deadline, Speaker } from "@atoll-run/core";

/** On whose behalf something is asked. */
export interface CallScope {
  /** 16 bytes: the outermost request. Absent: what is asked begins a chain. */
  readonly chain_id?: Uint8Array;
  /** Hops so far. */
  readonly depth: number;
  /** What is left of the budget around it. */
  readonly deadline: Deadline;
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly signal: AbortSignal;
  /** The handler waits for a call of its chain until disposed: a message of the chain may enter meanwhile (4.12). */
  awaiting?(): Disposable;
}

export interface Outbound {
  /** For a handler, a hook or a stream reader. */
  within(scope: CallScope): Speaker;
  /** For the host program: each ask begins a chain and a trace. */
  readonly root: Speaker;
}
