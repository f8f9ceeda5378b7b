import assert from "node:assert/strict";
import { test } from "node:test";
import { formatNodeId, must, type NodeId } from "@atoll-run/core";
import { judge, mayReach, toActrId, type ActrRelay, type Rule, type SignalingEnvelope } from "@atoll-run/core/internal";
import { until } from "@atoll-run/testkit";
import { offers } from "../src/internal.ts";
import { ANYONE, connect, join, openRealm, PATIENT, type TestConnection, type TestNode, type TestRealm } from "./clients.ts";

const isRelay = ({ flow }: SignalingEnvelope): boolean => flow.case === "actrRelay";

function relayOf({ flow }: SignalingEnvelope): ActrRelay {
  assert.ok(flow.case === "actrRelay");
  return flow.value;
}

function errorOf({ flow }: SignalingEnvelope): number {
  assert.ok(flow.case === "serverToActr" && flow.value.payload.case === "error");
  return flow.value.payload.value.code;
}

const negotiation = (from: NodeId, to: NodeId): object =>
  ({ case: "roleNegotiation", value: { from: toActrId(from), to: toActrId(to), realmId: from.realm } });
const offer = { case: "sessionDescription", value: { type: 0, sdp: "v=0", sdpExchangeId: "x-1" } } as const;

/** The code of the refusal, or what the target got. */
async function send(from: TestConnection, to: TestConnection, target: NodeId, payload: object): Promise<number | ActrRelay> {
  const before = to.received.length;
  const id = from.relay(payload as never, target);
  return until<number | ActrRelay>(() => {
    const refusal = from.received.find(({ replyFor }) => replyFor === id);
    const relayed = to.received.slice(before).find(isRelay);
    if (refusal !== undefined) return errorOf(refusal);
    return relayed === undefined ? undefined as never : relayOf(relayed);
  }, { withinMs: 10_000, everyMs: 1 });
}

async function pair(test: TestRealm, rules: readonly Rule[] = ANYONE): Promise<{
  a: TestNode; b: TestNode; from: TestConnection; to: TestConnection;
}> {
  const a = await join(test, { type: "acme:client:1.0.0" });
  const b = await join(test, { type: "acme:server:1.0.0", rules });
  return { a, b, from: await connect(test, a), to: await connect(test, b) };
}

test("a message is relayed with its trace and without the signature of the credential", async () => {
  await using test = await openRealm();
  const { a, b, from, to } = await pair(test);
  const got = await send(from, to, b.id, offer);
  assert.ok(typeof got !== "number");
  assert.deepEqual(got.credential?.signature, new Uint8Array(64));
  assert.deepEqual(got.credential?.claims, a.ok.credential?.claims);
  assert.ok(got.payload.case === "sessionDescription" && got.payload.value.sdp === "v=0");
  assert.equal(got.payload.value.sdpExchangeId, "x-1");
});

test("both sides are told their roles, with the one that asked as the source", async () => {
  await using test = await openRealm();
  const { a, b, from, to } = await pair(test);
  from.relay(negotiation(a.id, b.id) as never, b.id);
  const told = await Promise.all([from, to].map((one) => one.next("a role", isRelay)));
  const roles = told.map(relayOf).map(({ payload, source, target }) => {
    assert.ok(payload.case === "roleAssignment");
    assert.deepEqual([source?.serialNumber, target?.serialNumber], [a.id.serial, b.id.serial]);
    return payload.value.isOfferer;
  });
  assert.deepEqual(roles, [false, true], "the larger id offers");
});

test("exactly one that asked to answer answers; else the larger realm, serial, manufacturer, name offers", () => {
  const id = (realm: number, serial: bigint, name = "n"): NodeId => ({ realm, serial, type: { manufacturer: "m", name, version: "1" } });
  const cases: readonly (readonly [NodeId, boolean, NodeId, boolean, boolean])[] = [
    [id(1, 9n), true, id(1, 1n), false, false], [id(1, 1n), false, id(1, 9n), true, true],
    [id(1, 9n), true, id(1, 1n), true, true], [id(2, 1n), false, id(1, 9n), false, true],
    [id(1, 10n), false, id(1, 9n), false, true], [id(1, 1n, "b"), false, id(1, 1n, "a"), false, true],
  ];
  for (const [one, answers, other, otherAnswers, expected] of cases) {
    assert.equal(offers({ id: one, answers }, { id: other, answers: otherAnswers }), expected);
    assert.equal(offers({ id: other, answers: otherAnswers }, { id: one, answers }), !expected);
  }
});

test("an absent target is answered 404, an unreadable negotiation and a role of a node's own 400", async () => {
  await using test = await openRealm();
  const { a, b, from, to } = await pair(test);
  assert.equal(await send(from, to, { ...b.id, serial: 5n }, offer), 404);
  assert.equal(await send(from, to, a.id, offer), 404, "itself");
  assert.equal(await send(from, to, b.id, negotiation(b.id, a.id)), 400);
  assert.equal(await send(from, to, b.id, { case: "roleAssignment", value: { isOfferer: true } }), 400);
});

test("one rule from client to server is enough for answers and candidates back", async () => {
  await using test = await openRealm(PATIENT);
  const rules: readonly Rule[] = [{ effect: "allow", from: { type: "acme:client:*", realm: "self" }, actions: ["call:*"] }];
  const { a, b, from, to } = await pair(test, rules);
  assert.equal(await send(to, from, a.id, offer), 403, "the server may not begin");
  assert.notEqual(await send(from, to, b.id, offer), 403);
  const answer = { case: "sessionDescription", value: { type: 1, sdp: "v=0", sdpExchangeId: "x-1" } };
  assert.ok(typeof await send(to, from, a.id, answer) !== "number");
  assert.ok(typeof await send(to, from, a.id, { case: "iceCandidate", value: { candidate: "c" } }) !== "number");
  assert.ok(typeof await send(to, from, a.id, { case: "iceRestartRequest", value: {} }) !== "number");
  await test.admin("PUT", "acl", { id: formatNodeId(b.id), rules: [] });
  assert.equal(await send(from, to, b.id, offer), 403, "a changed rule counts at once");
  await test.admin("PUT", "acl", { id: formatNodeId(b.id), rules: null });
  assert.notEqual(await send(from, to, b.id, offer), 403);
  test.clock.advance(10 * 60_000 + 1);
  assert.equal(await send(to, from, a.id, offer), 403, "and a pair that was silent begins anew");
});

const from = (type: string, more: Partial<Rule["from"]> = {}): Rule["from"] => ({ type, realm: "self", ...more });
const allow = (given: Rule["from"], ...actions: string[]): Rule => ({ effect: "allow", from: given, actions });
const deny = (given: Rule["from"], ...actions: string[]): Rule => ({ effect: "deny", from: given, actions });

/** Rules of the target; whether a client of the same realm with a key, a bearer, and one of another realm get in. */
const MATRIX: readonly (readonly [string, readonly Rule[] | undefined, boolean, boolean, boolean])[] = [
  ["no rules", [], false, false, false],
  ["no rule set", undefined, false, false, false],
  ["a rule for the type", [allow(from("acme:client:*"), "call:*")], true, true, false],
  ["a rule for another type", [allow(from("acme:other:*"), "*")], false, false, false],
  ["deny over allow", [allow(from("*:*:*"), "*"), deny(from("acme:client:*"), "*")], false, false, false],
  ["deny of one action", [allow(from("*:*:*"), "*"), deny(from("*:*:*"), "call:a.*")], true, true, false],
  ["only who proved a key", [allow(from("*:*:*", { proof: "key" }), "*")], true, false, false],
  ["any realm", [allow(from("*:*:*", { realm: "any" }), "*")], true, true, true],
  ["a realm by its number", [allow(from("*:*:*", { realm: 2 }), "stream:*")], false, false, true],
];

test("discovery, relay and the rule engine of the gates agree on the whole matrix", async (t) => {
  await using test = await openRealm({ realms: [1, 2] });
  const client = { type: "acme:client:1.0.0" };
  const nodes = [await join(test, client), await join(test, { ...client, bearer: true }), await join(test, { ...client, realm: 2 })];
  const connections = await Promise.all(nodes.map((node) => connect(test, node)));
  for (const [name, rules, ...expected] of MATRIX) {
    await t.test(name, async () => {
      const target = await join(test, { type: "acme:target:1.0.0", ...rules === undefined ? {} : { rules } });
      const to = await connect(test, target);
      for (const [at, node] of nodes.entries()) {
        const connection = must(connections[at], "connected");
        const principal = { kind: "peer", id: node.id, proof: node.key === undefined ? "bearer" : "key" } as const;
        assert.equal(mayReach(rules, { principal, realm: 1 }), expected[at], `gate, client ${at}`);
        const canCall = ["call", "tell", "stream", "media"] as const;
        assert.equal(canCall.some((kind) => judge(rules, { principal, realm: 1 }, { kind, name: "z.Z.Y" }).allowed), expected[at]);
        const relayed = await send(connection, to, target.id, offer);
        assert.equal(typeof relayed !== "number", expected[at], `relay, client ${at}: ${String(relayed)}`);
        const request = { case: "routeCandidatesRequest", value: { targetType: target.id.type, clientFingerprint: "" } } as const;
        const { flow } = await connection.ask(request);
        assert.ok(flow.case === "serverToActr" && flow.value.payload.case === "routeCandidatesResponse");
        const { result } = flow.value.payload.value;
        const found = result.case === "success" && result.value.candidates.some(({ serialNumber }) => serialNumber === target.id.serial);
        assert.equal(found, expected[at], `discovery, client ${at}`);
      }
    });
  }
});
