/** Goal: a member has one address, and its mob one type. Method: tables of what is written and what is meant. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { memberOfRoute, readAddress, routeTo, typeTextOfMob } from "@atoll-run/mob/internal";

test("an address is split at its last ::, and both parts must be there", () => {
  assert.deepEqual(readAddress("auditor-1::audit"), { member: "auditor-1", mob: "audit" });
  assert.deepEqual(readAddress("alice@x.org::beta"), { member: "alice@x.org", mob: "beta" });
  for (const wrong of ["", "auditor", "::audit", "auditor::", "a::b::c", "@all::audit", "a b::audit", "a/b::audit"]) {
    assert.throws(() => readAddress(wrong), { code: "mob.invalid_params" }, wrong);
  }
});

test("the type of a mob says its id, or a hash of it where a type cannot hold it", () => {
  assert.equal(typeTextOfMob("audit"), "atoll:mob.audit:1.0.0");
  assert.equal(typeTextOfMob("2nd_a-b.c"), "atoll:mob.2nd_a-b.c:1.0.0");
  for (const id of ["x".repeat(29), "ends-with-", "a."]) assert.match(typeTextOfMob(id), /^atoll:mob-[a-z2-7]{26}:1\.0\.0$/, id);
  assert.notEqual(typeTextOfMob("x".repeat(29)), typeTextOfMob("x".repeat(30)));
});

test("the route of a member names it, and nothing else is one", () => {
  for (const member of ["auditor-1", "alice@x.org", "ünïcode"]) assert.equal(memberOfRoute(routeTo(member)), member);
  for (const wrong of ["", "turn", "/turn", "a/turn/turn", "a/b", "@all/turn", "acme.Desk.Hello"]) assert.equal(memberOfRoute(wrong), undefined, wrong);
});
