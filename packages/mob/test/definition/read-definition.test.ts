import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "@atoll-run/core";
import fc from "fast-check";
import { defineMob, readDefinition, type Origin, type Problem, type TreeInput } from "@atoll-run/mob";

const AUDIT: TreeInput = {
  mob: { id: "audit", members: [{ id: "scout", profile: "scout" }, { id: "auditor", profile: "auditor", count: 4 }, { id: "editor", profile: "editor" }],
    edges: [["scout", "@auditor"], ["@auditor", "editor"]] },
  profiles: {
    scout: { script: "scout.lua", grants: ["fs.read:node_modules"] }, auditor: { linked: "auditor" },
    editor: { script: "editor.lua", external: true, grants: ["fs.write:atoll-audit"], idle_after: "30s" },
  },
  approvals: [{ match: { grant: "fs.write", member: "editor" }, tier: "R3", timeout: "5m" }],
  flows: { audit: { steps: {
    scan: { role: "scout", message: "{{ params.root }}" },
    audit: { role: "auditor", depends_on: ["scan"], dispatch: "share", items: "steps.scan.output.batches", retries: 2 },
    report: { role: "editor", depends_on: ["audit"], message: "{{ steps.audit.output }}" },
  } } },
};

function problemsOf(given: unknown, origin: Origin = {}): readonly Problem[] {
  try {
    readDefinition(given, origin);
  } catch (error) {
    assert.ok(isFault(error) && error.code === "mob.definition_invalid", String(error));
    return error.facts["problems"] as readonly Problem[];
  }
  return [];
}

test("a definition is frozen, its counts unfolded, its durations in milliseconds, its defaults filled in", () => {
  const made = defineMob(AUDIT);
  assert.deepEqual(made.members.map(({ id }) => id), ["scout", "auditor-1", "auditor-2", "auditor-3", "auditor-4", "editor"]);
  assert.equal(made.profiles["editor"]?.idle_after_ms, 30_000);
  assert.deepEqual(made.profiles["auditor"]?.runs, { linked: "auditor" });
  assert.deepEqual(made.profiles["auditor"]?.grants, []);
  assert.deepEqual(made.approvals[0], {
    id: "rule-1", match: { grant: "fs.write", member: "editor" }, tier: "R3", approvers: [], quorum: 1, timeout_ms: 300_000,
    on_timeout: "draft", self_approval: null,
  });
  assert.deepEqual(made.flows["audit"]?.steps["audit"]?.to, { role: "auditor" });
  assert.deepEqual(Object.values(made.flows["audit"]?.steps ?? {}).map(({ dispatch }) => dispatch), ["one_to_one", "share", "one_to_one"], "who is alone is asked alone");
  assert.throws(() => (made.members as unknown[]).push(1));
});

test("what profiles, rules and steps do not say they take from the limits of the definition", () => {
  const made = defineMob({ ...AUDIT, approvals: [{ match: { tool: "x" }, tier: "R3" }], limits: { idleMs: 1, approvalMs: 2, stepMs: 3 } });
  assert.deepEqual([made.profiles["scout"]?.idle_after_ms, made.profiles["editor"]?.idle_after_ms], [1, 30_000]);
  assert.deepEqual([made.approvals[0]?.timeout_ms, made.flows["audit"]?.steps["scan"]?.timeout_ms], [2, 3]);
});

test("all errors are reported with path and line, and nothing was created", () => {
  const problems = problemsOf({
    mob: { id: "audit", members: [{ id: "a b", profile: "scout" }, { id: "x", profil: "scout", profile: "scout" }] },
    profiles: { scout: { script: "s.lua", grant: [] } },
    flows: { f: { steps: { one: { role: "scout", timeout: "soon" } } } },
  }, { locate: (path) => path[0] === "profiles" ? { file: "mob.toml", line: 7 } : undefined });
  assert.deepEqual(problems.map(({ path, hint, line }) => [path, hint, line]), [
    ["mob.members[0].id", undefined, undefined], ["mob.members[1].profil", 'did you mean "profile"?', undefined],
    ["flows.f.steps.one.timeout", undefined, undefined], ["profiles.scout.grant", 'did you mean "grants"?', 7],
  ]);
});

test("what has the wrong shape hides nothing else, and nothing is said twice", () => {
  const problems = problemsOf({
    mob: { id: "audit", members: [{ id: "x", profile: "scot", colour: "red" }], edges: [["x", "y"]] },
    profiles: { scout: { script: 7 }, other: { script: "a.lua", idle_after: "long" } },
    flows: { f: { steps: { one: { role: "scuot", retry: 1 } } } },
  }, { problems: [{ path: "approvals", text: "stands in two places" }] });
  assert.deepEqual(problems.map(({ path }) => path).sort(), [
    "approvals", "flows.f.steps.one.retry", "flows.f.steps.one.role", "mob.edges[0][1]", "mob.members[0].colour", "mob.members[0].profile",
    "profiles.other.idle_after", "profiles.scout.script",
  ]);
});

const WRONG: readonly [what: string, change: (tree: typeof AUDIT & Record<string, never>) => unknown, path: string, text: RegExp][] = [
  ["a profile that is not there", () => ({ ...AUDIT, mob: { id: "m", members: [{ id: "a", profile: "scot" }] } }), "mob.members[0].profile", /no profile "scot"/],
  ["a member twice", () => ({ ...AUDIT, mob: { id: "m", members: [{ id: "a-1", profile: "scout" }, { id: "a", profile: "scout", count: 2 }] } }), "mob.members[1].id", /there already/],
  ["a grant that its profile has not", () => ({ ...AUDIT, mob: { id: "m", members: [{ id: "a", profile: "scout", grants: ["run:*"] }] } }), "mob.members[0].grants", /not a grant of profile scout/],
  ["an edge to nobody", () => ({ ...AUDIT, mob: { ...AUDIT.mob, edges: [["scout", "edtor"]] } }), "mob.edges[0][1]", /no member "edtor"/],
  ["an edge to a profile that is not there", () => ({ ...AUDIT, mob: { ...AUDIT.mob, edges: [["scout", "@auditors"]] } }), "mob.edges[0][1]", /no profile/],
  ["more edges than a member may have", () => ({ ...AUDIT, mob: { ...AUDIT.mob, members: [{ id: "w", profile: "scout", count: 300 }], edges: [["@scout", "w-1"], ["@scout", "@scout"]] } }), "mob.edges[0]", /w-1 would have more than 256 edges/],
  ["more members than a mob may have", () => ({ ...AUDIT, mob: { id: "m", members: Array.from({ length: 40 }, (_, n) => ({ id: `w${n}`, profile: "scout", count: 50_000 })) } }), "mob.members", /are 2000000, more than 50000/],
  ["an id that is too long with its number", () => ({ ...AUDIT, mob: { id: "m", members: [{ id: "w".repeat(127), profile: "scout", count: 2 }] } }), "mob.members[0].id", /too long/],
  ["an edge to itself", () => ({ ...AUDIT, mob: { ...AUDIT.mob, edges: [["scout", "scout"]] } }), "mob.edges[0]", /to itself/],
  ["a profile with two ways to run", () => ({ ...AUDIT, profiles: { ...AUDIT.profiles, scout: { script: "x", linked: "y" } } }), "profiles.scout", /one of script, linked/],
  ["a rule that matches everything", () => ({ ...AUDIT, approvals: [{ match: {}, tier: "R3" }] }), "approvals[0].match", /matches everything/],
  ["a step of nobody", () => ({ ...AUDIT, flows: { f: { steps: { s: { message: "x" } } } } }), "flows.f.steps.s", /one of role and member/],
  ["a step that waits for one that is not there", () => ({ ...AUDIT, flows: { f: { steps: { s: { role: "scout", depends_on: ["t"] } } } } }), "flows.f.steps.s.depends_on[0]", /no step "t"/],
  ["steps that wait for each other", () => ({ ...AUDIT, flows: { f: { steps: {
    a: { role: "scout", depends_on: ["b"] }, b: { role: "scout", depends_on: ["a"] },
  } } } }), "flows.f.steps.a.depends_on", /a → b → a/],
  ["a share of nothing", () => ({ ...AUDIT, flows: { f: { steps: { s: { role: "scout", dispatch: "share" } } } } }), "flows.f.steps.s.items", /missing/],
  ["a function that the mob has not, in a grant", () => ({ ...AUDIT, profiles: { ...AUDIT.profiles, scout: { script: "x", grants: ["mob:sned"] } } }), "profiles.scout.grants[0]", /"mob:sned" is for no function.*me, members, send.*\(did you mean "mob:send"\?\)/],
  ["a verb that is none, in a grant of a member", () => ({ ...AUDIT, mob: { id: "m", members: [{ id: "a", profile: "scout", grants: ["fs.raed:x"] }] } }), "mob.members[0].grants[0]", /unknown verb "fs.raed".*\(did you mean "fs.read:x"\?\)/],
  ["a pattern that its verb cannot have", () => ({ ...AUDIT, profiles: { ...AUDIT.profiles, scout: { script: "x", grants: ["run:a b"] } } }), "profiles.scout.grants[0]", /holds a space; [^(]*$/],
  ["a rule about a grant that is none", () => ({ ...AUDIT, approvals: [{ match: { grant: "fs.wriet" }, tier: "R3" }] }), "approvals[0].match.grant", /no grant "fs.wriet".*\(did you mean "fs.write"\?\)/],
  ["a rule about more than a verb", () => ({ ...AUDIT, approvals: [{ match: { grant: "fs.write:out/*" }, tier: "deny" }] }), "approvals[0].match.grant", /more than the verb.*\(write grant = "fs.write", object = "out\/\*"\)/],
  ["a rule about a profile that is not there", () => ({ ...AUDIT, approvals: [{ match: { profile: "auditor-1" }, tier: "R3" }] }), "approvals[0].match.profile", /no profile "auditor-1" \(it is a member: write member = "auditor-1"\)/],
  ["a rule about an action that is none", () => ({ ...AUDIT, access: { admins: ["a"], rules: [{ effect: "deny", principals: ["*"], actions: ["*.view", "sesion.read"] }] } }), "access.rules[0].actions[1]", /no action "sesion.read".*\(did you mean "session.read"\?\)/],
  ["a rule of access about a profile that is not there", () => ({ ...AUDIT, access: { admins: ["a"], rules: [{ effect: "deny", principals: ["*"], actions: ["*"], profiles: ["audit*", "editr"] }] } }), "access.rules[0].profiles[1]", /no profile "editr" \(did you mean "editor"\?\)/],
  ["a step whose role is a member", () => ({ ...AUDIT, flows: { f: { steps: { s: { role: "auditor-2" } } } } }), "flows.f.steps.s.role", /no profile "auditor-2" \(it is a member: write member = "auditor-2"\)/],
  ["a step whose member is a profile", () => ({ ...AUDIT, flows: { f: { steps: { s: { member: "auditor" } } } } }), "flows.f.steps.s.member", /no member "auditor" \(it is a profile: write role = "auditor"\)/],
  ["a step whose member is several", () => ({ ...AUDIT, mob: { id: "m", members: [{ id: "w", profile: "scout", count: 4 }] }, flows: { f: { steps: { s: { member: "w" } } } } }), "flows.f.steps.s.member", /no member "w" \(its count makes "w-1" to "w-4"\)/],
  ["an edge to a profile without its @", () => ({ ...AUDIT, mob: { ...AUDIT.mob, edges: [["scout", "auditor"]] } }), "mob.edges[0][1]", /it is a profile: write "@auditor"/],
  ["an edge to a member with an @", () => ({ ...AUDIT, mob: { ...AUDIT.mob, edges: [["scout", "@auditor-1"]] } }), "mob.edges[0][1]", /it is a member: write "auditor-1"/],
  ["a supervisor that is a member", () => ({ ...AUDIT, supervisor: { role: "auditor-1" } }), "supervisor.role", /it is a member of profile "auditor"/],
  ["a limit that is the same in every mob", () => ({ ...AUDIT, limits: { batchMax: 100 } }), "limits.batchMax", /is 50 in every mob/],
  ["more steps than its limit", () => ({ ...AUDIT, limits: { stepsMax: 0 } }), "flows.audit.steps", /a flow has at most 0 steps/],
  ["a limit that is none", () => ({ ...AUDIT, limits: { turnMax: 3 } }), "limits.turnMax", /no limit/],
];

for (const [what, change, path, text] of WRONG) {
  test(`${what} is an error that names its place`, () => {
    const [first] = problemsOf(change(AUDIT as never));
    assert.equal(first?.path, path);
    assert.match(`${first?.text ?? ""}${first?.hint === undefined ? "" : ` (${first.hint})`}`, text);
  });
}

test("what stands under a key that is none hides nothing: it is looked at as what was perhaps meant", () => {
  const told = problemsOf({
    mob: { id: "m", members: [{ id: "a", profile: "p" }], egdes: [["a", "b"]] },
    profiles: { p: { scirpt: "p.lua", grants: ["mob:sned"] }, q: { colour: "red" }, r: { script: "r.lua", lniked: "r" }, s: { script: "s.lua", idle_aftre: "30s", rsetart: 7 } },
    flows: { f: { steps: { one: { rloe: "q", retires: 1 }, two: { colour: "red", retreis: -1 } } } },
  });
  assert.deepEqual(told.map(({ path, hint }) => [path, hint]), [
    ["mob.egdes", 'did you mean "edges"?'], ["profiles.p.scirpt", 'did you mean "script"?'], ["profiles.q.colour", undefined], ["profiles.r.lniked", 'did you mean "linked"?'],
    ["profiles.s.idle_aftre", 'did you mean "idle_after"?'], ["profiles.s.rsetart", 'did you mean "restart"?'], ["flows.f.steps.one.rloe", 'did you mean "role"?'],
    ["flows.f.steps.one.retires", 'did you mean "retries"?'], ["flows.f.steps.two.colour", undefined], ["flows.f.steps.two.retreis", 'did you mean "retries"?'],
    ["profiles.p", "it has none"], ["profiles.p.grants[0]", 'did you mean "mob:send"?'], ["profiles.q", "it has none"], ["flows.f.steps.one", undefined], ["flows.f.steps.two", undefined],
  ], "a value that cannot be what was meant: all is looked at without those keys");
  const [, ...rest] = problemsOf({
    mob: { id: "m", members: [{ id: "a", profile: "p" }], egdes: [["a", "b"]] },
    profiles: { p: { scirpt: "p.lua" }, q: { colour: "red" }, r: { script: "r.lua", lniked: "r" } }, flows: { f: { steps: { one: { rloe: "x" } } } },
  }).slice(4);
  assert.deepEqual(rest.map(({ path, text, hint }) => `${path}: ${text} ${hint ?? ""}`), [
    "profiles.q: a profile has one of script, linked and agent = true it has none", "profiles.r: a profile has one of script, linked and agent = true it has 2",
    "mob.edges[0][1]: there is no member \"b\" ", "flows.f.steps.one.role: there is no profile \"x\" ",
  ]);
});

test("errors come in the order of their files' lines", () => {
  const lines: Readonly<Record<string, readonly [file: string, line: number]>> = { mob: ["mob.toml", 9], profiles: ["mob.toml", 3], access: ["access.toml", 2] };
  const locate: Origin["locate"] = ([top = ""]) => ({ file: lines[top]?.[0] ?? "", line: lines[top]?.[1] ?? 0 });
  const told = problemsOf({ mob: { id: "m", memebers: [] }, access: { admins: [] }, profiles: { p: { linked: "x", colour: 1 } } }, { locate });
  assert.deepEqual(told.map(({ file, line }) => `${file}:${line}`), ["mob.toml:3", "mob.toml:9", "access.toml:2"]);
});

test("keys of steps and rules that are for a later version are refused with a sentence that names them", () => {
  const step = { role: "scout", when: 1, branch: "b", repeat: {}, tool: "x", wen: 1 };
  const given = { ...AUDIT, flows: { f: { steps: { one: step } } }, approvals: [{ match: { grant: "run" }, tier: "R3", conflicts: {} }] };
  assert.deepEqual(problemsOf(given).map(({ path, text }) => `${path}: ${text.split(":")[0]}`).toSorted(), [
    "approvals[0].conflicts: conflicts is for a later version", "flows.f.steps.one.branch: branch is for a later version",
    "flows.f.steps.one.repeat: repeat is for a later version", "flows.f.steps.one.tool: tool is for a later version",
    "flows.f.steps.one.wen: there is no key \"wen\"", "flows.f.steps.one.when: when is for a later version",
  ]);
});

test("any value is a definition, or is refused: the reader never falls over", () => {
  const key = fc.constantFrom("mob", "id", "members", "edges", "profiles", "p", "script", "agent", "approvals", "match", "tier", "flows", "steps", "role", "collect", "limits",
    "access", "prices", "budget", "labels", "context", "count", "profile", "constructor", "toString", "");
  const leaf = fc.oneof(fc.constantFrom("p", "m", "@p", "R3", "30s", "", null, true, 0, -1, 1e308, NaN, undefined), fc.string(), fc.date({ noInvalidDate: false }), fc.bigInt());
  const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
    one: fc.oneof({ depthSize: "medium" }, leaf, fc.array(tie("one"), { maxLength: 3 }), fc.dictionary(key, tie("one"), { maxKeys: 5 })),
  })).one;
  const whole = fc.tuple(fc.constantFrom(...Object.keys(AUDIT)), value).map(([section, put]) => ({ ...AUDIT, [section]: put }));
  fc.assert(fc.property(fc.oneof(value, whole), (given) => void problemsOf(given)), { numRuns: 1_000 });
  const round: Record<string, unknown> = { mob: { id: "m" } };
  round["profiles"] = round;
  assert.match(problemsOf(round)[0]?.text ?? "", /nested deeper/);
});

test("what is wrong with shapes, with names and with grants is told at once, and no stand-in is ever spoken of", () => {
  const problems = problemsOf({
    mob: {
      id: "no id", memebers: [], members: [{ id: "a", profile: "p" }, { id: "b", profil: "p" }, { id: "a", profile: "gone" }, { id: "c", profile: "p", count: "two" }, 7],
      edges: [["a", "b"], ["a"], ["a", "ghost"], ["a", "@nobody"]],
    },
    profiles: { p: { script: "p.lua", grants: "fs.read" }, q: { script: "q.lua", grants: ["fs.raed:x", "run:a b"], restart: "sometimes" } },
    approvals: [{ match: {}, tier: "R9" }, 5],
    flows: { f: { steps: { one: { role: "pp", depends_on: ["two"] }, two: { role: "p", depends_on: ["one"], dispatch: "shar" }, three: "x", four: { role: "p", depends_on: ["three", "five"] } } } },
    access: { admins: [], rules: [{ effect: "perhaps" }] }, limits: { drainMs: "soon", drainMS: 3 }, unknown: 1,
  });
  assert.deepEqual(problems.map(({ path }) => path).toSorted(), [
    "access.admins", "access.rules[0].actions", "access.rules[0].effect", "approvals[0].match", "approvals[0].tier", "approvals[1]",
    "flows.f.steps.four.depends_on[1]", "flows.f.steps.one.depends_on", "flows.f.steps.one.role", "flows.f.steps.three", "flows.f.steps.two.dispatch",
    "limits.drainMS", "limits.drainMs", "mob.edges[1]", "mob.edges[2][1]", "mob.edges[3][1]", "mob.id",
    "mob.members[1].profil", "mob.members[1].profile", "mob.members[2].id", "mob.members[2].profile", "mob.members[3].count", "mob.members[4]", "mob.memebers",
    "profiles.p.grants", "profiles.q.grants[0]", "profiles.q.grants[1]", "profiles.q.restart", "unknown",
  ].toSorted());
  assert.ok(!problems.some(({ text, hint = "" }) => /"_"|"m"/.test(`${text} ${hint}`)));
});
