// Goal: whatever a realm, or whoever sits in its place, answers, a node gets a typed fault and goes on.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { isFault, isNodeCode, parseType, type ActorType } from "@atoll-run/core";
import {
  RegisterResponseSchema, RenewCredentialResponseSchema, toActrId, writeMessage, type MessageInitShape, type RegisterOkSchema,
} from "@atoll-run/core/internal";
import { createRegistration, createVerifier, newNodeKey, NODE_LIMITS, type RealmAnswer, type RealmDoor } from "@atoll-run/node/internal";
import { ManualClock } from "@atoll-run/testkit";
import fc from "fast-check";
import { ECHO, tinyRealmKey } from "./tiny-realm-key.ts";

const bytes = (count: number): Uint8Array => Uint8Array.from(randomBytes(count));
const WHO = { realm: 101, type: parseType("acme:echo:1.0.0") as ActorType, vouch: { mode: "linked" }, rules: [] } as const;

function doorOf(answer: () => RealmAnswer): RealmDoor {
  return { remote: false, ask: async () => answer(), dial: () => Promise.reject(new Error("no signaling")) };
}

async function faultOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => undefined, (reason: unknown) => reason);
  if (error === undefined) return "none";
  assert.ok(isFault(error) && isNodeCode(error.code), `no fault of a node: ${String(error)}`);
  return error.code;
}

test("any status with any bytes is a typed fault of registering, renewing and leaving", async () => {
  const clock = new ManualClock();
  const key = await newNodeKey(bytes);
  await fc.assert(fc.asyncProperty(
    fc.integer({ min: 100, max: 599 }), fc.uint8Array({ maxLength: 200 }), fc.string(), async (status, body, retryAfter) => {
      const door = doorOf(() => ({ status, headers: { "retry-after": retryAfter }, body }));
      const registration = createRegistration({ door, clock, key, bytes }, NODE_LIMITS.identity);
      assert.notEqual(await faultOf(registration.register(WHO)), "none");
      assert.notEqual(await faultOf(registration.renew({ ...WHO, id: ECHO })), "none");
      const left = await faultOf(registration.unregister(ECHO));
      assert.equal(left === "none", status === 200 || status === 204);
    }), { numRuns: 60 });
});

test("bytes that are no credential, and credentials with anything in them, are refused", async () => {
  const clock = new ManualClock();
  const verifier = createVerifier({ clock, fetchKey: async () => ({ publicKey: new Uint8Array(32).fill(1) }) }, NODE_LIMITS.identity);
  const realm = await tinyRealmKey(7, 3);
  const good = await realm.sign({ expires_at_ms: clock.now() + 60_000 });
  await fc.assert(fc.asyncProperty(
    fc.nat(0xffff_ffff), fc.uint8Array({ maxLength: 120 }), fc.uint8Array({ maxLength: 70 }), fc.boolean(),
    async (keyId, claims, signature, ownClaims) => {
      const code = await faultOf(verifier.verify({ ...good, keyId, signature, ...ownClaims ? {} : { claims } }));
      assert.ok(code === "node.permission_denied" || code === "node.overloaded", code);
    }), { numRuns: 150 });
});

test("a grant that is another's, unsigned or senseless is never taken", async () => {
  const clock = new ManualClock();
  const key = await newNodeKey(bytes);
  const realm = await tinyRealmKey(7, 3);
  const liar = await tinyRealmKey(8, 3);
  const end = clock.now() + 3_600_000;
  const stranger = { ...ECHO, serial: 99n };
  const make = async (o: {
    readonly shown?: typeof ECHO; readonly inside?: typeof ECHO; readonly signer?: typeof realm; readonly key?: Uint8Array;
  }): Promise<Omit<MessageInitShape<typeof RegisterOkSchema>, "$typeName">> => {
    const { keyId, claims, signature } = await (o.signer ?? realm).sign({ id: o.inside ?? ECHO, expires_at_ms: end, node_key: o.key ?? key.publicKey });
    return {
      actrId: toActrId(o.shown ?? ECHO), credential: { keyId, claims, signature },
      turnCredential: { username: "u", password: "p", expiresAt: 1n }, signalingHeartbeatIntervalSecs: 20,
      signingPubkey: realm.publicKey, signingKeyId: 3,
    };
  };
  const elsewhere = { ...ECHO, realm: 7 };
  const otherType = { ...ECHO, type: { ...ECHO.type, version: "2.0.0" } };
  const wrong = {
    "another id inside": await make({ inside: stranger }), "another signer": await make({ signer: liar }),
    "another key": await make({ key: new Uint8Array(32).fill(4) }),
    "another realm": await make({ shown: elsewhere, inside: elsewhere }),
    "another type": await make({ shown: otherType, inside: otherType }),
  };
  for (const [what, value] of Object.entries(wrong)) {
    const body = writeMessage(RegisterResponseSchema, { result: { case: "success", value } });
    const registration = createRegistration({ door: doorOf(() => ({ status: 200, headers: {}, body })), clock, key, bytes }, NODE_LIMITS.identity);
    const code = await faultOf(registration.register(WHO));
    assert.ok(code === "node.identity_mismatch" || code === "node.decode_failure", `${what}: ${code}`);
  }
  const body = writeMessage(RenewCredentialResponseSchema, { result: { case: "success", value: await make({ shown: stranger, inside: stranger }) } });
  const registration = createRegistration({ door: doorOf(() => ({ status: 200, headers: {}, body })), clock, key, bytes }, NODE_LIMITS.identity);
  assert.equal(await faultOf(registration.renew({ ...WHO, id: ECHO })), "node.identity_mismatch");
  assert.equal((await registration.renew({ ...WHO, id: stranger })).id.serial, 99n);
});
