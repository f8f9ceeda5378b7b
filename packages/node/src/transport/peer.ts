/** One peer: which link its sends take, and the one dial that there may be (spec: node 6.1, 6.3). */
import { nodeError, type Link, type NodeId } from "@atoll-run/core";
import { dialPeer, type DiallerParts } from "./dialler.ts";
import { Outlet, type OutletLimits, type OutletParts } from "./outlet.ts";

export interface PeerParts extends DiallerParts {
  readonly counts: OutletParts["counts"] & { dials: number; dials_failed: number };
  /** Aborts when the node lets go of its peers. */
  readonly closing: AbortSignal;
}

export class Peer {
  readonly outlet: Outlet;
  readonly #to: NodeId;
  readonly #id: string;
  readonly #parts: PeerParts;
  readonly #limits: OutletLimits;
  /** The link that sends go on. A newer one takes over when everything on this one has arrived. */
  #target: Link | undefined;
  #dialling: Promise<Link> | undefined;
  /** A link that comes in while this node dials is as good as the one it asked for. */
  #arrived: PromiseWithResolvers<Link> | undefined;

  constructor(parts: PeerParts, who: { readonly to: NodeId; readonly id: string }, limits: OutletLimits) {
    this.#parts = parts;
    this.#to = who.to;
    this.#id = who.id;
    this.#limits = limits;
    this.outlet = new Outlet({ ...parts, ready: () => this.#ready(), obtain: () => this.#obtain() }, limits);
  }

  /** Nothing is sent, and nothing is dialled. */
  get idle(): boolean {
    return this.outlet.idle && this.#dialling === undefined;
  }

  up(): void {
    const link = this.#parts.table.newest(this.#id);
    if (link === undefined) return;
    this.outlet.wake();
    this.#arrived?.resolve(link);
  }

  async settled(): Promise<void> {
    await this.outlet.settled();
    await this.#dialling?.catch(() => undefined);
  }

  #ready(): Link | undefined {
    const { table } = this.#parts;
    const newest = table.newest(this.#id);
    if (newest === this.#target) return newest;
    if (this.#target === undefined || !table.takes(this.#target)) this.#target = newest;
    return newest === this.#target ? newest : undefined;
  }

  async #obtain(): Promise<Link> {
    const { table, closing } = this.#parts;
    if (closing.aborted) throw closing.reason;
    const newest = table.newest(this.#id);
    if (newest === undefined) return this.#reach();
    // The answer to a probe comes behind all that was sent before it.
    if (this.#target !== undefined && table.takes(this.#target)) await this.#target.probe(this.#limits.switchMsMax);
    this.#target = newest;
    return newest;
  }

  async #reach(): Promise<Link> {
    this.#arrived = Promise.withResolvers<Link>();
    this.#dialling ??= this.#dial();
    return Promise.race([this.#arrived.promise, this.#dialling]);
  }

  async #dial(): Promise<Link> {
    const { counts, closing } = this.#parts;
    counts.dials++;
    try {
      return await dialPeer(this.#parts, this.#to, { withinMs: this.#limits.dialMsMax, signal: closing });
    } catch (error) {
      counts.dials_failed++;
      throw error;
    } finally {
      this.#dialling = undefined;
    }
  }
}

/** The outlet onto one link and no other. */
export function linkOutlet(parts: PeerParts, link: Link, limits: OutletLimits): Outlet {
  return new Outlet({
    ...parts, ready: () => parts.table.takes(link) ? link : undefined,
    obtain: () => Promise.reject(nodeError("node.unavailable", "the connection has ended")),
  }, limits);
}
