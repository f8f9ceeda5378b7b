/**
 * Makes the mob what it is to be (spec: mob 4).
 *
 * takes the definition and a list of members; gives a report; promises one pass at a time, that a failure stops nothing but
 * its own member or edge, and that a second pass changes nothing; refuses a pass that would retire too many, or that was
 * planned on another roster; never acts on what is not its own.
 */
import { isDeepStrictEqual } from "node:util";
import { withDeadline, type Clock, type Log } from "@atoll-run/core";
import { checkSpec } from "../definition/check-spec.ts";
import type { MemberSpec, MobDefinition } from "../definition/definition.ts";
import type { Definitions } from "../definition/definitions.ts";
import { keyOf, planEdges, type EdgeDeed, type EdgePlanRow } from "../edges/plan.ts";
import { mobError, toFailure, type MobError } from "../errors.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";
import type { MemberHost, SpawnOptions } from "../member/host.ts";
import type { View } from "../roster/view.ts";
import { eachOf } from "../bounded.ts";
import { desiredSet } from "./desired.ts";
import type { EdgeWorks } from "./edge-works.ts";
import { PassLine } from "./pass-line.ts";
import { guardRetires, planPass, presentIn, type PassPlan } from "./pass-plan.ts";
import type { MemberPlanRow } from "./plan.ts";
import { Tally, type ReconcileReport } from "./report.ts";

export interface ReconcilerParts {
  readonly definitions: Definitions;
  readonly ledger: Ledger;
  readonly writer: Writer;
  readonly view: View;
  readonly host: Pick<MemberHost, "spawn" | "retire" | "respawn" | "reload" | "repair" | "update">;
  readonly edges: EdgeWorks;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Pick<MobLimits, "edgesPerMember" | "reconcileAtOnce" | "reconcileActMs" | "passesMax" | "startBackoffMs" | "startBackoffMsMax">;
  /** Members start at their first turn. */
  readonly lazy: boolean;
  /** Waited for by whoever asked for the pass; the next one may run meanwhile. Never rejects. */
  readonly after?: (report: ReconcileReport) => Promise<void>;
}

export interface ReconcileAsk {
  readonly principal: string;
  /** From now on these too, until another list is given. */
  readonly desired?: readonly MemberSpec[] | undefined;
  /** False: whoever is not wanted any more stays. Default true. */
  readonly retireStale?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  /** Of an earlier report; throws `mob.conflict {expected, actual}` when the roster has changed since. */
  readonly expectedRevision?: number | undefined;
  /** Members are left as they are. */
  readonly edgesAlone?: boolean | undefined;
  /** Retires however many it is. */
  readonly force?: boolean | undefined;
}

export interface Reconciler extends AsyncDisposable {
  /** Throws `mob.conflict`, `mob.desired_conflict`, `mob.retire_guard`, `mob.overloaded`, `mob.storage_degraded`, `mob.shutting_down`. */
  reconcile(ask: ReconcileAsk): Promise<ReconcileReport>;
  /**
   * Reads the definition anew: all of it counts from then on and the pass is made, or none of it. Throws `mob.unavailable`, `mob.definition_invalid`,
   * and what {@link reconcile} throws.
   */
  reload(ask: Pick<ReconcileAsk, "principal" | "dryRun" | "expectedRevision" | "force">): Promise<ReconcileReport>;
  /** Does that between two passes. Throws `mob.conflict` when the roster has changed since that revision, `mob.overloaded`, `mob.shutting_down`. */
  alone<T>(expectedRevision: number, act: () => Promise<T>): Promise<T>;
  /** Only dry runs, until {@link goOn}. `why`: what callers hear. */
  pause(why: MobError): void;
  goOn(): void;
  /** A pass soon, behind; several wishes are one pass. One that cannot be made is tried again. */
  want(): void;
}

export function createReconciler(parts: ReconcilerParts): Reconciler {
  return new Engine(parts);
}

interface Acting {
  readonly tally: Tally;
  readonly principal: string;
  readonly definition: MobDefinition;
}

interface Deed {
  readonly stage: string;
  readonly act: () => Promise<unknown>;
}

class Engine implements Reconciler {
  readonly #parts: ReconcilerParts;
  readonly #ending = new AbortController();
  readonly #line: PassLine;
  readonly #hearing: Disposable;
  /** Retiring members that are wanted again. */
  readonly #deferred = new Set<string>();
  #wanted = false;
  #refusal: MobError | undefined;
  #tries = 0;
  #timer: Disposable | undefined;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
    this.#line = new PassLine(parts.limits.passesMax, this.#ending.signal);
    this.#hearing = parts.ledger.hear(({ kind, member }) => {
      if (kind === "member_retired" && member !== undefined && this.#deferred.delete(member)) this.want();
    });
  }

  reconcile(ask: ReconcileAsk): Promise<ReconcileReport> {
    return this.#told(ask, () => this.#pass(ask));
  }

  alone<T>(expectedRevision: number, act: () => Promise<T>): Promise<T> {
    return this.#line.run(() => {
      this.#check(expectedRevision);
      return act();
    });
  }

  reload(ask: Parameters<Reconciler["reload"]>[0]): Promise<ReconcileReport> {
    const { principal, dryRun = false } = ask;
    // When its turn has come: the file may change while it waits.
    return this.#told(ask, () => this.#pass(ask, () => this.#parts.definitions.readAnew({ principal, tells: !dryRun })));
  }

  /** Whoever asked waits for those who are to hear of the pass; the next one may run meanwhile. */
  async #told({ dryRun = false }: ReconcileAsk, pass: () => Promise<ReconcileReport>): Promise<ReconcileReport> {
    if (this.#refusal !== undefined && !dryRun) throw this.#refusal;
    const report = await this.#line.run(pass);
    if (!dryRun) await this.#parts.after?.(report);
    return report;
  }

  pause(why: MobError): void {
    this.#refusal = why;
  }

  goOn(): void {
    this.#refusal = undefined;
    this.want();
  }

  want(): void {
    if (this.#refusal !== undefined || this.#wanted || this.#ending.signal.aborted) return;
    this.#wanted = true;
    const { limits, clock } = this.#parts;
    const afterMs = this.#tries === 0 ? 0 : Math.min(limits.startBackoffMsMax, limits.startBackoffMs * 2 ** Math.min(this.#tries - 1, 16));
    this.#timer = clock.after(afterMs, () => {
      this.#wanted = false;
      this.reconcile({ principal: "mob" }).then(() => { this.#tries = 0; }, (error: unknown) => this.#again(error));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(ended());
    this.#hearing[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
    await this.#line.over();
  }

  #again(error: unknown): void {
    if (this.#ending.signal.aborted) return;
    this.#tries += 1;
    const { code, text } = toFailure(error);
    this.#parts.log.write({ level: "warn", target: "reconcile", msg: "no pass could be made; it is tried again", fields: { code, text } });
    this.want();
  }

  async #pass({ principal, desired, retireStale = true, dryRun = false, expectedRevision, force = false, edgesAlone = false }: ReconcileAsk, read?: () => Promise<MobDefinition>): Promise<ReconcileReport> {
    const { view, clock, ledger, writer } = this.#parts;
    const beganMs = clock.monotonic();
    if (expectedRevision !== undefined) this.#check(expectedRevision);
    const next = await read?.();
    const definition = next ?? this.#parts.definitions.now();
    const { definitions: { hashOf }, limits } = this.#parts;
    const plan = planPass({ view, hashOf, limits }, { definition, list: desired ?? view.desired, retireStale, edgesAlone });
    const tally = new Tally();
    const report = (): ReconcileReport =>
      tally.report({ revision: view.revision, dry_run: dryRun, took_ms: Math.round(clock.monotonic() - beganMs) });
    if (dryRun) {
      for (const row of plan.members) tally.member(row);
      for (const row of plan.edges) tally.edge(row);
      return report();
    }
    if (!force) guardRetires(plan);
    if (next !== undefined) await this.#parts.definitions.apply(next, principal);
    if (desired !== undefined && !isDeepStrictEqual(desired, view.desired)) await ledger.append(writer, desiredSet(desired, principal));
    await this.#act(plan, { tally, principal, definition });
    const done = report();
    if (!done.complete) await this.#tellIncomplete(done, principal);
    return done;
  }

  #check(expected: number): void {
    const { revision: actual } = this.#parts.view;
    if (expected === actual) return;
    throw mobError("mob.conflict", `the roster is at revision ${actual}, not ${expected}`, {
      facts: { what: "revision", expected, actual }, hint: "Look at the plan again.",
    });
  }

  async #act({ members, edges, wanted, desired }: PassPlan, { tally, principal, definition }: Acting): Promise<void> {
    const { limits, clock } = this.#parts;
    // A pass over edges alone says nothing of members.
    if (members.length > 0) this.#deferred.clear();
    await eachOf(members, limits.reconcileAtOnce, async (row) => {
      const deed = this.#deed(row, { origin: desired.origin(row.id), principal, definition });
      if (row.bucket === "deferred") this.#deferred.add(row.id);
      if (deed === undefined) return tally.member(row);
      try {
        this.#ending.signal.throwIfAborted();
        await withDeadline(deed.act, { clock, ms: limits.reconcileActMs, what: `${deed.stage} ${row.id}` });
        tally.member(row);
      } catch (error) {
        tally.failed("members", { id: row.id, stage: deed.stage, error });
      }
    });
    await eachOf(edges, limits.reconcileAtOnce, (row) => this.#edge(row, { tally, principal, desired: wanted.has(keyOf(row)) }));
  }

  /** Undefined: nothing is to be done. */
  #deed({ id, bucket, spec }: MemberPlanRow, { origin, principal, definition }: Omit<Acting, "tally"> & Pick<SpawnOptions, "origin">): Deed | undefined {
    const { host, lazy } = this.#parts;
    const again = spec === undefined ? { principal } : { principal, spec };
    const spawn = async (wanted: MemberSpec): Promise<unknown> => {
      // A list may want what a later definition has no profile for.
      checkSpec(definition, wanted);
      return await host.spawn(wanted, { principal, origin, lazy });
    };
    switch (bucket) {
      case "spawned": return { stage: "spawn", act: () => spawn(spec as MemberSpec) };
      case "updated": return { stage: "update", act: () => host.update(spec as MemberSpec, { principal }) };
      case "reloaded": return { stage: "reload", act: () => host.reload(id, again) };
      case "respawned": return { stage: "respawn", act: () => host.respawn(id, again) };
      case "repaired": return { stage: "repair", act: () => host.repair(id, again) };
      case "retired": return { stage: "retire", act: () => host.retire(id, { principal }) };
      default: return undefined;
    }
  }

  /** Looked at again when its turn comes: a member may not have come, an operator may have wired it himself. */
  #edge(planned: EdgePlanRow, { tally, principal, desired }: { tally: Tally; principal: string; desired: boolean }): Promise<void> {
    const { view, edges } = this.#parts;
    return edges.alone(planned, async () => {
      const now = view.edges.get(keyOf(planned));
      const [row = { ...planned, deed: null }] = planEdges({
        desired: desired ? [planned] : [], now: now === undefined ? [] : [now], present: presentIn(view, planned),
      });
      try {
        if (row.deed !== null) await edges.work(row, row.deed, principal);
        tally.edge(row);
      } catch (error) {
        tally.failed("edges", { id: keyOf(row), stage: row.deed === null ? "wire" : STAGES[row.deed], error });
      }
    });
  }

  async #tellIncomplete({ members, edges }: ReconcileReport, principal: string): Promise<void> {
    const { ledger, writer } = this.#parts;
    // The first of them: an entry is small.
    const failures = [...members.failures, ...edges.failures];
    const some = failures.slice(0, 32).map(({ id, stage, error }) => ({ id, stage, error: { code: error.code, text: error.text.slice(0, 512) } }));
    await ledger.append(writer, [{ kind: "reconcile_incomplete", source: "mob", principal, data: {
      failures: some, failed: failures.length, skipped: edges.skipped_missing_members.slice(0, 32).map(([a, b]) => [a, b]),
    } }]);
  }
}

/** What has failed, as a report says it (spec: mob 4.3). */
const STAGES: Readonly<Record<NonNullable<EdgeDeed>, string>> = { claim: "wire", heal: "wire (heal)", unwire: "unwire", disown: "disown" };

function ended(): ReturnType<typeof mobError> {
  return mobError("mob.shutting_down", "the mob is stopping", { hint: "Ask again when it runs." });
}
