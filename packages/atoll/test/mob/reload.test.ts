/**
 * Goal: what a mob is to be changes by its file and a reload, or not at all. Method: real files, real members; the ledger is the witness.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { loadMob, serveMob, type LinkedFactory } from "@atoll-run/atoll/mob";
import { createClient } from "@atoll-run/client";
import { isFault, type Json } from "@atoll-run/core";
import type { EntryKind, MobRooms, Problem } from "@atoll-run/mob";
import { until } from "@atoll-run/testkit";
import { openRooms } from "../../src/compose/mob.ts";

const LUA = (says: string) => `bus.on("turn", function(event) return "${says} " .. event.payload end)\nbus.serve()\n`;
const TOML = `[mob]
id = "desk"
members = [{ id = "ann", profile = "p" }, { id = "bob", profile = "p" }, { id = "cid", profile = "q" }]
edges = [["ann", "bob"]]
[profiles.p]
script = "p.lua"
external = true
[profiles.q]
script = "q.lua"
[flows.f.steps]
one = { member = "ann", message = "x" }
`;
const R3 = `[[approvals]]\nmatch = { grant = "net" }\ntier = "R3"\n`;
const BY = { principal: "local" };

interface Desk {
  readonly path: string;
  write(name: string, text: string): void;
  open(linked?: Readonly<Record<string, LinkedFactory>>): Promise<MobRooms>;
}

function desk(t: TestContext): Desk {
  const dir = mkdtempSync(join(tmpdir(), "atoll-reload-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const write = (name: string, text: string): void => writeFileSync(join(dir, name), text);
  for (const [name, text] of [["mob.toml", TOML], ["approvals.toml", R3], ["p.lua", LUA("p")], ["q.lua", LUA("q")]] as const) write(name, text);
  const path = join(dir, "mob.toml");
  return { path, write, open: async (linked = {}) => openRooms({ definition: await loadMob(path), stateDir: join(dir, "state"), linked }) };
}

async function says(mob: MobRooms, to: string): Promise<Json> {
  const { turn_id } = await mob.send({ to, from: "console", principal: "local", content: "x" });
  return (await mob.members.wait(turn_id, {})).output;
}

const count = async (mob: MobRooms, kind: EntryKind): Promise<number> => (await mob.ledger.query({ kinds: [kind], after: 0 })).entries.length;

/** Buckets that have something; not those of nothing to do. */
function filled({ members, edges }: Awaited<ReturnType<MobRooms["reconciler"]["reload"]>>): Record<string, unknown> {
  const quiet = new Set(["retained", "retained_edges"]);
  return Object.fromEntries([...Object.entries(members), ...Object.entries(edges)].filter(([name, all]) => all.length > 0 && !quiet.has(name)));
}

test("A1: given a definition with three errors, then all three are reported with path and line, and nothing was created", async (t) => {
  const { path, write, open } = desk(t);
  write("mob.toml", TOML.replace("profile = \"q\"", "profile = \"r\"").replace("external", "extrenal").replace("member = \"ann\"", "member = \"dan\""));
  const error: unknown = await open().catch((fault: unknown) => fault);
  assert.ok(isFault(error) && error.code === "mob.definition_invalid", String(error));
  assert.deepEqual((error.facts["problems"] as readonly Problem[]).map(({ path: at, line }) => [at, line]).toSorted(), [
    ["flows.f.steps.one.member", 11], ["mob.members[2].profile", 3], ["profiles.p.extrenal", 7],
  ]);
  assert.match(error.message, /mob\.toml:7: profiles\.p\.extrenal: there is no key "extrenal" \(did you mean "external"\?\)/);
  assert.equal(existsSync(join(path, "..", "state")), false);
});

test("an edited file counts from a reload on: members by the table, rules, flows; the second reload changes nothing", async (t) => {
  const { write, open } = desk(t);
  await using mob = await open();
  assert.deepEqual([await says(mob, "ann"), await says(mob, "cid")], ["p x", "q x"]);
  const fences = () => ["ann", "bob", "cid"].map((id) => mob.view.row(id)?.generation);
  write("q.lua", LUA("new q"));
  write("approvals.toml", R3.replace("R3", "R2"));
  write("mob.toml", `${TOML.replace("{ id = \"bob\", profile = \"p\" }", "{ id = \"bob\", profile = \"q\" }, { id = \"dan\", profile = \"p\", labels = { a = \"1\" } }")
    .replace("[[\"ann\", \"bob\"]]", "[[\"ann\", \"dan\"]]")}two = { member = "dan", message = "y" }\n`);
  const plan = await mob.reconciler.reload({ ...BY, dryRun: true });
  const want = { spawned: ["dan"], respawned: ["bob"], reloaded: ["cid"], wired_edges: [["ann", "dan"]], unwired_edges: [["ann", "bob"]] };
  assert.deepEqual(filled(plan), want);
  assert.deepEqual([mob.definition().members.length, mob.definition().approvals[0]?.tier], [3, "R3"], "a plan changes nothing");
  const done = await mob.reconciler.reload({ ...BY, expectedRevision: plan.revision });
  assert.deepEqual([filled(done), done.complete], [want, true]);
  await assert.rejects(mob.reconciler.reload({ ...BY, expectedRevision: plan.revision }), { code: "mob.conflict" });
  assert.deepEqual([mob.definition().approvals[0]?.tier, Object.keys(mob.definition().flows["f"]?.steps ?? {})], ["R2", ["one", "two"]]);
  assert.deepEqual([await says(mob, "cid"), await says(mob, "bob"), await says(mob, "dan")], ["new q x", "new q x", "p x"]);
  assert.deepEqual(fences(), [1, 2, 1], "a reload keeps the generation");
  const { head } = mob.ledger;
  assert.deepEqual(filled(await mob.reconciler.reload(BY)), {});
  assert.equal(mob.ledger.head, head, "not even an entry");
  assert.equal(await count(mob, "definition_applied"), 2);
});

test("a definition that is wrong is told whole, and the old one stays; a wrong policy is told in the ledger too", async (t) => {
  const { write, open } = desk(t);
  await using mob = await open();
  write("approvals.toml", R3.replace("R3", "R9"));
  write("mob.toml", TOML.replace("q.lua", "away.lua").replace("edges", "egdes"));
  await assert.rejects(mob.reconciler.reload({ ...BY, dryRun: true }), { code: "mob.definition_invalid" });
  assert.equal(await count(mob, "policy_rejected"), 0, "a plan leaves no trace");
  const error: unknown = await mob.reconciler.reload(BY).catch((fault: unknown) => fault);
  assert.ok(isFault(error), String(error));
  assert.deepEqual((error.facts["problems"] as readonly Problem[]).map(({ path, file = "", line }) => [path, file.split("/").at(-1), line]).toSorted(), [
    ["approvals[0].tier", "approvals.toml", 3], ["mob.egdes", "mob.toml", 4], ["profiles.q.script", "mob.toml", 9],
  ]);
  assert.deepEqual([mob.definition().approvals[0]?.tier, mob.view.isWired("ann", "bob"), await count(mob, "policy_rejected")], ["R3", true, 1]);
  write("mob.toml", TOML);
  write("approvals.toml", "[[approvals");
  await assert.rejects(mob.reconciler.reload(BY), /approvals\.toml:1: the file: is not TOML/);
  assert.deepEqual([mob.definition().approvals[0]?.tier, await count(mob, "policy_rejected")], ["R3", 2]);
  write("mob.toml", TOML.replace("\"desk\"", "\"other\""));
  write("approvals.toml", R3);
  await assert.rejects(mob.reconciler.reload(BY), /mob\.id: this mob is desk/);
  write("mob.toml", `${TOML}[limits]\nturnsMax = 3\n`);
  await assert.rejects(mob.reconciler.reload(BY), /limits are read when a mob starts/);
  assert.deepEqual([await count(mob, "definition_applied"), await says(mob, "ann")], [1, "p x"]);
});

test("a file that changed while the mob was away is reconciled the same way at the start", async (t) => {
  const { write, open } = desk(t);
  {
    await using mob = await open();
    assert.equal(await says(mob, "ann"), "p x");
  }
  write("p.lua", LUA("new p"));
  write("mob.toml", TOML.replace(", { id = \"cid\", profile = \"q\" }", "").replace("[profiles.q]\nscript = \"q.lua\"\n", ""));
  await using again = await open();
  const of = async (member: string) => (await again.ledger.query({ member, after: 0, classes: ["structural"] })).entries.map(({ kind }) => kind).at(-1);
  assert.deepEqual([await of("ann"), await of("bob"), await of("cid")], ["member_reloaded", "member_reloaded", "member_retired"]);
  assert.deepEqual([await says(again, "ann"), again.view.row("ann")?.generation], ["new p x", 1]);
});

test("a running turn ends as it began when its member is reloaded, and those that wait run by the new profile", async (t) => {
  const { write, open } = desk(t);
  const linked = (name: string) => `${TOML.replace("script = \"p.lua\"", `linked = "${name}"`)}`;
  const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const says_ = (word: string): LinkedFactory => () => async ({ content }) => {
    begun.resolve();
    if (content === "slow") await goOn.promise;
    return `${word} ${String(content)}`;
  };
  write("mob.toml", linked("old"));
  await using mob = await open({ old: says_("old"), new: says_("new") });
  const send = (content: string) => mob.send({ to: "ann", from: "console", principal: "local", content });
  const slow = await send("slow");
  const waits = await send("next");
  await begun.promise;
  write("mob.toml", linked("new"));
  assert.deepEqual(filled(await mob.reconciler.reload(BY)), { reloaded: ["ann", "bob"] });
  goOn.resolve();
  const turns = await Promise.all([slow, waits].map(({ turn_id }) => mob.members.wait(turn_id, {})));
  assert.deepEqual(turns.map(({ state, output }) => [state, output]), [["done", "old slow"], ["done", "new next"]]);
  write("mob.toml", linked("nobody"));
  await assert.rejects(mob.reconciler.reload(BY), /nothing is linked as nobody/);
});

test("a member of the api keeps the profile that the file has lost, also over a restart", async (t) => {
  const { write, open } = desk(t);
  const spec = { id: "guest", profile: "q" };
  {
    await using mob = await open();
    await mob.members.spawn(spec, { ...BY, origin: "api", lazy: true });
    write("mob.toml", TOML.replace(", { id = \"cid\", profile = \"q\" }", "").replace("[profiles.q]\nscript = \"q.lua\"\n", ""));
    const report = await mob.reconciler.reload(BY);
    assert.deepEqual(filled(report), { retired: ["cid"], unmanaged: ["guest"] });
    assert.equal(await says(mob, "guest"), "q x");
    await assert.rejects(mob.reconciler.reconcile({ ...BY, desired: [{ id: "more", profile: "q" }] }).then(({ members }) => Promise.reject(members.failures[0]?.error)),
      { code: "mob.invalid_params", text: "there is no profile \"q\"" });
  }
  await using again = await open();
  assert.equal(await says(again, "guest"), "q x");
});

test("A6, A12, A13: after a start with another file managed edges go with it and manual ones stay; what fails stops nothing; a second pass changes nothing", async (t) => {
  const { write, open } = desk(t);
  {
    await using mob = await open();
    await mob.edges.wire("cid", "bob", "ann");
    await mob.edges.unwire("ann", "cid", { principal: "ann", hold: true });
  }
  write("mob.toml", TOML.replace("{ id = \"ann\", profile = \"p\" }, ", "{ id = \"ann\", profile = \"p\" }, { id = \"dan\", profile = \"q\" }, ")
    .replace("[[\"ann\", \"bob\"]]", "[[\"bob\", \"@q\"], [\"ann\", \"@q\"]]"));
  await using mob = await open();
  const edges = () => [...mob.view.edges.values()].filter(({ wired }) => wired).map(({ a, b, owner }) => `${a}-${b} ${owner}`).toSorted();
  assert.deepEqual(edges(), ["ann-dan managed", "bob-cid manual", "bob-dan managed"]);
  const report = await mob.reconciler.reconcile({ ...BY, desired: [{ id: "x", profile: "gone" }, { id: "eve", profile: "q" }] });
  assert.deepEqual([filled(report), report.complete], [{
    spawned: ["eve"], failures: [{ id: "x", stage: "spawn", error: { code: "mob.invalid_params", text: "there is no profile \"gone\"" } }],
    wired_edges: [["ann", "eve"], ["bob", "eve"]], preexisting_edges: [["bob", "cid"]], suppressed_edges: [["ann", "cid"]],
  }, false]);
  assert.equal(await count(mob, "reconcile_incomplete"), 1);
  const { revision } = mob.view;
  await mob.reconciler.reconcile(BY);
  assert.equal(mob.view.revision, revision);
  await mob.edges.release("ann", "cid", "ann");
  assert.deepEqual((await mob.reconciler.reconcile(BY)).edges.wired_edges, [["ann", "cid"]]);
});

test("other rules of access count for streams that are open, too; who may what is told to those who may see it", async (t) => {
  const { write, open } = desk(t);
  const access = (members: string) => `admins = ["root"]\n[[access.rules]]\neffect = "allow"\nprincipals = ["eve"]\nactions = ["*.view"]\n${members}`.replace(/^admins/, "[access]\nadmins");
  write("access.toml", access(""));
  await using mob = await open();
  await using http = await serveMob({ rooms: mob }, { port: 0, tokens: [{ token: "eve's", principal: "eve" }, { token: "root's", principal: "root" }] });
  const heard: Record<string, string[]> = { eve: [], root: [] };
  const reading = Object.entries(heard).map(async ([name, kept]) => {
    for await (const { event, data } of createClient({ url: http.url, token: `${name}'s` }).stream({ after: "0" })) {
      kept.push(event === "entry" ? `${data.kind} ${data.member ?? ""}` : event);
    }
  });
  const write2 = async (n: number) => {
    await mob.ledger.append(mob.writer, ["ann", "bob"].map((member) => ({ kind: "note", source: `${n}`, member, data: {} }) as const));
    await until(() => heard["root"]?.filter((one) => one.startsWith("note")).length === 2 * n);
  };
  await until(() => heard["root"]?.includes("mob_started ") === true && heard["eve"]?.includes("mob_started ") === true);
  await write2(1);
  write("access.toml", access("members = [\"ann\"]\n"));
  await mob.reconciler.reload(BY);
  await write2(2);
  await until(() => heard["eve"]?.filter((one) => one === "note ann").length === 2);
  write("access.toml", access("members = [\"nobody\"]\n").replace("*.view", "mob.view"));
  await mob.reconciler.reload(BY);
  await write2(3);
  await until(() => heard["eve"]?.at(-1) === "bye");
  assert.deepEqual(heard["eve"]?.filter((one) => /^(note|bye|access)/.test(one)), ["note ann", "note bob", "note ann", "bye"]);
  assert.equal(heard["root"]?.filter((one) => one === "access_changed ").length, 3);
  assert.deepEqual((await mob.ledger.query({ kinds: ["access_changed"] })).entries.map(({ data }) => data["access"]).at(-1), mob.definition().access);
  assert.ok((await mob.ledger.query({ kinds: ["definition_applied"] })).entries.every(({ data }) => !("access" in data)));
  await http.close();
  await Promise.all(reading);
});
