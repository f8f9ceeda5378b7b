/** Goal: what a member was told and gave can be read, for ever. Invariant: a record stands in the commit of what it tells of. Method: whole mobs on one store, and a store that is damaged. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defineMob, type LinkedFactory, type MobRooms } from "@atoll-run/atoll/mob";
import { memoryBlobs, type Json, type StateStore } from "@atoll-run/core";
import { listSessions, readSession, type SessionRecord } from "@atoll-run/mob";
import { createBlobs, journalOf, memberScope, readRecord, recordOp, sessionOf, wholeRecord } from "@atoll-run/mob/internal";
import { memoryState, until } from "@atoll-run/testkit";
import { startRooms } from "./rooms.ts";

const definition = defineMob({ mob: { id: "memo", members: [{ id: "ann", profile: "p" }] }, profiles: { p: { linked: "echo" } } });
const echo: LinkedFactory = () => ({ content }) => typeof content === "string" ? `${content}!` : content;

const open = (store: StateStore): Promise<MobRooms> => startRooms({ definition, ephemeral: true, env: { store }, linked: { echo } });

async function ask(mob: MobRooms, content: string | object): Promise<string> {
  const { turn_id } = await mob.send({ to: "ann", from: "console", principal: "local", content: content as string });
  await mob.members.wait(turn_id, {});
  return turn_id;
}

const said = (records: readonly SessionRecord[]): unknown[] => records.map(({ role, blocks }) => [role, ...blocks.map((block) => block["text"] ?? block)]);
const BY = { principal: "local" };

test("a session holds what came in and what was given, over restarts and respawns, until a reset; the old one stays readable", async (t) => {
  const store = memoryState();
  t.after(() => store[Symbol.asyncDispose]());
  const first = sessionOf("ann", 1);
  {
    await using mob = await open(store);
    assert.deepEqual([mob.view.row("ann")?.session, await listSessions({ store, view: mob.view }, "ann")], [{ id: first, head: 0 }, []]);
    await assert.rejects(readSession(store, { session_id: first }), { code: "mob.session_not_found" });
    const turn = await ask(mob, "one");
    const { entries } = await mob.ledger.query({ turn_id: turn, after: 0, kinds: ["turn_queued", "turn_done"] });
    const { records, head } = await readSession(store, { session_id: first });
    assert.deepEqual(said(records), [["user", "one"], ["assistant", "one!"]]);
    assert.equal(head, records[1]?.seq);
    for (const [i, { seq, session }] of entries.entries()) {
      assert.deepEqual(session, { id: first, seq });
      const { records: [own] } = await readSession(store, { session_id: first, before: seq, limit: 1 });
      assert.equal(own?.seq, records[i]?.seq, "the record of an entry is the last one below it");
    }
    assert.deepEqual(mob.view.row("ann")?.session, { id: first, head: entries[1]?.seq });
  }
  await using mob = await open(store);
  await ask(mob, { n: 2 });
  await mob.members.respawn("ann", BY);
  await ask(mob, "three");
  await mob.members.reset("ann", BY);
  await ask(mob, "four");
  const second = sessionOf("ann", 3);
  const rows = async (): Promise<unknown[]> => (await listSessions({ store, view: mob.view }, "ann")).map(({ session_id, archived }) => [session_id, archived]);
  assert.deepEqual(await rows(), [[first, true], [second, false]]);
  assert.deepEqual(said((await readSession(store, { session_id: first })).records).slice(2), [
    ["user", { type: "json", json: { n: 2 }, origin: "console", taint: "clean" }], ["assistant", { type: "json", json: { n: 2 }, origin: "ann", taint: "clean" }], ["user", "three"], ["assistant", "three!"],
  ]);
  assert.deepEqual(said((await readSession(store, { session_id: second })).records), [["user", "four"], ["assistant", "four!"]]);
  await mob.members.retire("ann", BY);
  assert.deepEqual(await rows(), [[first, true], [second, true]]);
  await assert.rejects(readSession(store, { session_id: "s_nobody_1" }), { code: "mob.session_not_found" });
  await assert.rejects(listSessions({ store, view: mob.view }, "bob"), { code: "mob.not_found" });
});

test("pages of a session, of any size and from either end, hold each record once", async (t) => {
  const store = memoryState();
  t.after(() => store[Symbol.asyncDispose]());
  await using mob = await open(store);
  for (const n of [1, 2, 3, 4]) await ask(mob, `n${n}`);
  const session_id = sessionOf("ann", 1);
  const { records: all } = await readSession(store, { session_id });
  for (const limit of [1, 3, 8, 9]) {
    const [forward, backward]: [SessionRecord[], SessionRecord[]] = [[], []];
    for (let after: number | undefined = 0; after !== undefined;) {
      const page = await readSession(store, { session_id, after, limit });
      forward.push(...page.records);
      after = page.next;
    }
    for (let before: number | undefined = Number.MAX_SAFE_INTEGER; before !== undefined;) {
      const page = await readSession(store, { session_id, before, limit });
      backward.unshift(...page.records);
      before = page.next;
    }
    assert.deepEqual([forward, backward], [all, all]);
  }
});

test("a credential reaches the member it is for, and no log: not in its session, not in entries, not in what the turn gave", async (t) => {
  const store = memoryState();
  t.after(() => store[Symbol.asyncDispose]());
  const heard: unknown[] = [];
  await using mob = await startRooms({ definition, ephemeral: true, env: { store }, linked: { echo: () => ({ content }) => {
    heard.push(content);
    return content;
  } } });
  const key = ["sk", "test", "a1b2c3d4e5f6g7h8i9j0"].join("-");
  const content = { note: `use ${key} for it`, db_password: ["one", { deep: "two" }], tokens_in: 5 };
  const turn = await ask(mob, content);
  assert.deepEqual(heard, [content]);
  const hidden = { note: "use [REDACTED] for it", db_password: ["[REDACTED]", { deep: "[REDACTED]" }], tokens_in: 5 };
  const { records } = await readSession(store, { session_id: sessionOf("ann", 1) });
  assert.deepEqual(records.map(({ blocks: [block] }) => block?.["json"]), [hidden, hidden]);
  assert.deepEqual(mob.view.turns.get(turn)?.output, hidden);
  const stored = JSON.stringify([await mob.ledger.query({ after: 0, limit: 1_000 }), records]);
  assert.ok(!stored.includes(key) && !stored.includes('"two"'));
});

test("the blocks of a record over its limit are a blob, and come whole again; over that of a blob their size and beginning stay", async () => {
  const limits = { recordBytesMax: 4_000, blobBytesMax: 8_000, blobsAtOnceMax: 1 };
  const blobs = createBlobs({ store: memoryBlobs(), limits });
  const rules = { ledger: { redact: (value: Json) => value }, limits, blobs };
  const of = (size: number) => ({ turn_id: "t", role: "user", blocks: [{ type: "text", text: "ä".repeat(size), taint: "peer" }], tokens: 0, ts_ms: 1 }) as const;
  const kept = async (size: number): Promise<SessionRecord> => {
    const { body } = await recordOp("s", of(size), rules);
    assert.ok(Buffer.byteLength(body) <= 4_000);
    return readRecord("s", { seq: 7, scope: "x", at_ms: 1, body });
  };
  assert.deepEqual(await kept(1_000), { seq: 7, ...of(1_000) });
  const apart = await kept(2_000);
  assert.deepEqual([apart.apart, apart.blocks.map(({ type, media_type, taint }) => [type, media_type, taint])], [true, [["ref", "application/json", "peer"]]]);
  assert.deepEqual(await wholeRecord(apart, blobs), { seq: 7, ...of(2_000) });
  const { blocks: [block], apart: none } = await kept(5_000);
  assert.deepEqual([block?.type, none], ["omitted", undefined]);
  assert.ok((block?.["bytes"] as number) > 8_000);
});

test("a member whose session is damaged is broken, until it is reset", async (t) => {
  const store = memoryState();
  t.after(() => store[Symbol.asyncDispose]());
  {
    await using mob = await open(store);
    await ask(mob, "one");
  }
  const session_id = sessionOf("ann", 1);
  await store.commit({ scope: memberScope("ann"), epoch: null, at_ms: 0, ops: [{ op: "append", journal: journalOf(session_id), body: "{\"role\":" }] });
  await using mob = await open(store);
  await mob.send({ to: "ann", from: "console", principal: "local", content: "two" });
  await until(() => mob.view.row("ann")?.state === "broken");
  assert.equal(mob.view.row("ann")?.last_error?.code, "snapshot_corrupted");
  await assert.rejects(readSession(store, { session_id }), { code: "mob.storage_degraded" });
  await mob.members.reset("ann", BY);
  await ask(mob, "three");
  assert.equal(mob.view.row("ann")?.state, "active");
});
