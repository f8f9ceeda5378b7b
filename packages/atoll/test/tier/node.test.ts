/** The commands of nodes and realms as their users type them: one realm and one node, asked from other processes. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@atoll-run/testkit";
import { atoll, type Ended, type Place, startAtoll, type Started } from "../support/cli.ts";

const ENTRY = `
import { existsSync } from "node:fs";
import { json, route, service } from ${JSON.stringify(import.meta.resolve("@atoll-run/atoll/node"))};
const Bank = service({ type: "acme:bank:1.0.0", name: "bank.Bank", routes: {
  Charge: route({ input: json(), output: json(), errors: { no_funds: json() } }), Note: route({ input: json(), tell: true, attempts: 1 }),
  Later: route({ input: json(), tell: true, attempts: 3, backoffMs: 600_000 }),
} });
export default Bank.implement({
  Charge(input, ctx) {
    if (input.amount > 100) ctx.fail("no_funds", { missing: input.amount - 100 });
    return { charged: input.amount };
  },
  Note(input) { if (!existsSync("fixed")) throw new Error("cannot read " + input.text); },
  Later() { throw new Error("not today"); },
});
`;
const FILE = `[node]
name = "bank"
entry = "bank.ts"
[state]
dir = "state"
[listen]
health = "127.0.0.1:0"
[acl]
default = "same-realm"
`;

/** As long as all tests of this file together. */
const LASTING = { msMax: 300_000 };

let at: Place;
let realm: Started;
let node: Started;
let urls: { url: string; admin: string };

before(async () => {
  const cwd = mkdtempSync(join(tmpdir(), "atoll-tier-"));
  at = { cwd, home: join(cwd, "home"), path: (name) => join(cwd, name), file: (name, text) => {
    writeFileSync(join(cwd, name), text);
    return join(cwd, name);
  } };
  at.file("bank.ts", ENTRY);
  at.file("atoll.toml", FILE);
  realm = startAtoll(at, ["realm", "up", "--state", "realm", "--listen", "0", "--admin", "0", "--json", "--log", "warn"], LASTING);
  const up = await firstLine(realm);
  urls = { url: String(up["url"]), admin: String(up["admin_url"]) };
  node = startAtoll(at, ["node", "up", "--realm", urls.url, "--json", "--log", "warn"], LASTING);
  await firstLine(node);
});
after(async () => {
  for (const one of [node, realm]) {
    one.child.kill("SIGKILL");
    await one.end;
  }
  rmSync(at.cwd, { recursive: true, force: true });
});

async function firstLine(started: Started): Promise<Record<string, unknown>> {
  await until(() => started.stdout().includes("\n"), { withinMs: 30_000 });
  return JSON.parse(started.stdout().split("\n")[0] ?? "") as Record<string, unknown>;
}

const ofRealm = (...args: string[]): Promise<Ended> => atoll(at, ["realm", ...args, "--state", "realm", "--admin-url", urls.admin]);
const run = (...args: string[]): Promise<Ended> => atoll(at, args);
const ask = (...args: string[]): Promise<Ended> => atoll(at, ["node", ...args, "--realm", urls.url]);

async function ok(ended: Promise<Ended>): Promise<string> {
  const { code, stdout, stderr } = await ended;
  assert.equal(code, 0, stderr);
  return stdout;
}

test("a realm tells what it counts, whom it knows and what was changed, to whoever has its token", async () => {
  assert.match(await ok(ofRealm("status")), /realm_nodes_registered +1/);
  assert.match(await ok(ofRealm("nodes")), /acme:bank:1\.0\.0 +linked +up/);
  const invite = JSON.parse(await ok(ofRealm("invite", "acme:guest:1.0.0", "--json"))) as { token: string };
  assert.ok(invite.token.length >= 20);
  const audit = JSON.parse(await ok(ofRealm("audit", "--json"))) as { entries: readonly object[] };
  assert.ok(audit.entries.length >= 1);
  assert.match(await ok(ofRealm("audit")), /^\d+ +\d+ \w+ +registered +\{"id":/m);
  assert.equal(statSync(at.path("realm/http.token")).mode & 0o077, 0);
});

test("without the token a realm says nothing, exit 4; where none answers, exit 6", async () => {
  at.file("http.token", "wrong\n");
  const denied = await atoll(at, ["realm", "status", "--state", ".", "--admin-url", urls.admin]);
  assert.deepEqual([denied.code, denied.stdout], [4, ""]);
  assert.match(denied.stderr, /admin token/);
  const nobody = await atoll(at, ["realm", "status", "--state", "realm", "--admin-url", "http://127.0.0.1:1"]);
  assert.equal(nobody.code, 6);
  assert.match(nobody.stderr, /no realm answers at http:\/\/127\.0\.0\.1:1\n +Start one with atoll realm up/);
});

test("a node is called and told from the shell; its answer is JSON on standard output and nothing else", async () => {
  assert.equal(await ok(ask("call", "acme:bank:1.0.0", "bank.Bank.Charge", '{"amount":3}')), '{"charged":3}\n');
  const told = JSON.parse(await ok(ask("tell", "acme:bank:1.0.0", "bank.Bank.Note", '{"text":"x"}', "--request-id", "n-1", "--json"))) as object;
  assert.deepEqual(told, { level: "accepted", duplicate: false });
});

for (const [what, args, code, text] of [
  ["a business error", ["bank.Bank.Charge", '{"amount":300}'], 7, /no_funds/],
  ["an unknown route", ["bank.Bank.Nothing", "1"], 3, /bank\.Bank\.Nothing/],
  ["a body that is no JSON", ["bank.Bank.Charge", "{"], 2, /JSON/],
  ["a missing route", [], 2, /call: needs TO and ROUTE/],
] as const) {
  test(`${what} ends a call with exit ${code}`, async () => {
    const { code: found, stdout, stderr } = await ask("call", "acme:bank:1.0.0", ...args);
    assert.deepEqual([found, stdout], [code, ""], stderr);
    assert.match(stderr, text);
  });
}

test("a type that nobody serves is exit 3; a deadline that is over is exit 5", async () => {
  const none = await ask("call", "acme:nobody:1.0.0", "x.Y.Z", "1");
  assert.equal(none.code, 3, none.stderr);
  const late = await ask("call", "acme:bank:1.0.0", "bank.Bank.Charge", '{"amount":1}', "--deadline", "0.001");
  assert.equal(late.code, 5, late.stderr);
});

test("status and the health port say that the node is ready; keys show its public key", async () => {
  const status = JSON.parse(await ok(run("node", "status", "--json"))) as { ready: boolean; name: string };
  assert.deepEqual([status.name, status.ready], ["bank", true]);
  const health = JSON.parse(node.stdout().split("\n")[0] ?? "") as { health_url: string };
  assert.equal((await fetch(`${health.health_url}/readyz`)).status, 200);
  assert.match(await (await fetch(`${health.health_url}/metrics`)).text(), /^atoll_accepted_total\{node="bank"\} \d+$/m);
  assert.match(await ok(run("keys", "show")), /^bank +[A-Za-z0-9+/]{43}=\n$/);
  assert.match(await ok(atoll(at, ["keys", "list", "--config", at.file("realm.toml", "[state]\ndir = \"realm\"\n"), "--admin-url", urls.admin])), /current/);
});

test("a dead letter is listed, shown, redriven after the fix, and gone", async () => {
  await ok(ask("tell", "acme:bank:1.0.0", "bank.Bank.Note", '{"text":"poison"}'));
  await until(async () => (await ok(run("dlq", "list"))).includes("handler_failed"), { withinMs: 30_000 });
  const { letters } = JSON.parse(await ok(run("dlq", "list", "--json", "--reason", "handler_failed"))) as { letters: { seq: number }[] };
  const seq = String(letters.at(-1)?.seq);
  const shown = JSON.parse(await ok(run("dlq", "show", seq))) as { payload: string; text: string; traceparent: string; attempts: number };
  assert.deepEqual([shown.payload, /cannot read poison/.test(shown.text), shown.attempts], ['{"text":"poison"}', true, 1]);
  assert.ok((await run("dlq", "show", seq, "--raw")).bytes.includes("poison"));
  assert.match(await ok(run("dlq", "redrive", "--dry-run", "--trace", shown.traceparent.split("-")[1] ?? "")), /^would redrive: 1\n/);
  at.file("fixed", "");
  assert.match(await ok(run("dlq", "redrive")), /^redriven: \d+/);
  const left = (): Promise<string> => ok(run("dlq", "list", "--reason", "handler_failed"));
  await until(async () => (await left()) === "there are no dead letters\n", { withinMs: 30_000 });
  const missing = await run("dlq", "show", seq);
  assert.equal(missing.code, 3);
});

test("a row that waits is listed, released and dropped", async () => {
  await ok(ask("tell", "acme:bank:1.0.0", "bank.Bank.Later", "1"));
  const rows = async (): Promise<readonly { seq: number; state: string; attempts: number }[]> =>
    (JSON.parse(await ok(run("mailbox", "ls", "--json"))) as { rows: { seq: number; state: string; attempts: number }[] }).rows;
  await until(async () => (await rows())[0]?.attempts === 1, { withinMs: 30_000 });
  const seq = String((await rows())[0]?.seq);
  assert.match(await ok(run("mailbox", "ls")), /bank\.Bank\.Later .*waiting/);
  await ok(run("mailbox", "release", seq));
  await until(async () => (await rows())[0]?.attempts === 2, { withinMs: 30_000 });
  await ok(run("mailbox", "drop", seq));
  assert.equal(await ok(run("mailbox", "ls")), "the mailbox is empty\n");
  assert.match(await ok(run("dlq", "stats")), /dropped +1/);
});

test("drain ends the node with a report, and its folder is free; then the same commands read the store", async () => {
  const report = JSON.parse(await ok(run("node", "drain", "--json"))) as { unregistered: boolean; unfinished: unknown[] };
  assert.deepEqual([report.unregistered, report.unfinished], [true, []]);
  assert.equal((await node.end).code, 0);
  assert.match(node.stdout(), /"event":"down"/);
  assert.match(await ok(run("dlq", "stats")), /dropped +1/);
  assert.match(await ok(run("dlq", "purge", "--reason", "dropped")), /^forgotten: 1/);
  assert.equal(await ok(run("mailbox", "ls")), "the mailbox is empty\n");
  const status = await run("node", "status");
  assert.equal(status.code, 6);
  assert.match(status.stderr, /no node runs in this folder/);
});

test("the first signal ends a node in order, the second hurries it, the third ends the process; a realm ends with 0", async () => {
  at.file("stuck.ts", `
import { json, route, service } from ${JSON.stringify(import.meta.resolve("@atoll-run/atoll/node"))};
const Stuck = service({ type: "acme:stuck:1.0.0", name: "stuck.Stuck", routes: { Never: route({ input: json(), tell: true }) } });
export default Stuck.implement({ Never() {
  console.error("it hangs");
  return new Promise(() => {});
} }, { hooks: { onReady: (event, ctx) => ctx.tell(Stuck.routes.Never, 1, { to: "self" }), onStop: () => new Promise(() => {}) } });
`);
  for (const [signals, code] of [[1, 0], [2, 143], [3, 143]] as const) {
    at.file(`stuck${signals}.toml`, `[node]\nname = "stuck"\nentry = "stuck.ts"\n[state]\ndir = "stuck${signals}"\n`
      + (signals === 1 ? "[limits.life]\nhandlers_ms_max = 100\nworkload_ms_max = 100\n" : ""));
    const stuck = startAtoll(at, ["node", "up", `stuck${signals}.toml`, "--json", "--log", "warn"]);
    await firstLine(stuck);
    await until(() => stuck.stderr().includes("it hangs"), { withinMs: 30_000 });
    for (let n = 1; n <= signals; n++) {
      stuck.child.kill("SIGTERM");
      // Signals that come at once may be one.
      if (n < signals) await until(async () => (await run("node", "status", "--state", `stuck${signals}`)).stdout.includes("\"draining\""), { withinMs: 30_000 });
    }
    const { code: found, stdout } = await stuck.end;
    assert.equal(found, code, `${signals} signals`);
    assert.equal(stdout.includes("\"event\":\"down\""), signals < 3, stdout);
    if (signals === 1) assert.match(stdout, /"returned":1,.*"hooks_timed_out":1,"unregistered":true/);
  }
  at.file("slow.ts", `
import { service } from ${JSON.stringify(import.meta.resolve("@atoll-run/atoll/node"))};
export default service({ type: "acme:slow:1.0.0", name: "slow.Slow", routes: {} }).implement({}, { hooks: { onStart() {
  console.error("it starts");
  return new Promise(() => {});
} } });
`);
  at.file("slow.toml", "[node]\nname = \"slow\"\nentry = \"slow.ts\"\n[state]\ndir = \"slow\"\n");
  const slow = startAtoll(at, ["node", "up", "slow.toml", "--realm", urls.url, "--json", "--log", "warn"]);
  await until(() => slow.stderr().includes("it starts"), { withinMs: 30_000 });
  slow.child.kill("SIGTERM");
  const { code, stdout } = await slow.end;
  assert.deepEqual([code, stdout], [143, ""], "a start that is broken off is undone");
  assert.doesNotMatch(await ok(ofRealm("nodes")), /acme:slow:1\.0\.0 +linked +up/);
  realm.child.kill("SIGTERM");
  assert.equal((await realm.end).code, 0);
});

test("what is wrong with a file is said with its line before anything starts", async () => {
  at.file("wrong.toml", "[node]\nname = 3\nentri = \"x\"\n");
  const { code, stderr } = await run("node", "up", "wrong.toml");
  assert.equal(code, 2);
  assert.match(stderr, /wrong\.toml:2: node\.name: 3 is not text/);
  assert.match(stderr, /wrong\.toml:3: node\.entri: there is no such key \(did you mean entry\?\)/);
  at.file("empty.ts", "export const x = 1;");
  at.file("empty.toml", "[node]\nentry = \"empty.ts\"\n");
  const empty = await run("node", "up", "empty.toml");
  assert.equal(empty.code, 2);
  assert.match(empty.stderr, /empty\.ts has no service as its default export/);
  const missing = await atoll(at, ["node", "up"], { env: { ATOLL_NODE_ENTRY: "missing.ts" } });
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /node\.entry: .*missing\.ts: there is no such file/);
  assert.equal(readFileSync(at.path("wrong.toml"), "utf8").length > 0, true);
});
