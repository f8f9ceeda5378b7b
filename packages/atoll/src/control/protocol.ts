/**
 * What the commands ask of a running node: `POST /v1/<method>` with one JSON value over the control socket, answered
 * by `{"ok": true, "value": …}` or `{"ok": false, "fault": …}`. Not for other programs: it moves with the version.
 */
import type { FaultData, Json } from "@atoll-run/core";

export type ControlMethod = (args: Readonly<Record<string, Json>>, o: { readonly signal: AbortSignal }) => Promise<Json>;
export type ControlMethods = Readonly<Record<string, ControlMethod>>;

export type ControlReply =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly fault: FaultData };

export const CONTROL_LIMITS = {
  /** Bytes of one request. */
  requestBytesMax: 1_048_576,
  /** Bytes of one answer: a page of rows, or one message. */
  replyBytesMax: 64 * 1_048_576,
  /** Requests at a time; people type them. */
  openMax: 16,
} as const;
