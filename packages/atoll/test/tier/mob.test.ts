/**
 * Goal: a person runs a mob from a file, looks at it, decides and ends it, each verb a process of its own; killed and started again,
 * nothing is lost. Invariant: `--json` is the result of the method as it is.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createClient, type MobClient } from "@atoll-run/atoll/client";
import { until } from "@atoll-run/testkit";
import { atoll, place, startAtoll, type Place, type Started } from "../support/cli.ts";

/** Of what goes on while verbs come and go. */
const LASTING_MS_MAX = 600_000;

const MOB = `[mob]
id = "desk"
members = [{ id = "writer", profile = "writer" }, { id = "worker", profile = "worker", count = 2 }]
edges = [["writer", "@worker"]]
[profiles.writer]
script = "writer.lua"
external = true
grants = ["fs.write:."]
[profiles.worker]
script = "worker.lua"
[flows.all.steps]
each = { role = "worker", dispatch = "share", items = "params.list" }
`;
const APPROVALS = `[[approvals]]
match = { grant = "fs.write" }
tier = "R3"
`;
const WRITER = `bus.on("turn", function(e)
  if e.payload.size then return string.rep("y", e.payload.size) end
  if e.payload.path then std.fs.write(e.payload.path, e.payload.text) end
  return { did = e.payload }
end)
bus.serve()
`;
const WORKER = `bus.on("turn", function(e) return e.payload * 2 end)
bus.serve()
`;

function desk(t: TestContext): Place {
  const at = place(t);
  for (const [name, text] of Object.entries({ "mob.toml": MOB, "approvals.toml": APPROVALS, "writer.lua": WRITER, "worker.lua": WORKER })) at.file(name, text);
  return at;
}

async function up(t: TestContext, at: Place): Promise<Started> {
  const started = startAtoll(at, ["mob", "up", "--port", "0", "--json", "--log", "warn"], { msMax: LASTING_MS_MAX });
  t.after(() => started.child.kill("SIGKILL"));
  await until(() => started.stdout().includes("\n") || started.child.exitCode !== null, { withinMs: 30_000 });
  assert.equal((JSON.parse(started.stdout()) as { event: string }).event, "up", started.stderr());
  return started;
}

/** As a program would ask it: a process less for each look. */
function program(at: Place): MobClient {
  const { url } = JSON.parse(readFileSync(at.path(".atoll/desk/mob.json"), "utf8")) as { url: string };
  return createClient({ url, token: readFileSync(at.path(".atoll/desk/http.token"), "utf8") });
}

/** A verb that succeeds, with its JSON. */
async function ask<T>(at: Place, ...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await atoll(at, ["mob", ...args, "--json"]);
  assert.deepEqual([code, stderr], [0, ""], args.join(" "));
  return JSON.parse(stdout) as T;
}

/** What a mob left behind, and what is left of it when its file is damaged. */
async function verifies(at: Place): Promise<void> {
  const state = at.path(".atoll/desk");
  const whole = await atoll(at, ["mob", "verify", "--state", state]);
  assert.deepEqual([whole.code, whole.stdout], [0, "all is as the ledger says\n"]);
  const pages = readFileSync(join(state, "state.sqlite"));
  writeFileSync(join(state, "state.sqlite"), pages.fill(0xa5, 100, pages.length));
  const damaged = await atoll(at, ["mob", "verify", "--state", state, "--json"]);
  assert.equal(damaged.code, 1);
  const { findings } = JSON.parse(damaged.stdout) as { findings: { severity: string; path: string }[] };
  assert.deepEqual(findings.map(({ severity, path }) => [severity, path]), [["error", join(state, "state.sqlite")]]);
  const refused = await atoll(at, ["mob", "up", "--port", "0"]);
  assert.match(refused.stderr, /state\.sqlite[^]*atoll mob verify --state/);
}

test("an output that is a blob is printed whole; as JSON it is what refers to it", async (t) => {
  const at = desk(t);
  const started = await up(t, at);
  const words = ["send", "writer", "{\"size\":2000000}", "--as-json", "--wait", "--deadline", "120"];
  const { code, stdout } = await atoll(at, ["mob", ...words]);
  assert.deepEqual([code, stdout.length, /^y+\n$/.test(stdout)], [0, 2_000_001, true]);
  const { output: { type, blob_id, size } } = await ask<{ output: { type: string; blob_id: string; size: number } }>(at, ...words);
  assert.deepEqual([type, size], ["ref", 2_000_000]);
  assert.ok(existsSync(at.path(`.atoll/desk/blobs/${blob_id.slice("sha256:".length)}`)));
  started.child.kill("SIGTERM");
  await started.end;
});

test("up, send, approve, tail, diff, reconcile, reload and down in processes of their own; a kill in between loses nothing", async (t) => {
  const at = desk(t);
  const first = await up(t, at);
  assert.equal(statSync(at.path(".atoll/desk/mob.json")).mode & 0o777, 0o600);
  const text = { path: "a.txt", text: "hello" };
  const { tickets: [ticket] } = await ask<{ tickets: { turn_id: string }[] }>(at, "send", "writer", JSON.stringify(text), "--as-json", "--key", "one");
  const asked = program(at);
  const approval = await until(async () => (await asked.approvals.list({ state: "open" })).approvals[0], { withinMs: 30_000 });
  assert.deepEqual(approval.args, ["a.txt", "hello"]);
  const second = await atoll(at, ["mob", "up", "--port", "0"]);
  assert.equal(second.code, 6);
  assert.match(second.stderr, new RegExp(`the mob desk runs already: .* is in use by process ${first.child.pid}`));

  first.child.kill("SIGKILL");
  await first.end;
  const away = await atoll(at, ["mob", "status"]);
  assert.equal(away.code, 6);
  assert.match(away.stderr, /no mob answers at http/);

  const again = await up(t, at);
  const mob = program(at);
  assert.deepEqual((await ask<{ approvals: { id: string }[] }>(at, "approve")).approvals.map(({ id }) => id), [approval.id], "it waits still");
  const decided = await ask<{ state: string; decisions: { principal: string }[] }>(at, "approve", approval.id, "--reason", "fine");
  assert.deepEqual([decided.state, decided.decisions[0]?.principal], ["approved", "local"]);
  const turn = await ask<{ turn_id: string; state: string; output: unknown }>(at, "send", "writer", JSON.stringify(text), "--as-json", "--key", "one", "--wait", "--deadline", "120");
  assert.deepEqual([turn.turn_id, turn.state, turn.output], [ticket?.turn_id, "done", { did: text }]);
  assert.equal(readFileSync(at.path("a.txt"), "utf8"), "hello");

  const run = await ask<{ output: unknown }>(at, "flow", "run", "all", "--params", "{\"list\":[1,2,3]}", "--wait", "--deadline", "120");
  assert.deepEqual(run.output, [2, 4, 6]);
  const entries = (await atoll(at, ["mob", "tail", "--after", "0", "--json"])).stdout.trim().split("\n").map((line) => JSON.parse(line) as { seq: number; kind: string });
  const kinds = entries.map(({ kind }) => kind);
  for (const kind of ["mob_created", "turn_queued", "approval_requested", "approval_decided", "turn_done", "flow_completed"]) assert.ok(kinds.includes(kind), kind);
  assert.equal(kinds.filter((kind) => kind === "mob_started").length, 2);
  assert.deepEqual(entries.map(({ seq }) => seq), entries.map(({ seq }) => seq).toSorted((a, b) => a - b));

  const following = startAtoll(at, ["mob", "tail", "--follow", "--after", "0", "--topics", "member:worker-2"], { msMax: LASTING_MS_MAX });
  t.after(() => following.child.kill("SIGKILL"));
  await mob.members.retire({ member: "worker-2" });
  const plan = await ask<{ dry_run: boolean; members: { spawned: string[] } }>(at, "call", "reconcile", "{\"dry_run\":true}");
  assert.deepEqual([plan.dry_run, plan.members.spawned], [true, ["worker-2"]]);
  const done = await atoll(at, ["mob", "reconcile"]);
  assert.deepEqual([done.code, done.stdout], [0, "changed  what    which\nspawned  member  worker-2\nwired    edge    worker-2 – writer\n"]);
  await until(() => (following.stdout().match(/member_spawned +worker-2/g) ?? []).length === 2, { withinMs: 30_000 });
  assert.match((await atoll(at, ["mob", "status"])).stdout, /^desk running at http\S+: 2 edges, 0 runs, 0 approvals wait/);

  assert.deepEqual((await ask<{ members: { spawned: string[] } }>(at, "diff")).members.spawned, []);
  at.file("mob.toml", MOB.replace("count = 2", "count = none"));
  const wrong = await atoll(at, ["mob", "reload"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /mob\.toml:3: the file: is not TOML/);
  at.file("mob.toml", MOB.replace("count = 2", "count = 1"));
  const { revision, members } = await ask<{ revision: number; members: { retired: string[] } }>(at, "reload", "--dry-run");
  assert.deepEqual([members.retired, (await mob.status()).revision], [["worker-2"], revision]);
  const reloaded = await atoll(at, ["mob", "reload", "--revision", String(revision)]);
  assert.deepEqual([reloaded.code, reloaded.stdout], [0, "changed               what    which\nretired               member  worker-2\npruned stale managed  edge    worker-2 – writer\n"]);
  await mob.send({ to: "writer", content: { path: "b.txt", text: "x" } });
  await until(async () => (await mob.status()).approvals_open === 1, { withinMs: 30_000 });
  assert.deepEqual(await ask(at, "verify"), { findings: [] });
  const told = await ask<{ phases: { name: string }[]; queued_left: number; leases_released: boolean }>(at, "down");
  assert.deepEqual([told.phases.map(({ name }) => name), told.queued_left, told.leases_released], [["refuse", "drain", "members", "ledger", "http", "stores"], 1, true]);
  const { code, stdout } = await again.end;
  assert.equal(code, 75, "what nobody has decided stays a draft");
  const { report } = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as { report: { queued_left: number; approvals_open: number } };
  assert.deepEqual([report.queued_left, report.approvals_open], [1, 1]);
  assert.ok(!existsSync(at.path("b.txt")));
  assert.match((await following.end).stdout, /-- the mob stops serving/);
  assert.ok(!existsSync(at.path(".atoll/desk/mob.json")));
  await verifies(at);
});

test("a definition with errors starts nothing, and tells them all with their lines", async (t) => {
  const at = desk(t);
  at.file("mob.toml", MOB.replace("external", "extrnal").replace("@worker", "@wrker"));
  const wrong = await atoll(at, ["mob", "up"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /mob\.toml:7: profiles\.writer\.extrnal: there is no key.*did you mean "external"/);
  assert.match(wrong.stderr, /mob\.toml:4: mob\.edges\[0\]\[1\]: there is no profile/);
  assert.ok(!existsSync(at.path(".atoll")));
});
