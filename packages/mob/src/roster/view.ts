/**
 * The mob as its ledger tells it (spec: mob 5.1): members, edges, turns, runs, folded from entries.
 *
 * takes entries in order; gives what is now; promises that the same entries make the same view, whenever they are folded;
 * refuses nothing: an entry it does not know changes nothing; never reads a clock or a store.
 */
import type { Json } from "@atoll-run/core";
import type { MemberSpec } from "../definition/definition.ts";
import { keyOf, type EdgeNow, type EdgeOwner } from "../edges/plan.ts";
import type { Entry } from "../ledger/entry.ts";
import { NOBODY, type Life, type LifeState } from "../member/life.ts";
import type { MemberRow } from "../member/row.ts";
import { FINAL_TURNS, type Turn, type TurnState } from "../member/turn.ts";

export interface MemberView {
  readonly spec: MemberSpec;
  readonly life: Life;
  readonly origin: MemberRow["origin"];
  readonly held: boolean;
  readonly fence: number;
  readonly since_at_ms: number;
  readonly seq: number;
  readonly session: MemberRow["session"];
  readonly last_error: MemberRow["last_error"] | undefined;
  /** Turns that ended. */
  readonly turns: number;
  readonly tokens_in: number;
  readonly tokens_out: number;
  readonly dead: number;
  /** Turns that have not ended, in the order of acceptance. */
  readonly open: readonly string[];
}

/** Final turns that are remembered; older ones are read from the ledger. */
const TURNS_KEPT = 10_000;

export class View {
  seq = 0;
  readonly members = new Map<string, MemberView>();
  readonly edges = new Map<string, EdgeNow>();
  readonly turns = new Map<string, Turn>();
  /** As the last `desired_set` gave it. */
  desired: readonly MemberSpec[] = [];
  /** `seq` of the last change of members and edges (spec: mob 4.6). */
  revision = 0;
  readonly #over: string[] = [];

  readonly fold = (entry: Entry): void => {
    if (entry.seq <= this.seq) return;
    this.seq = entry.seq;
    const { kind } = entry;
    if (kind.startsWith("member_")) this.#member(entry);
    else if (kind.startsWith("members_") || kind.startsWith("edge_")) this.#edge(entry);
    else if (kind.startsWith("turn_")) this.#turn(entry);
    else if (kind === "desired_set") this.desired = entry.data["desired"] as unknown as readonly MemberSpec[];
  };

  /** Neighbours, sorted. */
  wiredTo(id: string): readonly string[] {
    const found: string[] = [];
    for (const { a, b, wired } of this.edges.values()) {
      if (wired && (a === id || b === id)) found.push(a === id ? b : a);
    }
    return found.sort();
  }

  row(id: string): MemberRow | undefined {
    const member = this.members.get(id);
    if (member === undefined) return undefined;
    const { spec, life, open } = member;
    const [oldest] = open;
    const running = open.map((turn) => this.turns.get(turn)?.state);
    return {
      id, profile: spec.profile, state: life.state === "none" ? "retired" : life.state,
      phase: running.includes("running") ? "busy" : running.includes("waiting_approval") ? "waiting_approval" : "idle",
      generation: life.generation, runtime_id: `${id}:${life.generation}`, external: spec.external ?? false, wired_to: this.wiredTo(id),
      labels: spec.labels ?? {}, origin: member.origin, held: member.held, fence: member.fence,
      queue: {
        depth: open.length, oldest_at_ms: oldest === undefined ? null : this.turns.get(oldest)?.queued_at_ms ?? null, dead: member.dead,
      },
      usage: { tokens_in: member.tokens_in, tokens_out: member.tokens_out, turns: member.turns }, session: member.session,
      ...member.last_error === undefined ? {} : { last_error: member.last_error },
      final: life.state === "retired" || life.state === "completed", since_at_ms: member.since_at_ms, seq: member.seq,
    };
  }

  #member(entry: Entry): void {
    const { member: id, data, kind, seq, ts_ms } = entry;
    if (id === undefined) return;
    if (kind === "member_spawn_failed") {
      this.members.delete(id);
      this.revision = seq;
      return;
    }
    const old = this.members.get(id);
    const spec = data["spec"] as unknown as MemberSpec | undefined ?? old?.spec;
    if (spec === undefined) return;
    const before = old?.life ?? NOBODY;
    const state = data["state"] as LifeState | undefined ?? before.state;
    const life: Life = {
      state, generation: data["generation"] as number | undefined ?? before.generation,
      first: kind === "member_spawning" ? data["lazy"] !== true && before.state === "none" : kind === "member_spawned" ? false : before.first,
      tries: 0, crashes: [],
    };
    const error = kind === "member_broken" ? { code: String(data["kind"]), text: String(data["detail"] ?? "") } : undefined;
    this.members.set(id, {
      ...old ?? EMPTY, spec, life, seq, since_at_ms: state === before.state && old !== undefined ? old.since_at_ms : ts_ms,
      origin: data["origin"] as MemberRow["origin"] | undefined ?? old?.origin ?? "api",
      held: kind === "member_held" ? true : kind === "member_released" || kind === "member_spawning" ? false : old?.held ?? false,
      fence: Math.max(old?.fence ?? 0, entry.fence ?? 0), last_error: error ?? (kind === "member_started" ? undefined : old?.last_error),
      session: data["session"] as MemberRow["session"] | undefined ?? old?.session ?? null,
    });
    if (kind !== "member_started" && kind !== "member_dormant") this.revision = seq;
  }

  #edge({ kind, data, seq }: Entry): void {
    const { a, b } = data as { readonly a: string; readonly b: string };
    const key = keyOf({ a, b });
    const old = this.edges.get(key);
    const owner = data["owner"] as EdgeOwner | undefined ?? old?.owner;
    this.revision = seq;
    switch (kind) {
      case "members_wired": return void this.edges.set(key, { a, b, wired: true, ...owner === undefined ? {} : { owner } });
      case "edge_suppressed": return void this.edges.set(key, { a, b, wired: false, suppressed: true });
      default: return void this.edges.delete(key);
    }
  }

  #turn(entry: Entry): void {
    const { turn_id, member: id, kind, data, seq, ts_ms } = entry;
    if (turn_id === undefined || id === undefined) return;
    const state = TURN_STATES[kind];
    if (state === undefined) return;
    const old = this.turns.get(turn_id);
    if (old !== undefined && FINAL_TURNS.has(old.state)) return;
    const over = FINAL_TURNS.has(state);
    const turn: Turn = {
      turn_id, member: id, generation: entry.generation ?? old?.generation ?? 0, state, seq,
      conversation: data["conversation"] as string | undefined ?? old?.conversation ?? "",
      from: data["from"] as string | undefined ?? old?.from ?? "", principal: entry.principal ?? old?.principal ?? "",
      attempt: data["attempt"] as number | undefined ?? old?.attempt ?? 0, output: data["output"] ?? old?.output ?? null,
      error: data["error"] as Turn["error"] | undefined ?? old?.error ?? null, queued_at_ms: old?.queued_at_ms ?? ts_ms,
      started_at_ms: kind === "turn_started" ? ts_ms : old?.started_at_ms ?? null, ended_at_ms: over ? ts_ms : null,
    };
    this.turns.set(turn_id, turn);
    this.#count(turn, { isNew: old === undefined, over, data });
    if (!over) return;
    this.#over.push(turn_id);
    if (this.#over.length > TURNS_KEPT * 2) for (const gone of this.#over.splice(0, TURNS_KEPT)) this.turns.delete(gone);
  }

  #count({ turn_id, member: id, state }: Turn, { isNew, over, data }: { isNew: boolean; over: boolean; data: Entry["data"] }): void {
    const member = this.members.get(id);
    if (member === undefined) return;
    const open = over ? member.open.filter((one) => one !== turn_id) : isNew ? [...member.open, turn_id] : member.open;
    const usage = data["usage"] as { readonly tokens_in?: number; readonly tokens_out?: number } | undefined;
    this.members.set(id, {
      ...member, open, turns: member.turns + (over ? 1 : 0), dead: member.dead + (state === "dead" || state === "expired" ? 1 : 0),
      tokens_in: member.tokens_in + (usage?.tokens_in ?? 0), tokens_out: member.tokens_out + (usage?.tokens_out ?? 0),
    });
  }
}

const EMPTY = { fence: 0, session: null, turns: 0, tokens_in: 0, tokens_out: 0, dead: 0, open: [] as readonly string[] } as const;

const TURN_STATES: Readonly<Partial<Record<Entry["kind"], TurnState>>> = {
  turn_queued: "queued", turn_started: "running", turn_waiting: "waiting_approval", turn_resumed: "running", turn_done: "done",
  turn_failed: "failed", turn_cancelled: "cancelled", turn_expired: "expired", turn_dead: "dead",
};

/** For a snapshot: as plain data. */
export function toSnapshot(view: View): Json {
  return JSON.parse(JSON.stringify({
    seq: view.seq, revision: view.revision, desired: view.desired, members: [...view.members], edges: [...view.edges], turns: [...view.turns],
  })) as Json;
}

/** The view that {@link toSnapshot} was given. */
export function fromSnapshot(snapshot: Json): View {
  const { seq, revision, desired, members, edges, turns } = snapshot as unknown as {
    seq: number; revision: number; desired: readonly MemberSpec[]; members: [string, MemberView][]; edges: [string, EdgeNow][]; turns: [string, Turn][];
  };
  const view = new View();
  view.seq = seq;
  view.revision = revision;
  view.desired = desired;
  for (const [id, member] of members) view.members.set(id, member);
  for (const [key, edge] of edges) view.edges.set(key, edge);
  for (const [id, turn] of turns) view.turns.set(id, turn);
  return view;
}
