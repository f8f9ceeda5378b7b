/** Goal: what a flow says of a step holds for the turns of that step, and for no others. Method: a mob of linked members and scripts, by its methods. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { defineMob, Mob, type LinkedFactory, type MobHandle } from "@atoll-run/atoll/mob";
import { until } from "@atoll-run/testkit";

const PAGE = { text: "x".repeat(6_000) };

/** Does what it is told: `read`, `write`, `note`; `large` gives much, `json` gives it as text. */
const worker: LinkedFactory = () => async ({ content }, ctx) => {
  const word = String(content);
  if (word === "large" || word === "json") return word === "large" ? PAGE : JSON.stringify(PAGE);
  const calls = { read: { grant: "fs.read", tool: "read_file" }, write: { grant: "fs.write", tool: "write_file" } } as const;
  if (word === "note") await ctx.mob.note("noted");
  if (word === "ask") return await ctx.guarded({ grant: "fs.write", tool: "write_file", args: { path: "asked" } }, () => "written");
  const call = calls[word as keyof typeof calls];
  return call === undefined ? word : await ctx.guarded({ ...call, args: { path: "x" } }, () => word);
};

const STEP_MS = 2_500;
const step = (message: string, more: object = {}) => ({ member: "w", message, retries: 0, on_failure: "continue" as const, ...more });
const definition = defineMob({
  mob: { id: "plan", members: [{ id: "w", profile: "w", labels: { own: "1" } }, { id: "lua", profile: "lua" }] },
  profiles: {
    w: { linked: "worker", labels: { team: "docs" }, grants: ["fs.read:.", "fs.write:.", "mob:note"] }, lua: { script: "reach.lua", grants: ["fs.write:."] },
  },
  approvals: [
    { id: "docs", match: { grant: "fs.write", labels: { team: "docs", own: "1" }, origin: "console" }, tier: "deny" },
    { id: "ask", match: { grant: "fs.write", object: "asked" }, tier: "R3" },
  ],
  flows: {
    tools: { steps: {
      blocked: step("write", { block_tools: ["write_file"] }), verb: step("write", { block_tools: ["fs.*"] }), other: step("write", { block_tools: ["read_file"] }),
      only: step("read", { allow_tools: ["read_file", "mob.*"] }), not: step("write", { allow_tools: ["read_file"] }), note: step("note", { allow_tools: ["mob.note"] }),
      noted: step("note", { allow_tools: ["read_file"] }),
      script: { member: "lua", message: "{{ params.write }}", retries: 0, on_failure: "continue", block_tools: ["write_file"] },
    } },
    asks: { steps: { ask: step("ask", { timeout: STEP_MS }) } },
    large: { steps: { text: step("large", { output: "text" }), json: step("json", { expect: { type: "object" } }), last: step("{{ steps.json.output.text }}", { depends_on: ["text", "json"] }) } },
  },
});

async function open(t: TestContext): Promise<MobHandle> {
  const stateDir = mkdtempSync(join(tmpdir(), "atoll-flow-run-"));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  return await Mob.start({ definition, stateDir, root: join(import.meta.dirname, "scripts"), linked: { worker } });
}

test("a step allows and blocks tools of its turns alone; rules see labels of the profile too", async (t) => {
  await using mob = await open(t);
  const { run_id } = await mob.flows.run("tools", { write: { grant: "fs.write", at: "nowhere" } });
  const run = await mob.runs.wait({ run_id });
  const errors = Object.fromEntries(Object.entries(run.steps).map(([name, { error }]) => [name, error?.code]));
  assert.deepEqual(errors, {
    blocked: "mob.denied", verb: "mob.denied", other: undefined, only: undefined, not: "mob.denied", note: undefined, noted: "mob.denied", script: "grant.denied",
  });
  assert.match(run.steps["script"]?.error?.text ?? "", /the step script does not allow it/);
  const { entries } = await mob.ledger.query({ run_id, kinds: ["access_denied"], after: "0" });
  assert.deepEqual(entries.map(({ step_id, data }) => [step_id, data["step"]]).sort(), ["blocked", "not", "noted", "script", "verb"].map((name) => [name, name]));
  const [ticket] = (await mob.dispatch("w", "write")).tickets;
  const { error } = await mob.turns.wait({ turn_id: ticket?.turn_id ?? "" });
  assert.deepEqual([error?.code, error?.text], ["mob.denied", "the rule docs does not allow it"]);
});

test("outputs that stand apart are text, or read from text, as their step says", async (t) => {
  await using mob = await open(t);
  const { run_id } = await mob.flows.run("large");
  const run = await mob.runs.wait({ run_id });
  assert.deepEqual([run.state, run.error, run.output], ["completed", undefined, PAGE.text]);
  assert.notEqual(run.steps["text"]?.targets["w"]?.stored, undefined);
});

test("labels of a run stand in its entries from its beginning on, and find it", async (t) => {
  await using mob = await open(t);
  const labelled = await mob.flows.run({ flow: "large", labels: { ticket: "7", team: "x=y" } });
  const plain = await mob.flows.run("large");
  for (const { run_id } of [labelled, plain]) await mob.runs.wait({ run_id });
  assert.deepEqual((await mob.runs.get({ run_id: labelled.run_id })).labels, { ticket: "7", team: "x=y" });
  const found = async (label: string) => (await mob.runs.list({ label })).runs.map(({ run_id }) => run_id);
  assert.deepEqual([await found("ticket"), await found("team=x=y"), await found("ticket=8")], [[labelled.run_id], [labelled.run_id], []]);
  const { entries } = await mob.ledger.query({ label: "ticket=7", after: "0" });
  const own = entries.filter(({ run_id }) => run_id === labelled.run_id);
  assert.deepEqual([own.length, entries.length - own.length], [own.filter(({ labels }) => labels?.run?.["ticket"] === "7").length, 0]);
  assert.ok(own.some(({ kind }) => kind === "flow_completed") && own.some(({ kind }) => kind === "step_target_completed"));
  await assert.rejects(mob.flows.run({ flow: "large", labels: { ["ä".repeat(65)]: "1" } }), { code: "mob.invalid_params" });
});

test("a step outlives the time that its turn waits for a decision", async (t) => {
  await using mob = await open(t);
  const { run_id } = await mob.flows.run("asks");
  const { id } = await until(async () => (await mob.approvals.list({ state: "open" })).approvals[0]);
  const { started_at_ms } = (await mob.runs.get({ run_id })).steps["ask"] ?? {};
  await until(() => Date.now() > (started_at_ms ?? Infinity) + STEP_MS + 100);
  const { state, steps, waits } = await mob.runs.get({ run_id });
  assert.deepEqual([state, steps["ask"]?.state, waits?.turns.length], ["running", "running", 1]);
  await mob.approvals.decide(id, "approve");
  const run = await mob.runs.wait({ run_id });
  assert.deepEqual([run.state, run.error, run.output, run.waits?.turns], ["completed", undefined, "written", []]);
  assert.ok((run.waits?.waited_ms ?? 0) > 0);
});
