import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "@atoll-run/core";
import { defineMob, type ApprovalRule, type TreeInput } from "@atoll-run/mob";
import { approvalHash, decideApproval, foldApproval, judgeCall, toCanonical, type Approval, type GuardedCall } from "@atoll-run/mob/internal";

const rulesOf = (approvals: NonNullable<TreeInput["approvals"]>): readonly ApprovalRule[] => defineMob({ mob: { id: "m" }, approvals }).approvals;
const CALL: GuardedCall = { member: "editor", profile: "editor", labels: { team: "docs" }, grant: "fs.write", tool: "write_file", object: "/out/report.md", args: { path: "/out/report.md", size: 40, deep: { x: "y" } } };

const CASES: readonly [title: string, rules: NonNullable<TreeInput["approvals"]>, call: Partial<GuardedCall>, tier: string][] = [
  ["without a rule fs.write is R2", [], {}, "R2"], ["without a rule run is R2", [], { grant: "run" }, "R2"], ["without a rule what is sent out of the mob is R2", [], { grant: "mesh" }, "R2"],
  ["without a rule a send within it is R1", [], { grant: "mob" }, "R1"],
  ["without a rule the rest is R1", [], { grant: "fs.read" }, "R1"],
  ["a rule that names its grant and member", [{ match: { grant: "fs.write", member: "editor" }, tier: "R3" }], {}, "R3"],
  ["a rule of another member", [{ match: { grant: "fs.write", member: "scout" }, tier: "R3" }], {}, "R2"],
  ["the rule that names the most wins", [{ match: { grant: "fs.write" }, tier: "R3" }, { match: { grant: "fs.write", object: "/out/*" }, tier: "R0" }], {}, "R0"],
  ["then the first", [{ match: { grant: "fs.write" }, tier: "R0" }, { match: { member: "editor" }, tier: "R3" }], {}, "R0"],
  ["deny beats all", [{ match: { grant: "fs.write", member: "editor", object: "/out/*" }, tier: "R0" }, { match: { grant: "fs.*" }, tier: "deny" }], {}, "deny"],
  ["arguments by path and glob", [{ match: { args: { "deep.x": "y*" } }, tier: "R3" }], {}, "R3"],
  ["arguments by range", [{ match: { args: { size: "10..50" } }, tier: "R3" }], {}, "R3"],
  ["arguments out of range", [{ match: { args: { size: "..39" } }, tier: "R3" }], {}, "R2"],
  ["an argument that is not there", [{ match: { args: { none: "*" } }, tier: "R3" }], {}, "R2"],
  ["labels", [{ match: { labels: { team: "docs" } }, tier: "R3" }], {}, "R3"],
  ["a taint", [{ match: { grant: "fs.write", taint: "external" }, tier: "deny" }], { taint: "external" }, "deny"],
  ["a taint counts for worse ones too", [{ match: { taint: "peer" }, tier: "R3" }], { taint: "external" }, "R3"],
  ["a taint that is not so bad, and a call that says nothing of it", [{ match: { taint: "peer" }, tier: "R3" }], {}, "R2"],
  ["who gave the turn", [{ match: { origin: "helpdesk*" }, tier: "deny" }], { origin: "helpdesk-2" }, "deny"],
  ["a point in a glob is a point", [{ match: { grant: "fs.write" }, tier: "R3" }], { grant: "fsxwrite" }, "R1"],
];
for (const [title, rules, call, tier] of CASES) {
  test(`policy: ${title}`, () => assert.equal(judgeCall(rulesOf(rules), { ...CALL, ...call }).tier, tier));
}

const STEP = { name: "s", allow_tools: null, block_tools: [] } as const;
const TOOLS: readonly [title: string, step: Partial<NonNullable<GuardedCall["step"]>>, call: Partial<GuardedCall>, denied: boolean][] = [
  ["its tool is blocked", { block_tools: ["write_file"] }, {}, true], ["its verb is blocked", { block_tools: ["fs.*"] }, { tool: "x" }, true],
  ["another is blocked", { block_tools: ["read_file"] }, {}, false], ["its tool is allowed", { allow_tools: ["write_*"] }, {}, false],
  ["another is allowed", { allow_tools: ["read_file"] }, {}, true], ["allowed and blocked", { allow_tools: ["*"], block_tools: ["write_file"] }, {}, true],
  ["a function of the script API", { allow_tools: ["std.fs.write"] }, { fn: "std.fs.write" }, false],
  ["a tool of the standard agent, by its function", { block_tools: ["run_command"] }, { grant: "run", tool: "", fn: "sh.exec" }, true],
  ["a model is no tool", { allow_tools: ["read_file"], block_tools: ["*"] }, { grant: "model", tool: "", fn: "agent.run" }, false],
];
for (const [title, step, call, denied] of TOOLS) {
  test(`tools of a step: ${title}`, () => {
    const judged = judgeCall([], { ...CALL, ...call, step: { ...STEP, ...step } });
    assert.deepEqual([judged.tier === "deny", judged.step], denied ? [true, "s"] : [false, undefined]);
  });
}

const OPEN: Approval = {
  id: "a_1", state: "open", member: "editor", turn_id: "t_1", rule_id: "r", grant: "fs.write", tool: null, object: null, fn: null, args: {}, hash: "h",
  asked_by: "ann", approvers: [], quorum: 1, on_timeout: "draft", self_approval: null, opened_at_ms: 0, expires_at_ms: 1, decisions: [], seq: 1,
};
const refusal = (code: string) => (error: unknown) => isFault(error) && error.code === code;

test("the principal that started the turn may not approve it, unless by the local token or by the rule", () => {
  assert.throws(() => decideApproval(OPEN, { principal: "ann", decision: "approve", local: false }), refusal("mob.self_approval_forbidden"));
  assert.equal(decideApproval(OPEN, { principal: "ann", decision: "approve", local: true }), "approved");
  assert.equal(decideApproval({ ...OPEN, self_approval: true }, { principal: "ann", decision: "approve", local: false }), "approved");
  assert.throws(() => decideApproval({ ...OPEN, self_approval: false }, { principal: "ann", decision: "approve", local: true }), refusal("mob.self_approval_forbidden"));
});

test("a wrong principal is refused and the item stays", () => {
  assert.throws(() => decideApproval({ ...OPEN, approvers: ["bob"] }, { principal: "eve", decision: "reject", local: true }), refusal("mob.approver_mismatch"));
});

test("a quorum of distinct approvals, or one rejection, closes it; later ones are told so", () => {
  const two = { ...OPEN, quorum: 2 };
  assert.equal(decideApproval(two, { principal: "bob", decision: "approve", local: false }), "open");
  const once: Approval = { ...two, decisions: [{ principal: "bob", decision: "approve", at_ms: 1 }] };
  assert.throws(() => decideApproval(once, { principal: "bob", decision: "approve", local: false }), refusal("mob.conflict"));
  assert.equal(decideApproval(once, { principal: "eve", decision: "approve", local: false }), "approved");
  assert.equal(decideApproval(once, { principal: "eve", decision: "reject", local: false }), "rejected");
  assert.throws(() => decideApproval({ ...OPEN, state: "approved" }, { principal: "eve", decision: "reject", local: false }), refusal("mob.approval_closed"));
});

test("an approval is bound to member, turn, tool and arguments in any order", () => {
  const hash = approvalHash(CALL, "t_1");
  assert.equal(approvalHash({ ...CALL, args: { deep: { x: "y" }, size: 40, path: "/out/report.md" } }, "t_1"), hash);
  for (const other of [{ ...CALL, args: { ...CALL.args as object, size: 41 } as never }, { ...CALL, member: "x" }, { ...CALL, tool: "other" }]) {
    assert.notEqual(approvalHash(other, "t_1"), hash);
  }
  assert.notEqual(approvalHash(CALL, "t_2"), hash);
  assert.equal(toCanonical({ b: [1, 1.0, "é"], a: null }), "{\"a\":null,\"b\":[1,1,\"é\"]}");
});

test("an approval folds from its entries", () => {
  const entry = (kind: string, data: object, principal?: string) => ({ seq: 2, epoch: "e", id: "x", ts_ms: 5, v: 1, class: "approval", kind, mob: "m", source: "mob", data, principal }) as never;
  const opened = foldApproval(undefined, entry("approval_requested", { ...OPEN }));
  assert.equal(opened?.state, "open");
  const decided = foldApproval(opened, entry("approval_decided", { decision: "reject", reason: "no", state: "rejected" }, "bob"));
  assert.deepEqual([decided?.state, decided?.decisions], ["rejected", [{ principal: "bob", decision: "reject", at_ms: 5, reason: "no" }]]);
});
