/** All that is told of one member (spec: mob 3.4, 7.1). */
import type { Json } from "@atoll-run/core";
import type { Profile } from "../definition/definition.ts";
import { shortHash } from "../ids.ts";
import type { View } from "../roster/view.ts";
import { FINAL_STATES } from "./life.ts";
import type { MemberRow } from "./row.ts";
import { FINAL_TURNS, type Turn } from "./turn.ts";

/** What outlives process, session and generation of a member, folded from the ledger. */
export interface ContinuityRecord {
  readonly member: string;
  readonly runtime_id: string;
  readonly session_id: string;
  readonly generation: number;
  readonly fence: number;
  /** `seq` of the last entry that has changed it. */
  readonly version: number;
  /** Equal specs have equal ones. */
  readonly spec_hash: string;
}

export interface DeepRow extends MemberRow {
  /** How the output of its last turn begins; null: there is none. */
  readonly output_preview: string | null;
  readonly grants: readonly string[];
  /** Of those it is wired to, who takes turns. */
  readonly peers_reachable: readonly string[];
  readonly continuity: ContinuityRecord;
}

const PREVIEW_CHARS = 1_024;

/** Undefined: there is no such member. */
export function deepRow(view: View, id: string, profile: Profile | undefined): DeepRow | undefined {
  const [row, member] = [view.row(id), view.members.get(id)];
  if (row === undefined || member === undefined) return undefined;
  const { generation, runtime_id, session, lease: { fence }, seq: version } = row;
  return {
    ...row, output_preview: previewOf(lastTurn(view, id)), grants: member.spec.grants ?? profile?.grants ?? [],
    peers_reachable: row.wired_to.filter((peer) => {
      const state = view.members.get(peer)?.life.state ?? "none";
      return state !== "broken" && state !== "retiring" && !FINAL_STATES.includes(state);
    }),
    continuity: { member: id, runtime_id, session_id: session.id, generation, fence, version, spec_hash: hashOf(member.spec as unknown as Json) },
  };
}

/** Of those that are remembered, the last that has ended. */
function lastTurn({ turns }: View, id: string): Turn | undefined {
  let last: Turn | undefined;
  for (const turn of turns.values()) if (turn.member === id && FINAL_TURNS.has(turn.state) && turn.seq > (last?.seq ?? 0)) last = turn;
  return last;
}

function previewOf(turn: Turn | undefined): string | null {
  if (turn === undefined) return null;
  if (turn.stored !== undefined) return turn.stored.preview;
  const { output } = turn;
  return output === null ? null : (typeof output === "string" ? output : JSON.stringify(output)).slice(0, PREVIEW_CHARS);
}

/** The order of its keys does not count. */
function hashOf(spec: Json): string {
  return shortHash(JSON.stringify(spec, (_, value: unknown) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  }));
}
