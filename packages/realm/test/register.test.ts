import assert from "node:assert/strict";
import { test } from "node:test";
import { formatNodeId, must } from "@atoll-run/core";
import {
  fromActrId, IdentityClaimsSchema, readMessage, verifySignature, type RouteCandidatesResponse_Ok, type Rule,
  type SignalingEnvelope,
} from "@atoll-run/core/internal";
import { connect, join, openRealm } from "./clients.ts";

test("a node that registers gets an id, a credential signed over its exact claims, TURN access and a renewal token", async () => {
  await using test = await openRealm();
  const node = await join(test);
  assert.equal(formatNodeId(node.id).endsWith("@1/acme:echo:1.0.0"), true);
  const { credential, signingPubkey, signingKeyId, turnCredential, renewalToken } = node.ok;
  assert.ok(credential && await verifySignature(signingPubkey, credential.signature, credential.claims));
  const claims = readMessage(IdentityClaimsSchema, credential.claims);
  assert.ok(claims.ok);
  assert.equal(claims.value.actorId, formatNodeId(node.id));
  assert.deepEqual(claims.value.nodeKey, node.key?.publicKey);
  assert.equal(Number(claims.value.expiresAt), Math.floor(test.clock.now() / 1000) + 3_600);
  assert.equal(credential.keyId, signingKeyId);
  assert.equal(turnCredential?.username, `${claims.value.expiresAt}:${formatNodeId(node.id)}`);
  assert.equal(renewalToken.length, 32);
});

test("a node connects with a hello, pings, and is found by who may reach it and by nobody else", async () => {
  await using test = await openRealm();
  const rules: readonly Rule[] = [{ effect: "allow", from: { type: "acme:friend:*", realm: "self" }, actions: ["call:*"] }];
  const node = await join(test, { rules, address: "ws://127.0.0.1:9" });
  const friend = await connect(test, await join(test, { type: "acme:friend:1.0.0" }));
  const stranger = await connect(test, await join(test, { type: "acme:stranger:1.0.0" }));
  const request = { case: "routeCandidatesRequest", value: { targetType: node.id.type, clientFingerprint: "" } } as const;
  assert.deepEqual(candidates(await friend.ask(request)), [], "it is not offered before its first ping");
  await connect(test, node);
  const found = await friend.ask(request);
  assert.deepEqual(candidates(found), [formatNodeId(node.id)]);
  assert.deepEqual(ok(found).wsAddressMap.map(({ wsAddress }) => wsAddress), ["ws://127.0.0.1:9"]);
  assert.deepEqual(ok(found).info[0]?.nodeKey, node.key?.publicKey);
  assert.deepEqual(candidates(await stranger.ask(request)), []);
});

function ok({ flow }: SignalingEnvelope): RouteCandidatesResponse_Ok {
  assert.ok(flow.case === "serverToActr" && flow.value.payload.case === "routeCandidatesResponse");
  const { result } = flow.value.payload.value;
  assert.ok(result.case === "success");
  return result.value;
}

function candidates(envelope: SignalingEnvelope): string[] {
  return ok(envelope).candidates.map((one) => formatNodeId(must(fromActrId(one), "an id")));
}
