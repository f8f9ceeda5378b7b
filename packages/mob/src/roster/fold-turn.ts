/** The life of one turn, folded from its entries (spec: mob 3.7). Pure. */
import type { Entry } from "../ledger/entry.ts";
import type { Stored } from "../ledger/stored.ts";
import type { Taint } from "../sessions/taint.ts";
import { FINAL_TURNS, type Turn, type TurnState } from "../member/turn.ts";
import type { MemberView } from "./row.ts";

const TURN_STATES: Readonly<Partial<Record<Entry["kind"], TurnState>>> = {
  turn_queued: "queued", turn_started: "running", turn_waiting: "waiting_approval", turn_resumed: "running", turn_done: "done",
  turn_failed: "failed", turn_cancelled: "cancelled", turn_expired: "expired", turn_dead: "dead",
};

/** Undefined: the entry changes nothing. `member`: as it was before that entry; absent: nobody knows it. */
export function foldTurn(
  old: Turn | undefined, entry: Entry, member?: Pick<MemberView, "fence" | "open" | "used">,
): Turn | undefined {
  const { turn_id, member: id, kind, data, seq, ts_ms } = entry;
  const state = TURN_STATES[kind];
  if (turn_id === undefined || id === undefined || state === undefined || old !== undefined && isOver(old)) return undefined;
  const stepId = entry.step_id ?? old?.step_id;
  const over = FINAL_TURNS.has(state);
  const runId = entry.run_id ?? old?.run_id;
  const usage = over ? endUsage(old, entry) : old?.usage;
  const active = state === "running" ? old?.active_ms : activeMs(old, ts_ms);
  const resumed = kind === "turn_resumed" ? ts_ms : kind === "turn_started" ? undefined : old?.resumed_at_ms;
  const trace = old?.trace ?? (kind === "turn_queued" ? entry.trace : undefined);
  const taint = old?.taint ?? data["taint"] as Taint | undefined;
  const leftMs = kind === "turn_waiting" ? data["left_ms"] as number | undefined : undefined;
  const inPlace = kind === "turn_waiting" && data["in_place"] === true;
  const generation = entry.generation ?? old?.generation ?? 0;
  const turn: Turn = {
    ...runId === undefined ? {} : { run_id: runId }, ...stepId === undefined ? {} : { step_id: stepId }, turn_id, member: id, ...taint === undefined ? {} : { taint }, generation, state, seq,
    conversation: data["conversation"] as string | undefined ?? old?.conversation ?? "",
    from: data["from"] as string | undefined ?? old?.from ?? "", principal: entry.principal ?? old?.principal ?? "",
    deadline_at_ms: data["deadline_at_ms"] as number | undefined ?? old?.deadline_at_ms ?? 0, ...leftMs === undefined ? {} : { left_ms: leftMs }, ...inPlace ? { in_place: true } : {},
    attempt: data["attempt"] as number | undefined ?? old?.attempt ?? 0, output: data["output"] ?? old?.output ?? null,
    ...data["stored"] === undefined ? {} : { stored: data["stored"] as unknown as Stored },
    ...replyOf(old, data), ...usage === undefined ? {} : { usage }, ...active === undefined ? {} : { active_ms: active }, ...resumed === undefined ? {} : { resumed_at_ms: resumed },
    error: data["error"] as Turn["error"] | undefined ?? old?.error ?? null, queued_at_ms: old?.queued_at_ms ?? ts_ms,
    started_at_ms: kind === "turn_started" ? ts_ms : old?.started_at_ms ?? null, ended_at_ms: over ? ts_ms : null,
    cursor: over && member !== undefined ? { generation, fence: entry.fence ?? member.fence, turns: endedTurns(member) + 1 } : null,
    ...state === "dead" && typeof data["reason"] === "string" ? { reason: data["reason"] } : {},
  };
  return trace === undefined ? turn : { ...turn, trace };
}

/** How long it has run, as far as it is known at that time. */
export function ranMs(turn: Turn | undefined, nowMs: number): number {
  const since = turn?.resumed_at_ms ?? turn?.started_at_ms ?? nowMs;
  return (turn?.active_ms ?? 0) + (turn?.state === "running" ? Math.max(0, nowMs - since) : 0);
}

function activeMs(old: Turn | undefined, atMs: number): number | undefined {
  return old?.state === "running" || old?.active_ms !== undefined ? ranMs(old, atMs) : undefined;
}

/** As its entries said while it ran, or, of one that was forgotten, as its end says. */
function endUsage(old: Turn | undefined, { data, ts_ms }: Entry): Turn["usage"] {
  const known = old?.usage ?? data["usage"] as unknown as Turn["usage"];
  return known === undefined ? undefined : { ...known, turns: 1, wall_ms: old === undefined ? known.wall_ms : ranMs(old, ts_ms) };
}

function endedTurns({ used, open }: Pick<MemberView, "open" | "used">): number {
  return (used?.life.turns ?? 0) - open.length;
}

function replyOf(old: Turn | undefined, data: Entry["data"]): Pick<Turn, "reply" | "in_reply_to"> {
  const { reply = old?.reply, in_reply_to = old?.in_reply_to } = data as Pick<Turn, "reply" | "in_reply_to">;
  return { ...reply === undefined ? {} : { reply }, ...in_reply_to === undefined ? {} : { in_reply_to } };
}

export function isOver({ state }: Turn): boolean {
  return FINAL_TURNS.has(state);
}
