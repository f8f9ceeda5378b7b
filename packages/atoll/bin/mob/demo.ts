/**
 * `atoll mob demo` (spec: mob 1.1, 1.2): the packages of a folder, audited by a scout, four auditors and an editor.
 *
 * takes a folder; gives a report; promises that the same input gives the same bytes, and that a demo that is killed goes on
 * where it was when it is started again; refuses a folder without packages; never writes what nobody has approved.
 */
import { relative } from "node:path";
import { flushInherited, inherit } from "../../src/compose/inherit.ts";
import { Mob, type MobRooms, serveMob, type ServedMob } from "../../src/mob.ts";
import { decideLogPlan } from "../config/log.ts";
import { toRedactor, toSecrets } from "../config/secrets.ts";
import { EXIT } from "../exit.ts";
import { complain, say } from "../output/terminal.ts";
import { openOutput } from "../running/output.ts";
import { Ending } from "../tier/ending.ts";
import type { VerbCall } from "../tier/verb.ts";
import { auditMob } from "./audit.ts";
import { type AuditPlace, placeOf } from "./audit-place.ts";
import { newRun, type Run, takeRun } from "./audit-run.ts";
import { Deciding, type Open } from "./deciding.ts";
import { type Progress, showProgress } from "./progress.ts";

/** For what runs when the demo is told to end: it runs again at the next start. */
const DRAIN_MS = 1_000;

const NO_MODEL = "no summary in prose: with ANTHROPIC_API_KEY or OPENAI_API_KEY in the environment a model writes one";

/** What the editor answers. */
interface Report {
  readonly line: string;
  readonly written: boolean;
  readonly paths?: readonly string[];
  readonly summary_problem?: string;
  readonly opinion_problem?: string;
  readonly why?: string;
}

export async function demo(call: VerbCall): Promise<number> {
  const place = placeOf(call);
  const log = openOutput(decideLogPlan(call, { level: "warn" }), toRedactor(toSecrets(call.env).values()));
  await using cleanup = new AsyncDisposableStack();
  const ending = cleanup.use(new Ending());
  const { state, root, variables } = place;
  const mob = await Mob.start({ definition: auditMob(place), stateDir: state, root, variables, env: { log: log.log } });
  cleanup.defer(async () => void await mob.close({ drainMs: DRAIN_MS }));
  const http = cleanup.use(await serveMob(mob, { dir: place.state, port: 0, env: { log: log.log } }));
  const over = new AbortController();
  const told = ending.until(async () => over.abort()).then(() => EXIT.signal + ending.number);
  try {
    return await Promise.race([told, work({ call, mob: mob.rooms, place, http, signal: over.signal })]);
  } catch (error) {
    // What it has done is in the ledger, and the next start goes on there.
    if (!over.signal.aborted) throw error;
    return EXIT.signal + ending.number;
  } finally {
    await log.flush();
  }
}

interface Work {
  readonly call: VerbCall;
  readonly mob: MobRooms;
  readonly place: AuditPlace;
  readonly http: ServedMob;
  readonly signal: AbortSignal;
}

async function work(o: Work): Promise<number> {
  const { call, mob, place, signal } = o;
  const terminal = process.stdin.isTTY === true && process.stderr.isTTY === true;
  let last = Promise.resolve();
  const write = (text: string): void => {
    if (!call.json) last = last.then(() => inherit("stderr", text));
  };
  let { run, resumed } = await takeRun(mob, place, signal);
  for (;;) {
    using progress = showProgress(mob, run.run_id, { write, terminal, flush: () => last });
    progress.line(resumed ? `goes on with the audit of ${place.root} that was not finished` : `audits ${place.root}`);
    // The link signs its reader in, once: it is for the person at the terminal, not for a log.
    const page = terminal ? o.http.link() : `${o.http.url}/console/ (token: ${shown(place.state)}/http.token)`;
    progress.line(`watch and approve: ${page}`);
    const how = call.flag("yes") !== undefined || !terminal ? "yes" : "ask";
    if (how === "yes" && call.flag("yes") === undefined) progress.line("no terminal: decides as --yes does, as principal local");
    const ended = await untilOver({ mob, run, progress, signal, deciding: new Deciding({ mob, progress, how, signal }) });
    if (ended === undefined) return await undecided(call, run);
    if (ended.state === "completed") return await tell(o, ended);
    if (!resumed) return await failed(call, ended);
    // What an earlier process had begun may be too old, or of another version: it is done anew.
    progress.line(`that audit ${ended.state}: ${ended.error?.text ?? ""}; begins anew`);
    [run, resumed] = [await newRun(mob, place), false];
  }
}

interface Watch {
  readonly mob: MobRooms;
  readonly run: Run;
  readonly progress: Progress;
  readonly deciding: Deciding;
  readonly signal: AbortSignal;
}

/** Undefined: what was asked was not answered. */
async function untilOver({ mob, run: { run_id }, deciding, signal }: Watch): Promise<Run | undefined> {
  let news = Promise.withResolvers<void>();
  using _ = mob.ledger.hear(({ class: kind, run_id: of }) => {
    if (kind === "approval" || of === run_id) news.resolve();
  });
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => stopped.reject(signal.reason);
  stopped.promise.catch(() => undefined);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  while (mob.flows.get(run_id).state === "running") {
    news = Promise.withResolvers();
    const open = openOf(mob, run_id);
    if (open === undefined) await Promise.race([news.promise, stopped.promise]);
    else if (!await deciding.decide(open)) return undefined;
  }
  signal.removeEventListener("abort", stop);
  return mob.flows.get(run_id);
}

/** What the run waits for. */
function openOf({ view }: MobRooms, runId: string): Open | undefined {
  return [...view.approvals.values()].find(({ state, turn_id }) => state === "open" && view.turns.get(turn_id)?.run_id === runId);
}

async function tell({ call, mob, place }: Work, run: Run): Promise<number> {
  const report = await mob.flows.output(run) as unknown as Report;
  const { line, written, paths = [], summary_problem, opinion_problem, why } = report;
  const code = written ? EXIT.ok : EXIT.draft;
  if (call.json) {
    await say(JSON.stringify({ run_id: run.run_id, root: place.root, ...report }));
    return code;
  }
  const summary = place.provider === undefined ? NO_MODEL
    : summary_problem === undefined ? "a summary in prose stands on top" : `no summary in prose: ${summary_problem}`;
  const opinions = opinion_problem === undefined ? [] : [`not all second opinions: ${opinion_problem}`];
  const [markdown, json] = paths;
  const then = written ? [`report: ${markdown}`, `data:   ${json}`, summary, ...opinions] : [`not written, the report is a draft: ${why}`];
  await say([line, ...then].join("\n"));
  return code;
}

async function undecided(call: VerbCall, { run_id }: Run): Promise<number> {
  if (call.json) await say(JSON.stringify({ run_id, written: false, why: "nobody has decided" }));
  else await say("not written: nobody has decided. Start the demo again to decide.");
  return EXIT.draft;
}

async function failed(call: VerbCall, { run_id, state, error }: Run): Promise<number> {
  if (call.json) await say(JSON.stringify({ run_id, error: error ?? { code: "mob.interrupted", text: state } }));
  else await complain(`the audit ${state}: ${error?.text ?? ""}`);
  await flushInherited();
  return EXIT.failed;
}

/** As a person would type it. */
function shown(path: string): string {
  const near = relative(".", path);
  return near.startsWith("..") ? path : near;
}
