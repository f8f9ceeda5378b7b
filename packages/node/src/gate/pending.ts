/**
 * Asks that wait for their answer (spec: node 4.2, 6.6).
 *
 * takes asks, and answers of peers; gives each answer to the asks that have its request id, its route and its peer;
 * promises that an ask ends once; refuses more than its caps with `node.overloaded`; never runs an answer: one that
 * nobody waits for is counted and dropped.
 */
import { nodeError, PassingMap, type Clock, type Fault, type Link } from "@atoll-run/core";
import type { Accept, Envelope } from "@atoll-run/core/internal";
import type { LimitsOf } from "../limits.ts";
import type { Settled } from "../mailbox/inbox.ts";
import { Alarm } from "./alarm.ts";
import type { Plan } from "./ask.ts";
import { lateFault } from "./ask-faults.ts";

export type AskEvent =
  | { readonly is: "response"; readonly envelope: Envelope }
  | { readonly is: "settled"; readonly settled: Settled }
  | { readonly is: "accept"; readonly accept: Accept }
  /** A legacy peer, which acknowledges nothing, has been sent a tell. */
  | { readonly is: "sent" }
  | { readonly is: "unsent"; readonly fault: Fault }
  /** The link that carried it has ended. */
  | { readonly is: "lost"; readonly reason: string }
  /** A wait is over, or the peer is back: another attempt is made. */
  | { readonly is: "again" }
  /** Always the last. */
  | { readonly is: "ended"; readonly fault: Fault };

/** One ask and what happened to it, for its one reader. */
export class PendingAsk {
  /** Text of the id of the peer that may answer; empty = this node itself. */
  readonly peer: string;
  readonly requestId: string;
  readonly route: string;
  readonly kind: "call" | "tell";
  /** What it may take, milliseconds, and when that ends on the monotonic clock. */
  readonly ms: number;
  readonly atMs: number;
  /** The link that carried it last, while that stands. */
  link: Link | undefined;
  /** It has been handed to a link at least once: it may have run. */
  sent = false;
  /** Its number among all asks of the node. */
  place = 0;
  /** Waits until another attempt: this makes it. */
  goAgain: (() => void) | undefined;
  next: PendingAsk | undefined;
  /** Neighbours among the asks of the peer, in the order they were asked. */
  before: PendingAsk | undefined;
  after: PendingAsk | undefined;
  /** Those that came before they were waited for; mostly there are none. */
  #events: AskEvent[] | undefined;
  #over = false;
  #wake: ((event: AskEvent) => void) | undefined;

  constructor(peer: string, plan: Pick<Plan, "requestId" | "route" | "kind" | "ms" | "atMs">) {
    this.peer = peer;
    this.requestId = plan.requestId;
    this.route = plan.route;
    this.kind = plan.kind;
    this.ms = plan.ms;
    this.atMs = plan.atMs;
  }

  /** Nobody waits for an answer any more. */
  get over(): boolean {
    return this.#over;
  }

  tell(event: AskEvent): void {
    if (this.#over) return;
    if (event.is === "ended") this.#over = true;
    const wake = this.#wake;
    this.#wake = undefined;
    if (wake === undefined) (this.#events ??= []).push(event);
    else wake(event);
  }

  /** The next event; one reader, which stops after the last. */
  wait(): Promise<AskEvent> {
    const event = this.#events?.shift();
    return event === undefined
      ? new Promise((resolve) => (this.#wake = resolve))
      : Promise.resolve(event);
  }
}

/** The asks of one peer as a list through themselves: coming and going takes no memory. */
class PeerAsks {
  count = 0;
  #first: PendingAsk | undefined;
  #last: PendingAsk | undefined;

  add(ask: PendingAsk): void {
    this.count++;
    ask.before = this.#last;
    if (this.#last === undefined) this.#first = ask;
    else this.#last.after = ask;
    this.#last = ask;
  }

  drop(ask: PendingAsk): void {
    this.count--;
    if (ask.before === undefined) this.#first = ask.after;
    else ask.before.after = ask.after;
    if (ask.after === undefined) this.#last = ask.before;
    else ask.after.before = ask.before;
    ask.before = ask.after = undefined;
  }

  all(): PendingAsk[] {
    const all: PendingAsk[] = [];
    for (let ask = this.#first; ask !== undefined; ask = ask.after) all.push(ask);
    return all;
  }
}

/** Peers without an open ask that are kept for the next. */
const IDLE_PEERS_MAX = 1_024;

export interface PendingStats {
  pending_calls: number;
  orphan_late: number;
  orphan_unknown: number;
  orphan_wrong_peer: number;
}

export class PendingTable {
  readonly #limits: LimitsOf<"gate">;
  /** By request id; more than one of an id are a chain. */
  readonly #asks = new PassingMap<string, PendingAsk>();
  readonly #peers = new Map<string, PeerAsks>();
  /** Request ids that ended unanswered, the oldest first. */
  readonly #late = new Set<string>();
  readonly #alarm: Alarm;
  #places = 0;
  readonly stats: PendingStats = { pending_calls: 0, orphan_late: 0, orphan_unknown: 0, orphan_wrong_peer: 0 };

  constructor(clock: Clock, limits: LimitsOf<"gate">) {
    this.#limits = limits;
    this.#alarm = new Alarm(clock, (nowMs) => this.#endLate(nowMs));
  }

  /** It is told when its time is over, until it is closed. Throws `node.overloaded`. */
  open(ask: PendingAsk): void {
    let own = this.#peers.get(ask.peer);
    const count = own?.count ?? 0;
    if (this.stats.pending_calls >= this.#limits.pendingMax || count >= this.#limits.pendingPerPeerMax) {
      throw nodeError("node.overloaded", `too many asks wait for an answer${ask.peer && ` of ${ask.peer}`}`, {
        facts: { pending: count }, retry_after_ms: 1_000,
        hint: "wait for answers before you ask more",
      });
    }
    if (own === undefined) {
      if (this.#peers.size >= IDLE_PEERS_MAX) this.#prune();
      this.#peers.set(ask.peer, own = new PeerAsks());
    }
    own.add(ask);
    ask.place = ++this.#places;
    this.stats.pending_calls++;
    const first = this.#asks.get(ask.requestId);
    if (first !== undefined) ask.next = first;
    this.#asks.set(ask.requestId, ask);
    this.#alarm.by(ask.atMs);
  }

  /** `answered`: false when an answer may still come. */
  close(ask: PendingAsk, answered: boolean): void {
    this.#peers.get(ask.peer)?.drop(ask);
    if (--this.stats.pending_calls === 0) this.#alarm.rest();
    this.#unchain(ask);
    if (answered) return;
    this.#late.add(ask.requestId);
    if (this.#late.size > this.#limits.lateMax) {
      const [oldest] = this.#late;
      if (oldest !== undefined) this.#late.delete(oldest);
    }
  }

  /** A response of a peer, or its word that it has accepted. False when nobody waits for it. */
  answer(peer: string, envelope: Envelope): boolean {
    let found = false;
    const accept = envelope.direction === "accept" ? envelope.accept : undefined;
    // Calls are acknowledged by their answer: we ask for nothing else.
    const kind = accept === undefined ? "call" : "tell";
    for (let ask = this.#asks.get(envelope.request_id); ask !== undefined; ask = ask.next) {
      if (ask.peer !== peer || ask.route !== envelope.route_key) continue;
      if (ask.kind !== kind) continue;
      found = true;
      ask.tell(accept === undefined ? { is: "response", envelope } : { is: "accept", accept });
    }
    if (!found) this.#orphan(envelope.request_id);
    return found;
  }

  /** What this link carried is without an answer, in the order it was asked. */
  lost(peer: string, link: Link, reason: string): void {
    for (const ask of this.#of(peer)) {
      if (ask.link !== link) continue;
      ask.link = undefined;
      ask.tell({ is: "lost", reason });
    }
  }

  /** The peer is back: what rests between two attempts has gone, in the order it was asked, when this returns. */
  back(peer: string): void {
    for (const ask of this.#of(peer)) ask.goAgain?.();
  }

  /** Ends all. */
  endAll(fault: (ask: PendingAsk) => Fault): void {
    for (const own of [...this.#peers.values()]) {
      for (const ask of own.all()) ask.tell({ is: "ended", fault: fault(ask) });
    }
  }

  #endLate(nowMs: number): number {
    let nextMs = Infinity;
    for (const own of this.#peers.values()) {
      for (const ask of own.all()) {
        if (ask.over) continue;
        if (ask.atMs <= nowMs) ask.tell({ is: "ended", fault: lateFault(ask) });
        else if (ask.atMs < nextMs) nextMs = ask.atMs;
      }
    }
    return nextMs;
  }

  #of(peer: string): readonly PendingAsk[] {
    return this.#peers.get(peer)?.all() ?? [];
  }

  /** Peers are remembered while they are few: most are asked again. */
  #prune(): void {
    for (const [peer, { count }] of this.#peers) if (count === 0) this.#peers.delete(peer);
  }

  #unchain(ask: PendingAsk): void {
    const first = this.#asks.get(ask.requestId);
    if (first === ask) {
      if (ask.next === undefined) this.#asks.delete(ask.requestId);
      else this.#asks.set(ask.requestId, ask.next);
      return;
    }
    for (let at = first; at !== undefined; at = at.next) {
      if (at.next !== ask) continue;
      at.next = ask.next;
      return;
    }
  }

  #orphan(requestId: string): void {
    if (this.#asks.has(requestId)) this.stats.orphan_wrong_peer++;
    else if (this.#late.has(requestId)) this.stats.orphan_late++;
    else this.stats.orphan_unknown++;
  }
}
