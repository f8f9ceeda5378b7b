/**
 * Mailbox and dispatch of one node (spec: node 4).
 *
 * takes arrivals whose sender is proved and allowed, and the rows of earlier processes; gives verdicts and answers;
 * promises that what it accepted is handled or becomes a dead letter, once for its request within the window; refuses
 * what is late, doubled, of no known route, or too much; never acknowledges what is not stored.
 */
import { isFault, nodeError, PassingMap, type Answer, type Fault, type Letter, type MailHead, type NewLetter, type Refusal, type StateOp } from "@atoll-run/core";
import { toWireError } from "@atoll-run/core/internal";
import { FINISHED, fromStored } from "../mailbox/answers.ts";
import { Bodies } from "../mailbox/bodies.ts";
import { Commits } from "../mailbox/commits.ts";
import { Frames, type Unreadable } from "../mailbox/frames.ts";
import type { Admission, Arrival, Inbox, Settled } from "../mailbox/inbox.ts";
import { envelopeFault, readArrival } from "../mailbox/intake.ts";
import { LetterCount } from "../mailbox/letter-count.ts";
import { hashOf, nameOf, senderOf, type Message, type Stored } from "../mailbox/message.ts";
import { Policies } from "../mailbox/policy.ts";
import { Retention } from "../mailbox/retention.ts";
import { createProcessRoom, Room } from "../mailbox/room.ts";
import { Row, type RowEvents, type RowParts } from "../mailbox/row.ts";
import { Seen } from "../mailbox/seen.ts";
import { steadyClock, type SteadyNow } from "../mailbox/steady-clock.ts";
import { Figures } from "../observe/figures.ts";
import { MessageSpans } from "../observe/message-spans.ts";
import { Dispatch } from "./dispatch.ts";
import { LastWrites } from "./last-writes.ts";
import type { InboxLimits, InboxParts } from "./parts.ts";
import { failure } from "./verdict.ts";

/** Shut: nothing was opened yet. */
export type IntakePhase = "shut" | "open" | "draining";

export interface InboxStats {
  accepted_total: number;
  handled_total: number;
  /** Of what waits or runs, of what was answered before, and with another payload under a known id. */
  joined_total: number;
  answered_total: number;
  reused_total: number;
  refused_total: number;
  dead_letters_total: number;
}

export class NodeInbox implements Inbox, RowEvents {
  readonly parts: InboxParts;
  readonly limits: InboxLimits;
  readonly now: SteadyNow;
  readonly policies: Policies;
  readonly commits: Commits;
  readonly dispatch: Dispatch;
  readonly room: Room;
  readonly frames: Frames;
  readonly letters = new LetterCount();
  readonly retention: Retention;
  /** Undefined: nobody takes spans. */
  readonly spans: MessageSpans | undefined;
  readonly stats: InboxStats = {
    accepted_total: 0, handled_total: 0, joined_total: 0, answered_total: 0, reused_total: 0, refused_total: 0, dead_letters_total: 0,
  };
  intake: IntakePhase = "shut";
  /** Of earlier processes nothing is known: all answers may be there. */
  seen: Seen;
  /** The widest window that the store knows of, milliseconds. */
  windowMs = 0;
  readonly #byName = new PassingMap<string, Message>();
  readonly #bySeq = new PassingMap<number, Message>();
  #order = 0;
  readonly #bodies: Bodies;
  readonly #lastWrites: LastWrites;

  constructor(parts: InboxParts, limits: InboxLimits) {
    const { store, scope, clock, report, tracer, figures = new Figures() } = parts;
    this.spans = tracer === undefined ? undefined : new MessageSpans({ tracer, self: parts.self });
    this.parts = parts;
    this.limits = limits;
    this.now = steadyClock(clock);
    this.policies = new Policies(parts.policies, this.limits);
    this.seen = new Seen({ namesMax: limits.mailbox.dedupEntriesMax, blindUntilMs: Infinity });
    this.commits = new Commits({
      store, scope, clock, now: this.now, figures,
      fenced: () => {
        const error = nodeError("node.unavailable", `another process has taken over ${scope}`);
        report("error", { error, category: "mailbox_failure", context: "commit" });
        this.#lost(error);
      },
      broken: (fault) => this.#lost(fault),
      failing: (error) => report("error", { error, category: "mailbox_failure", context: "commit" }),
    }, limits.mailbox);
    this.room = new Room({
      now: this.now, shared: parts.shared ?? createProcessRoom(), freeBytes: parts.freeBytes,
      edge: (edge, queue_len) => {
        report("mailbox_backpressure", { edge, queue_len, threshold: limits.mailbox.softRowsMax });
      },
    }, limits.mailbox);
    this.retention = new Retention({
      store, scope, clock, now: this.now, commits: this.commits, forgotten: (count) => this.room.forget(count),
    }, limits.mailbox);
    this.frames = new Frames({ store, scope, now: this.now, commits: this.commits, letters: this.letters }, limits.mailbox);
    this.#bodies = new Bodies(parts, limits.mailbox.bodiesMax);
    this.#lastWrites = new LastWrites(this, (message) => this.#bodies.load(message));
    this.dispatch = new Dispatch({
      ...parts, now: this.now, figures, spans: this.spans, context: { ...parts, now: this.now },
      load: (message) => this.#bodies.load(message),
      finish: (message, ending, writes) => this.#lastWrites.finish(message, ending, writes),
    }, limits.dispatch);
  }

  get depth(): number {
    return this.room.depth;
  }

  /** Age of the oldest message, milliseconds. */
  get oldestMs(): number {
    const [oldest] = this.#byName.values();
    return oldest === undefined ? 0 : Math.max(0, this.now() - oldest.acceptedAtMs);
  }

  /** Age of the oldest remembered answer, nearly, milliseconds: from the widest window. */
  get oldestAnswerMs(): number {
    const untilMs = this.retention.oldestUntilMs;
    return untilMs === undefined ? 0 : Math.max(0, this.windowMs - Math.max(0, untilMs - this.now()));
  }

  message(seq: number): Message | undefined {
    return this.#bySeq.get(seq);
  }

  nextOrder(): number {
    return ++this.#order;
  }

  admit(arrival: Arrival): Admission | Promise<Admission> {
    const refusal = this.#shut() ?? envelopeFault(arrival);
    if (refusal !== undefined) return this.#refuse(refusal);
    const { envelope } = arrival;
    const sender = senderOf(arrival.sender);
    const name = nameOf(sender, envelope.route_key, envelope.request_id);
    const known = this.#byName.get(name);
    if (known !== undefined) return this.#join(known, arrival, hashOf(envelope));
    const message = readArrival({
      arrival, sender, name, workload: this.parts.workload(), policies: this.policies, order: this.nextOrder(),
      nowMs: this.now(),
    });
    const unknown = isFault(message) ? message : this.#noRoom(message);
    if (unknown !== undefined) return this.#refuseUnlessAnswered(arrival, { sender, name, fault: unknown });
    return this.#take(message as Message, arrival);
  }

  unreadable(o: Unreadable): void {
    this.frames.bury(o);
  }

  /** Into the table and its place; `readyAtMs` as the row says. For rows that are stored. */
  place(message: Message, row: Row, readyAtMs: number): void {
    message.row = row;
    this.#enter(message);
    this.#bySeq.set(row.seq, message);
    message.accept(this.depth);
    this.dispatch.enter(message, readyAtMs);
  }

  /** A row of our own make, with what else is done when it is stored. It starts when it is. */
  insert(message: Message, also: readonly StateOp[]): Promise<Admission> {
    this.#enter(message);
    const admission = message.admission();
    const row = new Row({ ...this.rowParts(message), also }, true);
    message.row = row;
    this.dispatch.enter(message, Infinity);
    row.free(undefined);
    return admission;
  }

  /** A dead letter is none any more. */
  purged({ seq, accepted, body, reason }: Letter): void {
    this.letters.purged(seq, reason);
    if (accepted) this.room.bury(-1, -body.length);
    else this.frames.gone(seq);
    if (reason === "undeliverable") this.parts.outboxChanged?.();
  }

  /** Another room has written a dead letter. */
  buried({ reason, body }: NewLetter): void {
    this.stats.dead_letters_total += 1;
    this.letters.add(reason, 1);
    this.room.bury(1, body.length);
  }

  rowParts(message: Message): RowParts {
    return { message, commits: this.commits, events: this, leaseUntil: () => this.#leaseUntil(message) };
  }

  /** Takes it back into the mailbox uncounted; whoever waits hears that it is not over. */
  giveBack(message: Message): void {
    if (!message.crashed) message.row?.free({ readyAtMs: 0, counted: false });
    message.settle(CLOSED);
  }

  /** Nobody waits for an answer any more. */
  letGo(): void {
    for (const message of this.#byName.values()) {
      for (const listening of message.listening.splice(0)) listening[Symbol.dispose]();
      message.decline({ is: "refused", fault: nodeError("node.draining", "the node is closing") });
      message.settle(CLOSED);
    }
  }

  // RowEvents

  stored(message: Message, stored: Stored): void {
    const seq = message.row?.seq ?? 0;
    if (!this.#bySeq.has(seq)) {
      this.#bySeq.set(seq, message);
      this.stats.accepted_total += 1;
      message.accept(this.depth);
      this.dispatch.admitted(message);
    }
    if (stored === "free") return this.#bodies.keep(message);
    this.#bodies.release(message);
    this.dispatch.leased(message);
  }

  gone(message: Message): void {
    if (message.row !== undefined && !this.#bySeq.has(message.row.seq)) this.stats.accepted_total += 1;
    message.accept(this.depth);
    this.#drop(message);
    this.stats.handled_total += 1;
    this.spans?.committed(message);
    if (message.ending !== undefined) message.settle(message.ending);
    this.dispatch.forget(message);
  }

  refused(message: Message, refusal: Refusal): void {
    if (refusal.why === "moved") {
      if (message.row?.bare === true) message.row = undefined;
      this.spans?.committed(message, true);
      return this.dispatch.conflict(message);
    }
    const verdict = refusal.why === "duplicate" ? this.#duplicate(message, refusal) : undefined;
    if (verdict === undefined) {
      this.parts.log?.write({
        level: "error", target: "mailbox", msg: "a row was changed by somebody else", fields: { why: refusal.why },
      });
    }
    this.#drop(message);
    message.decline(verdict ?? { is: "refused", fault: nodeError("node.internal", "the mailbox could not take it") });
    message.settle(message.ending ?? CLOSED);
    this.dispatch.forget(message);
  }

  tooLarge(message: Message, cause: Fault): void {
    const fault = nodeError("node.internal", `what its handler gave cannot be stored: ${cause.message}`, { cause });
    if (message.row?.bare === true) message.row = undefined;
    message.holds = false;
    this.#lastWrites.finish(message, failure(message.kind, fault, "handler_failed"), []);
  }

  lost(message: Message, fault: Fault): void {
    this.#drop(message);
    this.stats.refused_total += 1;
    message.decline({ is: "refused", fault: storeFault(fault, this.limits.mailbox.storeBackoffMsMax) });
    this.dispatch.forget(message);
  }

  #shut(): Fault | undefined {
    if (this.intake === "open") return undefined;
    if (this.intake === "draining") return nodeError("node.draining", "the node is closing");
    return nodeError("node.connection_not_ready", "the node is starting", { retry_after_ms: 100 });
  }

  #noRoom(message: Message): Fault | undefined {
    if (this.commits.paused) {
      return nodeError("node.storage_full", "the store takes nothing at present", {
        retry_after_ms: this.limits.mailbox.storeBackoffMsMax,
      });
    }
    return this.room.refusal(message);
  }

  #refuse(fault: Fault): Promise<Admission> {
    this.stats.refused_total += 1;
    return Promise.resolve({ is: "refused", fault });
  }

  /** Whoever was answered before gets that answer, whatever has become of route and room. */
  async #refuseUnlessAnswered(
    { envelope, bytes, lane, kind, sender }: Arrival, o: { sender: string; name: string; fault: Fault },
  ): Promise<Admission> {
    const route = envelope.route_key;
    const answered = await this.#answered(o.name, { sender: o.sender, route, request_id: envelope.request_id });
    if (answered !== undefined) return this.#repeat(kind, answered, hashOf(envelope));
    if (o.fault.code === "node.unknown_route") {
      const proof = sender.kind === "peer" ? { proof: sender.proof } : {};
      this.frames.buryUnknownRoute({ sender: o.sender, route, bytes, lane, kind, ...proof, envelope, fault: o.fault });
    }
    return this.#refuse(o.fault);
  }

  /** The answer that is remembered under that name. */
  async #answered(
    name: string, request: { readonly sender: string; readonly route: string; readonly request_id: string },
  ): Promise<Answer | undefined> {
    if (this.seen.isNew(name, this.now())) return undefined;
    const found: MailHead | Answer | undefined = await this.parts.store.find(this.parts.scope, request)
      .catch(() => undefined);
    return found !== undefined && "outcome" in found && found.forget_at_ms > this.now() ? found : undefined;
  }

  #join(known: Message, arrival: Arrival, hash: string): Promise<Admission> {
    if (known.hash !== hash) {
      this.stats.reused_total += 1;
      if (arrival.kind === "call") return this.#refuse(reused(known.requestId));
      return Promise.resolve({ is: "duplicate", settled: Promise.resolve(FINISHED) });
    }
    if (known.joins >= this.limits.mailbox.joinsMax) {
      return this.#refuse(nodeError("node.overloaded", `${known.requestId} was asked for too often`, {
        retry_after_ms: this.limits.mailbox.retryAfterMsMin,
      }));
    }
    this.stats.joined_total += 1;
    // A tell that is accepted leaves nobody waiting.
    if (arrival.kind === "tell" && known.accepted) return known.admission();
    known.joins += 1;
    known.arrivals.push(arrival);
    this.#listen(known, arrival);
    return known.admission();
  }

  #repeat(kind: "call" | "tell", answer: Answer, hash: string): Promise<Admission> {
    const isReused = answer.hash !== hash;
    this.stats[isReused ? "reused_total" : "answered_total"] += 1;
    if (isReused && kind === "call") return this.#refuse(reused(answer.request_id));
    return Promise.resolve({ is: "duplicate", settled: Promise.resolve(fromStored(answer)) });
  }

  #take(message: Message, arrival: Arrival): Admission | Promise<Admission> {
    const isNew = this.seen.isNew(message.name, this.now());
    const { volatile, redeliver } = message.policy;
    const { also } = arrival;
    if (volatile || arrival.in_process && message.kind === "call") {
      if (also !== undefined) return this.#refuse(nodeError("node.invalid_argument", `nothing is stored of a ${message.kind} of ${message.route}`));
      return isNew || volatile ? this.#run(message, arrival) : this.#runUnlessAnswered(message, arrival);
    }
    this.#enter(message);
    this.#listen(message, arrival);
    const admission = message.admission();
    const row = new Row({ ...this.rowParts(message), ...also === undefined ? {} : { also } }, !isNew || also?.some(({ op }) => op !== "append") === true);
    message.row = row;
    // Where it must be stored before it starts it waits in its place: what comes later under its key stays behind.
    const early = isNew && redeliver !== "never" && also === undefined;
    this.dispatch.enter(message, early ? 0 : Infinity);
    if (message.phase === "waiting") row.free(undefined);
    return admission;
  }

  /** Without a row: it ends with this process. */
  #run(message: Message, arrival: Arrival): Admission {
    this.#enter(message);
    this.#listen(message, arrival);
    const admission = message.acceptNow(this.depth);
    this.dispatch.enter(message, 0);
    return admission;
  }

  async #runUnlessAnswered(message: Message, arrival: Arrival): Promise<Admission> {
    const { name, sender, route, requestId: request_id } = message;
    const answered = await this.#answered(name, { sender, route, request_id });
    if (answered !== undefined) return this.#repeat(message.kind, answered, message.hash);
    const known = this.#byName.get(name);
    return known === undefined ? this.#run(message, arrival) : this.#join(known, arrival, message.hash);
  }

  #enter(message: Message): void {
    this.#byName.set(message.name, message);
    this.room.enter(message);
  }

  /** A call is given up when each of those who wait for it has gone. */
  #listen(message: Message, { kind, stop }: Arrival): void {
    if (kind !== "call" || stop === undefined) return;
    message.listening.push(stop.hear((reason) => {
      if (message.arrivals.every(isGivenUp)) this.dispatch.cancel(message, reason);
    }));
  }

  #drop(message: Message): void {
    for (const listening of message.listening.splice(0)) listening[Symbol.dispose]();
    if (!this.#byName.delete(message.name)) return;
    if (message.row !== undefined) this.#bySeq.delete(message.row.seq);
    this.#bodies.release(message);
    this.room.leave(message);
  }

  #duplicate(message: Message, { hash, answer }: Refusal & { readonly why: "duplicate" }): Admission | undefined {
    if (answer === null) return undefined;
    const isReused = hash !== message.hash;
    this.stats[isReused ? "reused_total" : "answered_total"] += 1;
    if (isReused && message.kind === "call") return { is: "refused", fault: reused(message.requestId) };
    return { is: "duplicate", settled: Promise.resolve(fromStored(answer)) };
  }

  #leaseUntil({ limitAtMs, expiresAtMs }: Message): number {
    const untilMs = Math.min(limitAtMs, expiresAtMs);
    return untilMs === Infinity ? this.now() + this.limits.dispatch.tellHandlerMs : untilMs;
  }

  #lost(fault: Fault): void {
    this.intake = "draining";
    this.dispatch.shut();
    this.dispatch.stopAll(fault);
    this.letGo();
    this.parts.lost?.(fault);
  }
}

/** Of what goes back into the mailbox: the next process will handle it. */
const CLOSED: Settled = { is: "error", error: toWireError(nodeError(
  "node.unavailable", "the node closed before the message was handled", { uncertain: true },
)) };

function reused(id: string): Fault {
  return nodeError("node.request_id_reused", `the request id ${id} was used for another message`);
}

/** What a sender hears of a store that fails. */
function storeFault(fault: Fault, retryAfterMs: number): Fault {
  const wait = { retry_after_ms: fault.retry_after_ms ?? retryAfterMs, cause: fault };
  if (fault.code === "state.too_large") return nodeError("node.too_large", fault.message, { cause: fault });
  if (fault.code === "state.full") return nodeError("node.storage_full", "the disk is full", wait);
  return nodeError("node.unavailable", "the store takes nothing at present", {
    ...wait, ...fault.uncertain === true ? { uncertain: true } : {},
  });
}

function isGivenUp({ stop }: Arrival): boolean {
  return stop?.aborted === true;
}
