import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { test } from "node:test";
import { formatNodeId, must, Secret } from "@atoll-run/core";
import { openState } from "@atoll-run/sqlite";
import { ManualClock } from "@atoll-run/testkit";
import {
  ANYONE, connect, dial, join, openRealm, PING, readRenewed, registration, renewal, type TestConnection, type TestRealm,
} from "./clients.ts";

const found = async (from: TestConnection): Promise<number> => {
  const { flow } = await from.ask({ case: "routeCandidatesRequest", value: {
    targetType: { manufacturer: "acme", name: "echo", version: "1.0.0" }, clientFingerprint: "",
  } });
  assert.ok(flow.case === "serverToActr" && flow.value.payload.case === "routeCandidatesResponse");
  const { result } = flow.value.payload.value;
  return result.case === "success" ? result.value.candidates.length : -1;
};

test("a realm that restarts has the same ids, keys, rules, secrets and tokens, and offers nobody before a ping", async () => {
  const dir = await mkdtemp(joinPath(tmpdir(), "atoll-realm-"));
  const clock = new ManualClock();
  let store = await openState({ dir });
  const restart = async (before?: TestRealm): Promise<TestRealm> => {
    await before?.realm.close();
    if (before !== undefined) {
      await store[Symbol.asyncDispose]();
      store = await openState({ dir });
    }
    return openRealm({}, { store, clock, passphrase: new Secret("open sesame") });
  };
  try {
    let test = await restart();
    const node = await join(test, { rules: ANYONE, address: "ws://127.0.0.1:5" });
    const bearer = await join(test, { bearer: true });
    const caller = await join(test, { type: "acme:caller:1.0.0" });
    await connect(test, node);
    const gone = await join(test, { type: "acme:gone:1.0.0" });
    const { secret } = (await test.admin("POST", "secrets", { realm: 1 })).body;
    await test.admin("POST", "keys", {});
    await test.admin("POST", "revoke", { id: formatNodeId(gone.id) });
    const replay = await registration(clock, { key: must(node.key, "a key"), previous: node.id, rules: ANYONE });
    assert.ok((await test.realm.door.register(replay, { "x-actrix-realm-secret": String(secret) })).body.length > 100);

    test = await restart(test);
    assert.equal(((await test.admin("GET", "keys")).body["keys"] as unknown[]).length, 2);
    const from = await connect(test, caller);
    assert.equal(await found(from), 0, "stale until a ping");
    const back = await connect(test, node);
    assert.equal(await found(from), 1);
    await back.ask(PING);
    assert.equal((await dial(test, gone)).ok, false, "revoked stays revoked");
    const renewed = readRenewed(await test.realm.door.renew(await renewal(clock, bearer.id, { token: bearer.ok.renewalToken })));
    assert.ok(renewed.ok);
    const again = await test.realm.door.register(replay, { "x-actrix-realm-secret": String(secret) });
    assert.match(new TextDecoder().decode(again.body), /used before/, "a proof is not good again after a restart");
    const entries = (await test.admin("GET", "audit")).body["entries"] as { event: string; seq: number }[];
    const events = entries.map(({ event }) => event);
    for (const event of ["realm_added", "registered", "secret_rotated", "key_rotated", "revoked"]) assert.ok(events.includes(event), event);
    assert.equal(JSON.stringify(entries).includes(String(secret)), false);

    clock.advance(12 * 3_600_000 + 1);
    test = await restart(test);
    assert.equal(test.realm.stats().nodes_registered, 0, "without a sign of life for 12 hours");
    await test.realm.close();
    await assert.rejects(openRealm({}, { store, clock, passphrase: new Secret("wrong") }), { code: "realm.invalid_argument" });
  } finally {
    await store[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  }
});

test("a second process takes over: the first can write nothing more", async () => {
  const first = await openRealm();
  const second = await openRealm({}, { store: first.parts.store, clock: first.clock });
  await assert.rejects(join(first), /503/);
  const serials = [(await join(second)).id.serial, (await join(second)).id.serial];
  assert.equal(new Set(serials).size, 2);
  await first.realm.close();
  await second.realm.close();
});
