/**
 * Links to other nodes, one for RPC a peer (spec: node 6.1 to 6.3, 6.6). Types only: the seam between gate and wires.
 *
 * takes a node id and a body; gives the link that carried it; promises one dial at a time a peer and order within a
 * lane; refuses when the deadline passes, the lane is full or the peer cannot be reached; never looks into a body.
 */
import type { Lane, Link, NodeId, WireName } from "@atoll-run/core";
import type { VerifiedCredential } from "../identity/session.ts";

export interface PeerAddress {
  readonly wire: WireName;
  readonly address: string;
  /** Key that the realm names for the node. */
  readonly node_key?: Uint8Array;
}

/** Finds where a node can be dialled; comes from signaling, or from the composing program. */
export interface AddressBook {
  addresses(id: NodeId, o: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined }):
    Promise<readonly PeerAddress[]>;
  /** That one did not answer: forget it. */
  failed(id: NodeId, address: string): void;
}

export interface SendOptions {
  /** Milliseconds that the send may wait for a link and for room. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** This link and no other: a reply leaves where its request came in, while that stands. */
  readonly via?: Link;
  /** About how many bytes a body will have that is made later; it counts for the bound of the lane. */
  readonly bytes?: number;
  /** Its number among the sends of this peer: one that comes again waits before those with a higher one. */
  readonly place?: number;
}

/**
 * What is sent: bytes, or what makes them when the link is known and has room. Contract of the latter: it is called
 * once, at the very moment the wire takes the result, so that it sees the features of the link and what is left of the
 * time; when it throws, nothing is sent and `send` throws the same.
 */
export type Body = Uint8Array | ((link: Link) => Uint8Array);

export interface PeersEvents {
  /** A body of a verified peer, in order per lane. Contract: never throws. */
  frame(link: Link, lane: Lane, body: Uint8Array): void;
  up(link: Link): void;
  down(link: Link, why: { readonly code: number; readonly reason: string; readonly broken: boolean }): void;
}

export interface Peers extends AsyncDisposable {
  /**
   * Gives the link that took it. Throws `node.connection_not_ready`, `node.overloaded`, `node.unavailable`,
   * `node.permission_denied`: in each case the body was not sent.
   */
  send(to: NodeId, lane: Lane, body: Body, o: SendOptions): Promise<Link>;
  /**
   * The same where nothing has to be waited for, which is nearly always: without a promise. `undefined`: use `send`, the
   * body was not asked for.
   */
  sendNow(to: NodeId, lane: Lane, body: Body, via?: Link): Link | undefined;
  /** The link a send would take now. */
  current(to: NodeId): Link | undefined;
  /** Links with that text of an id; for probes, refreshes and closing. */
  links(id?: string): readonly Link[];
  /** A peer has proved a newer credential on that link: it counts from now on. */
  renewed(link: Link, credential: Pick<VerifiedCredential, "expires_at_ms" | "epoch">): void;
  /** Ends the links of an id whose credentials are older than that epoch. */
  revoke(id: string, epoch: bigint): void;
  /** Ends all links of an id, or of all. */
  drop(id: string | undefined, code: number, reason: string): Promise<void>;
  stats(): PeersStats;
}

export interface PeersStats {
  readonly links: number;
  /** Peers with a link, or with sends that wait for one. */
  readonly peers: number;
  /** Sends that wait for a link or for room. */
  readonly waiting: number;
  readonly dials: number;
  readonly dials_failed: number;
  readonly sent: number;
  readonly sent_bytes: number;
  readonly received: number;
  readonly received_bytes: number;
  /** Bytes that wait in the wires. */
  readonly buffered_bytes: number;
  /** Links ended because the peer had too many, because a credential was over, because it was revoked. */
  readonly replaced: number;
  readonly expired: number;
  readonly revoked: number;
}
