/**
 * Spans of a message in the node that takes it: accept, queue, dispatch, commit (spec: node 11.1, 11.2). They are parts of
 * the span that its envelope names; what its handler asks is a part of the dispatch. A run after the first links to the one
 * before it, a redrive begins a trace that links to the original.
 */
import type { Outcome } from "@atoll-run/core";
import type { Admission, Arrival } from "../mailbox/inbox.ts";
import { senderOf, type Message } from "../mailbox/message.ts";
import type { OpenSpan, SpanFacts, SpanPlan, Tracer } from "./tracer.ts";

export interface MessageSpansParts {
  readonly tracer: Tracer;
  /** Text of the node's id, or its local name. */
  readonly self: () => string;
}

export class MessageSpans {
  readonly #parts: MessageSpansParts;
  readonly #commits = new WeakMap<Message, { readonly span: OpenSpan; readonly outcome: string }>();

  constructor(parts: MessageSpansParts) {
    this.#parts = parts;
  }

  /** From its arrival to the verdict, which an accepted one has when it is stored. */
  async accept(arrival: Arrival, admit: () => Admission | Promise<Admission>): Promise<Admission> {
    const { kind, sender, envelope: { route_key: route, request_id, traceparent } } = arrival;
    const facts = { node: this.#parts.self(), peer: senderOf(sender), route, request_id, kind };
    const span = this.#parts.tracer.begin("accept", { facts, parent: traceparent });
    try {
      const admission = await span.run(admit);
      span.end(admission.is, admission.is === "refused" ? admission.fault.code : undefined);
      return admission;
    } catch (error) {
      span.end("failed", "error");
      throw error;
    }
  }

  /** Runs the handler. The span ends with it, unless somebody has ended it before. */
  async dispatch(message: Message, work: () => Promise<Outcome>): Promise<Outcome> {
    const { tracer } = this.#parts;
    const facts = this.#facts(message);
    const origin = this.#originOf(message);
    if (message.runs === 1) {
      tracer.begin("queue", { facts, ...origin, beganAtMs: message.acceptedAtMs }).end("run");
    }
    const before = message.span?.traceparent;
    const links = [...origin.links ?? [], ...before === undefined ? [] : [before]];
    const span = tracer.begin("dispatch", { ...origin, facts: { ...facts, attempt: message.attempts + 1 }, links });
    message.span = span;
    try {
      const outcome = await span.run(work);
      span.end(outcome.is, outcome.is === "failed" ? outcome.fault.code : outcome.is === "rejected" ? outcome.code : undefined);
      return outcome;
    } catch (error) {
      span.end("failed", "error");
      throw error;
    }
  }

  /** Its last write is asked for; `outcome`: what becomes of it, by the reason of the dead letter if there is one. */
  commit(message: Message, outcome: string): void {
    const { traceparent } = message;
    const span = this.#parts.tracer.begin("commit", { facts: this.#facts(message), parent: traceparent });
    this.#commits.get(message)?.span.end("again");
    this.#commits.set(message, { span, outcome });
  }

  /** It is stored; or refused, and its handler runs again. */
  committed(message: Message, refused = false): void {
    const commit = this.#commits.get(message);
    if (commit === undefined) return;
    this.#commits.delete(message);
    commit.span.end(refused ? "refused" : commit.outcome);
  }

  #facts({ sender, route, requestId, kind }: Message): SpanFacts {
    return { node: this.#parts.self(), peer: sender, route, request_id: requestId, kind };
  }

  #originOf({ letter, envelope }: Message): Pick<SpanPlan, "parent" | "links"> {
    const traceparent = envelope?.traceparent;
    if (traceparent === undefined) return {};
    return letter === undefined ? { parent: traceparent } : { links: [traceparent] };
  }
}
