/**
 * Both gates of a node, put together (spec: node 4.1, 6).
 *
 * takes the parts of a node; gives the speaker of its host, speakers for its handlers, and what the peers tell; promises
 * that both sides share one table of pending asks and one state of intake; refuses work while shut, draining or closed;
 * never holds a link of its own.
 */
import { nodeError, type Clock, type Ids, type Link, type Log, type NodeId } from "@atoll-run/core";
import type { Rule } from "@atoll-run/core/internal";
import type { LimitsOf } from "../limits.ts";
import type { Inbox } from "../mailbox/inbox.ts";
import type { Peers, PeersEvents } from "../transport/peers.ts";
import { Answers } from "./answers.ts";
import { Chance } from "./chance.ts";
import { Choice } from "./choice.ts";
import { Delivery } from "./delivery.ts";
import { IdReader } from "./ids.ts";
import { InboundGate } from "./inbound.ts";
import { Intake } from "./intake.ts";
import { LinkBook } from "./link-book.ts";
import type { Outbound } from "./outbound.ts";
import type { Discovery, OutboundParts, Self, StreamOpener } from "./outbound-parts.ts";
import { PendingTable } from "./pending.ts";
import { createSpeakers } from "./speaker.ts";

export interface GateParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** So many random bytes. */
  readonly bytes: (count: number) => Uint8Array;
  readonly self: () => Self;
  /** Both are made after the gates: peers tell them, the inbox speaks through them. */
  readonly peers: () => Peers;
  readonly inbox: () => Inbox;
  /** Undefined: no peer is let in. A new list has new verdicts. */
  readonly rules: () => readonly Rule[] | undefined;
  readonly named?: (name: string) => NodeId | undefined;
  readonly discovery?: Discovery;
  /** Checks a newer credential of a peer; throws to refuse it. */
  readonly refresh?: (link: Link, payload: Uint8Array) => Promise<void>;
}

export interface Gate {
  readonly outbound: Outbound;
  /** For whoever makes the peers. */
  readonly events: PeersEvents;
  /** Lets messages of peers in; those that waited come first. */
  open(): void;
  /** Refuses new work of peers and of the host; handlers may still ask others. */
  drain(): void;
  /** Waits until answers have left; gives how many have not when the signal aborts. */
  flushed(signal: AbortSignal): Promise<number>;
  /** Ends every pending ask with `node.unavailable`. */
  close(): void;
  stats(): Readonly<Record<string, number>>;
}

export function createGate(parts: GateParts, limits: LimitsOf<"gate">): Gate {
  const { clock } = parts;
  const shared = {
    ...parts, limits, pending: new PendingTable(limits), intake: new Intake(clock), book: new LinkBook(clock),
    chance: new Chance(parts.bytes), idReader: new IdReader(), streams: NO_STREAMS,
    discovery: parts.discovery ?? NO_DISCOVERY, named: parts.named ?? ((): undefined => undefined),
  } satisfies OutboundParts & GateParts;
  const { pending, intake } = shared;
  const answers = new Answers(shared);
  const inbound = new InboundGate({ ...shared, answers });
  const delivery = new Delivery(shared);
  const codes = new Map<string, number>();
  const outbound = createSpeakers({ ...shared, delivery, choice: new Choice({ ...shared, delivery }, limits), codes });
  return {
    outbound, events: inbound,
    open: () => intake.move("open"),
    drain: () => intake.move("draining"),
    flushed: (signal) => answers.flushed(signal),
    close: () => {
      intake.move("closed");
      pending.endAll((ask) => nodeError("node.unavailable", "this node has been closed", { uncertain: ask.sent }));
    },
    stats: () => ({
      ...pending.stats, ...inbound.stats, ...answers.stats,
      ...Object.fromEntries([...codes].map(([code, count]) => [`calls_${code}`, count])),
    }),
  };
}

const NO_DISCOVERY: Discovery = {
  candidates: () => Promise.reject(nodeError("node.unavailable", "this node has no realm to ask", {
    hint: "give the id or the name of a node",
  })),
};

const NO_STREAMS: StreamOpener & PeersEvents = {
  open: () => Promise.reject(nodeError("node.not_implemented", "this node has no streams")),
  frame: () => undefined, up: () => undefined, down: () => undefined,
};
