/**
 * One record of a session and where it lies (spec: mob 6.5). Pure.
 *
 * A session belongs to a member from the generation in which it began until the next one begins, so its id follows from both:
 * nothing has to be stored to find it, and nothing to archive it.
 */
import type { Json, JournalEntry, StateOp, Write } from "@atoll-run/core";
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

/** How it is stored: as the ledger would, and what has more than that as JSON keeps its size and its beginning. */
export interface RecordRules {
  readonly ledger: { redact(value: Json): Json };
  readonly limits: { readonly recordBytesMax: number };
}

export function recordOp(session: string, record: NewRecord, rules: RecordRules): StateOp & { op: "append" } {
  return { op: "append", journal: journalOf(session), body: toBody(record, rules) };
}

export function recordWrite(session: string, record: NewRecord, rules: RecordRules): Write {
  return { write: "append", journal: journalOf(session), body: toBody(record, rules) };
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
  return Array.isArray(content) && content.length > 0 && content.every(isBlock) ? content as unknown as readonly SessionBlock[] : [{ type: "json", json: content }];
}

/** What a model is told of a content. */
export function promptOf(blocks: readonly SessionBlock[]): string {
  return blocks.map((block) => block.type === "text" ? String(block["text"]) : JSON.stringify(block.type === "json" ? block["json"] : block)).join("\n");
}

function isBlock(value: Json): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && typeof (value as { type?: Json }).type === "string";
}

function toBody(given: NewRecord, { ledger, limits: { recordBytesMax: bytesMax } }: RecordRules): string {
  const record = { ...given, blocks: ledger.redact(given.blocks as Json) as unknown as readonly SessionBlock[] };
  const text = JSON.stringify(record);
  // Cheap where it is plain that it fits: a UTF-16 unit is at most three bytes.
  if (text.length * 3 <= bytesMax) return text;
  const bytes = Buffer.byteLength(text);
  if (bytes <= bytesMax) return text;
  return JSON.stringify({ ...record, blocks: [{ type: "omitted", bytes, preview: JSON.stringify(record.blocks).slice(0, PREVIEW_CHARS), taint: taintIn(record.blocks as Json) }] });
}
