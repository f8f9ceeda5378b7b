/**
 * One record of a session and where it lies (spec: mob 6.5). Pure.
 *
 * A session belongs to a member from the generation in which it began until the next one begins, so its id follows from both:
 * nothing has to be stored to find it, and nothing to archive it.
 */
import { isFault, type Json, type JournalEntry, type StateOp, type Write } from "@atoll-run/core";
import type { Blobs } from "../blobs/blobs.ts";
import { isRef, toRef } from "../blobs/ref.ts";
import { mobError } from "../errors.ts";
import { memberScope } from "../ids.ts";
import type { TurnBody } from "../member/turn.ts";
import { stamped, taintIn, type Taint } from "./taint.ts";

/**
 * `user`: what came in. `assistant`: what the member gave. `tool`: what a tool gave it. `note`: what it wanted to be known. `snapshot`: what an agent goes on with
 * instead of older records, which stay.
 */
export type SessionRole = "user" | "assistant" | "tool" | "note" | "snapshot";

/** `{type: "text", text}`, `{type: "json", json}`, or a block as the sender or a model gave it. */
export interface SessionBlock {
  readonly type: string;
  readonly [key: string]: Json;
}

export interface NewRecord {
  /** Null: outside of a turn. */
  readonly turn_id: string | null;
  readonly role: SessionRole;
  readonly blocks: readonly SessionBlock[];
  /** Of the model calls that gave it, in and out; 0 where none did. */
  readonly tokens: number;
  readonly ts_ms: number;
  /** Of a snapshot: `seq` of the last record that it stands for. */
  readonly covers?: number;
  /** Its blocks are more than stands in a log: they are the blob that its one block names, as JSON. */
  readonly apart?: true;
}

/** `seq` rises through the session; it is that of the whole store, so there are holes. */
export interface SessionRecord extends NewRecord {
  readonly seq: number;
}

const JOURNAL = "session:";
const ID = /^s_([a-z2-7]{26})_(\d{1,15})$/;
const PREVIEW_CHARS = 1_024;

/** The session of a member that began with that generation. */
export function sessionOf(member: string, generation: number): string {
  return `s_${memberScope(member)}_${generation}`;
}

/** Undefined: that is no id of a session. */
export function scopeOfSession(session: string): string | undefined {
  return ID.exec(session)?.[1];
}

export function journalOf(session: string): string {
  return `${JOURNAL}${session}`;
}

/** How it is stored: as the ledger would, and the blocks of what has more than that as JSON are a blob. */
export interface RecordRules {
  readonly ledger: { redact(value: Json): Json };
  readonly limits: { readonly recordBytesMax: number };
  readonly blobs: Pick<Blobs, "put">;
}

export type RecordOp = StateOp & { op: "append" };

/** At once, unless its blocks are kept apart first: nothing refers to them before they are there. Throws what `Blobs.put` does. */
export function recordOp(session: string, record: NewRecord, rules: RecordRules): RecordOp | Promise<RecordOp> {
  const body = toBody(record, rules);
  const op = (text: string): RecordOp => ({ op: "append", journal: journalOf(session), body: text });
  return typeof body === "string" ? op(body) : body.then(op);
}

/** The same for a handler that records it with its answer. */
export function recordWrite(session: string, record: NewRecord, rules: RecordRules): Write | Promise<Write> {
  const body = toBody(record, rules);
  const write = (text: string): Write => ({ write: "append", journal: journalOf(session), body: text });
  return typeof body === "string" ? write(body) : body.then(write);
}

/** With its blocks, wherever they are kept. Throws `mob.storage_degraded` for those that are not there any more. */
export async function wholeRecord(record: SessionRecord, blobs: Pick<Blobs, "get">): Promise<SessionRecord> {
  const [ref] = record.blocks;
  if (record.apart !== true || !isRef(ref)) return record;
  const { apart: _, ...rest } = record;
  const { bytes } = await blobs.get(ref.blob_id);
  return { ...rest, blocks: JSON.parse(Buffer.from(bytes).toString()) as readonly SessionBlock[] };
}

/** Throws `mob.storage_degraded` for what is no record. */
export function readRecord(session: string, { seq, body }: JournalEntry): SessionRecord {
  try {
    const record = JSON.parse(body) as NewRecord;
    if (typeof record.role === "string" && Array.isArray(record.blocks)) return { seq, ...record };
  } catch {
    // Told below.
  }
  throw damaged(session, "snapshot_corrupted", `is damaged at ${seq}`);
}

/** What breaks a member that was to go on with it. */
export function damaged(session: string, kind: "snapshot_missing" | "snapshot_corrupted", text: string): Error {
  return mobError("mob.storage_degraded", `the session ${session} ${text}`, {
    facts: { session_id: session, kind }, hint: "Reset the member: it begins a new session, the old one stays.",
  });
}

/** Its blocks say who gave them, and how far they can be trusted: those of content have said it when it was accepted. */
export function inputOf({ turn_id, content, from: origin, taint = "clean" }: TurnBody, nowMs: number): NewRecord {
  const given = stamped(content, { origin, taint: "clean" });
  return { turn_id, role: "user", blocks: given === content ? signed(toBlocks(content), { origin, taint }) : toBlocks(given), tokens: 0, ts_ms: nowMs };
}

/** What a member or its tools have said in a turn of that taint. */
export function signed(blocks: readonly SessionBlock[], by: { readonly origin: string; readonly taint: Taint | undefined }): readonly SessionBlock[] {
  const { origin, taint = "clean" } = by;
  return blocks.map((block) => ({ ...block, origin, taint }));
}

/** Content and outputs are text, blocks already, or any JSON. */
export function toBlocks(content: Json): readonly SessionBlock[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (isRef(content)) return [content];
  return Array.isArray(content) && content.length > 0 && content.every(isBlock) ? content as unknown as readonly SessionBlock[] : [{ type: "json", json: content }];
}

/** What a model is told of a content. */
export function promptOf(blocks: readonly SessionBlock[]): string {
  return blocks.map((block) => block.type === "text" ? String(block["text"]) : JSON.stringify(block.type === "json" ? block["json"] : block)).join("\n");
}

function isBlock(value: Json): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && typeof (value as { type?: Json }).type === "string";
}

function toBody(given: NewRecord, { ledger, limits: { recordBytesMax: bytesMax }, blobs }: RecordRules): string | Promise<string> {
  const record = { ...given, blocks: ledger.redact(given.blocks as Json) as unknown as readonly SessionBlock[] };
  const text = JSON.stringify(record);
  // Cheap where it is plain that it fits: a UTF-16 unit is at most three bytes.
  if (text.length * 3 <= bytesMax) return text;
  if (Buffer.byteLength(text) <= bytesMax) return text;
  return toApart(record, blobs);
}

/** Content and outputs are smaller than a blob may be; what tools gave may be more. */
async function toApart(record: NewRecord, blobs: RecordRules["blobs"]): Promise<string> {
  const taint = taintIn(record.blocks as Json);
  const text = JSON.stringify(record.blocks);
  const kept = await blobs.put({ media_type: "application/json", bytes: Buffer.from(text) }).catch((error: unknown) => {
    if (isFault(error) && error.code === "mob.too_large") return undefined;
    throw error;
  });
  if (kept === undefined) return JSON.stringify({ ...record, blocks: [{ type: "omitted", bytes: Buffer.byteLength(text), preview: text.slice(0, PREVIEW_CHARS), taint }] });
  return JSON.stringify({ ...record, blocks: [{ ...toRef(kept), taint }], apart: true });
}
