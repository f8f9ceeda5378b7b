/**
 * Spans of what a node does, without a word on who takes them (spec: node 11.1, 11.2). Where no SDK of OpenTelemetry is
 * registered there is no tracer, and none of this costs anything.
 */

export type SpanName =
  | "call" | "tell" | "discover" | "connect" | "recover" | "accept" | "queue" | "dispatch" | "commit" | "reply" | "stream"
  | "hook" | "renew";

/** Names, numbers and codes. Never a body, nor what somebody wrote. */
export interface SpanFacts {
  /** The node that tells it: text of its id, or its name. */
  readonly node: string;
  readonly peer?: string;
  readonly route?: string;
  readonly request_id?: string;
  /** `call`, `tell`; of a stream: `read`, `write`. */
  readonly kind?: string;
  /** 1 for the first run. */
  readonly attempt?: number;
  readonly event?: string;
}

export interface SpanPlan<Facts extends object = SpanFacts> {
  readonly facts: Facts;
  /** `traceparent` of whoever asked. */
  readonly parent?: string | undefined;
  /** The same, where the program has no span open at the moment: a handler may have made one around its call. */
  readonly around?: string | undefined;
  /** `traceparent` of what it goes on from without being a part of: the run before, the original of a redrive. */
  readonly links?: readonly string[];
  /** Wall clock, milliseconds: when it really began. */
  readonly beganAtMs?: number;
  /** It answers somebody. */
  readonly serves?: true;
}

/** Contract: no method throws or waits, `run` but for what its work throws. */
export interface OpenSpan {
  /** For what is asked within it; undefined when nobody can be told of it. */
  readonly traceparent: string | undefined;
  /** Does the work with this span as the one that is open in the program. */
  run<T>(work: () => T): T;
  /** Once; later calls do nothing. `code`: that of the fault it failed with. */
  end(outcome: string, code?: string): void;
}

/** Neither `parent` nor `around`: a trace begins. Contract: never throws. Hosts of nodes have names and facts of their own. */
export interface Tracer<Name extends string = SpanName, Facts extends object = SpanFacts> {
  begin(name: Name, plan: SpanPlan<Facts>): OpenSpan;
}
