/**
 * Answers to peers (spec: node 4.6, 4.13, wire 1.5, 5.2).
 *
 * takes what became of a request; gives it to who asked, on the lane it asked on; promises one answer a request;
 * refuses nothing; never dials: who has lost its link asks again with the same id and gets the stored answer.
 */
import { formatNodeId, isFault, nodeError, type Clock, type Fault, type Link, type Log } from "@atoll-run/core";
import {
  toWireError, WIRE_LIMITS, writeEnvelope, type Accept, type Envelope, type Lane, type WireError,
} from "@atoll-run/core/internal";
import type { LimitsOf } from "../limits.ts";
import type { Settled } from "../mailbox/inbox.ts";
import type { OpenSpan, Tracer } from "../observe/tracer.ts";
import type { Peers } from "../transport/peers.ts";
import { KeptAnswers } from "./kept-answers.ts";
import type { LinkBook } from "./link-book.ts";
import type { Self } from "./outbound-parts.ts";

/** What is answered, and the lane it came on. */
export interface Asked {
  readonly envelope: Envelope;
  readonly lane: Lane;
}

export interface AnswersParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly peers: () => Peers;
  readonly book: LinkBook;
  readonly self: () => Self;
  /** Undefined: nobody takes spans. */
  readonly tracer?: Tracer | undefined;
  readonly limits: LimitsOf<"gate">;
}

/** A message has more than its payload. */
const ENVELOPE_ROOM = 64 * 1_024;

export class Answers {
  readonly #parts: AnswersParts;
  readonly #ended = new WeakSet<Link>();
  readonly #kept = new KeptAnswers();
  readonly stats = { replies_sent: 0, replies_unsent: 0, accepts_unsent: 0 };
  #underWay = 0;
  readonly #idle = new Set<() => void>();

  constructor(parts: AnswersParts) {
    this.#parts = parts;
  }

  /** That link takes nothing any more. */
  ended(link: Link, broken: boolean): void {
    this.#ended.add(link);
    if (!broken) this.#kept.forget(this.#parts.book.of(link).peer);
  }

  /** A legacy caller is back: it gets what was on its way when its link broke. */
  back(link: Link): void {
    const { book, clock } = this.#parts;
    const { peer, rpc1 } = book.of(link);
    if (rpc1) return;
    for (const envelope of this.#kept.take(peer, clock.monotonic())) this.#give(link, "rpc_reliable", envelope);
  }

  /** Whether an answer could leave now: on the link its request came by, or on another to that peer. */
  reachable(link: Link): boolean {
    return !this.#ended.has(link) || this.#other(link) !== undefined;
  }

  respond(link: Link, asked: Asked, settled: Settled): void {
    this.#respond(link, asked, settled);
  }

  /** A request is answered with the fault; a tell only where its sender asked to be told. */
  refuse(link: Link, asked: Asked, fault: Fault): void {
    const error = toWireError(fault);
    if (asked.envelope.direction === "request") return this.#respond(link, asked, { error });
    if (asked.envelope.want_accept === true && this.#parts.book.of(link).rpc1) {
      this.accept(link, asked, { state: "refused", error });
    }
  }

  accept(link: Link, asked: Asked, accept: Accept): void {
    const { route_key, request_id } = asked.envelope;
    const envelope: Envelope = {
      route_key, request_id, direction: "accept", timeout_ms: 0, metadata: [], accept, ...trace(asked.envelope),
    };
    this.#send(link, asked.lane, envelope, { sent: () => undefined, failed: () => void this.stats.accepts_unsent++ });
  }

  /** Waits until no answer is under way; gives how many still are when the signal aborts. */
  async flushed(signal: AbortSignal): Promise<number> {
    if (this.#underWay > 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.#idle.delete(done);
          signal.removeEventListener("abort", done);
          resolve();
        };
        this.#idle.add(done);
        signal.addEventListener("abort", done);
      });
    }
    return this.#underWay;
  }

  #respond(link: Link, asked: Asked, outcome: Outcome): void {
    const envelope = toResponse(asked.envelope, fit(outcome));
    const { book, clock } = this.#parts;
    const { peer, rpc1 } = book.of(link);
    if (!rpc1) this.#kept.keep(peer, envelope, clock.monotonic() + asked.envelope.timeout_ms);
    this.#give(link, asked.lane, envelope);
  }

  #give(link: Link, lane: Lane, envelope: Envelope): void {
    const span = this.#begin(link, envelope);
    const sent = (): void => {
      this.stats.replies_sent++;
      span?.end("sent");
    };
    this.#send(link, lane, envelope, { sent, failed: (error) => {
      this.stats.replies_unsent++;
      span?.end("unsent", isFault(error) ? error.code : "error");
      this.#parts.log.write({ level: "debug", target: "gate", msg: "an answer could not be sent", fields: {
        request_id: envelope.request_id, error: String(error),
      } });
    } });
  }

  #begin(link: Link, { route_key: route, request_id, traceparent: parent }: Envelope): OpenSpan | undefined {
    const { tracer, self, book } = this.#parts;
    if (tracer === undefined) return undefined;
    const { name, id } = self();
    return tracer.begin("reply", {
      parent, facts: { node: id === undefined ? name : formatNodeId(id), peer: book.of(link).peer, route, request_id },
    });
  }

  /** Tells one of the two. The common way makes no promise. */
  #send(link: Link, lane: Lane, envelope: Envelope, { sent, failed }: Ends): void {
    let gone = this.#ended.has(link);
    let now = false;
    try {
      now = !gone && this.#sendNow(link, lane, envelope);
    } catch {
      gone = true;
    }
    if (now) return sent();
    this.#underWay++;
    const done = (): void => {
      this.#over();
      sent();
    };
    const elsewhere = (): void => {
      this.#elsewhere(link, lane, envelope).then(done, (error: unknown) => {
        this.#over();
        failed(error);
      });
    };
    if (gone) elsewhere();
    else this.#sendOn(link, lane, envelope).then(done, elsewhere);
  }

  #over(): void {
    if (--this.#underWay === 0) for (const wake of [...this.#idle]) wake();
  }

  #sendNow(link: Link, lane: Lane, envelope: Envelope): boolean {
    const { peers, book } = this.#parts;
    const { rpc1 } = book.of(link);
    const make = (): Uint8Array => writeEnvelope(envelope, { extensions: rpc1 });
    return peers().sendNow(link.peer.id, rpc1 ? lane : "rpc_reliable", make, link) !== undefined;
  }

  #sendOn(link: Link, lane: Lane, envelope: Envelope): Promise<unknown> {
    const { peers, limits, book } = this.#parts;
    const { rpc1 } = book.of(link);
    const make = (): Uint8Array => writeEnvelope(envelope, { extensions: rpc1 });
    return peers().send(link.peer.id, rpc1 ? lane : "rpc_reliable", make, { deadlineMs: limits.replyMsMax, via: link });
  }

  /** Another link to the same peer; one that a legacy peer has dialled takes answers too. */
  #other(link: Link): Link | undefined {
    const { peer } = this.#parts.book.of(link);
    return this.#parts.peers().links(peer).findLast((one) => one !== link && !this.#ended.has(one));
  }

  async #elsewhere(link: Link, lane: Lane, envelope: Envelope): Promise<void> {
    const other = this.#other(link);
    if (other === undefined) throw nodeError("node.unavailable", "the caller has no other link");
    await this.#sendOn(other, lane, envelope);
  }
}

type Outcome =
  | { readonly payload: Uint8Array; readonly content_type?: string; readonly error?: never }
  | { readonly error: WireError };

/** An answer that no message holds becomes an error. */
function fit(outcome: Outcome): Outcome {
  if (outcome.error !== undefined || outcome.payload.length <= WIRE_LIMITS.messageBytesMax - ENVELOPE_ROOM) return outcome;
  return { error: toWireError(nodeError("node.internal", `the answer has ${outcome.payload.length} bytes`, {
    facts: { bytes: outcome.payload.length }, hint: "send it as a stream",
  })) };
}

interface Ends {
  sent(): void;
  failed(error: unknown): void;
}

function toResponse(request: Envelope, outcome: Outcome): Envelope {
  const envelope: { -readonly [Name in keyof Envelope]: Envelope[Name] } = {
    route_key: request.route_key, request_id: request.request_id, direction: "response", timeout_ms: 0, metadata: NONE,
  };
  if (outcome.error !== undefined) envelope.error = outcome.error;
  else {
    envelope.payload = outcome.payload;
    if (outcome.content_type !== undefined) envelope.content_type = outcome.content_type;
  }
  if (request.traceparent !== undefined) envelope.traceparent = request.traceparent;
  if (request.tracestate !== undefined) envelope.tracestate = request.tracestate;
  return envelope;
}

const NONE: readonly never[] = [];

function trace({ traceparent, tracestate }: Envelope): Pick<Envelope, "traceparent" | "tracestate"> {
  return { ...traceparent === undefined ? {} : { traceparent }, ...tracestate === undefined ? {} : { tracestate } };
}
