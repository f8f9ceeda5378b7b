/**
 * A session that has grown long (spec: mob 6.5): its older turns become a summary.
 *
 * takes a session and somebody who writes summaries; gives nothing; promises that a snapshot is added and no record is changed, and that
 * one that fails changes nothing but says so; refuses turns that are not over; never throws for a summary that was not made.
 */
import type { Json } from "@atoll-run/core";
import type { Blobs } from "../blobs/blobs.ts";
import { toFailure } from "../errors.ts";
import type { NewEntry } from "../ledger/entry.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";
import { promptOf, recordOp, signed, type SessionRecord } from "../sessions/record.ts";
import { taintOf } from "../sessions/taint.ts";
import type { UntoldTokens } from "../sessions/tokens.ts";
import { readHistory } from "./history.ts";

export interface CompactionParts {
  readonly ledger: Ledger;
  readonly blobs: Blobs;
  readonly now: () => number;
  readonly limits: Pick<MobLimits, "recordBytesMax" | "historyBytesMax" | "compactBytes" | "compactKeepBytes">;
  readonly session: string;
  readonly writer: () => Writer | undefined;
  readonly isOver: (turnId: string) => boolean;
  readonly untold: UntoldTokens;
  readonly about: Pick<NewEntry, "member" | "generation">;
}

/** Throws when there is none. */
export type Summarize = (prompt: string) => Promise<string>;

const BLOCK_CHARS = 4_000;
const ASK = "Summarize this conversation of yours for yourself, so that you can go on with it without having read it: what was asked, what was found and decided, "
  + "what was done to which files or members, what is still open. Names, numbers and paths exactly. At most 600 words.";

/** Before a turn: makes a snapshot when what came after the last one is too much. */
export async function compact(parts: CompactionParts, turnId: string, summarize: Summarize): Promise<void> {
  const { ledger, blobs, session, limits, writer, about, now, untold } = parts;
  const { snapshot, tail, bytes } = await readHistory({ store: ledger.store, blobs }, { session, bytesMax: limits.historyBytesMax });
  if (bytes <= limits.compactBytes) return;
  const old = oldTurns(tail, { keepBytes: limits.compactKeepBytes, isOver: parts.isOver });
  const covers = old.at(-1)?.seq;
  if (covers === undefined) return;
  const by = { origin: about.member ?? "", taint: taintOf([...snapshot === undefined ? [] : [snapshot], ...old]) };
  const say = async (kind: NewEntry["kind"], data: NewEntry["data"], text?: string): Promise<void> => {
    const speaks = writer();
    if (speaks === undefined) return;
    await ledger.append(speaks, [{ kind, source: "member", ...about, fence: speaks.epoch, turn_id: turnId, session: { id: session }, data }], text === undefined ? [] : [
      await recordOp(session, { turn_id: null, role: "snapshot", blocks: signed([{ type: "text", text }], by), tokens: untold.take(turnId), ts_ms: now(), covers }, parts),
    ]);
  };
  const size = { records: old.length, covers };
  await say("compaction_started", size);
  let text: string;
  try {
    text = await summarize([ASK, ...snapshot === undefined ? [] : [`What was before:\n${promptOf(snapshot.blocks)}`], ...old.map(shown)].join("\n\n"));
    if (text.trim() === "") throw new Error("the summary is empty");
  } catch (error) {
    return await say("compaction_failed", { ...size, error: { ...toFailure(error) } });
  }
  await say("compaction_completed", { ...size, chars: text.length }, text);
}

/** Records of turns that are over, the oldest first, but for the newest so many bytes. */
export function oldTurns(tail: readonly SessionRecord[], o: { readonly keepBytes: number; readonly isOver: (turnId: string) => boolean }): readonly SessionRecord[] {
  const open = tail.findIndex(({ turn_id }) => turn_id !== null && !o.isOver(turn_id));
  let end = open === -1 ? tail.length : open;
  let kept = 0;
  while (end > 0 && kept + sizeOf(tail[end - 1]) <= o.keepBytes) kept += sizeOf(tail[--end]);
  // A turn is covered whole or not at all.
  while (end > 0 && end < tail.length && tail.slice(end).some(({ turn_id }) => turn_id !== null && turn_id === tail[end - 1]?.turn_id)) end -= 1;
  return tail.slice(0, end);
}

function sizeOf(record: SessionRecord | undefined): number {
  return JSON.stringify(record).length;
}

function shown({ role, blocks }: SessionRecord): string {
  return `${role}: ${blocks.map((block) => textOf(block as { readonly [key: string]: Json }).slice(0, BLOCK_CHARS)).join("\n")}`;
}

function textOf(block: { readonly [key: string]: Json }): string {
  const { type, text } = block;
  return type === "text" && typeof text === "string" ? text : JSON.stringify(block);
}
