/**
 * Dead letters of members (spec: mob 11.5): turns that were given up, and what may still become of them.
 *
 * takes ids of turns; gives letters, and new turns with the same content; promises that a letter goes in one commit with the entry that
 * says so, and that it is handed in again once at most; refuses what is no letter; never brings a turn back that has ended.
 */
import type { Json, Letter, StateStore } from "@atoll-run/core";
import { readEnvelope } from "@atoll-run/core/internal";
import { mobError, toFailure, type Failure } from "../errors.ts";
import { memberScope } from "../ids.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { preview } from "../ledger/stored.ts";
import type { View } from "../roster/view.ts";
import type { MemberHost } from "./host.ts";
import { TURN_ROUTE } from "./turn-desk.ts";
import type { TurnBody } from "./turn.ts";

export interface DeadLetter {
  /** Of the turn that was given up: names the letter. */
  readonly turn_id: string;
  readonly member: string;
  readonly reason: string;
  readonly error: Failure;
  readonly attempts: number;
  readonly dead_at_ms: number;
  readonly from: string;
  readonly principal: string;
  readonly conversation: string;
  readonly content_preview: string;
}

export interface LetterParts {
  readonly ledger: Ledger;
  readonly view: View;
  readonly members: Pick<MemberHost, "send">;
  readonly now: () => number;
  /** Members whose letters there are for whoever asks. */
  readonly only: (member: string) => boolean;
}

export interface LetterQuery {
  readonly member?: string | undefined;
  readonly reason?: string | undefined;
  /** `<member>/<turn_id>`, as the page before named it. */
  readonly after?: string | undefined;
  readonly limit: number;
}

const PAGE = 100;
const PREVIEW_BYTES = 1_024;

interface Found {
  readonly member: string;
  readonly letter: Letter;
  readonly body: TurnBody;
}

/** By member, the oldest first. */
export async function listLetters({ ledger, view, only }: LetterParts, q: LetterQuery): Promise<{ readonly letters: readonly DeadLetter[]; readonly next?: string }> {
  const [afterMember, afterTurn] = q.after?.split("/") ?? [];
  const ids = q.member === undefined ? view.ids().filter((id) => (view.members.get(id)?.dead ?? 0) > 0) : [q.member];
  const letters: DeadLetter[] = [];
  for (const member of ids.filter(only)) {
    if (afterMember !== undefined && member < afterMember) continue;
    let skipping = member === afterMember;
    for await (const found of lettersOf(ledger.store, member)) {
      if (skipping) {
        skipping = found.body.turn_id !== afterTurn;
        continue;
      }
      if (q.reason !== undefined && reasonOf(found, view) !== q.reason) continue;
      const last = letters.at(-1);
      if (letters.length === q.limit) return { letters, ...last === undefined ? {} : { next: `${last.member}/${last.turn_id}` } };
      letters.push(show(found, view));
    }
  }
  return { letters };
}

export type LetterResult =
  | { readonly turn_id: string; readonly ok: true; readonly sent_as?: string }
  | { readonly turn_id: string; readonly ok: false; readonly error: Failure };

/** As new turns, by whoever asks. */
export function redriveLetters(parts: LetterParts, ids: readonly string[], { principal, traceparent }: { readonly principal: string; readonly traceparent?: string | undefined }): Promise<readonly LetterResult[]> {
  const traced = traceparent === undefined ? {} : { traceparent };
  return each(ids, async (turn_id) => {
    const { member, letter, body } = await find(parts, turn_id);
    const { from, conversation, content } = body;
    // Under a key: if the letter could not be taken away afterwards, it is the same turn again.
    const ticket = await parts.members.send({ to: member, from, principal: body.principal, conversation, content, key: `redrive ${turn_id}`, ...traced });
    await remove(parts, { member, letter }, { kind: "dead_letter_redriven", turn_id, principal, data: { sent_as: ticket.turn_id } });
    return { turn_id, ok: true, sent_as: ticket.turn_id };
  });
}

export function discardLetters(parts: LetterParts, ids: readonly string[], o: { readonly principal: string; readonly reason: string }): Promise<readonly LetterResult[]> {
  return each(ids, async (turn_id) => {
    const { member, letter } = await find(parts, turn_id);
    await remove(parts, { member, letter }, { kind: "dead_letter_discarded", turn_id, principal: o.principal, data: { reason: o.reason } });
    return { turn_id, ok: true };
  });
}

/** One after the other, each with its own answer. */
async function each(ids: readonly string[], work: (id: string) => Promise<LetterResult>): Promise<readonly LetterResult[]> {
  const results: LetterResult[] = [];
  for (const turn_id of ids) results.push(await work(turn_id).catch((error: unknown) => ({ turn_id, ok: false, error: toFailure(error) })));
  return results;
}

async function remove(
  { ledger, now }: LetterParts, { member, letter }: Pick<Found, "member" | "letter">,
  entry: { readonly kind: "dead_letter_redriven" | "dead_letter_discarded"; readonly turn_id: string; readonly principal: string; readonly data: Record<string, Json> },
): Promise<void> {
  const said = ledger.toOp({ ...entry, source: "api", member });
  // Whoever is awake has another fence every time; the letter itself can be taken away once only.
  const commit = await ledger.store.commit({ scope: memberScope(member), epoch: null, at_ms: now(), ops: [
    { op: "mark", seq: letter.seq, redriving: false, about: null }, { op: "purge", seq: letter.seq }, said,
  ] });
  if (!commit.ok) throw noLetter(entry.turn_id);
}

async function find({ ledger, view, only }: LetterParts, turnId: string): Promise<Found> {
  const known = view.turns.get(turnId)?.member ?? (await ledger.query({ turn_id: turnId, limit: 1 })).entries[0]?.member;
  if (known !== undefined && only(known)) {
    for await (const found of lettersOf(ledger.store, known)) if (found.body.turn_id === turnId) return found;
  }
  throw noLetter(turnId);
}

async function* lettersOf(store: StateStore, member: string): AsyncGenerator<Found> {
  for (let after = 0; ;) {
    const page = await store.letters(memberScope(member), { after, limit: PAGE });
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.seq;
    for (const letter of page) {
      const body = letter.route === TURN_ROUTE ? bodyOf(letter) : undefined;
      if (body !== undefined) yield { member, letter, body };
    }
  }
}

/** Undefined: it cannot be read. */
function bodyOf({ body }: Letter): TurnBody | undefined {
  const read = readEnvelope(body, Infinity);
  return read.ok ? JSON.parse(new TextDecoder().decode(read.value.payload)) as TurnBody : undefined;
}

function show(found: Found, view: View): DeadLetter {
  const { member, letter, body: { turn_id, from, principal, conversation, content } } = found;
  const { code, text, attempts = 0 } = JSON.parse(letter.about) as Failure & { readonly attempts?: number };
  return {
    turn_id, member, reason: reasonOf(found, view), error: view.turns.get(turn_id)?.error ?? { code, text }, attempts, dead_at_ms: letter.dead_at_ms,
    from, principal, conversation, content_preview: preview(typeof content === "string" ? content : JSON.stringify(content), PREVIEW_BYTES),
  };
}

/** Why, in the words of the mob where it says so. */
function reasonOf({ letter, body }: Found, view: View): string {
  return view.turns.get(body.turn_id)?.reason ?? letter.reason;
}

function noLetter(turnId: string): ReturnType<typeof mobError> {
  return mobError("mob.not_found", `there is no dead letter of the turn ${turnId}`, { facts: { what: "dead_letter", id: turnId } });
}
