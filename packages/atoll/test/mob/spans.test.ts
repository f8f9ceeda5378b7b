/**
 * Goal: what somebody asks of a mob is one trace, from the request to the call of a tool, also over a wait for a decision and another process. Method: the
 * SDK of OpenTelemetry, a mob behind HTTP, a model that plays a part.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { defineMob, Mob, type LinkedFactory, type MobHandle } from "@atoll-run/atoll/mob";
import { startMockModel, until } from "@atoll-run/testkit";
import { definition as killed } from "./spans-child.ts";

const exporter = new InMemorySpanExporter();
const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });

before(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(provider);
});
beforeEach(() => exporter.reset());
after(() => provider.shutdown());

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE}-${CALLER}-01`;

/** Those of that name, the first that has begun first. */
function spansOf(name: string, of: "the trace" | "all" = "the trace"): readonly ReadableSpan[] {
  return exporter.getFinishedSpans().filter((span) => span.name === name && (of === "all" || span.spanContext().traceId === TRACE))
    .toSorted((a, b) => a.startTime[0] - b.startTime[0] || a.startTime[1] - b.startTime[1]);
}

/** The names from a span up to whoever has asked; a parent that is told nowhere stands as its id. */
function pathOf(span: ReadableSpan | undefined): string {
  const parent = span?.parentSpanContext?.spanId;
  if (span === undefined || parent === undefined) return span?.name ?? "nothing";
  const above = exporter.getFinishedSpans().find((one) => one.spanContext().spanId === parent);
  return `${above === undefined ? parent : pathOf(above)} ${span.name}`;
}

const worker: LinkedFactory = ({ id }) => async ({ content }, ctx) => {
  if (id === "helper" && content === "help") return "helped";
  if (content === "later") return await ctx.mob.send("helper", "help", { reply: "turn" });
  if (typeof content !== "string") return "heard";
  if (content === "ask") return await ctx.mob.request("helper", "help");
  return await ctx.guarded({ grant: "fs.write", tool: "write_file", args: { path: content } }, () => "written");
};

async function world(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "atoll-mob-spans-"));
  const write = (path: string) => ({ tool_calls: [{ name: "write_file", input: { path, text: "a secret text" } }] });
  const model = await startMockModel({ script: { turns: [
    { when: { text: "now" }, reply: write("now.txt") }, { when: { text: "later" }, reply: write("asked.txt") },
    { when: { tool_result: "written" }, reply: { text: "a secret answer" } },
  ] } });
  t.after(async () => {
    await model.close();
    rmSync(root, { recursive: true });
  });
  const definition = defineMob({
    mob: { id: "traced", members: [{ id: "lead", profile: "worker" }, { id: "helper", profile: "worker" }, { id: "ann", profile: "agent" }], edges: [["lead", "helper"]] },
    profiles: {
      worker: { linked: "worker", external: true, grants: [`fs.write:${root}`, "mob:request", "mob:send"] }, agent: { agent: true, model: "auto", external: true, grants: [`fs.write:${root}`] },
    },
    approvals: [{ match: { grant: "fs.write", object: `${root}/asked*` }, tier: "R3" }],
    flows: { plan: { steps: { first: { member: "lead", message: "ask" }, second: { member: "helper", depends_on: ["first"], message: `${root}/asked` } } } },
  });
  const open = (): Promise<MobHandle> => Mob.start({
    definition, stateDir: join(root, "state"), root, linked: { worker }, http: { port: 0 }, variables: { ANTHROPIC_API_KEY: "key", ANTHROPIC_BASE_URL: model.url },
  });
  return { open, model };
}

type Answer = { readonly tickets: readonly { readonly turn_id: string }[]; readonly run_id: string };

async function ask(mob: MobHandle, path: string, body: object, headers: Readonly<Record<string, string>> = { traceparent: TRACEPARENT }): Promise<Answer> {
  const { url = "", token = "" } = mob.http ?? {};
  const answer = await fetch(`${url}/v1${path}`, { method: "POST", headers: { authorization: `Bearer ${token}`, ...headers }, body: JSON.stringify(body) });
  assert.equal(answer.status, 200);
  const given = await answer.json() as Answer & { readonly result?: Answer };
  return given.result ?? given;
}

/** Its end, and that of its last write. */
async function over(mob: MobHandle, { tickets: [ticket] }: Answer) {
  const turn_id = ticket?.turn_id ?? "";
  const turn = await mob.rooms.members.wait(turn_id, {});
  await until(() => spansOf("atoll.commit").some(({ attributes }) => attributes["atoll.request_id"] === turn_id));
  return turn;
}

const approve = async (mob: MobHandle): Promise<void> => {
  const { id } = await until(() => [...mob.rooms.view.approvals.values()].find(({ state }) => state === "open"));
  await mob.approvals.decide(id, "approve");
};
const outcomes = (name: string): readonly unknown[] => spansOf(name).map(({ attributes }) => attributes["atoll.outcome"]);
const TOLD = `${CALLER} atoll.request atoll.tell`;
const TURN = `${TOLD} atoll.dispatch atoll.turn`;

test("a turn that is asked for over HTTP is in the trace of its request, and so is the turn that a tool of it asks for", async (t) => {
  const { open } = await world(t);
  await using mob = await open();
  assert.equal((await over(mob, await ask(mob, "/members/lead/turns", { content: "ask" }))).output, "helped");
  const [lead, helper] = spansOf("atoll.turn");
  const tool = `${TURN} atoll.tool`;
  assert.deepEqual([pathOf(lead), pathOf(helper)], [TURN, `${tool} atoll.tell atoll.dispatch atoll.turn`]);
  assert.deepEqual(["atoll.accept", "atoll.queue", "atoll.commit"].map((name) => pathOf(spansOf(name)[0])), [`${TOLD} atoll.accept`, `${TOLD} atoll.queue`, `${tool} atoll.tell atoll.dispatch atoll.commit`]);
  assert.deepEqual(spansOf("atoll.tool").map(({ attributes }) => attributes["atoll.tool"]), ["mob.request"]);
  const { "atoll.turn_id": _, ...facts } = lead?.attributes ?? {};
  assert.deepEqual(facts, { "atoll.mob": "traced", "atoll.member": "lead", "atoll.attempt": 1, "atoll.outcome": "done" });
  const [request, ...more] = spansOf("atoll.request");
  assert.deepEqual([request?.attributes, request?.kind, more], [{ "atoll.mob": "traced", "atoll.method": "send", "atoll.outcome": "done" }, SpanKind.SERVER, []]);
  const { entries } = await mob.ledger.query({ kinds: ["turn_queued"] });
  assert.ok(entries.every((entry) => entry.trace?.includes(TRACE)), "the ledger names the trace");
});

test("a file that comes by a form and bytes that go out are in the trace of their request", async (t) => {
  const { open } = await world(t);
  await using mob = await open();
  const { url = "", token = "" } = mob.http ?? {};
  const headers = { authorization: `Bearer ${token}`, traceparent: TRACEPARENT };
  const body = new FormData();
  body.append("file", new Blob(["bytes"], { type: "text/plain" }), "a.txt");
  const { blob_id } = await (await fetch(`${url}/v1/blobs`, { method: "POST", headers, body })).json() as { readonly blob_id: string };
  assert.equal(await (await fetch(`${url}/v1/blobs/${blob_id}`, { headers })).text(), "bytes");
  assert.deepEqual(spansOf("atoll.request").map((span) => [span.attributes["atoll.method"], pathOf(span)]), [
    ["blobs/put", `${CALLER} atoll.request`], ["blobs/get", `${CALLER} atoll.request`],
  ]);
});

test("an agent's calls of its model and of its tools are parts of its turn; nothing that was said is in a span", async (t) => {
  const { open } = await world(t);
  await using mob = await open();
  const rpc = { jsonrpc: "2.0", id: 1, method: "mob/send", params: { to: "ann", content: "write a secret word now" } };
  assert.equal((await over(mob, await ask(mob, "/rpc", rpc))).output, "a secret answer");
  await until(() => spansOf("bus.handle").length > 0);
  const run = `${TURN} bus.handle agent.run`;
  const [first, second, ...others] = exporter.getFinishedSpans().filter(({ name }) => name.startsWith("chat "));
  assert.deepEqual([pathOf(first), pathOf(second), others], [`${run} ${first?.name ?? ""}`, `${run} ${first?.name ?? ""}`, []]);
  assert.deepEqual(spansOf("tool.call").map((span) => [pathOf(span), span.attributes]), [[`${run} tool.call`, { "gen_ai.tool.name": "write_file" }]]);
  assert.doesNotMatch(JSON.stringify(exporter.getFinishedSpans().map(({ name, attributes, status, events }) => [name, attributes, status, events])), /secret|now\.txt/);
});

test("what becomes of a turn, told to who has sent it, is in its trace", async (t) => {
  const { open } = await world(t);
  await using mob = await open();
  await ask(mob, "/members/lead/turns", { content: "later" });
  await until(() => spansOf("atoll.turn").length === 3);
  const [lead, helper, reply] = spansOf("atoll.turn");
  assert.deepEqual([lead, helper, reply].map((span) => span?.attributes["atoll.member"]), ["lead", "helper", "lead"]);
  // Of what has asked for the turn, not of what is open by chance when it ends.
  const asked = `${TURN} atoll.tool atoll.tell atoll.dispatch atoll.turn`;
  assert.deepEqual([pathOf(helper), pathOf(reply)], [asked, asked]);
});

test("a trace that its caller does not take is taken by nobody, and those who are asked further on hear so", async (t) => {
  const { open, model } = await world(t);
  await using mob = await open();
  const { tickets: [ticket] } = await ask(mob, "/members/ann/turns", { content: "now" }, { traceparent: `00-${TRACE}-${CALLER}-00` });
  assert.equal((await mob.rooms.members.wait(ticket?.turn_id ?? "", {})).output, "a secret answer");
  await mob.close();
  assert.deepEqual(exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === TRACE).map(({ name }) => name), []);
  assert.deepEqual(model.requests.map(({ headers: { traceparent = "" } }) => /^00-(.*)-.*-(.*)$/.exec(traceparent)?.slice(1)), [[TRACE, "00"], [TRACE, "00"]]);
});

test("a turn that waits for a decision goes on in its trace in another process, and the wait is a part of what has asked", async (t) => {
  const { open } = await world(t);
  const first = await open();
  const asked = await ask(first, "/members/ann/turns", { content: "later" });
  await until(() => first.rooms.view.row("ann")?.phase === "waiting_approval");
  await first.close();
  const mob = await open();
  await approve(mob);
  assert.equal((await over(mob, asked)).output, "a secret answer");
  await mob.close();
  assert.deepEqual([spansOf("atoll.turn").map(pathOf), outcomes("atoll.turn")], [[TURN, TURN], ["waiting", "done"]]);
  const [wait, ...more] = spansOf("atoll.approval");
  assert.deepEqual([pathOf(wait), wait?.attributes["atoll.outcome"], more], [`${TURN} atoll.approval`, "approved", []]);
  const [parked, resumed] = spansOf("atoll.turn");
  const inOrder = [parked?.startTime, wait?.startTime, parked?.endTime, wait?.endTime, resumed?.endTime].map((time = [0, 0]) => time[0] * 1_000 + time[1] / 1_000_000);
  // Entries have whole milliseconds.
  assert.ok(inOrder.every((atMs, i) => i === 0 || atMs + 2 >= (inOrder[i - 1] ?? 0)), String(inOrder));
  assert.deepEqual(spansOf("tool.call").map(({ status }) => status.code === SpanStatusCode.ERROR), [true, false], "it was not called, then it was");
});

test("steps of a flow are parts of who has begun it, and their turns of them, also in another process", async (t) => {
  const { open } = await world(t);
  const first = await open();
  const { run_id } = await ask(first, "/flows/plan/run", {});
  await until(() => first.rooms.view.row("helper")?.phase === "waiting_approval");
  await first.close();
  const mob = await open();
  await approve(mob);
  assert.equal((await mob.rooms.flows.wait(run_id, AbortSignal.timeout(20_000))).state, "completed");
  await mob.close();
  const step = `${CALLER} atoll.request atoll.step`;
  assert.deepEqual(spansOf("atoll.step").map(({ attributes }) => [attributes["atoll.step_id"], attributes["atoll.outcome"]]), [["first", "completed"], ["second", "left"], ["second", "completed"]]);
  assert.deepEqual([...new Set(spansOf("atoll.step").map(pathOf))], [step]);
  const of = (id: string) => spansOf("atoll.turn").filter(({ attributes }) => attributes["atoll.step_id"] === id);
  const turn = `${step} atoll.tell atoll.dispatch atoll.turn`;
  assert.deepEqual([of("first").map(pathOf), of("second").map(pathOf)], [[turn], [turn, turn]]);
  assert.equal(of("second")[0]?.attributes["atoll.run_id"], run_id);
});

test("what was accepted within a trace goes on in it when the process was killed", async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), "atoll-mob-spans-"));
  const child = spawn(process.execPath, [join(import.meta.dirname, "spans-child.ts"), stateDir, TRACEPARENT], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => {
    child.kill("SIGKILL");
    rmSync(stateDir, { recursive: true, force: true });
  });
  const [line] = await once(child.stdout, "data", { signal: AbortSignal.timeout(30_000) }) as [Buffer];
  const { turn_id, run_id } = JSON.parse(line.toString()) as { turn_id: string; run_id: string };
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
  const mob = await Mob.start({ definition: killed, stateDir, linked: { worker: () => () => "done" } });
  assert.equal((await mob.rooms.members.wait(turn_id, {})).state, "done");
  assert.equal((await mob.rooms.flows.wait(run_id, AbortSignal.timeout(20_000))).state, "completed");
  await mob.close();
  const turns = spansOf("atoll.turn").toSorted((a, b) => String(a.attributes["atoll.member"]) < String(b.attributes["atoll.member"]) ? -1 : 1);
  assert.deepEqual(turns.map(({ attributes }) => [attributes["atoll.member"], attributes["atoll.attempt"]]), [["one", 2], ["two", 2]]);
  assert.deepEqual(turns.map((span) => pathOf(span).replace(/^[0-9a-f]{16} /, "")), ["atoll.dispatch atoll.turn", "atoll.dispatch atoll.turn"], "their mail names who has told them, in the process that has died");
  const [step, ...more] = spansOf("atoll.step");
  assert.deepEqual([step?.attributes["atoll.outcome"], step?.parentSpanContext?.spanId, more], ["completed", CALLER, []], "nobody took spans there: it is the caller's");
});

test("who asks without a trace, or with one that is none, begins one; a span that was open when the mob started is nobody's parent", async (t) => {
  const { open } = await world(t);
  await using mob = await trace.getTracer("mine").startActiveSpan("boot", async (span) => {
    const opened = await open();
    span.end();
    return opened;
  });
  const none = await ask(mob, "/members/lead/turns", { content: "ask" }, {});
  const wrong = await ask(mob, "/members/helper/turns", { content: "help" }, { traceparent: "nonsense" });
  const [mine, own] = await trace.getTracer("mine").startActiveSpan("a program", async (span) => {
    const sent = await mob.send("helper", "help");
    span.end();
    return [span.spanContext(), sent] as const;
  });
  for (const { tickets: [ticket] } of [none, wrong, own]) await mob.rooms.members.wait(ticket?.turn_id ?? "", {});
  await mob.close();
  assert.deepEqual(spansOf("atoll.request", "all").map(({ parentSpanContext }) => parentSpanContext?.spanId), [undefined, undefined, mine.spanId]);
  const traces = spansOf("atoll.turn", "all").map((span) => span.spanContext().traceId);
  assert.deepEqual([traces.length, new Set(traces).size, traces.includes(mine.traceId)], [4, 3, true], "what a turn asks for is in its trace");
  assert.equal(traces.includes(spansOf("boot", "all")[0]?.spanContext().traceId ?? ""), false);
});

/** In a process of its own: what was loaded there is counted. */
const SOURCE = `
  import { registerHooks } from "node:module";
  const loaded = [];
  registerHooks({ load: (url, c, next) => { loaded.push(url); return next(url, c); } });
  const { defineMob, Mob } = await import(process.argv[2]);
  const definition = defineMob({ mob: { id: "m", members: [{ id: "a", profile: "p" }, { id: "b", profile: "p" }], edges: [["a", "b"]] }, profiles: { p: { linked: "p", external: true, grants: ["mob:send"] } } });
  const p = () => ({ content }, ctx) => content === "pass" ? ctx.mob.send("b", "on") : content;
  const mob = await Mob.start({ definition, ephemeral: true, linked: { p }, http: { port: 0 } });
  const headers = { authorization: "Bearer " + mob.http.token, traceparent: process.argv[3] };
  for (const content of ["pass", "on"]) {
    const asked = await fetch(mob.http.url + "/v1/members/a/turns", { method: "POST", headers: content === "pass" ? headers : { ...headers, traceparent: "" }, body: JSON.stringify({ content }) });
    await mob.turns.wait({ turn_id: (await asked.json()).tickets[0].turn_id });
  }
  const traces = (await mob.turns.list()).turns.map(({ trace }) => trace ?? null);
  await mob.close();
  console.log(JSON.stringify([loaded.filter((url) => /opentelemetry|open-telemetry/.test(url)), traces]));
`;

test("without a registered SDK a mob loads nothing of OpenTelemetry, and what was asked within a trace stays in it", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "atoll-mob-spans-"));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "program.mjs"), SOURCE);
  const file = new URL("../../src/mob.ts", import.meta.url).href;
  const { stdout } = await promisify(execFile)(process.execPath, [join(dir, "program.mjs"), file, TRACEPARENT], { timeout: 20_000 });
  assert.deepEqual(JSON.parse(stdout), [[], [TRACEPARENT, TRACEPARENT, null]]);
});
