/**
 * One ask on its way to one node (spec: node 4.2, 5.4, section 6 table, 6.7).
 *
 * takes a plan and a node; gives its answer, or why there is none and whether it may have run; promises to end by the
 * deadline of the plan, to send again only under the same request id, and to leave nothing pending; refuses over the
 * caps of pending asks; never closes a link because a call was late.
 */
import { nodeError, SYSTEM_ROUTES, type Fault, type Link, type NodeId } from "@atoll-run/core";
import {
  CancelSchema, fromWireError, newRequestId, writeEnvelope, writeMessage, type Envelope, type Lane, type WireError,
} from "@atoll-run/core/internal";
import type { Admission, Settled } from "../mailbox/inbox.ts";
import {
  brokenFault, isTransient, lostFault, toNodeFault,
} from "./ask-faults.ts";
import { toEnvelope, type Plan } from "./ask.ts";
import type { Delivered, Ran } from "./delivered.ts";
import { Hold } from "./hold.ts";
import { Incoming } from "./incoming.ts";
import type { OutboundParts } from "./outbound-parts.ts";
import type { AskEvent, PendingAsk } from "./pending.ts";

export interface DeliveryOptions {
  /** Abort them and the ask ends at once. */
  readonly signals: readonly AbortSignal[];
  /** Another node may be asked: give up what did not run instead of trying again. */
  readonly elsewhere?: boolean;
}

/** Milliseconds before the second and each further attempt to send. */
const WAITS: Readonly<Partial<Record<Lane, readonly number[]>>> = {
  rpc_reliable: [1_000, 2_000, 4_000, 5_000], rpc_signal: [500],
};

/** Answers that say that nothing ran. */
const NOT_RUN = new Set<string>([
  "node.overloaded", "node.storage_full", "node.draining", "node.connection_not_ready",
]);

const LOCAL = { kind: "local" } as const;

export class Delivery {
  readonly #parts: OutboundParts;

  constructor(parts: OutboundParts) {
    this.#parts = parts;
  }

  /** Straight to the inbox of this node. */
  async toSelf(plan: Plan, o: DeliveryOptions): Promise<Delivered> {
    const { intake, clock, pending } = this.#parts;
    const hold = new Hold(pending, plan, "", o.signals);
    try {
      if (intake.state === "shut") await intake.opened(plan.atMs - clock.monotonic(), o.signals[0]);
      return hold.done(await this.#admit(plan, hold.ask));
    } finally {
      hold.release();
    }
  }

  /** Over a link, tried again as the lane's table says. */
  async toPeer(plan: Plan, peer: string, id: NodeId, o: DeliveryOptions): Promise<Delivered> {
    const hold = new Hold(this.#parts.pending, plan, peer, o.signals);
    const attempt: Attempt = { plan, ask: hold.ask, id, elsewhere: o.elsewhere === true };
    const waits = plan.retries ? WAITS[plan.lane] ?? [] : [];
    try {
      this.#send(attempt);
      for (let count = 0;; count++) {
        const step = this.#judge(attempt, await hold.ask.wait());
        if (step.is === "end") return hold.done(step.delivered);
        const next = this.#next(attempt, step, waits[count]);
        if ("is" in next) return hold.done(next);
        // What a lost link carried goes first on the next one: it waits for nothing.
        const ended = step.at === "once" ? this.#send(attempt) : await this.#rest(attempt, next.afterMs);
        if (ended !== undefined) return hold.done(ended);
      }
    } finally {
      hold.release();
    }
  }

  #admit(plan: Plan, ask: PendingAsk): Promise<Delivered> {
    const { inbox, clock } = this.#parts;
    const envelope = toEnvelope(plan, clock.monotonic());
    const incoming = new Incoming({
      kind: plan.kind, sender: LOCAL, envelope, lane: plan.lane, in_process: true,
      bytes: () => writeEnvelope(envelope, { extensions: true }), reachable: () => !ask.over,
      named: plan.ask.requestId !== undefined, also: plan.ask.also,
    });
    // Given up while the node was starting: it never goes in.
    if (ask.over) return this.#given(ask, incoming);
    ask.sent = true;
    const admitted = (admission: Admission): void => {
      if (admission.is === "refused") ask.tell({ is: "unsent", fault: admission.fault });
      else if (plan.kind === "call") admission.settled.then((settled) => ask.tell({ is: "settled", settled }));
      else ask.tell({ is: "accept", accept: { state: admission.is } });
    };
    const admission = inbox().admit(incoming);
    if (admission instanceof Promise) {
      admission.then(admitted, (error: unknown) => ask.tell({ is: "ended", fault: brokenFault(error) }));
    } else admitted(admission);
    return this.#given(ask, incoming);
  }

  async #given(ask: PendingAsk, incoming: Incoming): Promise<Delivered> {
    const event = await ask.wait();
    switch (event.is) {
      case "settled": return fromSettled(event.settled);
      case "accept": return { is: "told", level: "accepted", duplicate: event.accept.state === "duplicate" };
      case "unsent": return { is: "failed", fault: event.fault, ran: "no" };
      case "ended":
        incoming.abort(event.fault);
        return failed(event.fault, ask.sent ? "maybe" : "no");
      default: return { is: "failed", fault: brokenFault(event.is), ran: "maybe" };
    }
  }

  /** After what time there will be a further attempt, or what the ask ends with. */
  #next(o: Attempt, { fault, ran, at, answered }: Again, waitMs: number | undefined): Delivered | { readonly afterMs: number } {
    const goesElsewhere = o.elsewhere && (ran === "no" || o.plan.idempotent);
    if (waitMs === undefined || goesElsewhere) return failed(fault, ran);
    o.last = fault;
    const afterMs = Math.max(waitMs, fault.retry_after_ms ?? 0);
    // Who has answered is there: its word stands. Who could not be reached may come back before.
    const leftMs = o.plan.atMs - this.#parts.clock.monotonic();
    return at === "later" && answered && afterMs >= leftMs ? failed(fault, "no") : { afterMs };
  }

  #judge(o: Attempt, event: AskEvent): Step {
    const { ask, plan } = o;
    switch (event.is) {
      case "response":
        if (event.envelope.error === undefined) return end(toReply(event.envelope));
        return this.#refused(event.envelope.error);
      case "accept":
        if (event.accept.state === "refused") return this.#refused(event.accept.error);
        // A duplicate of an attempt of ours is the message itself.
        return end({
          is: "told", level: "accepted", duplicate: event.accept.state === "duplicate" && !o.resent,
        });
      case "sent": return end({ is: "told", level: "sent", duplicate: false });
      case "unsent": {
        const { fault } = event;
        const ran: Ran = ask.sent ? "maybe" : "no";
        return isTransient(fault) ? { is: "retry", fault, ran, at: "later", answered: false } : end(failed(fault, ran));
      }
      case "lost":
        o.resent = true;
        return {
          is: "retry", fault: lostFault(plan, ask.peer, event.reason), ran: "maybe", at: "once", answered: false,
        };
      case "ended": return end(this.#ended(o, event.fault));
      default: return end(failed(brokenFault(event.is), "maybe"));
    }
  }

  #refused(error: WireError | undefined): Step {
    if (error === undefined) return end(failed(brokenFault("a refusal without an error"), "no"));
    const fault = fromWireError(error);
    if (!NOT_RUN.has(fault.code)) return end(failed(fault, "yes"));
    if (fault.code === "node.draining") return end(failed(fault, "no"));
    return { is: "retry", fault, ran: "no", at: "later", answered: true };
  }

  #ended({ plan, ask, id, last }: Attempt, fault: Fault): Delivered {
    const { link } = ask;
    // It never left: why not says more than that the time is over.
    if (!ask.sent && last !== undefined && fault.code === "node.timed_out") return failed(last, "no");
    if (fault.code === "node.cancelled") this.#cancel(plan, id, link);
    else if (fault.code === "node.timed_out" && link !== undefined) this.#suspect(link);
    return failed(fault, ask.sent ? "maybe" : "no");
  }

  /** Hands it to the peers; what comes of it is told to the ask. */
  #send(o: Attempt): void {
    const { plan, ask, id } = o;
    const { peers, clock, book } = this.#parts;
    const before = ask.sent;
    const make = (link: Link): Uint8Array => {
      if (ask.over) throw nodeError("node.cancelled", "nobody waits for it any more");
      const bytes = writeEnvelope(toEnvelope(plan, clock.monotonic()), { extensions: book.of(link).rpc1 });
      ask.sent = true;
      ask.link = link;
      return bytes;
    };
    try {
      const link = peers().sendNow(id, plan.lane, make);
      if (link !== undefined) return this.#took(o, link);
    } catch (error) {
      return unsent(o, before, error);
    }
    const leftMs = Math.max(1, plan.atMs - clock.monotonic());
    peers().send(id, plan.lane, make, { deadlineMs: leftMs, signal: plan.ask.signal, place: ask.place }).then(
      (link) => this.#took(o, link), (error: unknown) => unsent(o, before, error),
    );
  }

  #took({ plan, ask }: Attempt, link: Link): void {
    if (plan.kind === "tell" && !this.#parts.book.of(link).rpc1) ask.tell({ is: "sent" });
  }

  /** Until the next attempt is made; gives what it ends with when there will be none. */
  async #rest(o: Attempt, ms: number): Promise<Delivered | undefined> {
    const { ask } = o;
    // At once, whoever calls it: what waits for the same link was asked later.
    const goAgain = ask.goAgain = () => {
      ask.goAgain = undefined;
      if (ask.over) return;
      ask.tell({ is: "again" });
      this.#send(o);
    };
    const timer = this.#parts.clock.after(ms, goAgain);
    try {
      for (;;) {
        const event = await ask.wait();
        if (event.is === "again") return undefined;
        if (event.is === "ended") return this.#ended(o, event.fault);
      }
    } finally {
      ask.goAgain = undefined;
      timer[Symbol.dispose]();
    }
  }

  /** An aware callee is told that nobody waits any more. It is best effort: its own deadline ends it too. */
  #cancel(plan: Plan, id: NodeId, link: Link | undefined): void {
    const { book, ids, peers } = this.#parts;
    if (link === undefined || plan.kind !== "call" || !book.of(link).rpc1) return;
    const payload = writeMessage(CancelSchema, { requestId: plan.requestId, routeKey: plan.route });
    const body = writeEnvelope({
      route_key: SYSTEM_ROUTES.cancel, request_id: newRequestId(ids), direction: "tell", timeout_ms: 0, payload,
      metadata: [],
    }, { extensions: true });
    peers().send(id, "rpc_signal", body, { deadlineMs: 1_000, via: link }).then(undefined, () => undefined);
  }

  /** A call was late and nothing at all has come for a while: only a probe decides whether the link is dead. */
  #suspect(link: Link): void {
    const { book, clock, limits } = this.#parts;
    const note = book.of(link);
    if (note.probing || clock.monotonic() - note.heardAtMs < limits.silenceMs) return;
    note.probing = true;
    link.probe(limits.probeMsMax).then(async (lives) => {
      if (!lives) await link.close(1001, "no answer to a probe");
    }).catch(() => undefined).finally(() => (note.probing = false));
  }
}

interface Attempt {
  readonly plan: Plan;
  readonly ask: PendingAsk;
  readonly id: NodeId;
  readonly elsewhere: boolean;
  /** It may be there already. */
  resent?: boolean;
  /** Why the attempt before this one failed. */
  last?: Fault;
}

interface Again {
  readonly is: "retry";
  readonly fault: Fault;
  readonly ran: Ran;
  readonly at: "once" | "later";
  /** The peer has said so itself. */
  readonly answered: boolean;
}

type Step = Again | { readonly is: "end"; readonly delivered: Delivered };

function unsent({ plan, ask }: Attempt, before: boolean, error: unknown): void {
  ask.sent = before;
  ask.link = undefined;
  ask.tell({ is: "unsent", fault: toNodeFault(error, plan) });
}

function end(delivered: Delivered): Step {
  return { is: "end", delivered };
}

function failed(fault: Fault, ran: Ran): Delivered {
  return { is: "failed", fault, ran };
}

function toReply({ payload, content_type }: Envelope): Delivered {
  const bytes = payload ?? new Uint8Array();
  return content_type === undefined ? { is: "reply", payload: bytes } : { is: "reply", payload: bytes, content_type };
}

function fromSettled(settled: Settled): Delivered {
  return settled.is === "reply" ? settled : failed(fromWireError(settled.error), "yes");
}
