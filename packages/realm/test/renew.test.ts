import assert from "node:assert/strict";
import { test } from "node:test";
import { formatNodeId, must, type NodeId } from "@atoll-run/core";
import type { SigningKey } from "@atoll-run/core/internal";
import { join, newKey, openRealm, readRenewed, renewal, toJson, type Registered, type TestRealm } from "./clients.ts";

const DAY_MS = 86_400_000;

async function renew(
  { realm, clock }: TestRealm, id: NodeId, o: { token?: Uint8Array; key?: SigningKey },
): Promise<{ status: number; done: Registered }> {
  const answer = await realm.door.renew(await renewal(clock, id, o));
  const done = readRenewed(answer);
  assert.equal(answer.status, done.ok ? 200 : done.code, "status and body agree");
  return { status: answer.status, done };
}

test("a bearer renews by its token, which stays while it has more than 6 hours left", async () => {
  await using test = await openRealm();
  const node = await join(test, { bearer: true });
  test.clock.advance(1_800_000);
  const { done } = await renew(test, node.id, { token: node.ok.renewalToken });
  assert.ok(done.ok);
  assert.equal(formatNodeId(done.id), formatNodeId(node.id));
  assert.deepEqual(done.value.renewalToken, node.ok.renewalToken);
  assert.ok(must(done.value.credentialExpiresAt, "set").seconds > must(node.ok.credentialExpiresAt, "set").seconds);
});

test("a token with 6 hours or less gets one successor, whoever asks first, and both are good until the old one is over", async () => {
  await using test = await openRealm();
  const node = await join(test, { bearer: true });
  const old = node.ok.renewalToken;
  test.clock.advance(18 * 3_600_000);
  const both = await Promise.all([renew(test, node.id, { token: old }), renew(test, node.id, { token: old })]);
  const [one, other] = both.map(({ done }) => done.ok ? done.value : undefined);
  assert.ok(one && other);
  assert.notDeepEqual(one.renewalToken, old);
  assert.deepEqual(one.renewalToken, other.renewalToken);
  assert.equal(Number(must(one.renewalTokenExpiresAt, "set").seconds - must(node.ok.renewalTokenExpiresAt, "set").seconds), 86_400);
  assert.equal((await renew(test, node.id, { token: old })).status, 200);
  test.clock.advance(6 * 3_600_000);
  assert.equal((await renew(test, node.id, { token: old })).status, 401);
  assert.equal((await renew(test, node.id, { token: one.renewalToken })).status, 200);
});

test("with a node key on file a token alone does not renew, and the key does without one", async () => {
  await using test = await openRealm();
  const node = await join(test);
  const key = must(node.key, "a key");
  assert.equal((await renew(test, node.id, { token: node.ok.renewalToken })).status, 401);
  assert.equal((await renew(test, node.id, { key: await newKey(), token: node.ok.renewalToken })).status, 403);
  test.clock.advance(5 * DAY_MS);
  const { done } = await renew(test, node.id, { key });
  assert.ok(done.ok && done.value.renewalToken.length === 32);
  const body = await renewal(test.clock, node.id, { key });
  assert.deepEqual([(await test.realm.door.renew(body)).status, (await test.realm.door.renew(body)).status], [200, 401], "replayed");
});

test("an unknown id, a wrong token and an unreadable body are refused", async () => {
  await using test = await openRealm();
  const node = await join(test, { bearer: true });
  assert.equal((await renew(test, node.id, { token: new Uint8Array(32) })).status, 401);
  assert.equal((await renew(test, { ...node.id, serial: 5n }, { token: node.ok.renewalToken })).status, 401);
  assert.equal((await test.realm.door.renew(new Uint8Array([9]))).status, 400);
});

test("a node signs off over HTTP by its key alone, and keeps its id", async () => {
  await using test = await openRealm();
  const node = await join(test);
  const key = must(node.key, "a key");
  const leave = async (o: { key?: SigningKey }): Promise<number> =>
    (await test.realm.door.unregister(await renewal(test.clock, node.id, o))).status;
  assert.equal(await leave({}), 403);
  assert.equal(await leave({ key: await newKey() }), 403);
  assert.equal(await leave({ key }), 204);
  assert.equal(test.realm.stats().nodes_registered, 0);
  assert.equal(formatNodeId((await join(test, { key, previous: node.id })).id), formatNodeId(node.id));
});

test("the key that signs is announced for a minute, then signs, then retires until its last credential is over", async () => {
  await using test = await openRealm();
  const states = async (): Promise<string[]> => {
    const { keys } = toJson(await test.realm.door.ais({ method: "GET", path: "/ais/keys" })) as
      { keys: { key_id: number; state: string }[] };
    return keys.map(({ key_id, state }) => `${key_id} ${state}`);
  };
  const keyOf = async (): Promise<number> => (await join(test)).ok.signingKeyId;
  assert.deepEqual(await states(), ["1 current"]);
  const next = await test.admin("POST", "keys", {});
  assert.deepEqual([next.body["key_id"], next.body["state"]], [2, "next"]);
  assert.equal((await test.admin("POST", "keys", {})).body["key_id"], 2, "asked twice it is the same");
  assert.deepEqual([await states(), await keyOf()], [["1 current", "2 next"], 1]);
  test.clock.advance(60_000);
  assert.deepEqual([await states(), await keyOf()], [["1 retiring", "2 current"], 2]);
  test.clock.advance(3_600_000 + 60_000 - 1);
  assert.deepEqual(await states(), ["1 retiring", "2 current"]);
  test.clock.advance(1);
  assert.deepEqual(await states(), ["2 current"]);
  const current = toJson(await test.realm.door.ais({ method: "GET", path: "/ais/current-key" }));
  assert.deepEqual([current["status"], current["key_id"]], ["ok", 2]);
});

test("keys are rotated each 30 days by themselves", async () => {
  await using test = await openRealm();
  test.clock.advance(30 * DAY_MS - 60_000);
  await join(test);
  assert.equal((await join(test)).ok.keys.length, 2);
  test.clock.advance(60_000);
  assert.equal((await join(test)).ok.signingKeyId, 2);
});
