/**
 * A mob that runs (spec: mob 2.1, 2.2, 2.5, 12.2).
 *
 * takes a definition and parts; gives members that take turns; promises that what it accepted before it died goes on; refuses a
 * start whose parts fail, and leaves nothing behind then; never keeps truth anywhere but in the ledger.
 */
import { Closing, isFault } from "@atoll-run/core";
import { openAgentSession } from "./agent/agent-session.ts";
import { compact } from "./agent/compaction.ts";
import { modelOf } from "./agent/model.ts";
import { createVerbs } from "./bridge/verbs.ts";
import { tainting } from "./approvals/tainting.ts";
import { openApprovals } from "./approvals/book.ts";
import { stepToolsOf, withheldTools } from "./approvals/policy.ts";
import { createBlobs } from "./blobs/blobs.ts";
import type { MobDefinition } from "./definition/definition.ts";
import { Definitions } from "./definition/definitions.ts";
import { mobError, toFailure } from "./errors.ts";
import { openRunner, type FlowRunner } from "./flows/runner.ts";
import { createIds } from "./ids.ts";
import { openLedger } from "./ledger/create-ledger.ts";
import type { Ledger, Writer } from "./ledger/ledger.ts";
import { MOB_SCOPE } from "./ledger/names.ts";
import { timeCommits } from "./ledger/time-commits.ts";
import { MOB_LIMITS, type MobLimits } from "./limits.ts";
import type { By } from "./member/host.ts";
import type { InnerParts } from "./member/inner.ts";
import { Members } from "./member/members.ts";
import type { MemberRow } from "./member/row.ts";
import { tellApprovals } from "./observe/approval-spans.ts";
import { findMobTracer, type MobTracer } from "./observe/tracer.ts";
import { openOutside, type Outside } from "./outside/outside.ts";
import { createEdgeWorks, type EdgeWorks } from "./reconcile/edge-works.ts";
import { createReconciler, type Reconciler } from "./reconcile/engine.ts";
import { openRetention } from "./roster/retention.ts";
import { openRoster } from "./roster/roster.ts";
import type { MobState } from "./roster/mob-fold.ts";
import type { View } from "./roster/view.ts";
import { budgeted, openBudgets } from "./usage/budgets.ts";
import { createWatch } from "./usage/watch.ts";
import { Health } from "./whole/health.ts";
import { Hooks } from "./whole/hooks.ts";
import { MobLife, type MobLifeParts } from "./whole/mob-life.ts";
import { TurnCount, type ShutdownReport } from "./whole/report.ts";
import { Shutdown, type CloseMobOptions } from "./whole/shutdown.ts";
import { Start } from "./whole/start.ts";
import type { MobParts, MobRooms } from "./rooms.ts";

const BY: By = { principal: "mob" };
/** What each step of a node has for its end: its turns are over then, or given up. */
const NODE_STEP_MS = 1_000;

/** Throws `mob.start_failed` with its stage and its cause; nothing is left open then. */
export async function startMob(parts: MobParts, definition: MobDefinition): Promise<MobRooms> {
  const limits: MobLimits = { ...MOB_LIMITS, ...definition.limits };
  const shutdown = new Shutdown(parts, { drainMs: parts.drainTimeoutMs ?? limits.drainMs });
  const start = new Start({ mob: definition.mob.id, shutdown, watch: parts.stages, signal: parts.signal });
  const { release } = parts;
  const fate = { destroyed: false };
  if (release !== undefined) shutdown.add("stores", { name: "stores", end: () => release(fate.destroyed) });
  try {
    return await build(start, { parts, definition, limits, shutdown, fate, tracer: await findMobTracer(definition.mob.id) });
  } catch (error) {
    throw await start.failed(error);
  }
}

interface Site {
  readonly parts: MobParts;
  readonly definition: MobDefinition;
  readonly limits: MobLimits;
  readonly shutdown: Shutdown;
  readonly fate: { destroyed: boolean };
  readonly tracer: MobTracer | undefined;
}

async function build(start: Start, site: Site): Promise<MobRooms> {
  const { parts, limits, shutdown, tracer } = site;
  const { clock, log } = parts;
  const books = await openBooks(start, site);
  const { ledger, blobs, writer, view, commits, definitions, health, hooks, newId } = books;
  const { now } = definitions;
  const { members, approvals, edges, give } = await start.stage("members", () => openMembers(site, books));
  await start.stage("pre_spawn", () => hooks.preSpawn());
  const reconciler = createReconciler({
    definitions, ledger, writer, view, host: members, edges, clock, log, limits, lazy: true, after: async (report) => {
      health.reconciled(report);
      await hooks.reconciled(report);
    },
  });
  shutdown.add("refuse", { name: "reconcile", end: async () => await reconciler[Symbol.asyncDispose]() });
  const starting = mobError("mob.unavailable", "the mob is still starting", { facts: { what: "flows" } });
  const flows = openRunner({ ledger, blobs, writer, view, host: members, clock, log, newId, limits, tracer, flows: () => now().flows }, starting);
  shutdown.add("refuse", { name: "flows", end: async () => await flows[Symbol.asyncDispose]() });
  give(flows);
  const life = openLife(site, books, { members, flows, reconciler });
  const runs = await start.stage("continuity", async () => {
    await members.settle();
    const begins = life.begin();
    if (begins) await members.recover();
    return begins;
  });
  await start.stage("reconcile", () => runs ? firstPass(reconciler, books, site) : undefined);
  if (runs) members.begin();
  await start.stage("flows", () => runs ? flows.goOn() : undefined);
  const outside = await start.stage("outside", () => openWay(site, { ...books, members }));
  const handle = toRooms({ definition: now, ledger, blobs, view, writer, commits, members, reconciler, edges, approvals, flows, outside, health, life, shutdown, tracer }, books);
  await start.stage("http", () => parts.serve?.(handle));
  await start.stage("started", async () => {
    const { state } = view.mob;
    await books.say("mob_started", state === "creating" && runs ? "running" : state);
    books.is.started = true;
  });
  return handle;
}

type Books = Awaited<ReturnType<typeof openBooks>>;

/** The ledger and what is folded from it. */
async function openBooks(start: Start, { parts, limits, shutdown, definition }: Site) {
  const { clock, log, redact } = parts;
  const { store, commits } = timeCommits(parts.store, clock);
  const newId = createIds(parts);
  const closing = new Closing();
  const is = { started: false };
  const ledger = await start.stage("ledger", async () =>
    closing.use(await openLedger({ store, clock, newId, log, ...redact === undefined ? {} : { redact } }, { mob: definition.mob.id, limits })));
  shutdown.add("ledger", { name: "ledger", end: () => closing[Symbol.asyncDispose]() });
  const writer = await start.stage("lease", () => attach(ledger, parts));
  closing.use(ledger.tend(writer));
  const say = (kind: "mob_created" | "mob_started" | "mob_stopping" | "mob_stopped", state?: MobState) =>
    ledger.append(writer, [{ kind, source: "mob", data: state === undefined ? {} : { state } }]);
  const definitions = new Definitions({ ledger, writer, read: parts.readDefinition }, definition);
  const { view } = await start.stage("recover", async () => {
    const isNew = ledger.head === 0;
    const roster = closing.use(await openRoster({ ledger, writer, clock, log, limits, profileOf: definitions.profileOf }));
    definitions.view = roster.view;
    closing.use(openRetention({ ledger, roster, writer, clock, log, limits }));
    if (isNew) await say("mob_created", "creating");
    const { state } = roster.view.mob;
    if (state === "destroyed") throw mobError("mob.conflict", "this mob was destroyed, and its store is still there", { facts: { what: "state", state }, hint: "Remove its folder." });
    // The process that was to stop it has died: nothing runs of it.
    if (state === "stopping") await say("mob_stopped", "stopped");
    await definitions.apply(definition, BY.principal);
    return roster;
  });
  const hooks = new Hooks(parts.hooks ?? {}, { clock, log, note: (entry) => void ledger.note(writer, entry) });
  const [health, count] = [new Health(view, ledger), new TurnCount(view)];
  for (const { hear } of [hooks, health, count]) ledger.hear(hear);
  closing.defer(() => hooks.close());
  closing.defer(async () => {
    if (is.started) await say("mob_stopped");
  });
  return { ledger, blobs: createBlobs({ store: parts.blobStore, limits }), writer, view, commits, definitions, say, is, newId, hooks, health, count, closing };
}

/** All whose turns need each other; nothing of it runs yet. */
function openMembers({ parts, limits, shutdown, tracer }: Site, { ledger, blobs, writer, view, definitions, newId, hooks, count, say, is, closing }: Books) {
  const { clock, log } = parts;
  const { now, profileOf, hashOf } = definitions;
  const opened: { flows?: FlowRunner } = {};
  const prices = () => now().prices;
  const budgets = closing.use(openBudgets({ ledger, writer, view, clock, profileOf, prices }));
  const edges = createEdgeWorks({ ledger, writer, view, limits });
  const inner: InnerParts = {
    ...parts, tracer, guard: tainting(budgeted((call) => approvals.guard(call), budgets), { ledger, writer, view }), denied: async (about, denial) => {
      await ledger.append(writer, [{ kind: "grant_denied", source: "member", ...about, data: { ...denial } }]);
    },
    withheld: (turn) => withheldTools(stepToolsOf(view, turn)), makeVerbs: (caller) => createVerbs({
      ledger, blobs, view, members, edges, flows: () => there(opened.flows), definition: now, profileOf, clock, limits,
      modelOf: (spec, profile) => modelOf(spec, profile, parts.variables ?? {}),
    }, caller),
    openSession: (o) => openAgentSession({ ...o, ledger, blobs, clock, limits }),
    compact: (of, turn, summarize) => compact({ ...of, ledger, blobs, limits, now: () => clock.now() }, turn, summarize), makeWatch: (of) => createWatch({ ledger, budgets, prices, turnOf: (id) => view.turns.get(id) }, of),
  };
  const members = new Members({
    checkBudget: (to, coming) => budgets.checkTurn(to, coming), wallOf: (member, turn) => budgets.wallOf(member, turn), ledger, blobs, writer, view, node: parts, inner, limits, tracer, newId, bootstrap: now().mob.bootstrap, profileOf, hashOf,
    leaveEdges: (id) => leaveEdges(id, { view, edges }), spawned: (ids) => hooks.spawned(ids),
  });
  ledger.hear(members.hear);
  shutdown.add("refuse", { name: "mob", end: async () => {
    count.begin();
    members.refuse(stopping());
    if (is.started) await say("mob_stopping");
  } });
  shutdown.add("drain", { name: "turns", end: (signal) => members.drain(signal), left: () => members.working() });
  shutdown.add("members", {
    name: "members", left: () => members.awake().map((id) => `member:${id}`), end: async () => {
      await members.close({ stepMs: NODE_STEP_MS, aborted: count.aborted });
      members.giveUp(stopping());
    },
  });
  const approvals = closing.use(openApprovals({ ledger, writer, view, rules: () => now().approvals, host: members, clock, newId, log, limits }));
  if (tracer !== undefined) closing.use(tellApprovals({ ledger, view }, tracer));
  return { members, approvals, edges, give: (flows: FlowRunner) => void (opened.flows = flows) };
}

/** To those outside. */
async function openWay(
  { parts, limits, shutdown, definition: { mob: { id: mob } } }: Site,
  { ledger, writer, view, members, definitions }: Books & { readonly members: Members },
): Promise<Outside | undefined> {
  if (parts.outside === undefined) return undefined;
  const outside = await openOutside({ mob, node: parts, definition: definitions.now, view, members, ledger, writer, limits, log: parts.log }, parts.outside);
  const over = Promise.withResolvers<void>();
  let ended: Promise<void> | undefined;
  // Nobody is let in from the beginning of the end on; calls that wait are answered while turns still end.
  const close = (): Promise<void> => ended ??= outside.close({ drainMs: shutdown.horizonMs, over: over.promise });
  // What it throws is told when it is waited for.
  shutdown.add("refuse", { name: "outside", end: () => void close().catch(() => undefined) });
  shutdown.add("outside", { name: "outside", end: async () => {
    over.resolve();
    await close();
  } });
  return outside;
}

function openLife({ parts: { clock, log, drainTimeoutMs }, limits, shutdown, fate }: Site, { ledger, writer, view }: Books, rooms: Pick<MobLifeParts, "members" | "flows" | "reconciler">): MobLife {
  const life = new MobLife({ ...rooms, ledger, writer, view, clock, log, drainMs: drainTimeoutMs ?? limits.drainMs, end: () => {
    fate.destroyed = true;
    // Whoever has asked for it reads his answer before doors close.
    setImmediate(() => void shutdown.run({ drainMs: 0 }));
  } });
  shutdown.add("refuse", { name: "lifecycle", end: () => life.close() });
  return life;
}

function toRooms(own: Omit<MobRooms, "send" | "status" | "attach" | "close" | "ended" | keyof AsyncDisposable>, { count }: Books): MobRooms {
  const { definition, ledger, view, members, health, shutdown } = own;
  let report: ShutdownReport | undefined;
  const ended = shutdown.over.then((phases) => report ??= count.report(ledger, phases));
  const close = (o?: CloseMobOptions): Promise<ShutdownReport> => {
    void shutdown.run(o);
    return ended;
  };
  return {
    ...own, close, ended, send: (ask) => members.send(ask), attach: (door) => shutdown.add("http", door),
    status: () => ({
      mob: definition().mob.id, state: view.mob.state !== "running" ? view.mob.state : report !== undefined ? "stopped" : shutdown.begun ? "stopping" : "running", degraded: health.reasons(),
      revision: view.revision, head: ledger.head, horizon_ms: shutdown.horizonMs, members: view.ids().map((id) => view.row(id) as MemberRow),
      edges: [...view.edges.values()].filter(({ wired }) => wired).map(({ a, b }) => ({ a, b })),
    }),
    [Symbol.asyncDispose]: async () => void await close(),
  };
}

function stopping(): ReturnType<typeof mobError> {
  return mobError("mob.shutting_down", "the mob is stopping", { hint: "Ask again when it runs." });
}

async function attach(ledger: Ledger, { clock }: MobParts): Promise<Writer> {
  const commit = await ledger.store.commit({ scope: MOB_SCOPE, epoch: null, at_ms: clock.now(), ops: [{ op: "attach" }] });
  if (!commit.ok) throw mobError("mob.internal", `the store refuses to attach the mob: ${commit.refusal.why}`);
  return { scope: MOB_SCOPE, epoch: commit.values[0] as number };
}

/** Members may run before it is there. */
function there(flows: FlowRunner | undefined): FlowRunner {
  if (flows === undefined) throw mobError("mob.unavailable", "the mob is still starting", { facts: { what: "flows" } });
  return flows;
}

/** What only an operator can say `force` to, or mend: the mob runs with those it has. */
const LEFT = new Set<string>(["mob.retire_guard", "mob.desired_conflict"]);

async function firstPass(reconciler: Reconciler, { ledger, writer, health }: Books, { parts: { log, strict = false }, definition: { mob: { id: mob } } }: Site): Promise<void> {
  try {
    await reconciler.reconcile(BY);
  } catch (error) {
    if (strict || !isFault(error) || !LEFT.has(error.code)) throw error;
    await ledger.append(writer, [{ kind: "reconcile_incomplete", source: "mob", data: { error: { ...toFailure(error) } } }]);
    log.write({ level: "warn", target: "mob", msg: `the members stay as they were: ${error.message}`, fields: { mob, hint: error.hint ?? "" } });
  }
  const [first] = strict ? health.reasons() : [];
  if (first !== undefined) throw mobError("mob.unavailable", `it would be degraded: ${first.text}`, { facts: { what: first.code }, hint: "Mend it, or start without strict." });
}

/** Its edges go with a member. */
async function leaveEdges(id: string, { view, edges }: { readonly view: View; readonly edges: EdgeWorks }): Promise<void> {
  for (const peer of view.wiredTo(id)) await edges.unwire(id, peer, BY);
}
