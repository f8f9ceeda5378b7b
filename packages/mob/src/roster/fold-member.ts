/** A member as its entries make it (spec: mob 3.3, 3.4). Pure. */
import type { MemberSpec } from "../definition/definition.ts";
import type { Entry } from "../ledger/entry.ts";
import { FINAL_STATES, NO_CRASHES, NO_MENDS, NOBODY, type Life, type LifeState } from "../member/life.ts";
import type { MemberRow } from "../member/row.ts";
import type { MemberView } from "./row.ts";

const EMPTY: Pick<MemberView, "fence" | "dead" | "open" | "last_error"> = { fence: 0, dead: 0, open: [] };

/** Undefined: nobody knows what it is to be, so the entry changes nothing. `old`: absent before its first entry. */
export function foldMember(old: MemberView | undefined, entry: Entry): MemberView | undefined {
  const { data, kind, seq, ts_ms } = entry;
  const spec = data["spec"] as unknown as MemberSpec | undefined ?? old?.spec;
  if (spec === undefined) return undefined;
  const before = old?.life ?? NOBODY;
  const state = data["state"] as LifeState | undefined ?? before.state;
  const life: Life = {
    state, generation: data["generation"] as number | undefined ?? before.generation,
    first: kind === "member_spawning" ? data["lazy"] !== true && before.state === "none" : kind === "member_spawned" ? false : before.first,
    tries: 0, crashes: NO_CRASHES, mends: NO_MENDS,
  };
  const { last_error: known, untold, ...rest }: typeof EMPTY & Pick<MemberView, "untold"> = old ?? EMPTY;
  const error = errorOf(entry, known);
  const session = toSession(entry, life.generation, old?.session);
  const goesOn = session.generation === old?.session.generation;
  return {
    ...rest, ...goesOn ? {} : { greeted: false }, ...untold === undefined || !goesOn || FINAL_STATES.includes(state) ? {} : { untold }, spec, life, seq, since_at_ms: state === before.state && old !== undefined ? old.since_at_ms : ts_ms,
    origin: data["origin"] as MemberRow["origin"] | undefined ?? old?.origin ?? "api",
    ...data["spec_hash"] === undefined ? {} : { spec_hash: data["spec_hash"] as string },
    ...data["spawned_by"] === undefined ? {} : { spawned_by: data["spawned_by"] as string },
    held: kind === "member_held" ? true : kind === "member_released" || kind === "member_spawning" ? false : old?.held ?? false,
    fence: Math.max(old?.fence ?? 0, entry.fence ?? 0), ...error === undefined ? {} : { last_error: error },
    session,
  };
}

/** It goes on until another one is begun. */
function toSession({ kind, data }: Entry, generation: number, old: MemberView["session"] | undefined): MemberView["session"] {
  const resumed = data["session_generation"] as number | undefined;
  if (resumed !== undefined) return { generation: resumed, begun: true, head: 0 };
  if (old === undefined || kind === "member_reset" || data["fresh"] === true) return { generation, begun: false, head: 0 };
  return kind === "member_started" && !old.begun ? { ...old, begun: true } : old;
}

/** Why it does not run, until it does. */
function errorOf({ kind, data }: Entry, known: MemberView["last_error"]): MemberView["last_error"] {
  if (kind === "member_started") return undefined;
  const isFailed = kind === "member_broken" || kind === "member_dormant" && data["why"] === "start_failed" && data["kind"] !== undefined;
  if (isFailed) return { code: String(data["kind"]), text: String(data["detail"] ?? "") };
  return kind === "member_starting" && data["why"] === "crashed" ? { code: "crashed", text: String(data["detail"] ?? "") } : known;
}
