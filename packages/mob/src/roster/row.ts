/** A member as it is shown (spec: mob 3.4). */
import type { MemberSpec, Profile } from "../definition/definition.ts";
import { modeOf } from "../definition/mode.ts";
import { MOB_LIMITS } from "../limits.ts";
import type { EntryLabels, LabelSet, NewEntry } from "../ledger/entry.ts";
import type { Life } from "../member/life.ts";
import type { MemberRow } from "../member/row.ts";
import type { Turn } from "../member/turn.ts";
import { sessionOf } from "../sessions/record.ts";
import { NO_USAGE, type Used } from "../usage/usage.ts";

export interface MemberView {
  readonly spec: MemberSpec;
  /** Of what it was made when it was last made so; see `specHash`. */
  readonly spec_hash?: string;
  readonly life: Life;
  readonly origin: MemberRow["origin"];
  readonly held: boolean;
  readonly spawned_by?: string;
  readonly fence: number;
  readonly since_at_ms: number;
  readonly seq: number;
  /** Generation in which its session began, whether code was started with it, and `seq` of the last entry that has a record there; 0 = none. */
  readonly session: { readonly generation: number; readonly begun: boolean; readonly head: number };
  readonly last_error?: NonNullable<MemberRow["last_error"]>;
  /** Its initial message is sent. */
  readonly greeted?: boolean;
  /** What it is to be told of its peers and has not been yet, the newest of each peer; absent: nothing. */
  readonly untold?: readonly Untold[];
  /** Absent: nothing was used. */
  readonly used?: Used;
  readonly dead: number;
  /** Turns that have not ended, in the order of acceptance. */
  readonly open: readonly string[];
}

/** An edge of it that has come or gone, by the entry of that `seq`. */
export interface Untold {
  readonly event: "peer_added" | "peer_removed";
  readonly peer: string;
  readonly seq: number;
}

/** What a row has of the profile of its member. */
export type ProfileOf = (name: string) => Pick<Profile, "mode" | "external" | "labels"> | undefined;

interface Beside {
  readonly profileOf: ProfileOf;
  readonly turns: ReadonlyMap<string, Turn>;
  wiredTo(id: string): readonly string[];
}

export function labelsOf({ profileOf }: Pick<Beside, "profileOf">, spec: MemberSpec): MemberRow["labels"] {
  const labels = profileOf(spec.profile)?.labels;
  return labels === undefined ? spec.labels ?? {} : { ...labels, ...spec.labels };
}

/** Of the mob, of its run and of its member, as they are now. Undefined: there are none. */
export function entryLabels(
  view: Pick<Beside, "profileOf"> & { readonly labels: ReadonlyMap<string, LabelSet>; readonly members: ReadonlyMap<string, MemberView> }, { member: id, run_id }: NewEntry,
): EntryLabels | undefined {
  const mob = view.labels.get("");
  const run = run_id === undefined ? undefined : view.labels.get(run_id);
  const spec = id === undefined ? undefined : view.members.get(id)?.spec;
  const member = spec === undefined ? undefined : labelsOf(view, spec);
  const has = member !== undefined && Object.keys(member).length > 0;
  if (mob === undefined && run === undefined && !has) return undefined;
  return { ...mob === undefined ? {} : { mob }, ...run === undefined ? {} : { run }, ...has ? { member } : {} };
}

export function toRow(view: Beside, member: MemberView): MemberRow {
  const { spawned_by, spec, life, open, session, held, fence, origin, seq, since_at_ms, last_error, dead, used } = member;
  const { id } = spec;
  const profile = view.profileOf(spec.profile);
  const [oldest] = open;
  const states = open.map((turn) => view.turns.get(turn)?.state);
  return {
    id, profile: spec.profile, state: life.state === "none" ? "retired" : life.state,
    phase: states.includes("running") ? "busy" : states.includes("waiting_approval") ? "waiting_approval" : "idle",
    generation: life.generation, runtime_id: `${id}:${life.generation}`, mode: modeOf(spec, profile),
    external: spec.external ?? profile?.external ?? false, wired_to: view.wiredTo(id),
    labels: labelsOf(view, spec), origin, held, lease: { fence, ttl_ms: MOB_LIMITS.leaseMs, healthy: life.state !== "suspended" }, ...spawned_by === undefined ? {} : { spawned_by },
    queue: { depth: open.length, oldest_at_ms: oldest === undefined ? null : view.turns.get(oldest)?.queued_at_ms ?? null, dead },
    usage: used?.life ?? NO_USAGE, session: { id: sessionOf(id, session.generation), head: session.head }, ...last_error === undefined ? {} : { last_error },
    final: life.state === "retired" || life.state === "completed", since_at_ms, seq,
  };
}
