/** Composes links, dials and queues into `Peers` (spec: node 6.1 to 6.3, 6.6). */
import { nodeError, type Clock, type Lane, type Link, type NodeId, type Wire } from "@atoll-run/core";
import { idText } from "../identity/id-text.ts";
import type { VerifiedCredential } from "../identity/session.ts";
import type { Report } from "../hooks/report.ts";
import { NODE_LIMITS } from "../limits.ts";
import type { Outlet, OutletLimits } from "./outlet.ts";
import { LinkTable, type LinkTableParts } from "./link-table.ts";
import { linkOutlet, Peer, type PeerParts } from "./peer.ts";
import type { AddressBook, Body, Peers, PeersStats, SendOptions } from "./peers.ts";

export interface PeersParts {
  readonly clock: Clock;
  /** They were given `table.wireEvents`. */
  readonly wires: readonly Wire[];
  readonly book: AddressBook;
  readonly table: LinkTable;
  readonly report: Report;
}

export type PeersLimits = OutletLimits;

const LIMITS: PeersLimits = { ...NODE_LIMITS.transport, ...NODE_LIMITS.wire };

/** Where links are kept; made before the wires, which tell it. */
export function createLinkTable(parts: LinkTableParts, limits: PeersLimits = LIMITS): LinkTable {
  return new LinkTable(parts, limits);
}

/** Owns the table from now on, not the wires. */
export function createPeers(parts: PeersParts, limits: PeersLimits = LIMITS): Peers {
  return new NodePeers(parts, limits);
}

class NodePeers implements Peers {
  readonly #parts: PeerParts;
  readonly #limits: PeersLimits;
  /** Only those with a link or with sends. */
  readonly #peers = new Map<string, Peer>();
  readonly #byLink = new Map<Link, Outlet>();
  readonly #counts = { sent: 0, sent_bytes: 0, dials: 0, dials_failed: 0 };
  readonly #closing = new AbortController();
  /** The same as that of the signal, which is dear to ask. */
  #closed = false;
  readonly #hearing: Disposable;

  constructor(parts: PeersParts, limits: PeersLimits) {
    this.#parts = { ...parts, counts: this.#counts, closing: this.#closing.signal };
    this.#limits = limits;
    this.#hearing = parts.table.hear({
      up: (id) => this.#peers.get(id)?.up(),
      down: (id, link) => {
        this.#byLink.delete(link);
        this.#tidy(id);
      },
    });
  }

  send(to: NodeId, lane: Lane, body: Body, o: SendOptions): Promise<Link> {
    const aborted = this.#closing.signal.aborted ? this.#closing.signal : o.signal;
    if (aborted?.aborted === true) return Promise.reject(aborted.reason as Error);
    if (o.via !== undefined) return this.#outletOf(o.via).send(lane, body, o);
    const id = idText(to);
    let peer = this.#peers.get(id);
    if (peer === undefined) {
      peer = new Peer(this.#parts, { to, id }, this.#limits);
      this.#peers.set(id, peer);
    }
    const sent = peer.outlet.send(lane, body, o);
    // The sender is told; here a failure only says that the peer may be of no use any more.
    sent.catch(() => this.#tidy(id));
    return sent;
  }

  sendNow(to: NodeId, lane: Lane, body: Body, via?: Link): Link | undefined {
    if (this.#closed) return undefined;
    const outlet = via === undefined ? this.#peers.get(idText(to))?.outlet : this.#outletOf(via);
    return outlet?.now(lane, body);
  }

  current(to: NodeId): Link | undefined {
    return this.#parts.table.newest(idText(to));
  }

  links(id?: string): readonly Link[] {
    return this.#parts.table.links(id);
  }

  renewed(link: Link, credential: Pick<VerifiedCredential, "expires_at_ms" | "epoch">): void {
    this.#parts.table.renewed(link, credential);
  }

  revoke(id: string, epoch: bigint): void {
    this.#parts.table.revoke(id, epoch);
  }

  drop(id: string | undefined, code: number, reason: string): Promise<void> {
    return this.#parts.table.close(id, code, reason);
  }

  stats(): PeersStats {
    const { table } = this.#parts;
    let waiting = 0;
    for (const { outlet } of this.#peers.values()) waiting += outlet.waiting;
    for (const outlet of this.#byLink.values()) waiting += outlet.waiting;
    return {
      links: table.size, peers: new Set([...this.#peers.keys(), ...table.peerIds()]).size, waiting,
      buffered_bytes: table.bufferedBytes, ...this.#counts, ...table.counts,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reason = nodeError("node.draining", "this node is closing", { retry_after_ms: 1_000 });
    this.#closed = true;
    this.#closing.abort(reason);
    const peers = [...this.#peers.values()];
    const outlets = [...peers.map(({ outlet }) => outlet), ...this.#byLink.values()];
    for (const outlet of outlets) outlet.failAll(reason);
    const { table } = this.#parts;
    await table.close(undefined, 1000, "closing");
    await Promise.all([...peers, ...outlets].map((one) => one.settled()));
    // A dial may have come through meanwhile.
    await table.close(undefined, 1000, "closing");
    this.#hearing[Symbol.dispose]();
    table[Symbol.dispose]();
  }

  #outletOf(link: Link): Outlet {
    const known = this.#byLink.get(link);
    if (known !== undefined) return known;
    const outlet = linkOutlet(this.#parts, link, this.#limits);
    if (this.#parts.table.takes(link)) this.#byLink.set(link, outlet);
    return outlet;
  }

  #tidy(id: string): void {
    if (this.#peers.get(id)?.idle && this.#parts.table.links(id).length === 0) this.#peers.delete(id);
  }
}
