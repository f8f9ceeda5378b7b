/**
 * Goal: nobody gets in who is not named. Invariants: deny beats allow in any order, nothing is allowed that no
 * rule names, and what travels reads as the same rules. Method: the matrix, and random rules.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseNodeId, type NodeId } from "@atoll-run/core";
import {
  AclSchema, create, fromAcl, judge, matchesGlob, mayReach, readMessage, ruleProblems, toAcl, writeMessage,
  type Caller, type Principal, type Rule,
} from "@atoll-run/core/internal";

const id = parseNodeId("1a@101/acme:echo:1.0.0") as NodeId;
const CALL = { kind: "call", name: "bank.Bank.Charge" } as const;

function peer(o: { realm?: number; proof?: "key" | "bearer" } = {}): Caller {
  const { realm = 101, proof = "bearer" } = o;
  const principal: Principal = { kind: "peer", id: { ...id, realm }, proof };
  return { principal, realm: 101 };
}

function rule(effect: Rule["effect"], o: Partial<Rule["from"]> & { actions?: readonly string[] } = {}): Rule {
  const { actions = ["*"], ...from } = o;
  return { effect, from: { type: "*:*:*", realm: "self", ...from }, actions };
}

const allow = rule("allow");

for (const [title, rules, caller, allowed] of [
  ["no rule set denies", undefined, peer(), false],
  ["no rules deny", [], peer(), false],
  ["an allow allows", [allow], peer(), true],
  ["a deny beats an allow before it", [allow, rule("deny")], peer(), false],
  ["a deny beats an allow behind it", [rule("deny"), allow], peer(), false],
  ["an id that does not decode is nobody", [allow], { principal: undefined, realm: 101 }, false],
  ["a local principal passes", [rule("deny")], { principal: { kind: "local" }, realm: 101 }, true],
  ["`self` is the realm of the node that is asked", [allow], peer({ realm: 102 }), false],
  ["another realm needs a rule that names it", [rule("allow", { realm: 102 })], peer({ realm: 102 }), true],
  ["a named realm is no other", [rule("allow", { realm: 102 })], peer(), false],
  ["any realm is every realm", [rule("allow", { realm: "any" })], peer({ realm: 7 }), true],
  ["a type is matched part by part", [rule("allow", { type: "acme:*:1.0.0" })], peer(), true],
  ["a part of another type does not match", [rule("allow", { type: "acme:bank:*" })], peer(), false],
  ["a star inside a part is no star", [rule("allow", { type: "acme:ec*:1.0.0" })], peer(), false],
  ["one node is meant", [rule("allow", { node: "1a@101/acme:echo:1.0.0" })], peer(), true],
  ["another node is not", [rule("allow", { node: "1b@101/acme:echo:1.0.0" })], peer(), false],
  ["a proof that is asked for is needed", [rule("allow", { proof: "key" })], peer(), false],
  ["a proof that is given counts", [rule("allow", { proof: "key" })], peer({ proof: "key" }), true],
  ["a route is matched", [rule("allow", { actions: ["call:bank.*"] })], peer(), true],
  ["another route is not", [rule("allow", { actions: ["call:echo.*"] })], peer(), false],
  ["a tell is no call", [rule("allow", { actions: ["tell:*"] })], peer(), false],
  ["a deny of one route leaves others", [allow, rule("deny", { actions: ["call:echo.*"] })], peer(), true],
] as const) {
  test(title, () => assert.equal(judge(rules, caller, CALL).allowed, allowed));
}

for (const [title, rules, reachable] of [
  ["who has no rule reaches nothing", [], false],
  ["who may do one thing reaches the node", [rule("allow", { actions: ["stream:audit"] })], true],
  ["who is denied everything does not", [allow, rule("deny")], false],
  ["who is denied all that is allowed does not",
    [rule("allow", { actions: ["call:a.*"] }), rule("deny", { actions: ["call:*"] })], false],
  ["who is denied all four kinds does not",
    [allow, rule("deny", { actions: ["call:*", "tell:*", "stream:*", "media:*"] })], false],
  ["who is denied a part does", [allow, rule("deny", { actions: ["call:*"] })], true],
] as const) {
  test(title, () => {
    assert.equal(mayReach(rules, peer()), reachable);
    assert.equal(mayReach(rules, { principal: { kind: "local" }, realm: 101 }), true);
    assert.equal(mayReach(rules, { principal: undefined, realm: 101 }), false);
  });
}

const anyRule: fc.Arbitrary<Rule> = fc.record({
  effect: fc.constantFrom("allow" as const, "deny" as const),
  actions: fc.uniqueArray(
    fc.constantFrom("*", "call:*", "call:bank.*", "tell:x.*", "stream:*", "media:audio"), { minLength: 1, maxLength: 3 }),
  from: fc.record({
    type: fc.constantFrom("*:*:*", "acme:*:*", "acme:echo:1.0.0", "other:echo:1"),
    realm: fc.constantFrom("self" as const, "any" as const, 101, 102),
    node: fc.constantFrom("1a@101/acme:echo:1.0.0", "2@1/a:b:c"), proof: fc.constant("key" as const),
  }, { requiredKeys: ["type", "realm"], noNullPrototype: true }),
}, { noNullPrototype: true });

test("the order of rules changes nothing, and who may do something may reach", () => {
  fc.assert(fc.property(fc.array(anyRule, { maxLength: 6 }), fc.constantFrom(101, 102), (rules, realm) => {
    const { allowed } = judge(rules, peer({ realm }), CALL);
    assert.equal(judge(rules.toReversed(), peer({ realm }), CALL).allowed, allowed);
    if (allowed) assert.ok(mayReach(rules, peer({ realm })));
  }), { numRuns: 1_000 });
});

test("the rule that decided is told", () => {
  assert.deepEqual(judge([rule("allow", { realm: 7 }), allow], peer(), CALL), { allowed: true, rule: 1 });
  assert.deepEqual(judge([allow, rule("deny")], peer(), CALL), { allowed: false, rule: 1 });
  assert.deepEqual(judge([], peer(), CALL), { allowed: false });
});

test("rules travel whole to an aware realm", () => {
  fc.assert(fc.property(fc.array(anyRule, { minLength: 1, maxLength: 6 }), (rules) => {
    const read = readMessage(AclSchema, writeMessage(AclSchema, toAcl(rules, 101)));
    assert.ok(read.ok);
    assert.deepEqual(fromAcl(read.value), rules);
  }));
});

test("a legacy realm gets what its form can say: whole types, always with a realm", () => {
  const whole = { type: "acme:echo:1.0.0" };
  const acl = create(AclSchema, { ...toAcl([
    rule("allow", whole), rule("deny", { ...whole, realm: "any" }), allow,
    rule("allow", { ...whole, proof: "key" }), rule("allow", { ...whole, actions: ["call:*"] }),
  ], 101), fullRules: [] });
  assert.deepEqual(fromAcl(acl),
    [rule("allow", { ...whole, realm: 101 }), rule("deny", { ...whole, realm: "any" })]);
});

test("an old rule without a realm, or with `any_realm` false, means the realm of the target", () => {
  const fromType = { manufacturer: "acme", name: "echo", version: "1" };
  for (const fromRealm of [undefined, { case: "anyRealm", value: false } as const]) {
    const old = { permission: 1, fromType, ...fromRealm ? { fromRealm } : {} } as const;
    const acl = create(AclSchema, { rules: [old] });
    assert.deepEqual(fromAcl(acl), [rule("allow", { type: "acme:echo:1" })]);
  }
});

for (const [title, full] of [
  ["a realm that is none", { realm: "here" }], ["a realm that is too large", { realm: "4294967296" }],
  ["a proof that is none", { proof: "word" }], ["a type that is none", { type: "acme" }],
  ["no actions", { actions: [] }], ["an action that is none", { actions: ["walk:*"] }],
  ["an empty node", { node: "" }],
] as const) {
  test(`rules of which one has ${title} are no rules`, () => {
    const good = { allow: true, type: "*:*:*", realm: "self", actions: ["*"] };
    const wrong = { ...good, ...full, actions: [...full.actions ?? ["*"]] };
    assert.equal(fromAcl(create(AclSchema, { fullRules: [good, wrong] })), undefined);
  });
}

test("all that is wrong with a rule is told at once", () => {
  const wrong = rule("allow", { type: "x", realm: -1, node: "", actions: ["call", "call:"] });
  assert.equal(ruleProblems(wrong).length, 5);
  assert.deepEqual(ruleProblems(allow), []);
});

test("a glob matches as a plain reading of it says, and fast", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "*", "."), maxLength: 12 });
  fc.assert(fc.property(word, word, (glob, text) => {
    const pattern = glob.split("*").map((part) => part.replaceAll(".", "\\.")).join(".*");
    assert.equal(matchesGlob(glob, text), new RegExp(`^${pattern}$`, "s").test(text));
  }), { numRuns: 2_000 });
  assert.equal(matchesGlob(`${"*a".repeat(100)}b`, "a".repeat(5_000)), false);
});
