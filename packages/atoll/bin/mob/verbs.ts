/** Verbs that ask a running mob one thing: each is a method of its table, and prints its result. */
import { setTimeout as pause } from "node:timers/promises";
import { isFault, nearest, type Json } from "@atoll-run/core";
import { ClientError, METHODS, type Approval, type MobClient, type MobMethods, type ReconcileReport, type Run, type Turn } from "@atoll-run/client";
import { EXIT } from "../exit.ts";
import { say } from "../output/terminal.ts";
import { age, answer, columns, countOf, misuse, noWords, oneWord, type VerbCall } from "../tier/verb.ts";
import { findReport } from "../../src/compose/mob-address.ts";
import { farewell } from "./farewell.ts";
import { findRunning, isAlive } from "./running.ts";

/** One request that waits; then it is asked again, until `--deadline`. */
const POLL_MS = 50_000;
const GONE_POLL_MS = 50;
const DECIDE = "An approval waits for a decision: atoll mob approve. ";
/** To look how far it is, once the time is over. */
const LATE_MS = 2_000;

export async function status(call: VerbCall): Promise<number> {
  noWords(call);
  const { mob, url } = await findRunning(call);
  const { signal } = call;
  const found = await mob.status({}, { signal });
  if (call.json) return await answer(call, found, "");
  const { members } = await mob.members.list({}, { signal });
  const rows = members.map(({ id, profile, state, phase, queue, generation, last_error: error }) =>
    [id, profile, phase === "idle" ? state : `${state}, ${phase}`, String(queue.depth), String(queue.dead), String(generation), error?.text ?? ""]);
  await say([
    `${found.mob} ${found.state} at ${url}: ${countOf(found.edges, "edge")}, ${countOf(found.runs_open, "run")}, ${countOf(found.approvals_open, "approval waits", "approvals wait")}, head ${found.head}`,
    ...found.degraded.map(({ text }) => `degraded: ${text}`),
    ...rows.length === 0 ? ["it has no members"] : [columns(["member", "profile", "state", "queue", "dead", "gen", "last error"], rows)],
  ].join("\n"));
  return EXIT.ok;
}

export async function send(call: VerbCall): Promise<number> {
  const [to, text, extra] = call.words;
  if (to === undefined || text === undefined) throw misuse("send", "needs MEMBER and TEXT");
  if (extra !== undefined) throw misuse(extra, "the text is one word: put it in quotes");
  const { mob } = await findRunning(call);
  const [key, conversation] = [call.flag("key")?.text, call.flag("conversation")?.text];
  const sent = await mob.send({
    to, content: call.flag("as-json") === undefined ? text : jsonOf(text, "TEXT"),
    ...key === undefined ? {} : { idempotency_key: key }, ...conversation === undefined ? {} : { conversation },
  }, { signal: call.signal });
  if (call.flag("wait") === undefined) {
    return await answer(call, sent, sent.tickets.map(({ turn_id, member, state, duplicate }) =>
      `${turn_id} ${state} at ${member}${duplicate ? ", sent before" : ""}`).join("\n"));
  }
  const turns = await Promise.all(sent.tickets.map(({ turn_id, member }) => untilOver(call, {
    wait: (signal) => mob.turns.wait({ turn_id, timeout_ms: POLL_MS }, { signal }),
    late: async (signal) => {
      const [{ state }, { last_error: error }] = await Promise.all([mob.turns.get({ turn_id }, { signal }), mob.members.get({ member }, { signal })]);
      const why = state === "waiting_approval" ? DECIDE : state === "queued" && error !== undefined ? `${member} has not started: ${error.text}. ` : "";
      return goesOn({ what: `the turn ${turn_id} of ${member}`, method: "turns/wait", params: { turn_id }, why });
    },
  })));
  for (const turn of turns) await say(call.json ? JSON.stringify(turn) : await turnText(turn, mob, call.signal));
  return turns.every(({ state }) => state === "done") ? EXIT.ok : EXIT.failed;
}

async function turnText({ state, output, error, member, stored }: Turn, mob: MobClient, signal: AbortSignal): Promise<string> {
  if (state !== "done") return `${member}: ${state}${error === null ? "" : `: ${error.text}`}`;
  if (stored !== undefined && output === null) return stored.preview;
  const blob = blobOf(output);
  if (blob !== undefined) return Buffer.from((await mob.blobs.get(blob, {}, { signal })).data, "base64").toString();
  return typeof output === "string" ? output : JSON.stringify(output, null, 2);
}

/** What was too large to come with its turn is printed as if it had come. */
function blobOf(output: Json): string | undefined {
  const { type, blob_id, media_type } = typeof output === "object" && output !== null ? output as { readonly [key: string]: Json } : {};
  return type === "ref" && typeof blob_id === "string" && /^text\/|^application\/json$/.test(String(media_type)) ? blob_id : undefined;
}

export async function diff(call: VerbCall): Promise<number> {
  noWords(call);
  const { mob } = await findRunning(call);
  return await tellReport(call, await mob.diff({}, { signal: call.signal }));
}

export async function reconcile(call: VerbCall): Promise<number> {
  noWords(call);
  const { mob } = await findRunning(call);
  return await tellReport(call, await mob.reconcile(planned(call), { signal: call.signal }));
}

export async function reload(call: VerbCall): Promise<number> {
  noWords(call);
  const { mob } = await findRunning(call);
  return await tellReport(call, await mob.definition.reload(planned(call), { signal: call.signal }));
}

/** What all changes by a plan may be told. */
function planned(call: VerbCall): { readonly dry_run: boolean; readonly force: boolean; readonly expected_revision?: number } {
  const given = call.flag("revision")?.text;
  if (given !== undefined && !/^\d{1,15}$/.test(given)) throw misuse("--revision", "is a number", "as a plan tells it");
  return {
    dry_run: call.flag("dry-run") !== undefined, force: call.flag("force") !== undefined, ...given === undefined ? {} : { expected_revision: Number(given) },
  };
}

/** What nothing happens to. */
const QUIET = ["retained", "unmanaged", "retained_edges", "preexisting_edges", "failures"];

async function tellReport(call: VerbCall, report: ReconcileReport): Promise<number> {
  const rows = [["member", report.members], ["edge", report.edges]] as const;
  const changes = rows.flatMap(([kind, buckets]) => Object.entries(buckets).flatMap(([bucket, all]) =>
    QUIET.includes(bucket) ? [] : (all as readonly (string | readonly string[])[]).map((one) =>
      [bucket.replace(/_edges$/, "").replaceAll("_", " "), kind, typeof one === "string" ? one : one.join(" – ")])));
  const failures = [...report.members.failures, ...report.edges.failures].map(({ id, stage, error }) => ["failed", stage, `${id}: ${error.text}`]);
  const head = report.dry_run ? "would change" : "changed";
  const all = [...changes, ...failures];
  const plan = report.dry_run ? `\nat revision ${report.revision}: nothing is done` : "";
  await answer(call, report, all.length === 0 ? `nothing to change at revision ${report.revision}` : `${columns([head, "what", "which"], all)}${plan}`);
  return report.complete ? EXIT.ok : EXIT.failed;
}

export async function approve(call: VerbCall): Promise<number> {
  const [id] = call.words;
  const { mob } = await findRunning(call);
  const [reject, release, reason] = [call.flag("reject") !== undefined, call.flag("release") !== undefined, call.flag("reason")?.text];
  if (id === undefined) {
    if (reject || release) throw misuse(reject ? "--reject" : "--release", "needs the ID of an approval");
    const found = await mob.approvals.list({ state: "open" }, { signal: call.signal });
    return await answer(call, found, found.approvals.length === 0 ? "nothing waits for a decision" : approvalsText(found.approvals));
  }
  const decided = await mob.approvals.decide({
    id: oneWord(call, "ID"), decision: reject ? "reject" : release ? "release" : "approve", ...reason === undefined ? {} : { reason },
  }, { signal: call.signal });
  const missing = decided.quorum - decided.decisions.length;
  return await answer(call, decided, `${decided.id} ${decided.state}${decided.state === "open" && missing > 0 ? `: ${missing} more must approve` : ""}`);
}

function approvalsText(approvals: readonly Approval[]): string {
  const rows = approvals.map(({ id, member, grant, object, asked_by, opened_at_ms, expires_at_ms }) =>
    [id, age(Date.now() - opened_at_ms), age(expires_at_ms - Date.now()), member, asked_by, `${grant}${object === null ? "" : ` ${object}`}`]);
  return `${columns(["id", "age", "left", "member", "for", "what"], rows)}\natoll mob approve ID [--reject | --release]; atoll mob call approvals/get '{"id":"…"}' shows all of it`;
}

export async function flow(call: VerbCall): Promise<number> {
  const [verb, name, extra] = call.words;
  if (verb !== "run") throw misuse(verb ?? "run", "there is only flow run NAME");
  if (name === undefined) throw misuse("NAME", "is missing");
  if (extra !== undefined) throw misuse(extra, "one at a time");
  const { mob } = await findRunning(call);
  const [params, key] = [call.flag("params")?.text, call.flag("key")?.text];
  const begun = await mob.flows.run({
    flow: name, ...params === undefined ? {} : { params: jsonOf(params, "--params") }, ...key === undefined ? {} : { idempotency_key: key },
  }, { signal: call.signal });
  if (call.flag("wait") === undefined) return await answer(call, begun, begun.run_id);
  const { run_id } = begun;
  const run = await untilOver(call, {
    wait: (signal) => mob.runs.wait({ run_id, timeout_ms: POLL_MS }, { signal }),
    late: async (signal) => goesOn({ what: `the run ${run_id}`, method: "runs/wait", params: { run_id }, why: (await mob.status({}, { signal })).approvals_open > 0 ? DECIDE : "" }),
  });
  await answer(call, run, runText(run));
  return run.state === "completed" ? EXIT.ok : EXIT.failed;
}

function runText({ run_id, state, output, error }: Run): string {
  return state === "completed" ? JSON.stringify(output, null, 2) : `${run_id} ${state}${error === undefined ? "" : `: ${error.text}`}`;
}

/** Any method, as it stands in the contract. */
export async function method(call: VerbCall): Promise<number> {
  const [name = "", text, extra] = call.words;
  if (name === "") throw misuse("METHOD", "is missing", "such as members/list");
  if (extra !== undefined) throw misuse(extra, "params are one word: put them in quotes");
  const known = name.replace(/^mob\//, "") as keyof MobMethods;
  if (!Object.hasOwn(METHODS, known)) {
    const near = nearest(known, Object.keys(METHODS));
    throw misuse(name, "there is no such method", near === undefined ? "atoll mob call capabilities lists them" : `did you mean ${near}?`);
  }
  const params = text === undefined ? {} : jsonOf(text, "JSON");
  const { mob } = await findRunning(call);
  const result = await mob.call(known, params as never, { signal: call.signal });
  return await answer(call, result, JSON.stringify(result, null, 2));
}

export async function down(call: VerbCall): Promise<number> {
  noWords(call);
  const { mob, pid, url, dir } = await findRunning(call);
  const told = await mob.lifecycle.down({}, { signal: call.signal });
  while (pid === undefined ? await answers(mob) : isAlive(pid)) await pause(GONE_POLL_MS, undefined, { signal: call.signal });
  const report = pid === undefined || dir === undefined ? undefined : await findReport(dir, pid);
  const text = `${told.mob} has ended; it was at ${url}`;
  return report === undefined ? await answer(call, told, text) : await answer(call, report, `${text}\n${farewell({ drafts: 0, ...report })}`);
}

async function answers(mob: MobClient): Promise<boolean> {
  return await mob.status().then(() => true, (error: unknown) => !isFault(error) || error.code !== "client.unreachable");
}

interface Waiting<T> {
  readonly wait: (signal: AbortSignal) => Promise<T>;
  /** What to say when the time is over. */
  readonly late: (signal: AbortSignal) => Promise<ClientError>;
}

/** Asks again when the wait of one request is over. */
async function untilOver<T>({ signal }: VerbCall, { wait, late }: Waiting<T>): Promise<T> {
  for (;;) {
    try {
      return await wait(signal);
    } catch (error) {
      if (signal.aborted) throw await late(AbortSignal.timeout(LATE_MS)).catch(() => error);
      if (!isFault(error) || error.code !== "mob.deadline") throw error;
    }
  }
}

interface GoesOn {
  readonly what: string;
  readonly method: string;
  readonly params: Readonly<Record<string, string>>;
  /** What it waits for, as far as that is known: sentences. */
  readonly why: string;
}

/** That the time of the verb is over ends nothing of what it has begun. */
function goesOn({ what, method: name, params, why }: GoesOn): ClientError {
  const again = `Wait on: atoll mob call ${name} '${JSON.stringify(params)}' --deadline 600.`;
  return new ClientError({
    code: "mob.deadline", text: `out of time: ${what} goes on`, facts: params, retry: "later", hint: `${why}${again}`,
  });
}

function jsonOf(text: string, what: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw misuse(what, (error as Error).message);
  }
}
