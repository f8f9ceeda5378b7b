/**
 * What a node runs, as the node sees it.
 * takes messages that were admitted; gives one outcome for each; promises that a message is answered once; refuses by
 * `again` when it has no room; never settles a message itself.
 */
import type { Fault } from "../fault.ts";
import type { Json } from "../json.ts";

/** What a workload gives back for a message. `done` and `rejected` are final. */
export type Outcome =
  | { readonly is: "done"; readonly reply: Json }
  | { readonly is: "rejected"; readonly code: string; readonly body: Json }
  /** Deliver once more after that time. */
  | { readonly is: "again"; readonly after_ms: number }
  /** Retried or buried by the fault's class and the policy of the route. */
  | { readonly is: "failed"; readonly fault: Fault }
  /** Lease and isle are freed until the wake-up of that name, or the time. */
  | { readonly is: "park"; readonly until: string };

export interface WorkloadMessage {
  /** The key the workload finds a handler by. */
  readonly route: string;
  readonly id: string;
  readonly payload: Json;
  /** Caller and trace. */
  readonly meta: Json;
}

export interface DispatchContext {
  /** Milliseconds left of the message's budget. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

export interface Workload {
  readonly kind: "linked" | "block" | "wasm" | "process";
  dispatch(message: WorkloadMessage, context: DispatchContext): Promise<Outcome>;
}
