/**
 * Connections as they come and go, from what the rooms report: how long dials take, and how long it is until a lost one
 * is back (spec: node 11.2 `connect` and `recover`, 11.3).
 */
import type { Clock } from "@atoll-run/core";
import type { PeerFact, Report } from "../hooks/report.ts";
import { NODE_LIMITS } from "../limits.ts";
import type { Figures } from "./figures.ts";
import type { OpenSpan, Tracer } from "./tracer.ts";

export interface ConnectionWatchParts {
  readonly clock: Clock;
  readonly figures: Figures;
  readonly tracer: Tracer | undefined;
  readonly self: () => string;
}

interface Open {
  readonly sinceMs: number;
  readonly span: OpenSpan | undefined;
}

/** What is lost at the realm, among the texts of peers. */
const REALM = "";

export class ConnectionWatch {
  readonly #parts: ConnectionWatchParts;
  /** Dials under way, by peer. */
  readonly #dials = new Map<string, Open>();
  /** Up and not down since: an end of one of these is a loss. */
  readonly #up = new Map<string, number>();
  readonly #lost = new Map<string, Open>();

  constructor(parts: ConnectionWatchParts) {
    this.#parts = parts;
  }

  get connecting(): number {
    return this.#dials.size;
  }

  /** Hears all that is reported, before it is told on. */
  readonly hear: Report = (name, fact) => {
    switch (name) {
      case "websocket_connecting": return this.#dialled(fact as PeerFact);
      case "websocket_connected": return this.#connected(fact as PeerFact);
      case "websocket_disconnected": return this.#disconnected(fact as PeerFact);
      case "signaling_connected": return this.#back(REALM);
      case "signaling_disconnected": return this.#gone(REALM);
      default: return undefined;
    }
  };

  #dialled({ peer, direction }: PeerFact): void {
    if (direction === "out" && !this.#dials.has(peer)) this.#dials.set(peer, this.#begin("connect", peer));
  }

  #connected({ peer, direction }: PeerFact): void {
    if (direction === "out") this.#dialEnds(peer, "connected");
    this.#up.set(peer, (this.#up.get(peer) ?? 0) + 1);
    this.#back(peer);
  }

  #disconnected({ peer, direction }: PeerFact): void {
    // A dial that fails is told as an end too.
    if (direction === "out" && this.#dials.has(peer)) return this.#dialEnds(peer, "failed");
    const left = (this.#up.get(peer) ?? 0) - 1;
    if (left > 0) return void this.#up.set(peer, left);
    if (this.#up.delete(peer)) this.#gone(peer);
  }

  #dialEnds(peer: string, outcome: "connected" | "failed"): void {
    const dial = this.#dials.get(peer);
    if (dial === undefined) return;
    this.#dials.delete(peer);
    if (outcome === "connected") this.#parts.figures.connect.observe(this.#secondsSince(dial));
    dial.span?.end(outcome, outcome === "failed" ? "node.unavailable" : undefined);
  }

  #gone(peer: string): void {
    if (this.#lost.has(peer)) return;
    const [oldest] = this.#lost.keys();
    if (this.#lost.size >= NODE_LIMITS.observe.lostPeersMax && oldest !== undefined) this.#lost.delete(oldest);
    this.#lost.set(peer, this.#begin("recover", peer));
  }

  #back(peer: string): void {
    const lost = this.#lost.get(peer);
    if (lost === undefined) return;
    this.#lost.delete(peer);
    const { recovery } = this.#parts.figures;
    (peer === REALM ? recovery.signaling : recovery.peer).observe(this.#secondsSince(lost));
    lost.span?.end("recovered");
  }

  #begin(name: "connect" | "recover", peer: string): Open {
    const { clock, tracer, self } = this.#parts;
    const facts = { node: self(), ...peer === REALM ? { kind: "signaling" } : { peer } };
    // A dial belongs to what the program does at the moment: the ask that needs the connection.
    const within = name === "connect" ? { around: "" } : {};
    return { sinceMs: clock.monotonic(), span: tracer?.begin(name, { facts, ...within }) };
  }

  #secondsSince({ sinceMs }: Open): number {
    return (this.#parts.clock.monotonic() - sinceMs) / 1_000;
  }
}
