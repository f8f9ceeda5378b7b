/**
 * How a turn gets into the mailbox of a member (spec: mob 3.7, 3.8).
 *
 * takes what is asked; gives a ticket; promises that the turn is stored with its entry when it resolves, and that a key is
 * used once; refuses empty and too large content, members that take nothing, and more than their queue holds; never drops
 * a turn that was accepted.
 */
import { isFault, PassingMap, type Json, type StateOp } from "@atoll-run/core";
import { mobError, type MobError } from "../errors.ts";
import { memberScope, shortHash, type NewId } from "../ids.ts";
import { storageDegraded } from "../ledger/storage.ts";
import { inputOf, recordOp } from "../sessions/record.ts";
import { stamped, taintIn, worse, type Taint } from "../sessions/taint.ts";
import type { TurnAsk } from "./host.ts";
import type { Member } from "./member.ts";
import type { MemberParts } from "./parts.ts";
import { turnQueued } from "./turn-entries.ts";
import type { Ticket, TurnBody } from "./turn.ts";
import { TURN_ROUTE } from "./turn-desk.ts";

export interface SenderParts extends Omit<MemberParts, "quiet"> {
  readonly newId: NewId;
  readonly memberOf: (id: string) => Member;
  /** Throws `mob.budget_exhausted`, with so many on their way. */
  readonly checkBudget?: ((to: string, coming: number) => void) | undefined;
}

/** Keys of senders stand among the answers of the scope, so that the store forgets them in time. */
const KEY_SENDER = "key";
const TRIES = 50;
const PAUSE_MS = 20;
const RETRY_AFTER_MS = 1_000;

export class Sender {
  readonly #parts: SenderParts;
  /** Sends that are on their way: by key, and how many for each member. */
  readonly #keyed = new PassingMap<string, Promise<Ticket>>();
  readonly #coming = new PassingMap<string, number>();

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  async send(ask: TurnAsk): Promise<Ticket> {
    const size = sizeOf(ask.content);
    const { contentBytesMax } = this.#parts.limits;
    if (size > contentBytesMax) throw mobError("mob.too_large", `the content has ${size} bytes, more than ${contentBytesMax}`, { facts: { size, limit: contentBytesMax } });
    this.#checkReach(ask);
    if (ask.key === undefined) return await this.#accept(ask, undefined);
    const key = { name: shortHash(ask.principal, ask.conversation ?? ask.from, ask.key), hash: shortHash(JSON.stringify(ask.content)) };
    const place = `${ask.to}/${key.name}`;
    // Those with one key come one after the other: the later ones find what the first has left.
    const before = this.#keyed.get(place);
    const sending = before === undefined ? this.#once(ask, key) : before.then(() => this.#once(ask, key), () => this.#once(ask, key));
    this.#keyed.set(place, sending);
    try {
      return await sending;
    } finally {
      if (this.#keyed.get(place) === sending) this.#keyed.delete(place);
    }
  }

  async #once(ask: TurnAsk, key: Key): Promise<Ticket> {
    const { ledger, node, view } = this.#parts;
    const known = await ledger.store.find(memberScope(ask.to), { sender: KEY_SENDER, route: TURN_ROUTE, request_id: key.name });
    if (known === undefined || !("outcome" in known) || known.forget_at_ms <= node.clock.now()) return await this.#accept(ask, key);
    if (known.hash !== key.hash) {
      throw mobError("mob.conflict", "another turn was sent under that key", { facts: { key: ask.key ?? "" }, hint: "A key stands for one content." });
    }
    const { turn_id } = JSON.parse(known.outcome) as { turn_id: string };
    const turn = view.turns.get(turn_id);
    if (turn !== undefined) return { ...ticketOf(turn), duplicate: true };
    // It ended so long ago that only the ledger has it.
    const { entries } = await ledger.query({ turn_id, classes: ["turn"] });
    const last = entries.at(-1);
    if (last === undefined) throw mobError("mob.not_found", `the turn ${turn_id} of that key is not in the ledger any more`);
    return {
      turn_id, member: ask.to, generation: last.generation ?? 0, conversation: ask.conversation ?? ask.from, seq: last.seq, duplicate: true,
      state: last.kind.slice("turn_".length) as Ticket["state"],
    };
  }

  async #accept(ask: TurnAsk, key: Key | undefined): Promise<Ticket> {
    const { node: { clock }, newId, limits, view } = this.#parts;
    const turn_id = newId("t");
    const { to, from, principal, content, conversation = from, deadlineMs = limits.turnMs, run, traceparent, reply, inReplyTo, causeSeq } = ask;
    const given = this.#taintOf(ask);
    const taint = worse(given, taintIn(content));
    const body: TurnBody = {
      ...taint === "clean" ? {} : { taint }, turn_id, from, principal, conversation, content: stamped(content, { origin: from, taint: given }), deadline_at_ms: clock.now() + deadlineMs, ...run === undefined ? {} : { run },
      ...reply === undefined ? {} : { reply }, ...inReplyTo === undefined ? {} : { in_reply_to: inReplyTo },
    };
    const coming = this.#coming.get(to) ?? 0;
    if ((view.members.get(to)?.open.length ?? 0) + coming >= limits.turnsMax) throw overloaded(to, limits.turnsMax);
    this.#parts.checkBudget?.(to, coming);
    this.#coming.set(to, coming + 1);
    try {
      await this.#hand(to, body, { key, trace: traceparent, ...causeSeq === undefined ? {} : { cause: { cause_seq: causeSeq } } });
    } finally {
      const left = (this.#coming.get(to) ?? 1) - 1;
      if (left === 0) this.#coming.delete(to);
      else this.#coming.set(to, left);
    }
    const turn = view.turns.get(turn_id);
    if (turn === undefined) throw mobError("mob.internal", `the turn ${turn_id} was stored without its entry`);
    return { ...ticketOf(turn), duplicate: false };
  }

  /** To the node of the member, or the next one when that is being stopped. */
  async #hand(to: string, body: TurnBody, { key, trace, cause }: { readonly key: Key | undefined; readonly trace: string | undefined; readonly cause?: { readonly cause_seq: number } }): Promise<void> {
    const { ledger, node: { clock }, limits } = this.#parts;
    for (let tries = 0; ; tries++) {
      this.#checkTakes(to);
      try {
        const incarnation = await this.#parts.memberOf(to).awake();
        await incarnation.open();
        const { writer } = incarnation;
        const generation = this.#parts.view.members.get(to)?.life.generation ?? 0;
        const { session } = incarnation;
        const by = { member: to, generation, ...writer === undefined ? {} : { fence: writer.epoch } };
        const nowMs = clock.now();
        const input = await recordOp(session, inputOf(body, nowMs), this.#parts);
        const queued = ledger.toOp({ ...turnQueued(by, body, trace), session: { id: session }, ...cause });
        const remember: StateOp[] = key === undefined ? [] : [{ op: "remember", answer: {
          sender: KEY_SENDER, route: TURN_ROUTE, request_id: key.name, hash: key.hash, outcome: JSON.stringify({ turn_id: body.turn_id }),
          reply: null, done_at_ms: nowMs, forget_at_ms: nowMs + limits.keyWindowMs,
        } }];
        await incarnation.accept(body, [...remember, input, queued], trace);
        return;
      } catch (error) {
        if (ledger.degraded !== undefined) throw storageDegraded(ledger.degraded, error);
        if (!isPassing(error) || tries >= TRIES) throw toMobError(error, to);
        await new Promise<void>((resolve) => void clock.after(PAUSE_MS, resolve));
      }
    }
  }

  /** What a member or a later step of a flow says is that of a peer, or of whatever they have read. */
  #taintOf({ from, run, taint = "clean" }: TurnAsk): Taint {
    const { view } = this.#parts;
    if (run === undefined) return view.members.has(from) ? worse(taint, "peer") : taint;
    const flow = view.runs.get(run.run_id);
    const goesOn = Object.values(flow?.steps ?? {}).some(({ state }) => state === "completed");
    return worse(worse(taint, flow?.taint), goesOn ? "peer" : "clean");
  }

  /** Members speak with those they are wired to. */
  #checkReach({ to, from, inReplyTo }: TurnAsk): void {
    const { view } = this.#parts;
    if (!view.members.has(to)) throw mobError("mob.not_found", `there is no member ${to}`, { facts: { member: to } });
    if (inReplyTo !== undefined || from === to || !view.members.has(from) || view.wiredTo(from).includes(to)) return;
    throw mobError("mob.not_addressable", `${from} is not wired to ${to}`, { facts: { from, to } });
  }

  #checkTakes(to: string): void {
    const { ledger: { degraded } } = this.#parts;
    // Before its member is woken up for nothing.
    if (degraded !== undefined) throw storageDegraded(degraded);
    const { life, last_error } = this.#parts.view.members.get(to) ?? {};
    const state = life?.state;
    if (state === "broken") {
      const kind = last_error?.code ?? "start_failed";
      throw mobError("mob.member_broken", `${to} is broken: ${last_error?.text ?? kind}`, { facts: { member: to, kind }, hint: "Mend what it has failed of; then a reload starts it again (atoll mob reload), or a repair (members/repair)." });
    }
    if (state === undefined || state === "none" || state === "retiring" || state === "retired" || state === "completed") {
      throw mobError("mob.member_gone", `${to} is ${state ?? "gone"}`, { facts: { member: to } });
    }
  }
}

interface Key {
  readonly name: string;
  readonly hash: string;
}

function ticketOf({ turn_id, member, generation, conversation, state, seq }: Omit<Ticket, "duplicate">): Omit<Ticket, "duplicate"> {
  return { turn_id, member, generation, conversation, state, seq };
}

function overloaded(to: string, limit: number): MobError {
  return mobError("mob.overloaded", `${to} has ${limit} turns that have not ended`, {
    facts: { member: to, limit }, retry_after_ms: RETRY_AFTER_MS, hint: "Send it again later: what was accepted is kept.",
  });
}

/** The node is on its way out: the next one takes it. */
function isPassing(error: unknown): boolean {
  return isFault(error) && (error.code === "node.draining" || error.code === "node.wrong_state");
}

function toMobError(error: unknown, to: string): unknown {
  if (!isFault(error) || !error.code.startsWith("node.")) return error;
  const code = error.code === "node.overloaded" ? "mob.overloaded" : error.code === "node.storage_full" || error.code === "node.unavailable" ? "mob.storage_degraded" : "mob.unavailable";
  return mobError(code, `${to} cannot take the turn: ${error.message}`, {
    facts: { member: to }, cause: error, ...error.uncertain === undefined ? {} : { uncertain: error.uncertain },
  });
}

/** Bytes. Throws for what is empty. */
function sizeOf(content: Json): number {
  const empty = content === null || content === "" || Array.isArray(content) && content.length === 0;
  if (empty) throw mobError("mob.content_empty", "the turn has no content");
  return Buffer.byteLength(JSON.stringify(content));
}
