import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNodeId, type NodeId } from "@atoll-run/core";
import { checkShownId, createVerifier, NODE_LIMITS, type RealmKey } from "@atoll-run/node/internal";
import { ManualClock, until } from "@atoll-run/testkit";
import { ECHO, tinyRealmKey, type ClaimsInit } from "./tiny-realm-key.ts";

const HOUR = 3_600_000;
const denied = { code: "node.permission_denied" };

async function make(o: { readonly fetchKey?: (keyId: number) => Promise<RealmKey | undefined> } = {}) {
  const clock = new ManualClock();
  const realm = await tinyRealmKey(7, 3);
  const asked: number[] = [];
  const verifier = createVerifier({
    clock,
    fetchKey: async (keyId) => {
      asked.push(keyId);
      if (o.fetchKey !== undefined) return o.fetchKey(keyId);
      return keyId === realm.keyId ? { publicKey: realm.publicKey } : undefined;
    },
  }, NODE_LIMITS.identity);
  const sign = (init: Partial<ClaimsInit> = {}) => realm.sign({ expires_at_ms: clock.now() + HOUR, ...init });
  return { clock, realm, verifier, asked, sign };
}

test("a credential of the realm says its id, its end, its key and its epoch", async () => {
  const { clock, verifier, sign, asked } = await make();
  const node_key = new Uint8Array(32).fill(9);
  const credential = await sign({ node_key, epoch: 4n });
  assert.deepEqual(await verifier.verify(credential), {
    id: ECHO, expires_at_ms: Math.floor((clock.now() + HOUR) / 1_000) * 1_000, node_key, epoch: 4n,
  });
  await verifier.verify(credential);
  assert.deepEqual(asked, [3]);
});

test("whatever is wrong with a credential, it is refused", async () => {
  const { clock, verifier, sign } = await make();
  const good = await sign();
  const other = await tinyRealmKey(8, 3);
  const flipped = Uint8Array.from(good.claims, (byte, at) => at === good.claims.length - 1 ? byte ^ 1 : byte);
  const wrong = {
    expired: await sign({ expires_at_ms: clock.now() - 61_000 }),
    "another realm in its id": await sign({ realm_id: 102 }),
    "no id": await sign({ actor_id: "nobody" }),
    "a key that is none": await sign({ node_key: new Uint8Array(31) }),
    "another signer": await other.sign({ expires_at_ms: clock.now() + HOUR }),
    tampered: { ...good, claims: flipped },
    "a cut signature": { ...good, signature: good.signature.subarray(1) },
    "no claims": { ...good, claims: new Uint8Array() },
    "claims without end": { ...good, claims: new Uint8Array(5_000) },
    "an unknown key": { ...good, keyId: 4 },
  };
  for (const [what, credential] of Object.entries(wrong)) {
    await assert.rejects(verifier.verify(credential), denied, what);
  }
  assert.equal((await verifier.verify(await sign({ expires_at_ms: clock.now() - 30_000 }))).id.serial, ECHO.serial);
});

test("the id that was shown must be the id in the credential", async () => {
  const { verifier, sign } = await make();
  const said = await verifier.verify(await sign());
  checkShownId(said, ECHO);
  for (const text of ["1a2b3d@101/acme:echo:1.0.0", "1a2b3c@102/acme:echo:1.0.0", "1a2b3c@101/acme:echo:1.0.1"]) {
    assert.throws(() => checkShownId(said, parseNodeId(text) as NodeId), { code: "node.identity_mismatch" });
  }
});

test("a raised epoch refuses older credentials of that id and never falls again", async () => {
  const { verifier, sign } = await make();
  verifier.revoke("1a2b3c@101/acme:echo:1.0.0", 2n);
  verifier.revoke("1a2b3c@101/acme:echo:1.0.0", 1n);
  await assert.rejects(verifier.verify(await sign()), denied);
  await assert.rejects(verifier.verify(await sign({ epoch: 1n })), denied);
  assert.equal((await verifier.verify(await sign({ epoch: 2n }))).epoch, 2n);
});

test("a missing key is asked for again only after 30 s", async () => {
  const { clock, verifier, sign, asked } = await make();
  const stranger = { ...await sign(), keyId: 99 };
  for (let i = 0; i < 5; i++) await assert.rejects(verifier.verify(stranger), denied);
  assert.deepEqual(asked, [99]);
  clock.advance(30_000);
  await assert.rejects(verifier.verify(stranger), denied);
  assert.deepEqual(asked, [99, 99]);
});

test("a key is fetched once however many wait, and one that hangs delays no other and ends in 3 s", async () => {
  const gate = Promise.withResolvers<RealmKey | undefined>();
  const { clock, realm, verifier, sign, asked } = await make({ fetchKey: () => gate.promise });
  verifier.seed(realm.keyId, { publicKey: realm.publicKey });
  const good = await sign();
  const hanging = [1, 2, 3].map(() => verifier.verify({ ...good, keyId: 50 }));
  await until(() => asked.length > 0);
  assert.equal((await verifier.verify(good)).id.serial, ECHO.serial);
  const ends = Promise.all(hanging.map((one) => assert.rejects(one, { code: "node.unavailable", retry: "later" })));
  await clock.pass(3_000);
  await ends;
  assert.deepEqual(asked, [50]);
  assert.equal(clock.timers, 0);
});

test("strangers cannot make a node ask for more than eight keys at one time", async () => {
  const { clock, verifier, sign } = await make({ fetchKey: () => new Promise(() => undefined) });
  const good = await sign();
  const ends = Array.from({ length: 20 }, (_, keyId) => verifier.verify({ ...good, keyId: 100 + keyId })
    .catch((error: unknown) => (error as { code: string }).code));
  await clock.pass(3_000);
  const codes = await Promise.all(ends);
  assert.equal(codes.filter((code) => code === "node.unavailable").length, 8);
  assert.equal(codes.filter((code) => code === "node.overloaded").length, 12);
});

test("with the realm offline a key that was seen before verifies, until its own end", async () => {
  const { clock, realm, verifier, sign } = await make({ fetchKey: () => Promise.reject(new Error("offline")) });
  verifier.seed(realm.keyId, { publicKey: realm.publicKey, not_after_at_ms: clock.now() + HOUR });
  await verifier.verify(await sign());
  clock.advance(HOUR);
  await assert.rejects(verifier.verify(await sign()), { code: "node.unavailable" });
});

test("no more than 64 keys are remembered, those least used are forgotten", async () => {
  const { realm, verifier, sign, asked } = await make({ fetchKey: async () => ({ publicKey: realm.publicKey }) });
  verifier.seed(realm.keyId, { publicKey: realm.publicKey });
  for (let keyId = 1_000; keyId < 1_100; keyId++) {
    verifier.seed(keyId, { publicKey: new Uint8Array(32) });
    await verifier.verify(await sign());
  }
  assert.equal(verifier.stats().known, 64);
  assert.deepEqual(asked, []);
});

test("whoever gives up waiting for a key leaves the others waiting", async () => {
  const gate = Promise.withResolvers<RealmKey | undefined>();
  const { realm, verifier, sign } = await make({ fetchKey: () => gate.promise });
  const good = await sign();
  const leaving = new AbortController();
  const left = assert.rejects(verifier.verify(good, { signal: leaving.signal }), { message: "gone" });
  const stays = verifier.verify(good);
  leaving.abort(new Error("gone"));
  await left;
  gate.resolve({ publicKey: realm.publicKey });
  assert.equal((await stays).id.serial, ECHO.serial);
});
