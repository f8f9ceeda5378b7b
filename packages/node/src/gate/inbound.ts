/**
 * Where messages of peers enter the node, or are refused (spec: node 3.2, 4.1, 4.2, 4.8; wire 1.6, 1.7).
 *
 * takes bodies of verified links; gives messages to the inbox, answers to those who asked, chunks to the streams;
 * promises that identity comes from the link, that every request of a peer gets one answer, and that what is neither
 * clearly a request nor an answer is counted and dropped; refuses by the rules, and by default; never runs an answer.
 */
import { nodeError, SYSTEM_ROUTES, type Clock, type Fault, type Lane, type Link, type Log } from "@atoll-run/core";
import {
  readEnvelope, requestProblem, type Action, type Envelope, type Rule,
} from "@atoll-run/core/internal";
import type { LimitsOf } from "../limits.ts";
import type { Admission, Inbox } from "../mailbox/inbox.ts";
import type { PeersEvents } from "../transport/peers.ts";
import type { Answers } from "./answers.ts";
import { Incoming } from "./incoming.ts";
import type { Intake } from "./intake.ts";
import type { LinkBook, LinkNote } from "./link-book.ts";
import type { Self } from "./outbound-parts.ts";
import { PeerBook, type PeerNote } from "./peer-book.ts";
import type { PendingTable } from "./pending.ts";
import { SystemRoutes } from "./system-routes.ts";

export interface InboundParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly self: () => Self;
  readonly inbox: () => Inbox;
  /** Undefined: nobody is let in. */
  readonly rules: () => readonly Rule[] | undefined;
  readonly answers: Answers;
  readonly pending: PendingTable;
  readonly intake: Intake;
  readonly book: LinkBook;
  readonly streams: PeersEvents;
  /** Who hears that a peer is back: the postman. */
  readonly onUp?: (link: Link, peer: string) => void;
  /** Checks a newer credential of the peer; throws to refuse it. */
  readonly refresh?: (link: Link, payload: Uint8Array) => Promise<void>;
  readonly limits: LimitsOf<"gate">;
}

export interface InboundStats {
  frames_undecodable: number;
  frames_envelope_invalid: number;
  frames_media: number;
  links_closed: number;
  acl_denied: number;
  early_refused: number;
  cancelled: number;
}

/** Rules of the envelope reader that mean a frame which is none of ours (spec: wire 1.6). */
const ENVELOPE_RULES = new Set<unknown>(["direction", "outcome", "accept"]);
const MINUTE_MS = 60_000;

export class InboundGate implements PeersEvents {
  readonly #parts: InboundParts;
  readonly #peers: PeerBook;
  readonly #system: SystemRoutes;
  readonly stats: InboundStats = {
    frames_undecodable: 0, frames_envelope_invalid: 0, frames_media: 0, links_closed: 0, acl_denied: 0,
    early_refused: 0, cancelled: 0,
  };

  constructor(parts: InboundParts) {
    this.#parts = parts;
    this.#peers = new PeerBook({ ...parts, stats: this.stats });
    this.#system = new SystemRoutes({ ...parts, peers: this.#peers, stats: this.stats });
  }

  frame(link: Link, lane: Lane, body: Uint8Array): void {
    const { book, clock, streams } = this.#parts;
    const note = book.of(link);
    note.heardAtMs = clock.monotonic();
    if (lane === "rpc_reliable" || lane === "rpc_signal") this.#envelope({ link, note, lane, body });
    else if (lane === "media_rtp") this.stats.frames_media++;
    else streams.frame(link, lane, body);
  }

  up(link: Link): void {
    const { peer } = this.#parts.book.of(link);
    this.#peers.up(link);
    this.#parts.pending.back(peer);
    this.#parts.answers.back(link);
    this.#parts.streams.up(link);
    this.#parts.onUp?.(link, peer);
  }

  down(link: Link, why: { readonly code: number; readonly reason: string; readonly broken: boolean }): void {
    const { peer } = this.#parts.book.of(link);
    this.#parts.answers.ended(link, why.broken);
    this.#peers.down(link);
    this.#parts.pending.lost(peer, link, why.reason);
    this.#parts.streams.down(link, why);
  }

  /**
   * Whether the rules let that peer do it; remembered, and written down when not. Streams ask the same.
   */
  allows(link: Link, action: Action): boolean {
    return this.#peers.allows(this.#peers.of(link), action);
  }

  #envelope(came: Came): void {
    const read = readEnvelope(came.body);
    if (!read.ok) return this.unreadable(came, read.fault);
    const envelope = read.value;
    const { pending } = this.#parts;
    switch (envelope.direction) {
      case "response": case "accept":
        pending.answer(came.note.peer, envelope);
        return;
      case "request": case "tell": {
        const peer = this.#peers.of(came.link);
        if (came.note.rpc1 && isSystem(envelope.route_key)) this.#system.take(came.link, came.lane, envelope);
        else this.#enter({ link: came.link, note: came.note, lane: came.lane, body: came.body, envelope, peer });
      }
    }
  }

  /** A body that is no message. It is kept for people to look at; too many of them end the link. */
  unreadable(came: Came, fault: Fault): void {
    const { inbox, clock, limits, log } = this.#parts;
    const { note, link, lane, body } = came;
    const isEnvelope = ENVELOPE_RULES.has(fault.facts["rule"]);
    if (isEnvelope) this.stats.frames_envelope_invalid++;
    else this.stats.frames_undecodable++;
    inbox().unreadable({
      reason: isEnvelope ? "envelope_invalid" : "frame_undecodable", sender: note.peer, bytes: body,
      text: fault.message, lane,
    });
    const nowMs = clock.monotonic();
    if (nowMs - note.unreadableSinceMs >= MINUTE_MS) {
      note.unreadableSinceMs = nowMs;
      note.unreadable = 0;
    }
    if (++note.unreadable !== limits.unreadableMax + 1) return;
    this.stats.links_closed++;
    link.close(4400, "too many frames that cannot be read").catch((error: unknown) => {
      log.write({ level: "warn", target: "gate", msg: "a link could not be closed", fields: { error: String(error) } });
    });
  }

  #enter(message: Message): void {
    const { intake, limits, clock } = this.#parts;
    const { peer } = message;
    if (intake.state === "open" && peer.early === 0) return this.#judge(message);
    if (intake.state === "draining" || intake.state === "closed") {
      return this.#refuse(message, nodeError("node.draining", "the node is closing", { retry_after_ms: 1_000 }));
    }
    if (peer.early >= limits.earlyMax) return this.#tooEarly(message);
    peer.early++;
    const sinceMs = clock.monotonic();
    intake.opened(limits.earlyMsMax).then((opened) => {
      peer.early--;
      if (!opened) this.#tooEarly(message);
      else if (intake.state === "open") this.#judge(waited(message, clock.monotonic() - sinceMs));
      else this.#enter(message);
    });
  }

  #tooEarly(message: Message): void {
    this.stats.early_refused++;
    this.#refuse(message, nodeError("node.connection_not_ready", "the node is still starting", {
      retry_after_ms: 1_000,
    }));
  }

  #judge(message: Message): void {
    const { envelope, peer, link, lane, body } = message;
    const kind = envelope.direction === "request" ? "call" : "tell";
    if (!this.#peers.allows(peer, { kind, name: envelope.route_key })) {
      return this.#refuse(message, nodeError("node.permission_denied",
        `${message.note.peer} may not ${kind} ${envelope.route_key}`,
        { hint: "a rule of the node that is asked must allow it" }));
    }
    const problem = requestProblem(envelope);
    if (problem !== undefined) return this.#refuse(message, nodeError("node.invalid_argument", problem));
    const { answers, inbox } = this.#parts;
    const incoming = new Incoming({
      kind, sender: peer.principal, envelope, bytes: body, lane, in_process: link.wire === "memory",
      reachable: () => answers.reachable(link),
    });
    if (kind === "call") peer.begin(incoming);
    const admission = inbox().admit(incoming);
    if (!(admission instanceof Promise)) return this.#admitted(message, incoming, admission);
    admission.then(
      (later) => this.#admitted(message, incoming, later),
      (error: unknown) => this.#broken(message, incoming, error),
    );
  }

  #admitted(message: Message, incoming: Incoming, admission: Admission): void {
    const { answers } = this.#parts;
    const { envelope, link, note, peer } = message;
    if (admission.is === "refused") {
      this.#peers.end(peer, incoming);
      return this.#refuse(message, admission.fault);
    }
    if (envelope.want_accept === true && note.rpc1) {
      const queue = admission.is === "accepted" ? { queue_len: admission.queue_len } : {};
      answers.accept(link, message, { state: admission.is, ...queue });
    }
    if (incoming.kind === "tell") return;
    admission.settled.then((settled) => {
      this.#peers.end(peer, incoming);
      answers.respond(link, message, settled);
    }, (error: unknown) => this.#broken(message, incoming, error));
  }

  #refuse(message: Message, fault: Fault): void {
    this.#parts.answers.refuse(message.link, message, fault);
  }

  #broken({ link, envelope, lane, peer }: Message, incoming: Incoming, error: unknown): void {
    this.#peers.end(peer, incoming);
    this.#parts.log.write({
      level: "error", target: "gate", msg: "the inbox has failed", fields: { route: envelope.route_key, error },
    });
    const fault = nodeError("node.internal", "the node has failed to take the message", { cause: error });
    this.#parts.answers.refuse(link, { envelope, lane }, fault);
  }
}

/** A body and where it came from. */
interface Came {
  readonly link: Link;
  readonly note: LinkNote;
  readonly lane: Lane;
  readonly body: Uint8Array;
}

interface Message extends Came {
  readonly envelope: Envelope;
  readonly peer: PeerNote;
}

/** The wait was at the cost of the caller's budget. */
function waited(message: Message, ms: number): Message {
  const { envelope } = message;
  const { remaining_ms } = envelope;
  const less = (time: number): number => Math.max(1, time - Math.ceil(ms));
  return { ...message, envelope: {
    ...envelope, timeout_ms: envelope.timeout_ms > 0 ? less(envelope.timeout_ms) : envelope.timeout_ms,
    ...remaining_ms === undefined ? {} : { remaining_ms: less(remaining_ms) },
  } };
}

const SYSTEM = new Set<string>(Object.values(SYSTEM_ROUTES));

function isSystem(route: string): boolean {
  return route.startsWith("atoll.sys.") && SYSTEM.has(route);
}
