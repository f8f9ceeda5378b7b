/**
 * The links that stand, by peer (spec: node 6.3, 6.8, 8.6).
 *
 * takes verified links from wires; gives the newest of a peer; promises that each link is told up once and down once,
 * and ends when the credential behind it is over; refuses more than a few links of one peer: the oldest gives way;
 * never decides what is sent.
 */
import { type Clock, type Link, type LinkEnd, type Receive, type WireEvents } from "@atoll-run/core";
import type { VerifiedCredential } from "../identity/session.ts";
import type { PeerFact, Report } from "../hooks/report.ts";
import { idText } from "../identity/id-text.ts";
import type { LimitsOf } from "../limits.ts";
import type { PeersEvents } from "./peers.ts";

export interface LinkTableParts {
  readonly clock: Clock;
  readonly report: Report;
  readonly events: PeersEvents;
}

type TableLimits = Pick<LimitsOf<"transport">, "linksPerPeerMax" | "skewMs" | "expiredLinkMsMax">;

/** Hears of each link after the events of the node. */
export interface LinkHearer {
  up(id: string, link: Link): void;
  down(id: string, link: Link): void;
}

interface Entry {
  readonly id: string;
  /** It is being ended from here: nothing more is sent on it. */
  closing: boolean;
  epoch: bigint | undefined;
  /** Wall clock; `Infinity` = its credential has no end. */
  untilAtMs: number;
}

const EMPTY: readonly Link[] = [];
/** The longest that a timer looks ahead: wall clocks are set, and an end may come nearer. */
const LOOK_MS_MAX = 60_000;

export class LinkTable implements Disposable {
  /** What wires tell: hand it to each of them. */
  readonly wireEvents: WireEvents = { accepted: (link) => this.adopt(link) };
  readonly counts = { replaced: 0, expired: 0, revoked: 0, received: 0, received_bytes: 0 };
  readonly #parts: LinkTableParts;
  readonly #limits: TableLimits;
  /** Oldest first. */
  readonly #byPeer = new Map<string, Link[]>();
  /** The newest link of each peer on which anything may be sent. */
  readonly #newest = new Map<string, Link>();
  readonly #entries = new Map<Link, Entry>();
  readonly #hearers = new Set<LinkHearer>();
  #timer: Disposable | undefined;
  #timerAtMs = Infinity;

  constructor(parts: LinkTableParts, limits: TableLimits) {
    this.#parts = parts;
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.size;
  }

  peerIds(): Iterable<string> {
    return this.#byPeer.keys();
  }

  get bufferedBytes(): number {
    let bytes = 0;
    for (const link of this.#entries.keys()) bytes += link.bufferedBytes;
    return bytes;
  }

  /** All links, or those of one peer, oldest first. */
  links(id?: string): readonly Link[] {
    return id === undefined ? [...this.#entries.keys()] : this.#byPeer.get(id) ?? EMPTY;
  }

  /** The newest link on which anything may be sent. */
  newest(id: string): Link | undefined {
    return this.#newest.get(id);
  }

  /** Whether it stands, and is not being ended. */
  takes(link: Link): boolean {
    return this.#entries.get(link)?.closing === false;
  }

  hear(hearer: LinkHearer): Disposable {
    this.#hearers.add(hearer);
    return { [Symbol.dispose]: () => this.#hearers.delete(hearer) };
  }

  /** Ends links from here: of one peer, or all. */
  async close(id: string | undefined, code: number, reason: string): Promise<void> {
    await Promise.all([...this.links(id)].map((link) => this.#close(link, code, reason)));
  }

  /** Takes a verified link over; for wires, in both directions. */
  adopt(link: Link): Receive {
    const { events, report } = this.#parts;
    const id = idText(link.peer.id);
    const links = this.#byPeer.get(id) ?? [];
    links.push(link);
    this.#byPeer.set(id, links);
    const entry: Entry = { id, closing: false, epoch: link.peer.epoch, untilAtMs: this.#until(link.peer.expires_at_ms) };
    this.#entries.set(link, entry);
    this.#choose(id);
    this.#look(entry.untilAtMs);
    void link.ended.then((end) => this.#remove(link, end));
    const [oldest] = links;
    if (oldest !== undefined && links.length > this.#limits.linksPerPeerMax) {
      this.counts.replaced++;
      void this.#close(oldest, 4409, "replaced by a newer connection");
    }
    if (link.wire === "websocket") {
      if (link.inbound) report("websocket_connecting", factOf(link, id));
      report("websocket_connected", factOf(link, id));
    }
    events.up(link);
    for (const hearer of this.#hearers) hearer.up(id, link);
    return (lane, body) => {
      this.counts.received++;
      this.counts.received_bytes += body.length;
      events.frame(link, lane, body);
    };
  }

  renewed(link: Link, credential: Pick<VerifiedCredential, "expires_at_ms" | "epoch">): void {
    const entry = this.#entries.get(link);
    if (entry === undefined) return;
    entry.epoch = credential.epoch;
    entry.untilAtMs = this.#until(credential.expires_at_ms);
    this.#look(entry.untilAtMs);
  }

  revoke(id: string, epoch: bigint): void {
    for (const link of [...this.links(id)]) {
      const own = this.#entries.get(link)?.epoch;
      if (own === undefined || own >= epoch) continue;
      this.counts.revoked++;
      void this.#close(link, 4401, "the credential was revoked");
    }
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timerAtMs = -Infinity;
  }

  async #close(link: Link, code: number, reason: string): Promise<void> {
    const entry = this.#entries.get(link);
    if (entry !== undefined) {
      entry.closing = true;
      this.#choose(entry.id);
    }
    await link.close(code, reason);
  }

  #remove(link: Link, end: LinkEnd): void {
    const entry = this.#entries.get(link);
    if (entry === undefined) return;
    this.#entries.delete(link);
    const left = (this.#byPeer.get(entry.id) ?? []).filter((one) => one !== link);
    if (left.length === 0) this.#byPeer.delete(entry.id);
    else this.#byPeer.set(entry.id, left);
    this.#choose(entry.id);
    if (link.wire === "websocket") this.#parts.report("websocket_disconnected", factOf(link, entry.id));
    this.#parts.events.down(link, end);
    for (const hearer of this.#hearers) hearer.down(entry.id, link);
  }

  #choose(id: string): void {
    const newest = this.#byPeer.get(id)?.findLast((link) => takesAll(link) && this.takes(link));
    if (newest === undefined) this.#newest.delete(id);
    else this.#newest.set(id, newest);
  }

  #until(expiresAtMs: number): number {
    return expiresAtMs + this.#limits.skewMs + this.#limits.expiredLinkMsMax;
  }

  /** Sees to it that somebody looks at this time. */
  #look(atMs: number): void {
    if (atMs >= this.#timerAtMs || atMs === Infinity) return;
    const now = this.#parts.clock.now();
    this.#timer?.[Symbol.dispose]();
    this.#timerAtMs = Math.min(atMs, now + LOOK_MS_MAX);
    this.#timer = this.#parts.clock.after(Math.max(0, this.#timerAtMs - now), () => this.#expire());
  }

  #expire(): void {
    const now = this.#parts.clock.now();
    let next = Infinity;
    for (const [link, entry] of this.#entries) {
      if (entry.untilAtMs > now) {
        next = Math.min(next, entry.untilAtMs);
        continue;
      }
      entry.untilAtMs = Infinity;
      this.counts.expired++;
      void this.#close(link, 4401, "the credential has expired");
    }
    this.#timerAtMs = Infinity;
    this.#look(next);
  }
}

/** A legacy node that dialled hears only responses on its connection (spec: node 6.2). */
function takesAll(link: Link): boolean {
  return !link.inbound || link.wire !== "websocket" || link.peer.features.has("rpc1");
}

export function factOf(link: Pick<Link, "inbound" | "peer">, peer: string): PeerFact {
  return { peer, direction: link.inbound ? "in" : "out", proof: link.peer.proof };
}
