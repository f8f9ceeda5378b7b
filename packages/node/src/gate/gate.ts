/**
 * Both gates of a node, put together (spec: node 4.1, 6).
 *
 * takes the parts of a node; gives the speaker of its host, speakers for its handlers, and what the peers tell; promises
 * that both sides share one table of pending asks and one state of intake; refuses work while shut, draining or closed;
 * never holds a link of its own.
 */
import {
  Deadline, nodeError, type Clock, type Ids, type InStream, type Link, type Log, type NewLetter, type NodeId, type StateStore,
} from "@atoll-run/core";
import type { Rule } from "@atoll-run/core/internal";
import type { Report } from "../hooks/report.ts";
import { NODE_LIMITS, type LimitsOf } from "../limits.ts";
import type { Inbox } from "../mailbox/inbox.ts";
import { AskSpans } from "../observe/ask-spans.ts";
import { Figures } from "../observe/figures.ts";
import type { Tracer } from "../observe/tracer.ts";
import type { Peers, PeersEvents } from "../transport/peers.ts";
import { Answers } from "./answers.ts";
import { Chance } from "../identity/chance.ts";
import { Choice } from "./choice.ts";
import { Delivery } from "./delivery.ts";
import { IdReader } from "../identity/id-text.ts";
import { InboundGate } from "./inbound.ts";
import { gateStats } from "./gate-stats.ts";
import { Intake } from "./intake.ts";
import { LinkBook } from "./link-book.ts";
import type { Outbound } from "./outbound.ts";
import type { Discovery, OutboundParts, Self } from "./outbound-parts.ts";
import { PendingTable } from "./pending.ts";
import { Postman } from "./postman.ts";
import { plainSpeaker, type PlainSpeaker } from "../streams/plain-speaker.ts";
import { createOpener } from "../streams/opener.ts";
import type { StreamScope } from "../streams/stream-parts.ts";
import { StreamTable } from "../streams/stream-table.ts";
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
  /** The workload reads a stream of a peer, or of this node; undefined: it has none of that name. */
  readonly readStream?: (stream: InStream, scope: StreamScope) => Promise<void> | undefined;
  readonly report?: Report;
  /** Where times are counted; absent: somewhere of its own. */
  readonly figures?: Figures;
  /** Absent: nobody takes spans. */
  readonly tracer?: Tracer | undefined;
  /** Where parcels wait (4.20); without it nothing is posted. */
  readonly outbox?: Outbox;
}

export interface Outbox {
  readonly store: StateStore;
  /** Name of the node in the store. */
  readonly scope: string;
  /** As `attach` gave it; asked when the first parcel is due. */
  readonly epoch: () => number;
  /** Time of the store's owner, milliseconds; default the wall clock. */
  readonly nowMs?: () => number;
  /** A parcel that nobody took has become a dead letter. */
  readonly buried?: (letter: NewLetter) => void;
}

export interface Gate {
  readonly outbound: Outbound;
  /** For whoever makes the peers. */
  readonly events: PeersEvents;
  /** Lets messages of peers in; those that waited come first. */
  open(): void;
  /** Refuses new work of peers and of the host; handlers may still ask others. */
  drain(): void;
  /** Waits until streams are over, and resets those that are not when the signal aborts; gives how many. */
  drainStreams(signal: AbortSignal): Promise<number>;
  /** Streams of legacy peers. */
  readonly plain: PlainSpeaker;
  /** Waits until answers have left; gives how many have not when the signal aborts. */
  flushed(signal: AbortSignal): Promise<number>;
  /** A commit has put parcels into the outbox. From {@link open} on what is there is sent. */
  post(): void;
  /** Stops posting and ends every pending ask with `node.unavailable`. */
  close(): Promise<void>;
  stats(): Readonly<Record<string, number>>;
}

export interface GateLimits {
  readonly gate: LimitsOf<"gate">;
  readonly streams: LimitsOf<"streams">;
}

export function createGate(parts: GateParts, limits: GateLimits = NODE_LIMITS): Gate {
  const { clock, tracer, figures = new Figures(), discovery = NO_DISCOVERY } = parts;
  const spans = tracer === undefined ? undefined : new AskSpans({ tracer, self: parts.self });
  const shared = {
    ...parts, limits: limits.gate, pending: new PendingTable(clock, limits.gate), intake: new Intake(clock), book: new LinkBook(clock),
    chance: new Chance(parts.bytes), idReader: new IdReader(),
    spans, tracer, figures, discovery: spans?.discovery(discovery) ?? discovery, named: parts.named ?? ((): undefined => undefined),
  };
  const { pending, intake, chance } = shared;
  const answers = new Answers(shared);
  // Each of these is told of later: the gate hears who is back, streams ask the gate who may open them.
  const inbound: InboundGate = new InboundGate({
    ...shared, answers, streams: { // Streams come after the gate that lets them in.
      frame: (...came) => table.frame(...came), up: (link) => table.up(link), down: (...came) => table.down(...came),
    }, onUp: (_link, peer) => postman?.back(peer),
  });
  const table: StreamTable = new StreamTable({
    ...shared, limits: limits.streams, report: parts.report ?? ((): undefined => undefined),
    read: parts.readStream ?? ((): undefined => undefined),
    allows: (link, name) => inbound.allows(link, { kind: "stream", name }),
    ready: () => intake.state === "shut" ? intake.opened(limits.gate.earlyMsMax) : true,
    unreadable: (link, lane, body, fault) => inbound.unreadable({ link, lane, body, note: shared.book.of(link) }, fault),
  });
  const streams = createOpener({ ...shared, chance, table, limits: limits.streams });
  const outParts: OutboundParts = { ...shared, streams };
  const delivery = new Delivery(outParts);
  const codes = new Map<string, number>();
  const outbound = createSpeakers({
    ...outParts, spans, delivery, choice: new Choice({ ...shared, delivery }, limits.gate), codes,
  });
  const postman: Postman | undefined = parts.outbox === undefined ? undefined : createPostman(outParts, parts.outbox, outbound);
  return {
    outbound, events: inbound,
    open: () => {
      intake.move("open");
      postman?.start();
    },
    post: () => postman?.wake(),
    drain: () => {
      intake.move("draining");
      table.shut();
    },
    drainStreams: (signal) => table.drain(signal),
    plain: plainSpeaker(outParts, table),
    flushed: (signal) => answers.flushed(signal),
    close: async () => {
      await postman?.[Symbol.asyncDispose]();
      table.close();
      intake.move("closed");
      pending.endAll((ask) => nodeError("node.unavailable", "this node has been closed", { uncertain: ask.sent }));
    },
    stats: () => gateStats({ pending, inbound, answers, postman, table, codes }),
  };
}

function createPostman(shared: OutboundParts, outbox: Outbox, outbound: Outbound): Postman {
  const { clock, limits } = shared;
  const forever = new Deadline(clock, Infinity);
  return new Postman({
    ...shared, nowMs: () => clock.now(), ...outbox,
    // Not the host's speaker: the outbox is emptied while the node drains.
    speaker: (signal) => outbound.within({ depth: 0, deadline: forever, signal }),
  }, limits);
}

const NO_DISCOVERY: Discovery = {
  candidates: () => Promise.reject(nodeError("node.unavailable", "this node has no realm to ask", {
    hint: "give the id or the name of a node",
  })),
};
