/** One piece of work for a member (spec: mob 3.7 to 3.9). Data only. */
import type { Json } from "@atoll-run/core";
import type { Stored } from "../ledger/stored.ts";
import type { Taint } from "../sessions/taint.ts";
import type { Usage } from "../usage/usage.ts";

export type TurnState = "queued" | "running" | "waiting_approval" | "done" | "failed" | "cancelled" | "expired" | "dead";

export const FINAL_TURNS: ReadonlySet<TurnState> = new Set(["done", "failed", "cancelled", "expired", "dead"]);

/** What the turn of an initial message is known by. */
export const INITIAL = { from: "mob", principal: "mob", conversation: "initial", key: "initial" } as const;

export interface Ticket {
  readonly turn_id: string;
  readonly member: string;
  readonly generation: number;
  readonly conversation: string;
  readonly state: TurnState;
  readonly seq: number;
  readonly duplicate: boolean;
}

/** What a member gets: the payload of the tell, as JSON. */
export interface TurnBody {
  readonly turn_id: string;
  readonly from: string;
  readonly principal: string;
  readonly conversation: string;
  readonly content: Json;
  /** What becomes of it is a turn for its sender. */
  readonly reply?: "turn";
  /** It tells what has become of that turn. */
  readonly in_reply_to?: string;
  /** Absent: clean. */
  readonly taint?: Taint;
  /** Wall clock; waits for approvals move it. */
  readonly deadline_at_ms: number;
  readonly run?: { readonly run_id: string; readonly step_id: string };
}

/** A place in the work of a member: {@link compareCursors}, not texts, tells whether there is another answer. */
export interface TurnCursor {
  readonly generation: number;
  readonly fence: number;
  /** Turns of the member that have ended. */
  readonly turns: number;
}

/**
 * What has happened between two cursors of one member: nothing has ended, a turn has, or another incarnation has begun.
 * @example compareCursors(before, (await mob.turns.wait(turn_id)).cursor)   // "completed"
 */
export function compareCursors(before: TurnCursor, after: TurnCursor): "pending" | "completed" | "incarnation_changed" {
  if (before.generation !== after.generation || before.fence !== after.fence) return "incarnation_changed";
  return after.turns > before.turns ? "completed" : "pending";
}

export interface Turn {
  readonly turn_id: string;
  readonly member: string;
  readonly generation: number;
  readonly conversation: string;
  readonly from: string;
  readonly principal: string;
  readonly run_id?: string;
  readonly step_id?: string;
  readonly state: TurnState;
  /** Of its content, and of what has come in since; absent: clean. */
  readonly taint?: Taint;
  readonly attempt: number;
  /** Wall clock; waits for approvals have moved it. */
  readonly deadline_at_ms: number;
  /** It waits for an approval: what was left of its time then. */
  readonly left_ms?: number;
  /** It waits where it is: its code is in the middle of it. */
  readonly in_place?: boolean;
  /** Null while it stands apart: see `stored`. */
  readonly output: Json | null;
  /** The output is too large to be kept here; whoever asks for this one turn gets it whole. */
  readonly stored?: Stored;
  readonly error: { readonly code: string; readonly text: string } | null;
  /** Absent: no model was asked, no call counted. */
  readonly usage?: Usage;
  /** How long it has run, waits for approvals not counted, up to when it went on last. */
  readonly active_ms?: number;
  readonly resumed_at_ms?: number;
  /** What becomes of it is to be a turn for its sender; absent also when that turn is stored. */
  readonly reply?: "turn";
  /** It tells what has become of that turn. */
  readonly in_reply_to?: string;
  /** W3C `traceparent` of whoever asked for it; absent: none was given. */
  readonly trace?: string;
  /** Why it was given up. */
  readonly reason?: string;
  readonly queued_at_ms: number;
  readonly started_at_ms: number | null;
  readonly ended_at_ms: number | null;
  /** Where its member was when it ended; as long as it has not, null. */
  readonly cursor: TurnCursor | null;
  readonly seq: number;
}
