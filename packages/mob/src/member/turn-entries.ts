/** What the ledger says of a turn (spec: mob 3.7, 5.2). Pure. */
import type { Fault } from "@atoll-run/core";
import type { NewEntry } from "../ledger/entry.ts";
import { preview } from "../ledger/stored.ts";
import { MOB_LIMITS } from "../limits.ts";
import type { BrokenKind } from "./life.ts";
import type { TurnBody } from "./turn.ts";

/** Whose turn it is, and which incarnation speaks. */
export interface Speaking {
  readonly member: string;
  readonly generation: number;
  /** Absent: it has none yet. */
  readonly fence?: number;
}

export interface TurnError {
  readonly code: string;
  readonly text: string;
}

/** Of the text of an error. */
export const ERROR_CHARS = 1_024;
const { previewBytes } = MOB_LIMITS;

export function turnQueued(by: Speaking, body: TurnBody, trace?: string): NewEntry {
  const { turn_id, conversation, from, principal, content, deadline_at_ms, run, reply, in_reply_to, taint } = body;
  const entry: NewEntry = {
    kind: "turn_queued", source: "mob", ...by, turn_id, principal, ...run,
    data: {
      ...reply === undefined ? {} : { reply }, ...in_reply_to === undefined ? {} : { in_reply_to }, ...taint === undefined ? {} : { taint },
      conversation, from, deadline_at_ms, preview: preview(typeof content === "string" ? content : JSON.stringify(content), previewBytes),
    },
  };
  return trace === undefined ? entry : { ...entry, trace };
}

/** `turn_started`, `turn_waiting`, `turn_resumed`, `turn_done`, `turn_failed`, `turn_cancelled`, `turn_expired`, `turn_dead`. */
export function turnMoved(
  kind: NewEntry["kind"], by: Speaking, o: { readonly turn: Pick<TurnBody, "turn_id" | "run">; readonly data: NewEntry["data"] },
): NewEntry {
  return { kind, source: "member", ...by, turn_id: o.turn.turn_id, ...o.turn.run, data: o.data };
}

/** Somebody of an incarnation that is over has tried that. */
export function staleFence(
  member: string, { generation, fence, turn_id }: { readonly generation: number; readonly fence: number | undefined; readonly turn_id?: string }, what: string,
): NewEntry {
  return {
    kind: "stale_fence", source: "mob", member, generation, ...fence === undefined ? {} : { fence }, ...turn_id === undefined ? {} : { turn_id }, data: { what },
  };
}

/** Of its session; with others, its code or what it stands on did not come up. */
const OF_SESSION: ReadonlySet<BrokenKind> = new Set<BrokenKind>(["snapshot_missing", "snapshot_corrupted", "generation_mismatch", "checkpoint_unrecoverable"]);

/** It was to start, and did not: each time. */
export function startFailure(member: string, { kind, detail, generation }: { readonly kind: BrokenKind; readonly detail: string; readonly generation: number }): NewEntry {
  return {
    kind: OF_SESSION.has(kind) ? "checkpoint_failure" : "spawn_failure", source: "mob", member, generation, data: { kind, detail },
  };
}

export function errorOf({ code, message }: Pick<Fault, "code" | "message">): { error: { code: string; text: string } } {
  return { error: { code, text: message.slice(0, ERROR_CHARS) } };
}
