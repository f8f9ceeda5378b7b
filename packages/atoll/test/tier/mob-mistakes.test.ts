/** What a person meets who mistypes, asks too early or waits too short: a sentence that says what to do, and an exit code that says what it was. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { until } from "@atoll-run/testkit";
import { atoll, place, startAtoll, type Place, type Started } from "../support/cli.ts";

const MOB = `[mob]
id = "desk"
members = [{ id = "scout", profile = "scout" }, { id = "shut", profile = "shut" }]
[profiles.scout]
script = "scout.lua"
external = true
grants = ["fs.write:."]
[profiles.shut]
script = "scout.lua"
[[approvals]]
match = { grant = "fs.write" }
tier = "R3"
[flows.audit.steps]
one = { role = "scout", message = "x" }
`;
const SCOUT = `bus.on("turn", function(e) return std.fs.write("a.txt", tostring(e.payload)) end)
bus.serve()
`;
const PATIENCE = { withinMs: 30_000 };

async function up(t: TestContext, at: Place, script = SCOUT): Promise<{ readonly port: string; readonly started: Started }> {
  at.file("mob.toml", MOB);
  at.file("scout.lua", script);
  const started = startAtoll(at, ["mob", "up", "--port", "0", "--json"], { msMax: 300_000 });
  t.after(() => started.child.kill("SIGKILL"));
  await until(() => started.stdout().includes("\n") || started.child.exitCode !== null, PATIENCE);
  return { port: new URL((JSON.parse(started.stdout()) as { url: string }).url).port, started };
}

test("mistakes with a mob that runs are told with what was meant, and nothing that was begun is lost sight of", async (t) => {
  const at = place(t);
  const { port, started } = await up(t, at);
  const told = async (code: number, text: RegExp, ...args: readonly string[]): Promise<void> => {
    const ended = await atoll(at, ["mob", ...args]);
    assert.equal(ended.code, code, `${args.join(" ")}: ${ended.stderr}`);
    assert.match(ended.stderr, text, args.join(" "));
    assert.equal(ended.stdout, "", args.join(" "));
  };
  await told(3, /^atoll: there is no member scuot\n  Did you mean "scout"\?\n$/, "send", "scuot", "x");
  await told(3, /^atoll: there is no profile scuot\n  Did you mean "scout"\?\n$/, "send", "@scuot", "x");
  await told(7, /^atoll: shut is not open to the outside\n  Set external = true in its profile, or use dispatch.*atoll mob call dispatch/, "send", "shut", "x");
  await told(3, /^atoll: there is no flow aduit\n  Did you mean "audit"\?\n$/, "flow", "run", "aduit");
  await told(2, /^atoll: there is no topic "trun"/, "tail", "--follow", "--topics", "trun");
  await told(4, /^atoll: who asks is not known: invalid token\n  .*http\.token/, "status", "--url", `http://127.0.0.1:${port}`, "--token-file", at.file("wrong.token", "wrong"));
  await told(5, /^atoll: out of time: the turn t_\w+ of scout goes on\n  An approval waits for a decision: atoll mob approve\. Wait on: atoll mob call turns\/wait '\{"turn_id":"t_\w+"\}' --deadline 600\.\n$/,
    "send", "scout", "x", "--wait", "--deadline", "2", "--key", "k");
  const late = await atoll(at, ["mob", "flow", "run", "audit", "--wait", "--deadline", "2", "--json"]);
  const { error } = JSON.parse(late.stdout) as { error: { code: string; facts: { run_id: string }; hint: string } };
  assert.deepEqual([late.code, error.code], [5, "mob.deadline"]);
  assert.ok(error.facts.run_id.startsWith("r_") && error.hint.includes(`atoll mob call runs/wait '{"run_id":"${error.facts.run_id}"}'`), error.hint);
  await told(6, /^atoll: the mob desk runs already: .*\n  Ask that one \(atoll mob status\), end it/, "up", "--port", "0");
  await told(6, /^atoll: the mob desk did not start \(http\): port \d+ cannot be had: .*\n  .*--port/, "up", "--port", port, "--state", "elsewhere");
  assert.doesNotMatch(started.stderr(), /the mailbox is open/, "what nodes of members do is detail");
  const status = await atoll(at, ["mob", "status"]);
  assert.match(status.stdout, /: 0 edges, 1 run, \d approvals? waits?, /);
});

test("a script that cannot be read is told to whoever waits for its turn, and once it is mended a reload goes on with that turn", async (t) => {
  const at = place(t);
  await up(t, at, "bus.on(\"turn\" function(e) end)\n");
  const late = await atoll(at, ["mob", "send", "scout", "x", "--wait", "--deadline", "2"]);
  assert.equal(late.code, 5);
  assert.match(late.stderr, /out of time: the turn (t_\w+) of scout goes on\n  scout has not started: .*scout\.lua:1: '\)' expected near 'function'\. Wait on:/);
  const [, id] = /the turn (t_\w+)/.exec(late.stderr) ?? [];
  await until(async () => (await atoll(at, ["mob", "status"])).stdout.includes("degraded: scout is broken"), { withinMs: 60_000 });
  const broken = await atoll(at, ["mob", "send", "scout", "y"]);
  assert.equal(broken.code, 6);
  assert.match(broken.stderr, /scout is broken: .*expected near.*\n  Mend what it has failed of; then a reload starts it again \(atoll mob reload\)/);
  at.file("scout.lua", "bus.on(\"turn\", function(e) return \"did \" .. e.payload end)\nbus.serve()\n");
  const reloaded = await atoll(at, ["mob", "reload"]);
  assert.equal(reloaded.code, 0, reloaded.stderr + reloaded.stdout);
  const { stdout } = await atoll(at, ["mob", "call", "turns/wait", JSON.stringify({ turn_id: id })]);
  assert.match(stdout, /"output": "did x"/);
});

test("where there is no mob.toml it is said how one begins", async (t) => {
  const { code, stderr } = await atoll(place(t), ["mob", "up"]);
  assert.equal(code, 2);
  assert.match(stderr, /mob\.toml: the file: is not there \(write it: \[mob\] with an id and members/);
});
