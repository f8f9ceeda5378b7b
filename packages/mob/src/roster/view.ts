/**
 * The mob as its ledger tells it (spec: mob 5.1): members, edges, turns, approvals, runs, folded from entries.
 *
 * takes entries in order; gives what is now; promises that the same entries make the same view, whenever they are folded;
 * refuses nothing: an entry it does not know changes nothing; never reads a clock or a store.
 */
import { approvalOf, foldApproval, type Approval } from "../approvals/approval.ts";
import { appliedOf, foldApplied, foldDesired, keepApplied, profileIn, type Applied } from "../definition/applied.ts";
import { isAutonomous } from "../definition/mode.ts";
import type { Edge } from "../edges/plan.ts";
import type { MemberSpec } from "../definition/definition.ts";
import { beginRun, foldRun, foldWait, spendOn, type Run } from "../flows/run.ts";
import type { Entry } from "../ledger/entry.ts";
import { FINAL_STATES, NOBODY, type Life } from "../member/life.ts";
import type { MemberRow } from "../member/row.ts";
import { INITIAL, type Turn } from "../member/turn.ts";
import { worse, type Taint } from "../sessions/taint.ts";
import { addUsage, NO_USAGE, use, usageIn } from "../usage/usage.ts";
import { foldMember } from "./fold-member.ts";
import { foldTurn, isOver, ranMs } from "./fold-turn.ts";
import type { Kept, Labels } from "./kept.ts";
import { foldMob, NEW_MOB, type MobFold } from "./mob-fold.ts";
import { toRow, type MemberView, type ProfileOf, type Untold } from "./row.ts";
import { isEdge } from "./touched.ts";
import { Wiring } from "./wiring.ts";

/** What is over and still remembered; what is older is read from the ledger. */
const TURNS_KEPT = 10_000;
const APPROVALS_KEPT = 1_000;
const RUNS_KEPT = 256;

/** They change nothing of who is in and how it is wired. */
const COMINGS: ReadonlySet<string> = new Set<Entry["kind"]>(["member_starting", "member_started", "member_dormant"]);

export class View {
  seq = 0;
  readonly members = new Map<string, MemberView>();
  /** Who was deleted → its last generation: who comes under that id is the next one. */
  readonly graves = new Map<string, number>();
  readonly #wiring = new Wiring();
  readonly edges = this.#wiring.edges;
  readonly turns = new Map<string, Turn>();
  readonly approvals = new Map<string, Approval>();
  readonly runs = new Map<string, Run>();
  /** Id of a run, or nothing for the mob. */
  readonly labels = new Map<string, Labels>();
  /** As the last `desired_set` gave it. */
  desired: readonly MemberSpec[] = [];
  mob: MobFold = NEW_MOB;
  /** The definition, as the last `definition_applied` gave it. */
  applied: Applied | undefined;
  /** `seq` of the last change of members, edges and of what they are to be (spec: mob 4.6). */
  revision = 0;
  /** Hash → the approval that was asked for it. */
  readonly #asked = new Map<string, string>();
  /** Ids in the order of their ends. */
  readonly #over = { turns: [] as string[], approvals: [] as string[], runs: [] as string[] };
  #sorted: readonly string[] | undefined;

  readonly profileOf: ProfileOf;

  /** With what a snapshot kept. */
  constructor(kept?: Kept, profileOf: ProfileOf = () => undefined) {
    this.profileOf = profileOf;
    if (kept === undefined) return;
    this.seq = kept.seq;
    this.revision = kept.revision;
    this.desired = kept.desired;
    this.applied = appliedOf(kept.applied);
    // Snapshots of earlier versions have none.
    this.mob = kept.mob[0] ?? { ...NEW_MOB, state: "running" };
    for (const [id, generation] of kept.graves) this.graves.set(id, generation);
    for (const [id, member] of kept.members) this.members.set(id, member);
    for (const edge of kept.edges) this.#wiring.set(edge);
    for (const turn of kept.turns) this.turns.set(turn.turn_id, turn);
    for (const approval of kept.approvals) {
      this.approvals.set(approval.id, approval);
      this.#asked.set(approval.hash, approval.id);
    }
    for (const [of, labels] of kept.labels) this.labels.set(of, labels);
    for (const run of kept.runs) this.runs.set(run.run_id, run);
    const ended = <T extends { readonly seq: number }>(all: Iterable<T>, over: (one: T) => boolean): readonly T[] =>
      [...all].filter(over).sort((x, y) => x.seq - y.seq);
    this.#over.turns.push(...ended(kept.turns, isOver).map(({ turn_id }) => turn_id));
    this.#over.approvals.push(...ended(kept.approvals, ({ state }) => state !== "open").map(({ id }) => id));
    this.#over.runs.push(...kept.runs.filter(({ state }) => state !== "running").sort((x, y) => x.revision - y.revision).map(({ run_id }) => run_id));
  }

  readonly fold = (entry: Entry): void => {
    if (entry.seq <= this.seq) return;
    this.seq = entry.seq;
    const { kind } = entry;
    const approval = approvalOf(entry);
    if (approval !== undefined) this.#approval(approval, entry);
    if (kind === "turn_completed" || kind === "tool_execution_started") this.#spent(entry);
    else if (kind === "peer_content_ingested") this.#ingested(entry);
    else if (kind.startsWith("member_")) this.#member(entry);
    else if (kind.startsWith("mob_")) this.mob = foldMob(this.mob, entry);
    else if (isEdge(kind)) this.#edge(entry);
    else if (kind.startsWith("turn_")) this.#turn(entry);
    else if (kind.startsWith("dead_letter_")) this.#letterGone(entry);
    else if (kind === "labels_set") this.#label(entry);
    else if (kind === "note") this.#noted(entry);
    else if (kind.startsWith("flow_") || kind.startsWith("step_") || kind === "topology_violation" || kind === "supervisor_escalation") this.#run(entry);
    else if (kind === "definition_applied" || kind === "desired_set") {
      if (kind === "desired_set") this.desired = foldDesired(this.desired, entry);
      else this.applied = foldApplied(this.applied, entry, this.members.values());
      this.revision = entry.seq;
    }
  };

  /** All that is needed to go on with {@link fold}, as it is now. */
  keep(): Kept {
    const { seq, revision, desired, applied, mob } = this;
    return {
      seq, revision, desired, applied: keepApplied(applied), mob: [mob], members: [...this.members], graves: [...this.graves], edges: [...this.edges.values()], turns: [...this.turns.values()],
      approvals: [...this.approvals.values()], runs: [...this.runs.values()], labels: [...this.labels],
    };
  }

  /** Of nobody: in the generation that the next one of that id follows. */
  lifeOf(id: string): Life {
    const grave = this.graves.get(id);
    return this.members.get(id)?.life ?? (grave === undefined ? NOBODY : { ...NOBODY, generation: grave });
  }

  /** Ids of all members that were ever there and are not deleted, sorted. */
  ids(): readonly string[] {
    return this.#sorted ??= [...this.members.keys()].sort();
  }

  /** What was asked for those arguments; whatever became of it. */
  asked(hash: string): Approval | undefined {
    const id = this.#asked.get(hash);
    return id === undefined ? undefined : this.approvals.get(id);
  }

  /** Neighbours, sorted. */
  wiredTo(id: string): readonly string[] {
    return this.#wiring.of(id);
  }

  isWired(x: string, y: string): boolean {
    return this.#wiring.has(x, y);
  }

  row(id: string): MemberRow | undefined {
    const member = this.members.get(id);
    return member === undefined ? undefined : toRow(this, member);
  }

  #member(entry: Entry): void {
    const { member: id, kind, seq } = entry;
    if (id === undefined) return;
    if (kind === "member_spawn_failed" || kind === "member_deleted") {
      if (kind === "member_deleted") this.graves.set(id, this.members.get(id)?.life.generation ?? 0);
      this.members.delete(id);
      this.#sorted = undefined;
      this.revision = seq;
      return;
    }
    this.graves.delete(id);
    const old = this.members.get(id);
    const member = foldMember(old, entry);
    if (member === undefined) return;
    if (old === undefined) this.#sorted = undefined;
    this.members.set(id, member);
    if (!COMINGS.has(kind)) this.revision = seq;
  }

  #edge(entry: Entry): void {
    const { a, b } = entry.data as unknown as Edge;
    const before = this.isWired(a, b);
    this.#wiring.fold(entry);
    this.revision = entry.seq;
    const wired = this.isWired(a, b);
    if (wired === before) return;
    for (const [id, peer] of [[a, b], [b, a]] as const) this.#owe(id, { event: wired ? "peer_added" : "peer_removed", peer, seq: entry.seq });
  }

  /** Who works of its own accord hears of its peers, once it has begun. */
  #owe(id: string, notice: Untold): void {
    const member = this.members.get(id);
    if (member?.greeted !== true || FINAL_STATES.includes(member.life.state) || !isAutonomous(member.spec, profileIn(this.applied, member.spec.profile))) return;
    this.members.set(id, { ...member, untold: [...(member.untold ?? []).filter(({ peer }) => peer !== notice.peer), notice] });
  }

  #noted({ member: id, session, seq }: Entry): void {
    const member = id === undefined ? undefined : this.members.get(id);
    if (member !== undefined && session !== undefined) this.members.set(id as string, { ...member, session: { ...member.session, head: seq } });
  }

  #approval(id: string, entry: Entry): void {
    const approval = foldApproval(this.approvals.get(id), entry);
    if (approval === undefined) return;
    this.approvals.set(id, approval);
    if (entry.kind === "approval_requested") this.#asked.set(approval.hash, id);
    if (approval.state === "open") return;
    const { approvals } = this.#over;
    if (approvals.at(-1) !== id) approvals.push(id);
    if (approvals.length <= APPROVALS_KEPT * 2) return;
    // A turn that is not over may ask again for what was decided.
    const asking = (one: string): boolean => this.#isOpen(this.approvals.get(one)?.turn_id);
    const old = approvals.splice(0, APPROVALS_KEPT);
    for (const gone of old) if (!asking(gone)) this.#forget(gone);
    approvals.unshift(...old.filter(asking));
  }

  #forget(id: string): void {
    const { hash = "" } = this.approvals.get(id) ?? {};
    if (this.#asked.get(hash) === id) this.#asked.delete(hash);
    this.approvals.delete(id);
  }

  #isOpen(turnId: string | undefined): boolean {
    const turn = turnId === undefined ? undefined : this.turns.get(turnId);
    return turn !== undefined && !isOver(turn);
  }

  #run(entry: Entry): void {
    const { run_id } = entry;
    if (run_id === undefined) return;
    const old = this.runs.get(run_id);
    if (old === undefined && entry.kind !== "flow_started") return;
    const run = old === undefined ? beginRun(entry) : foldRun(old, entry, (turn) => this.turns.get(turn));
    this.runs.set(run_id, run);
    if (run.state === "running" || old?.state !== "running") return;
    const { runs } = this.#over;
    runs.push(run_id);
    if (runs.length <= RUNS_KEPT * 2) return;
    // One that was resumed is there twice, and may be running.
    for (const gone of runs.splice(0, RUNS_KEPT)) {
      if (runs.includes(gone) || this.runs.get(gone)?.state === "running") continue;
      this.runs.delete(gone);
      this.labels.delete(gone);
    }
  }

  #turn(entry: Entry): void {
    const { turn_id } = entry;
    if (turn_id === undefined) return;
    const old = this.turns.get(turn_id);
    const turn = foldTurn(old, entry, this.members.get(entry.member ?? ""));
    if (turn === undefined) return;
    const over = isOver(turn);
    this.turns.set(turn_id, turn);
    this.#count(turn, { isNew: old === undefined, over, entry });
    if (turn.state === "waiting_approval" || old?.state === "waiting_approval") this.#waits(turn, entry);
    if (old === undefined && turn.in_reply_to !== undefined) this.#replied(turn.in_reply_to);
    if (!over) return;
    const { turns } = this.#over;
    turns.push(turn_id);
    if (turns.length > TURNS_KEPT * 2) for (const gone of turns.splice(0, TURNS_KEPT)) this.turns.delete(gone);
  }

  #waits(turn: Turn, { ts_ms }: Entry): void {
    const run = turn.run_id === undefined ? undefined : this.runs.get(turn.run_id);
    if (run !== undefined) this.runs.set(run.run_id, foldWait(run, turn, ts_ms));
  }

  /** Nothing is owed to its sender any more. */
  #replied(turnId: string): void {
    const { reply, ...turn } = this.turns.get(turnId) ?? {};
    if (reply !== undefined) this.turns.set(turnId, turn as Turn);
  }

  #letterGone({ member: id = "" }: Entry): void {
    const member = this.members.get(id);
    if (member !== undefined) this.members.set(id, { ...member, dead: Math.max(0, member.dead - 1) });
  }

  /** Of the mob and of runs; those of members stand in their specs. */
  #label({ run_id, data }: Entry): void {
    const labels = data["labels"] as Labels;
    const of = run_id ?? "";
    if (Object.keys(labels).length === 0) this.labels.delete(of);
    else this.labels.set(of, labels);
  }

  /** What a turn has read taints it, and what its run does next. */
  #ingested({ turn_id = "", data }: Entry): void {
    const turn = this.turns.get(turn_id);
    if (turn === undefined) return;
    const taint = worse(turn.taint, data["taint"] as Taint);
    this.turns.set(turn_id, { ...turn, taint });
    const run = turn.run_id === undefined ? undefined : this.runs.get(turn.run_id);
    if (run !== undefined) this.runs.set(run.run_id, { ...run, taint: worse(run.taint, taint) });
  }

  /** What a model or a tool took, by member, turn and run. */
  #spent(entry: Entry): void {
    const { member: id = "", turn_id = "", ts_ms } = entry;
    const more = usageIn(entry);
    const member = this.members.get(id);
    if (more === undefined || member === undefined) return;
    this.members.set(id, { ...member, used: use(member.used, more, ts_ms) });
    const turn = this.turns.get(turn_id);
    if (turn === undefined) return;
    this.turns.set(turn_id, { ...turn, usage: addUsage(turn.usage ?? NO_USAGE, more) });
    const run = turn.run_id === undefined ? undefined : this.runs.get(turn.run_id);
    if (run !== undefined) this.runs.set(run.run_id, spendOn(run, turn, more));
  }

  #count(turn: Turn, { isNew, over, entry: { data, session, seq, principal, ts_ms, cause_seq } }: { isNew: boolean; over: boolean; entry: Entry }): void {
    const { turn_id, member: id, state } = turn;
    const member = this.members.get(id);
    if (member === undefined || !isNew && !over) return;
    const open = over ? member.open.filter((one) => one !== turn_id) : isNew ? [...member.open, turn_id] : member.open;
    const more = { turns: isNew ? 1 : 0, wall_ms: over ? ranMs(turn, ts_ms) : 0 };
    this.members.set(id, {
      ...cause_seq === undefined ? member : told(member, cause_seq), open, ...principal === INITIAL.principal && data["conversation"] === INITIAL.conversation ? { greeted: true } : {},
      ...session === undefined ? {} : { session: { ...member.session, head: seq } }, dead: member.dead + (state === "dead" || state === "expired" ? 1 : 0),
      used: use(member.used, more, ts_ms),
    });
  }
}

/** Without what that entry owes it. */
function told({ untold = [], ...member }: MemberView, seq: number): MemberView {
  const left = untold.filter((notice) => notice.seq !== seq);
  return left.length === 0 ? member : { ...member, untold: left };
}
