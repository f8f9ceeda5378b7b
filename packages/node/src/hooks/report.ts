/** What the rooms of a node report (spec: node 5): events in the words of the table. Types only: the seam of hooks. */
import type { Fault } from "@atoll-run/core";

export type ErrorCategory =
  | "handler_panic" | "handler_error" | "signaling_failure" | "transport_failure" | "stream_uncertain"
  | "mailbox_failure" | "hook_failure" | "credential_failure";

export interface NodeEventMap {
  start: Readonly<Record<string, never>>;
  ready: Readonly<Record<string, never>>;
  stop: Readonly<Record<string, never>>;
  error: {
    readonly error: Fault; readonly category: ErrorCategory; readonly context: string;
    readonly request_id?: string; readonly route?: string; readonly peer?: string;
  };
  signaling_connecting: { readonly attempt: number };
  signaling_connected: Readonly<Record<string, never>>;
  signaling_disconnected: { readonly reason: string };
  websocket_connecting: PeerFact;
  websocket_connected: PeerFact;
  websocket_disconnected: PeerFact;
  webrtc_connecting: { readonly peer: string; readonly relayed?: boolean; readonly status: string };
  webrtc_connected: { readonly peer: string; readonly relayed?: boolean; readonly status: string };
  webrtc_disconnected: { readonly peer: string; readonly relayed?: boolean; readonly status: string };
  credential_renewed: { readonly expires_at_ms: number };
  credential_expiring: { readonly expires_at_ms: number; readonly cause: "lead_time" | "refused" | "warning" };
  mailbox_backpressure: { readonly edge: "rising" | "falling"; readonly queue_len: number; readonly threshold: number };
}

export interface PeerFact {
  readonly peer: string;
  readonly direction: "in" | "out";
  readonly proof: "key" | "bearer";
}

export type NodeEventName = keyof NodeEventMap;

/** Tells the one ordered stream of the node. Never throws, never waits. */
export type Report = <N extends NodeEventName>(name: N, fact: NodeEventMap[N]) => void;
