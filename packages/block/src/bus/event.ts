/** What the bus carries. */
import type { CallTrace } from "../observe/spans.ts";
import type { EventOrigin } from "./origin.ts";

export interface BusEvent {
  readonly seq: number;
  readonly kind: string;
  readonly id: string;
  /** JSON text. */
  readonly payload: string;
  readonly meta: string;
  /** Milliseconds left for the handler when it starts; absent = no bound. */
  readonly deadlineAt?: number;
  /** The asker's trace, which the handler goes on with. */
  readonly trace?: CallTrace;
  /** Stands in the payload as `data`, or for the payload where that is null. */
  readonly raw?: Uint8Array;
  readonly origin?: EventOrigin;
}

export interface Answer {
  settle(reply: string): void;
  fail(fault: unknown): void;
}

export interface Queued extends Answer {
  readonly event: BusEvent;
  /** Whoever asked does not want the answer any more. */
  readonly unwanted?: AbortSignal;
}
