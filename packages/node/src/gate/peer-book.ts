/** What the way in knows about each peer while it has a link or a request (spec: node 4.8, 7.10). */
import { PassingMap, type Clock, type Link, type Log, type Principal } from "@atoll-run/core";
import { judge, type Action, type Rule } from "@atoll-run/core/internal";
import type { LimitsOf } from "../limits.ts";
import type { Incoming } from "./incoming.ts";
import type { LinkBook } from "./link-book.ts";
import type { Self } from "./outbound-parts.ts";

export class PeerNote {
  readonly key: string;
  readonly text: string;
  readonly principal: Principal;
  readonly links = new Set<Link>();
  /** Requests that wait for the intake to open. */
  early = 0;
  /** Verdicts of `judgedBy` by name and kind, and how many there are. */
  readonly verdicts = new Map<string, Partial<Record<Action["kind"], boolean>>>();
  judged = 0;
  judgedBy: readonly Rule[] | undefined;
  /** Monotonic milliseconds. */
  auditedAtMs = -Infinity;
  /** Refusals since then that were not written down. */
  unaudited = 0;
  /** Requests that are answered now, by request id; more than one of an id are a chain. */
  readonly #running = new PassingMap<string, Incoming>();

  constructor(key: string, text: string, principal: Principal) {
    this.key = key;
    this.text = text;
    this.principal = principal;
  }

  get idle(): boolean {
    return this.links.size === 0 && this.#running.size === 0 && this.early === 0;
  }

  begin(incoming: Incoming): void {
    const { request_id } = incoming.envelope;
    incoming.next = this.#running.get(request_id);
    this.#running.set(request_id, incoming);
  }

  end(incoming: Incoming): void {
    const { request_id } = incoming.envelope;
    const first = this.#running.get(request_id);
    if (first === incoming) {
      if (incoming.next === undefined) this.#running.delete(request_id);
      else this.#running.set(request_id, incoming.next);
      return;
    }
    for (let at = first; at !== undefined; at = at.next) {
      if (at.next === incoming) at.next = incoming.next;
    }
  }

  /** Tells all requests of that id and route that nobody waits any more; gives how many there were. */
  cancel(requestId: string, route: string, reason: unknown): number {
    let count = 0;
    for (let at = this.#running.get(requestId); at !== undefined; at = at.next) {
      if (at.envelope.route_key !== route) continue;
      at.abort(reason);
      count++;
    }
    return count;
  }
}

export interface PeerBookParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly self: () => Self;
  readonly rules: () => readonly Rule[] | undefined;
  readonly book: LinkBook;
  readonly limits: LimitsOf<"gate">;
  readonly stats: { acl_denied: number };
}

export class PeerBook {
  readonly #parts: PeerBookParts;
  /** By text of the id and proof: a bearer is never taken for who has proved its key. */
  readonly #peers = new Map<string, PeerNote>();
  readonly #ofLink = new WeakMap<Link, PeerNote>();

  constructor(parts: PeerBookParts) {
    this.#parts = parts;
  }

  of(link: Link): PeerNote {
    let note = this.#ofLink.get(link);
    if (note === undefined) {
      const { peer } = this.#parts.book.of(link);
      const { id, proof } = link.peer;
      const key = `${proof} ${peer}`;
      note = this.#peers.get(key) ?? new PeerNote(key, peer, { kind: "peer", id, proof });
      this.#peers.set(key, note);
      this.#ofLink.set(link, note);
    }
    return note;
  }

  up(link: Link): void {
    this.of(link).links.add(link);
  }

  down(link: Link): void {
    const note = this.of(link);
    note.links.delete(link);
    this.#forget(note);
  }

  /** That request of it was answered. */
  end(note: PeerNote, incoming: Incoming): void {
    note.end(incoming);
    if (note.links.size === 0) this.#forget(note);
  }

  /** Lets go of a peer that has neither link nor request. */
  #forget(note: PeerNote): void {
    if (note.idle) this.#peers.delete(note.key);
  }

  /** Deny by default. A verdict holds as long as the rules are the same list. */
  allows(peer: PeerNote, action: Action): boolean {
    const { self, limits } = this.#parts;
    const rules = this.#parts.rules();
    if (peer.judgedBy !== rules || peer.judged >= limits.verdictsMax) {
      peer.verdicts.clear();
      peer.judged = 0;
      peer.judgedBy = rules;
    }
    const { kind, name } = action;
    const known = peer.verdicts.get(name);
    let allowed = known?.[kind];
    if (allowed === undefined) {
      allowed = judge(rules, { principal: peer.principal, realm: self().id?.realm ?? 0 }, action).allowed;
      peer.verdicts.set(name, { ...known, [kind]: allowed });
      peer.judged++;
    }
    if (!allowed) this.#audit(peer, `${kind}:${name}`);
    return allowed;
  }

  #audit(peer: PeerNote, action: string): void {
    const { clock, limits, log, stats } = this.#parts;
    stats.acl_denied++;
    const nowMs = clock.monotonic();
    if (nowMs - peer.auditedAtMs < limits.auditMs) {
      peer.unaudited++;
      return;
    }
    const fields = { peer: peer.text, action, proof: peer.principal.kind === "peer" ? peer.principal.proof : "",
      more_since: peer.unaudited };
    log.write({ level: "warn", target: "gate", msg: "refused by the rules", fields });
    peer.auditedAtMs = nowMs;
    peer.unaudited = 0;
  }
}
