/**
 * What an observer of runs is told: spans and figures, without a word on who takes them. When no SDK of
 * OpenTelemetry is registered there is no observer, and nothing of this costs anything.
 */
import type { TraceContext } from "@atoll-run/core";
import type { Handle } from "../bus/dispatcher.ts";
import type { Ops } from "../bridges/op.ts";
import type { CallTrace, Spans } from "./spans.ts";

/** Told of one run. Contract: no method throws or waits. */
export interface Telemetry extends Spans {
  /** Who the run is, once it has joined its mesh. */
  named(trace: TraceContext): void;
  /** Ops with a span around those that go outside. */
  ops(ops: Ops): Ops;
  /** A handler with a span around each event; what it calls belongs to that span. */
  handler(kind: string, handle: Handle): Handle;
  /** A tool of the script is called, or has ended; `place` tells calls apart that run side by side. */
  tool(event: "tool_call" | "tool_result", o: { tool: string; place: string; ok: boolean; trace: CallTrace }): void;
  denied(grant: string): void;
  /** The run is over: `code` is that of its fault. */
  ended(outcome: string, code: string | undefined): void;
}

export interface TelemetryParts {
  readonly script: string;
  readonly trace: TraceContext;
  /** Read whenever figures are collected. */
  stats(): { readonly queue: number; readonly isles: readonly { readonly role: string; readonly bytes: number }[] };
}
