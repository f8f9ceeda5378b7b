/**
 * A mob that runs (spec: mob 2.1, 2.2, 2.5, 12.2).
 *
 * takes a definition and parts; gives members that take turns; promises that what it accepted before it died goes on; refuses a
 * start whose parts fail, and leaves nothing behind then; never keeps truth anywhere but in the ledger.
 */
import { Closing, isFault, type Json } from "@atoll-run/core";
import type { NodeParts } from "@atoll-run/node";
import { createAgentSession } from "./agent/agent-session.ts";
import { modelOf } from "./agent/model.ts";
import { createVerbs } from "./bridge/verbs.ts";
import { openApprovals, type ApprovalBook } from "./approvals/book.ts";
import type { MobDefinition } from "./definition/definition.ts";
import { Definitions } from "./definition/definitions.ts";
import { mobError, toFailure } from "./errors.ts";
import { openRunner, type FlowRunner } from "./flows/runner.ts";
import { createIds } from "./ids.ts";
import { openLedger } from "./ledger/create-ledger.ts";
import type { NewEntry } from "./ledger/entry.ts";
import type { Ledger, Writer } from "./ledger/ledger.ts";
import { MOB_SCOPE } from "./ledger/names.ts";
import { timeCommits, type CommitFigures } from "./ledger/time-commits.ts";
import { MOB_LIMITS, type MobLimits } from "./limits.ts";
import type { By, MemberHost, TurnAsk } from "./member/host.ts";
import type { InnerParts } from "./member/inner.ts";
import { Members } from "./member/members.ts";
import type { MemberRow } from "./member/row.ts";
import type { Ticket } from "./member/turn.ts";
import { openOutside, type OpenOutside, type Outside, type Surroundings } from "./outside/outside.ts";
import { createEdgeWorks, type EdgeDoors, type EdgeWorks } from "./reconcile/edge-works.ts";
import { createReconciler, type Reconciler } from "./reconcile/engine.ts";
import { openRetention } from "./roster/retention.ts";
import { openRoster } from "./roster/roster.ts";
import type { View } from "./roster/view.ts";
import { budgeted, openBudgets } from "./usage/budgets.ts";
import { createWatch } from "./usage/watch.ts";

/** What it is made of; the store stays its opener's. */
export interface MobParts extends Omit<NodeParts, "network" | "named">, Omit<InnerParts, "guard" | "denied" | "makeVerbs" | "makeSession" | "makeWatch"> {
  /** Masks registered secrets. */
  readonly redact?: (value: Json) => Json;
  /** Absent: nobody outside reaches it. */
  readonly outside?: Surroundings;
  /** Reads the definition anew, whole or not at all: throws `mob.definition_invalid`. Absent: a program has made it. */
  readonly readDefinition?: () => Promise<MobDefinition>;
}

export interface MobStatus {
  readonly mob: string;
  readonly state: "running" | "stopped";
  readonly members: readonly MemberRow[];
  readonly edges: readonly { readonly a: string; readonly b: string }[];
  readonly revision: number;
  /** `seq` of the last entry. */
  readonly head: number;
}

export interface MobRooms extends AsyncDisposable {
  /** What it is to be, as of now. */
  readonly definition: () => MobDefinition;
  readonly ledger: Ledger;
  /** As the ledger tells it; to be read only. */
  readonly view: View;
  /** Who writes what is the mob's own. */
  readonly writer: Writer;
  /** How long commits take, and whether they go. */
  readonly commits: CommitFigures;
  readonly members: MemberHost;
  readonly reconciler: Reconciler;
  readonly edges: EdgeWorks;
  readonly approvals: ApprovalBook;
  readonly flows: FlowRunner;
  /** Its own node; undefined: it has none. */
  readonly outside: Outside | undefined;
  send(ask: TurnAsk): Promise<Ticket>;
  status(): MobStatus;
  /** Queued turns stay. Later calls share the promise; with `stepMs` they hurry the end that is under way. */
  close(o?: CloseMobOptions): Promise<void>;
}

export interface CloseMobOptions {
  /** How long turns that run may take to end, milliseconds; default 30,000. The others go back into their mailboxes. */
  readonly drainMs?: number;
  /** What each step still has from now on, milliseconds. */
  readonly stepMs?: number;
}

const BY: By = { principal: "mob" };

/** Throws `mob.start_failed` with its cause; nothing is left open then. */
export async function startMob(parts: MobParts, definition: MobDefinition): Promise<MobRooms> {
  const limits: MobLimits = { ...MOB_LIMITS, ...definition.limits };
  const newId = createIds(parts);
  const mob = definition.mob.id;
  const { clock, log, redact } = parts;
  const { store, commits } = timeCommits(parts.store, clock);
  const closing = new Closing();
  try {
    const ledger = closing.use(await openLedger({ store, clock, newId, log, ...redact === undefined ? {} : { redact } }, { mob, limits }));
    const isNew = ledger.head === 0;
    const writer = await attach(ledger, parts);
    const say = (kind: NewEntry["kind"]) => ledger.append(writer, [{ kind, source: "mob", data: {} }]);
    const definitions = new Definitions({ ledger, writer, read: parts.readDefinition }, definition);
    const { now, profileOf, hashOf } = definitions;
    const roster = closing.use(await openRoster({ ledger, writer, clock, log, limits, profileOf }));
    const { view } = roster;
    definitions.view = view;
    closing.use(openRetention({ ledger, roster, writer, clock, log, limits }));
    const edges = createEdgeWorks({ ledger, writer, view, doors: DOORS, clock, limits });
    const opened: { flows?: FlowRunner } = {};
    const prices = () => now().prices;
    const budgets = closing.use(openBudgets({ ledger, writer, view, clock, profileOf, prices }));
    const inner: InnerParts = { ...parts, guard: budgeted((call) => approvals.guard(call), budgets), denied: (about, denial) => {
      void ledger.note(writer, { kind: "grant_denied", source: "member", ...about, data: { ...denial } });
    }, makeVerbs: (caller) => createVerbs({ ledger, view, members, edges, flows: () => must(opened.flows), definition: now, clock, limits, modelOf: (spec, profile) => modelOf(spec, profile, parts.variables ?? {}) }, caller),
      makeSession: (o) => createAgentSession({ ...o, ledger, clock, limits }), makeWatch: (of) => createWatch({ ledger, budgets, prices, turnOf: (id) => view.turns.get(id) }, of) };
    const members = new Members({
      checkBudget: (to, coming) => budgets.checkTurn(to, coming), ledger, writer, view, node: parts, inner, limits, newId, profileOf, hashOf,
      leaveEdges: (id) => leaveEdges(id, { view, edges }),
    });
    ledger.hear(members.hear);
    const end = { drainMs: limits.drainMs, started: false };
    closing.defer(async () => {
      if (end.started) await say("mob_stopped");
    });
    const approvals = closing.use(openApprovals({ ledger, writer, view, rules: () => now().approvals, host: members, clock, newId, log, limits }));
    let outside: OpenOutside | undefined;
    closing.defer(async () => {
      const over = members.close(end.drainMs);
      await outside?.close({ drainMs: end.drainMs, over });
      await over;
    });
    if (isNew) await say("mob_created");
    await definitions.apply(definition, BY.principal);
    await say("mob_started");
    end.started = true;
    await members.recover();
    const reconciler = closing.use(createReconciler({
      definitions, ledger, writer, view, host: members, edges, clock, log, limits, lazy: true,
    }));
    await firstPass(reconciler, { ledger, writer, log, mob });
    const flows = opened.flows = closing.use(openRunner({ ledger, writer, view, host: members, clock, log, newId, limits, flows: () => now().flows }));
    if (parts.outside !== undefined) {
      outside = await openOutside({ mob, node: parts, definition: now, view, members, ledger, writer, limits, log }, parts.outside);
    }
    const close = async (): Promise<void> => {
      await say("mob_stopping");
      const { failed } = await closing.close();
      for (const { name, error } of failed) {
        log.write({ level: "warn", target: "mob", msg: "a part did not close", fields: { mob, part: name, reason: String(error) } });
      }
    };
    return running({ definition: now, ledger, view, writer, commits, members, reconciler, edges, approvals, flows, outside }, { end, close });
  } catch (error) {
    await closing.close();
    throw mobError("mob.start_failed", `the mob ${mob} did not start: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error, ...isFault(error) && error.hint !== undefined ? { hint: error.hint } : {},
    });
  }
}

function running(
  own: Omit<MobRooms, "send" | "status" | "close" | keyof AsyncDisposable> & { readonly members: Members },
  { end, close }: { readonly end: { drainMs: number }; readonly close: () => Promise<void> },
): MobRooms {
  const { definition, ledger, view, members } = own;
  let over: Promise<void> | undefined;
  return {
    ...own, send: (ask) => members.send(ask),
    status: () => ({
      mob: definition().mob.id, state: over === undefined ? "running" : "stopped", revision: view.revision, head: ledger.head,
      members: view.ids().map((id) => view.row(id) as MemberRow),
      edges: [...view.edges.values()].filter(({ wired }) => wired).map(({ a, b }) => ({ a, b })),
    }),
    close: ({ drainMs = end.drainMs, stepMs } = {}) => {
      end.drainMs = Math.min(drainMs, stepMs ?? drainMs);
      if (over !== undefined && stepMs !== undefined) members.hurry(stepMs);
      return over ??= close();
    },
    [Symbol.asyncDispose]: () => over ??= close(),
  };
}

async function attach(ledger: Ledger, { clock }: MobParts): Promise<Writer> {
  const commit = await ledger.store.commit({ scope: MOB_SCOPE, epoch: null, at_ms: clock.now(), ops: [{ op: "attach" }] });
  if (!commit.ok) throw mobError("mob.internal", `the store refuses to attach the mob: ${commit.refusal.why}`);
  return { scope: MOB_SCOPE, epoch: commit.values[0] as number };
}

/** Members may run before it is there. */
function must(flows: FlowRunner | undefined): FlowRunner {
  if (flows === undefined) throw mobError("mob.unavailable", "the mob is still starting", { facts: { what: "flows" } });
  return flows;
}

/** What only an operator can say `force` to, or mend: the mob runs with those it has. */
const LEFT = new Set<string>(["mob.retire_guard", "mob.desired_conflict"]);

async function firstPass(
  reconciler: Reconciler, { ledger, writer, log, mob }: { readonly ledger: Ledger; readonly writer: Writer; readonly log: MobParts["log"]; readonly mob: string },
): Promise<void> {
  try {
    await reconciler.reconcile(BY);
  } catch (error) {
    if (!isFault(error) || !LEFT.has(error.code)) throw error;
    await ledger.append(writer, [{ kind: "reconcile_incomplete", source: "mob", data: { error: { ...toFailure(error) } } }]);
    log.write({ level: "warn", target: "mob", msg: `the members stay as they were: ${error.message}`, fields: { mob, hint: error.hint ?? "" } });
  }
}

/** Its edges go with a member. */
async function leaveEdges(id: string, { view, edges }: { readonly view: View; readonly edges: EdgeWorks }): Promise<void> {
  for (const peer of view.wiredTo(id)) await edges.unwire(id, peer, BY);
}

/** What is wired is asked of the roster whenever a turn is sent: there is nothing to open. */
const DOORS: EdgeDoors = { open: async () => undefined, close: async () => undefined };
