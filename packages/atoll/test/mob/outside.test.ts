/**
 * Goal: a program on another node calls a member of a mob over WebSocket. Invariant: what the mob has said yes to ends once, one
 * request id is one turn, and only members that are open to the outside are reached. Method: a realm, a node that calls, and the mob
 * in a process of its own that is killed while a turn runs.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { json, route, service, createNode, createRealm } from "@atoll-run/atoll/node";
import { defineMob, memberAt, Mob } from "@atoll-run/atoll/mob";
import { formatNodeId } from "@atoll-run/core";
import { openState } from "@atoll-run/sqlite";
import { until } from "@atoll-run/testkit";

const CHILD = join(import.meta.dirname, "outside-child.ts");
const Desk = service({ type: "acme:desk:1.0.0", name: "acme.Desk", routes: { Hello: route({ input: json(), output: json() }) } });
const desk = () => Desk.implement({ Hello: () => null });

function begin(t: TestContext, dir: string, url: string) {
  const child = spawn(process.execPath, [CHILD, dir, url], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const said: string[] = [];
  const closed = new Promise<void>((resolve) => void child.once("close", () => resolve()));
  createInterface(child.stdout).on("line", (line) => void said.push(line));
  return {
    said, heard: (what: string) => until(() => said.find((line) => line.startsWith(what)), { withinMs: 60_000, what: () => `${what}, after ${said.join(", ")}` }),
    kill: () => (child.kill("SIGKILL"), closed), end: () => (child.stdin.end(), closed),
  };
}

test("a node calls a member of a mob in another process; killed while the turn runs, the mob answers the same call when it is back", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "atoll-outside-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  await using realm = await createRealm({ memory: true, listen: { public: { host: "127.0.0.1", port: 0 } } });
  const url = realm.addresses?.url ?? "";
  const first = begin(t, dir, url);
  const [, id, type] = (await first.heard("up")).split(" ");
  assert.match(id ?? "", /^[\da-f]+@1\/atoll:mob\.audit:1\.0\.0$/);
  assert.equal(type, "atoll:mob.audit:1.0.0");
  await using node = await createNode({ name: "desk", memory: true, realm: { url }, listen: false }).link(desk()).start();
  const auditor = memberAt(node, "auditor-1::audit");
  const self = node.id === undefined ? "" : formatNodeId(node.id);
  type Answer = { readonly said: string; readonly turn_id: string; readonly attempt: number; readonly from: string; readonly principal: string };
  const call = async (...how: Parameters<typeof auditor.call>): Promise<Answer> => await auditor.call(...how) as unknown as Answer;

  // The same id is the same turn, with the caller's own name on it; other content under it is refused.
  const one = await call({ say: "one" }, { requestId: "r-1" });
  assert.deepEqual(one, { said: "one", turn_id: one.turn_id, attempt: 1, from: self, principal: self });
  assert.deepEqual(await call({ say: "one" }, { requestId: "r-1" }), one);
  await assert.rejects(call({ say: "other" }, { requestId: "r-1" }), { name: "MobError", code: "mob.conflict" });

  await assert.rejects(memberAt(node, "scout::audit").call({ say: "in" }), { name: "MobError", code: "mob.not_addressable", retry: "never" });
  await assert.rejects(memberAt(node, "nobody::audit").call({ say: "in" }), { code: "mob.not_addressable" });
  await assert.rejects(memberAt(node, "scout::audit").tell({ say: "in" }), { code: "node.unknown_route" });
  await assert.rejects(auditor.call(""), { code: "mob.content_empty" });
  await assert.rejects(call({ say: "late", waits: true }, { requestId: "r-late", deadlineMs: 500 }), { code: "node.timed_out" });

  const waits = call({ say: "two", waits: true }, { requestId: "r-2", conversation: "two", deadlineMs: 100_000 });
  await first.heard("begun two 1");
  assert.deepEqual(await auditor.tell({ say: "three" }, { requestId: "r-3", conversation: "told" }), { duplicate: false });
  await first.kill();
  const second = begin(t, dir, url);
  assert.equal((await second.heard("up")).split(" ")[1], id);
  const two = await waits;
  assert.deepEqual([two.said, two.attempt], ["two", 2]);
  assert.deepEqual(await call({ say: "two", waits: true }, { requestId: "r-2", conversation: "two" }), two);
  // Who was late asks again and gets what it has become.
  assert.equal((await call({ say: "late", waits: true }, { requestId: "r-late" })).attempt, 2);
  await until(() => [...first.said, ...second.said].some((line) => line.startsWith("begun three")));
  await second.end();

  await using store = await openState({ dir });
  const entries = (await store.journal("ledger", { after: 0, limit: 1_000 })).map(({ body }) => JSON.parse(body) as { kind: string; principal?: string; turn_id?: string; member?: string });
  const kinds = (of: string): readonly string[] => entries.filter((entry) => entry.kind === of).map(({ principal }) => principal ?? "");
  assert.deepEqual(kinds("turn_queued"), [self, self, self, self]);
  assert.equal(kinds("turn_done").length, 4);
  assert.deepEqual(kinds("access_denied"), [self, self]);
});

test("a mob that closes answers the turns that end in time; those that do not go on when it is back, for whoever asks again; strangers never come in", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "atoll-outside-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  await using realm = await createRealm({ memory: true, listen: { public: { host: "127.0.0.1", port: 0 } } });
  const url = realm.addresses?.url ?? "";
  const [begun, free] = [[] as string[], Promise.withResolvers<void>()];
  let back = false;
  const open = () => Mob.start({
    stateDir: dir, realm: { url }, acl: [{ effect: "allow", from: { type: "acme:desk:1.0.0", realm: "self" }, actions: ["call:one/turn"] }],
    definition: defineMob({ mob: { id: "house", members: [{ id: "one", profile: "p" }] }, profiles: { p: { linked: "l", external: true, conversations: 2 } } }),
    linked: { l: () => async ({ content }) => {
      begun.push(String(content));
      await (content === "soon" || back ? free.promise : new Promise<never>(() => undefined));
      return `${String(content)}!`;
    } },
  });
  await using mob = await open();
  const client = (type: string) => createNode({ name: "desk", memory: true, realm: { url }, listen: false })
    .link(service({ type, name: "acme.Desk", routes: { Hello: route({ input: json(), output: json() }) } }).implement({ Hello: () => null })).start();
  await using stranger = await client("acme:thief:1.0.0");
  // Whom no rule allows anything, to him the realm does not even say that it is there.
  await assert.rejects(memberAt(stranger, "one::house").call("x", { retry: "none" }), { code: "node.not_found" });
  await using node = await client("acme:desk:1.0.0");
  const one = memberAt(node, "one::house");
  await assert.rejects(one.tell("x"), { code: "node.permission_denied" });
  const lateOne = { conversation: "b", requestId: "late-1", deadlineMs: 100_000 };
  const [soon, late] = [one.call("soon", { conversation: "a" }), one.call("late", { ...lateOne, retry: "none" })];
  await until(() => begun.length === 2);
  const closing = mob.close({ drainMs: 2_000 });
  free.resolve();
  assert.equal(await soon, "soon!");
  await assert.rejects(late, { code: "node.unavailable" });
  await closing;
  back = true;
  await using again = await open();
  assert.equal(await one.call("late", lateOne), "late!");
  // Nor is it another turn when so many came after it that only the ledger has it.
  again.rooms.view.turns.clear();
  assert.equal(await one.call("late", lateOne), "late!");
  assert.equal(begun.filter((text) => text === "late").length, 2);
});

test("a mob without a realm has no node, and settings of one are refused", async () => {
  const definition = defineMob({ mob: { id: "alone", members: [] } });
  await using mob = await Mob.start({ ephemeral: true, definition });
  assert.equal(mob.outside, undefined);
  await assert.rejects(Mob.start({ ephemeral: true, definition, listen: {} }), { code: "mob.invalid_params" });
});
