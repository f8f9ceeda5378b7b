/**
 * Port of one kind of connection between nodes: in-process, WebSocket, WebRTC (issue E).
 * takes bodies for lanes; gives links to peers whose identity is proved; promises order within a lane and that every
 * link tells its end once; refuses peers that cannot prove who they are, before anything of theirs is processed; never
 * looks into a body.
 */
import type { Lane } from "../codec/frame.ts";
import type { Fault } from "../fault.ts";
import type { Feature } from "../protocol/name.ts";
import type { NodeId } from "../protocol/node-id.ts";

export type WireName = "memory" | "websocket" | "webrtc";

/** Who is at the other end. */
export interface LinkPeer {
  readonly id: NodeId;
  readonly proof: "key" | "bearer";
  /** What it has announced; empty for a legacy peer. */
  readonly features: ReadonlySet<Feature>;
  /** When its credential ends, milliseconds; the owner of the link re-checks then (spec: node 6.8). */
  readonly expires_at_ms: number;
  /** Revocation generation of its credential; the link ends when the realm names a higher one. Absent: none. */
  readonly epoch?: bigint;
}

export interface LinkEnd {
  /** Close code of wire.md 6.5, 1000 for an orderly end, 1006 for a broken one. */
  readonly code: number;
  readonly reason: string;
  /** True when what was sent may not have arrived. */
  readonly broken: boolean;
}

export interface Link {
  readonly wire: WireName;
  readonly peer: LinkPeer;
  /** True when the peer dialled. To a legacy dialler only responses go on it (spec: node 6.2). */
  readonly inbound: boolean;
  readonly remote_address?: string;
  /** 32 bytes over how the two ends greeted: a refreshed credential is proved for this link. Absent: no refresh. */
  readonly opening?: Uint8Array;
  /** Bytes that wait in the wire. Above its high mark {@link drained} is to be awaited. */
  readonly bufferedBytes: number;
  /** Hands a body to the wire at once, in order. False when the link has ended. */
  send(lane: Lane, body: Uint8Array): boolean;
  /** Resolves when the buffer is below its low mark; at once when it was never above the high one, or at the end. */
  drained(): Promise<void>;
  /** Asks whether the other end lives; false when it did not answer in time. */
  probe(withinMs: number): Promise<boolean>;
  close(code: number, reason: string): Promise<void>;
  readonly ended: Promise<LinkEnd>;
}

/** What the owner of a wire hears. Contract: neither throws. */
export interface WireEvents {
  /** A verified peer came in. Set `link`'s receiver before returning: frames follow at once. */
  accepted(link: Link): Receive;
  /** Something knocked and was refused. */
  refused?(fault: Fault, remote_address: string | undefined): void;
}

/** Hears each body of a link, in order per lane. The bytes are the hearer's. */
export type Receive = (lane: Lane, body: Uint8Array) => void;

export interface DialOptions {
  /** The id that the other end must prove. */
  readonly id: NodeId;
  /** Of the wire: `wss://host:port/…`; a memory wire takes the id's text. */
  readonly address: string;
  /** Key that the realm names for it: with one, a bearer or a legacy answer is refused. */
  readonly node_key?: Uint8Array;
  /** Milliseconds. */
  readonly withinMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly receive: (link: Link) => Receive;
}

export interface Wire extends AsyncDisposable {
  readonly name: WireName;
  /** Where others can dial it; empty when it does not listen. */
  readonly addresses: readonly string[];
  /** Until then whoever dials gets 503 with Retry-After. */
  open(): void;
  /** Refuses new connections with 503; links go on. */
  shut(): void;
  /** Throws `node.unavailable`, `node.permission_denied`, `node.identity_mismatch`, `node.proof_required`. */
  dial(o: DialOptions): Promise<Link>;
}
