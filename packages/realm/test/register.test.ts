import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { test } from "node:test";
import { formatNodeId, must, Secret } from "@atoll-run/core";
import {
  AclRule_Permission, IdentityClaimsSchema, readMessage, RegisterRequest_AuthMode, verifySignature, type Rule,
} from "@atoll-run/core/internal";
import { createSerials } from "../src/internal.ts";
import {
  ANYONE, bytes, ELSEWHERE, join, newKey, openRealm, readRegistered, registration, type Registered, type RegisterInit,
  type TestRealm,
} from "./clients.ts";

async function register(
  test: TestRealm, init: RegisterInit, headers: Record<string, string> = {}, origin = ELSEWHERE,
): Promise<Registered> {
  const body = await registration(test.clock, init);
  const answer = await test.realm.door.ais({ method: "POST", path: "/ais/register", body, headers, origin });
  assert.equal(answer.status, 200, "a registration is always answered with 200");
  return readRegistered(answer);
}

const refusal = (done: Registered): number => done.ok ? 0 : done.code;

test("a node that registers gets an id, a credential signed over its exact claims, TURN access and a renewal token", async () => {
  await using test = await openRealm({}, { turnSecret: new Secret("turn") });
  const node = await join(test);
  const text = formatNodeId(node.id);
  assert.match(text, /^[0-9a-f]{1,14}@1\/acme:echo:1\.0\.0$/);
  const { credential, signingPubkey, signingKeyId, turnCredential, renewalToken } = node.ok;
  assert.ok(credential && await verifySignature(signingPubkey, credential.signature, credential.claims));
  const claims = readMessage(IdentityClaimsSchema, credential.claims);
  assert.ok(claims.ok);
  const { actorId, nodeKey, expiresAt } = claims.value;
  assert.deepEqual([actorId, nodeKey], [text, node.key?.publicKey]);
  assert.equal(Number(expiresAt), Math.floor(test.clock.now() / 1_000) + 3_600);
  assert.equal(credential.keyId, signingKeyId);
  assert.equal(turnCredential?.username, `${expiresAt}:${text}`);
  assert.equal(turnCredential.password, createHmac("sha1", "turn").update(turnCredential.username).digest("base64"));
  assert.equal(renewalToken.length, 32);
  assert.deepEqual(node.ok.realmFeatures, ["hello1", "key1", "down1", "rules1"]);
});

test("a realm without a secret takes linked nodes from its own machine only", async () => {
  await using test = await openRealm();
  assert.equal(refusal(await register(test, {})), 403);
  assert.equal(refusal(await register(test, {}, {}, { address: "127.0.0.1", loopback: true })), 0);
});

test("a linked node needs the realm secret, and the one before is good for 4 hours", async () => {
  await using test = await openRealm();
  const first = String((await test.admin("POST", "secrets", { realm: 1 })).body["secret"]);
  const withSecret = (secret: string): Promise<Registered> => register(test, {}, { "x-actrix-realm-secret": secret });
  assert.equal(refusal(await register(test, {})), 403);
  assert.equal(refusal(await withSecret(first)), 0);
  for (const shipped of ["", "secret", "actr", "changeme", "default"]) assert.equal(refusal(await withSecret(shipped)), 403);
  const second = String((await test.admin("POST", "secrets", { realm: 1 })).body["secret"]);
  assert.notEqual(second, first);
  test.clock.advance(4 * 3_600_000 - 1);
  assert.deepEqual([refusal(await withSecret(first)), refusal(await withSecret(second))], [0, 0]);
  test.clock.advance(1);
  assert.deepEqual([refusal(await withSecret(first)), refusal(await withSecret(second))], [403, 0]);
});

test("what cannot be read, an unknown realm and a wrong mode are refused", async () => {
  await using test = await openRealm();
  const here = { address: "127.0.0.1", loopback: true };
  const answer = await test.realm.door.register(new Uint8Array([1, 2, 3]));
  assert.equal(refusal(readRegistered(answer)), 400);
  assert.equal(refusal(await register(test, { realm: 9 }, {}, here)), 403);
  assert.equal(refusal(await register(test, { more: { manifestRaw: bytes(3) } }, {}, here)), 400);
  assert.equal(refusal(await register(test, { mode: RegisterRequest_AuthMode.UNSPECIFIED }, {}, here)), 403);
  const badRule = { acl: { fullRules: [{ allow: true, type: "*:*:*", realm: "nonsense", actions: ["*"] }] } };
  assert.equal(refusal(await register(test, { more: badRule }, {}, here)), 400);
});

test("the same node key with the previous id gets the same id, another key is refused", async () => {
  await using test = await openRealm();
  const node = await join(test);
  const key = must(node.key, "a key");
  const again = await join(test, { key, previous: node.id });
  assert.equal(formatNodeId(again.id), formatNodeId(node.id));
  const done = await register(test, { key: await newKey(), previous: node.id }, {}, { address: "::1", loopback: true });
  assert.equal(refusal(done), 403);
  const noKey = await register(test, { previous: node.id }, {}, { address: "::1", loopback: true });
  assert.equal(refusal(noKey), 403);
  const other = await join(test, { key });
  assert.notEqual(formatNodeId(other.id), formatNodeId(node.id), "without the previous id it is another node");
  const newer = await join(test, { key, previous: node.id, type: "acme:echo:2.0.0" });
  assert.notEqual(newer.id.serial, node.id.serial, "another type is another address");
});

test("a key proof counts once, within two minutes, and only for the request that it was made for", async () => {
  await using test = await openRealm();
  const key = await newKey();
  const body = await registration(test.clock, { key });
  assert.equal(refusal(readRegistered(await test.realm.door.register(body))), 0);
  assert.equal(refusal(readRegistered(await test.realm.door.register(body))), 401, "replayed");
  for (const [offMs, code] of [[-119_000, 0], [119_000, 0], [-121_000, 401], [121_000, 401]] as const) {
    const late = await registration(test.clock, { key, atMs: test.clock.now() + offMs });
    assert.equal(refusal(readRegistered(await test.realm.door.register(late))), code, `${offMs} ms off`);
  }
  const changed = await registration(test.clock, { key, address: "ws://127.0.0.1:1" });
  const at = Buffer.from(changed).indexOf("127.0.0.1:1");
  changed[at] = "2".charCodeAt(0);
  assert.equal(refusal(readRegistered(await test.realm.door.register(changed))), 401, "tampered");
});

test("a guest registers with an invite, its own key and the type that the invite names, as often as it says", async () => {
  await using test = await openRealm();
  await test.admin("POST", "secrets", { realm: 1 });
  const made = await test.admin("POST", "invites", { realm: 1, type: "acme:guest:1.0.0", ttl_ms: 60_000, uses: 2 });
  const headers = { "x-atoll-invite": String(made.body["token"]) };
  const guest = async (init: RegisterInit): Promise<Registered> => register(test, { type: "acme:guest:1.0.0", ...init }, headers);
  assert.equal(refusal(await guest({})), 403, "no key");
  assert.equal(refusal(await guest({ key: await newKey(), type: "acme:boss:1.0.0" })), 403);
  const first = await guest({ key: await newKey() });
  assert.ok(first.ok);
  assert.equal(first.value.renewalToken.length, 0, "it renews by its key only");
  assert.equal(refusal(await guest({ key: await newKey() })), 0);
  assert.equal(refusal(await guest({ key: await newKey() })), 403, "used up");
  assert.equal((await test.admin("POST", "invites", { realm: 1, type: "a:b:1", ttl_ms: 3_600_001 })).status, 400);
});

test("an invite is over when its time is", async () => {
  await using test = await openRealm();
  const made = await test.admin("POST", "invites", { type: "acme:guest:1.0.0", ttl_ms: 60_000 });
  test.clock.advance(60_000);
  const init = { type: "acme:guest:1.0.0", key: await newKey() };
  assert.equal(refusal(await register(test, init, { "x-atoll-invite": String(made.body["token"]) })), 403);
});

test("a package registers with the published manifest, byte for byte, or with the proof of its manufacturer, once", async () => {
  await using test = await openRealm();
  const manifest = new TextEncoder().encode("name = \"echo\"\n");
  const mode = RegisterRequest_AuthMode.PACKAGE;
  await test.admin("POST", "packages", {
    type: "acme:echo:1.0.0", target: "wasm", manifest: Buffer.from(manifest).toString("base64"),
  });
  const fields = { manifestRaw: manifest, target: "wasm" };
  assert.equal(refusal(await register(test, { mode, more: fields })), 0);
  assert.equal(refusal(await register(test, { mode, more: { ...fields, manifestRaw: manifest.subarray(1) } })), 403);

  const maker = await newKey();
  await test.admin("POST", "packages", { manufacturer: "acme", key: Buffer.from(maker.publicKey).toString("base64") });
  const other = new TextEncoder().encode("other");
  const proof = async (signedAt: number): Promise<RegisterInit> => {
    const nonce = bytes(16);
    const lines = ["ACTR-MANUFACTURER-REGISTER-V1", "auth_mode=package", "realm=1", "actr_type=acme:echo:1.0.0", "target=x",
      `manifest_sha256=${createHash("sha256").update(other).digest("hex")}`, `manufacturer_auth_signed_at=${signedAt}`,
      `manufacturer_auth_nonce=${Buffer.from(nonce).toString("hex")}`].join("\n");
    return { mode, more: {
      manifestRaw: other, target: "x", mfrSignature: await maker.sign(other), manufacturerAuthNonce: nonce,
      manufacturerAuthSignature: await maker.sign(new TextEncoder().encode(lines)), manufacturerAuthSignedAt: BigInt(signedAt),
    } };
  };
  const now = Math.floor(test.clock.now() / 1_000);
  const good = await proof(now - 299);
  assert.deepEqual([refusal(await register(test, good)), refusal(await register(test, good))], [0, 401]);
  assert.equal(refusal(await register(test, await proof(now - 302))), 401);
  assert.equal(refusal(await register(test, await proof(now + 62))), 401);
});

test("rules of both forms belong to the id, and the old form is read when there is no other", async () => {
  await using test = await openRealm();
  const node = await join(test, { rules: ANYONE });
  const shown = await test.admin("GET", `acl?id=${encodeURIComponent(formatNodeId(node.id))}`);
  assert.deepEqual(shown.body["rules"], ANYONE);
  const old = await join(test, { more: { acl: { rules: [{
    permission: AclRule_Permission.ALLOW, fromType: { manufacturer: "a", name: "b", version: "1" },
  }] } } });
  const oldShown = await test.admin("GET", `acl?id=${encodeURIComponent(formatNodeId(old.id))}`);
  const rule: Rule = { effect: "allow", from: { type: "a:b:1", realm: "self" }, actions: ["*"] };
  assert.deepEqual(oldShown.body["rules"], [rule]);
});

test("serials rise, hold 54 bits and never repeat, not even when the clock goes back", () => {
  const start = Date.UTC(2026, 5, 1);
  const serials = createSerials(3, 0n);
  const made = Array.from({ length: 1_000 }, (_, at) => serials.next(start - at));
  assert.equal(new Set(made).size, made.length);
  assert.deepEqual(made, [...made].sort((a, b) => a < b ? -1 : 1));
  assert.ok(made.every((one) => one < 1n << 54n && ((one >> 8n) & 31n) === 3n));
  const later = createSerials(3, must(made.at(-1), "one"));
  assert.ok(later.next(start - 5_000) > must(made.at(-1), "one"));
});

test("bearers that never came back are forgotten by later registrations; nodes with keys keep their ids", async () => {
  await using test = await openRealm();
  const bearer = await join(test, { bearer: true });
  const keyed = await join(test);
  const ids = async (): Promise<string[]> =>
    ((await test.admin("GET", "nodes")).body["nodes"] as { id: string }[]).map(({ id }) => id);
  test.clock.advance(2 * 86_400_000);
  assert.ok((await ids()).includes(formatNodeId(bearer.id)));
  await join(test);
  assert.equal((await ids()).includes(formatNodeId(bearer.id)), false);
  assert.equal((await ids()).includes(formatNodeId(keyed.id)), true);
});
