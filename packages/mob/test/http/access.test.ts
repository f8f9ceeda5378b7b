/**
 * Goal: everybody may what the rules say, and nothing else. Invariants: what nothing allows is denied; one rule that denies beats all
 * that allow; what one may not see is not there: not in pages, not in counts, not in streams, not in errors. Method: every rule against
 * every kind of target; every method of the table against principals who may all, one action, nothing, or only read; a real server.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defineMob, type AccessRule, type AccessRules } from "@atoll-run/mob";
import { ACTIONS, hashToken, METHODS, Rights, ROLES, type MemberView, type Role, type Token } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";
import { spawned } from "../support.ts";
import { hear, listen, served } from "./served.ts";

const rule = (effect: AccessRule["effect"], actions: string, of: Partial<AccessRule> = {}): AccessRule =>
  ({ effect, actions: actions.split(" "), principals: ["ann"], groups: [], members: null, profiles: null, labels: null, ...of });

const member = (id: string, o: { profile?: string; labels?: Record<string, string>; by?: string } = {}): [string, MemberView] =>
  [id, { spec: { id, profile: o.profile ?? "p", labels: o.labels ?? {} }, ...o.by === undefined ? {} : { spawned_by: o.by } } as MemberView];

const people = new Map([
  member("a-1", { labels: { team: "blue" } }), member("a-2", { profile: "q" }), member("b-1", { profile: "q", labels: { team: "red" } }),
  member("h-0", { by: "a-1" }), ...Array.from({ length: 9 }, (_, n) => member(`h-${n + 1}`, { by: `h-${n}` })),
]);

/** Rules → what `ann` may do of `member.send`: on the mob, and on which members. */
const MATRIX: readonly [what: string, rules: readonly AccessRule[], mob: boolean, on: readonly string[]][] = [
  ["nothing allows", [], false, []],
  ["another action", [rule("allow", "member.view member.manage")], false, []],
  ["the action", [rule("allow", "member.send")], true, [...people.keys()]],
  ["a glob of actions", [rule("allow", "member.*")], true, [...people.keys()]],
  ["somebody else", [rule("allow", "*", { principals: ["bob"] })], false, []],
  ["a glob of principals", [rule("allow", "*", { principals: ["a*"] })], true, [...people.keys()]],
  ["his group", [rule("allow", "*", { principals: [], groups: ["ops"] })], true, [...people.keys()]],
  ["another group", [rule("allow", "*", { principals: [], groups: ["dev"] })], false, []],
  ["members by glob", [rule("allow", "member.send", { members: ["b-*"] })], false, ["b-1"]],
  ["a profile", [rule("allow", "member.send", { profiles: ["q"] })], false, ["a-2", "b-1"]],
  ["a label", [rule("allow", "member.send", { labels: { team: "r*" } })], false, ["b-1"]],
  ["all that is named must hold", [rule("allow", "member.send", { profiles: ["q"], labels: { team: "*" } })], false, ["b-1"]],
  ["helpers inherit, eight deep", [rule("allow", "member.send", { members: ["a-1"] })], false, ["a-1", "h-0", "h-1", "h-2", "h-3", "h-4", "h-5", "h-6", "h-7"]],
  ["deny wins, in any order", [rule("deny", "member.send"), rule("allow", "*")], false, []],
  ["deny wins, in any order", [rule("allow", "*"), rule("deny", "*.send")], false, []],
  ["deny on some members", [rule("allow", "member.send"), rule("deny", "member.send", { profiles: ["q", "p"], members: ["a-*", "h-3"] })], true,
    ["b-1"]],
  ["deny of another action", [rule("allow", "member.send"), rule("deny", "member.view")], true, [...people.keys()]],
  ["deny of a group", [rule("allow", "*"), rule("deny", "*", { principals: [], groups: ["o*"] })], false, []],
];

test("rules can speak of what methods need, and of nothing else", () => {
  assert.deepEqual([...ACTIONS].toSorted(), [...new Set(METHODS.flatMap(({ action }) => action ?? []))].toSorted());
});

test("rules: deny by default, deny wins, globs, groups, labels, profiles, helpers; roles are allowed what they may, admins are bound by none", () => {
  const rightOf = (rules: AccessRules | null, role: Role = "none", id = "ann") =>
    new Rights({ rules: () => rules, view: { members: people } }).of({ id, role, groups: ["ops"], local: false, read_only: false }, "member.send");
  for (const [what, rules, mob, on] of MATRIX) {
    const right = rightOf({ admins: ["root"], rules });
    assert.deepEqual([right.mob, [...people.keys()].filter((id) => right.on(id)), right.any], [mob, on, mob || on.length > 0], what);
    assert.equal(right.all, mob && on.length === people.size, what);
    const denied = rules.some(({ effect, actions }) => effect === "deny" && actions.some((action) => action !== "member.view"));
    // What a role may is what a rule without bounds allows.
    const operator = rightOf({ admins: ["root"], rules }, "operator");
    assert.equal(operator.mob, !rules.some(({ effect, members, actions }) => effect === "deny" && members === null && !actions.includes("member.view")), what);
    assert.equal(operator.all, !denied, what);
    for (const right of [rightOf({ admins: ["ann"], rules }), rightOf({ admins: ["root"], rules }, "admin")]) assert.ok(right.all && right.mob && right.on("b-1"), what);
  }
  assert.deepEqual([rightOf(null).any, rightOf(null, "viewer").any, rightOf(null, "operator").all], [false, false, true]);
  // One that is to be, by what it will be.
  const to = rightOf({ admins: ["root"], rules: [rule("allow", "*", { profiles: ["q"] }), rule("deny", "*", { labels: { team: "red" } })] });
  assert.deepEqual([to.on({ id: "n", profile: "q" }), to.on({ id: "n", profile: "p" }), to.on({ id: "n", profile: "q", labels: { team: "red" } })], [true, false, false]);
});

test("a right follows its rules: changed ones count at once", () => {
  let rules: AccessRules = { admins: ["root"], rules: [] };
  const rights = new Rights({ rules: () => rules, view: { members: people } });
  const may = () => rights.of({ id: "ann", role: "none", groups: [], local: false, read_only: false }, "member.send").any;
  assert.equal(may(), false);
  rules = { admins: ["root"], rules: [rule("allow", "*")] };
  assert.equal(may(), true);
});

test("access without an admin cannot be enabled; a rule is for somebody", () => {
  const define = (access: object) => defineMob({ mob: { id: "m" }, access: access as never });
  assert.throws(() => define({ rules: [] }), { code: "mob.definition_invalid" });
  assert.throws(() => define({ admins: [] }), /shuts everybody out/);
  assert.throws(() => define({ admins: ["root"], rules: [{ effect: "allow", actions: ["*"] }] }), /names principals or groups/);
  assert.throws(() => define({ admins: ["root"], rules: [{ effect: "allow", principal: ["x"], groups: ["x"], actions: ["*"] }] }), /did you mean "principals"/);
  assert.equal(defineMob({ mob: { id: "m" } }).access, null);
});

const tokensOf = (names: readonly string[], more: Partial<Token> = {}): readonly Token[] => names.map((name) => ({ sha256: hashToken(`token-of-${name}`), principal: name, ...more }));

test("each method wants its action: whoever may nothing is denied, whoever may that alone is not, and whoever may only read writes nothing and is not told of it", async (t) => {
  const actions = [...new Set(METHODS.flatMap(({ action }) => action ?? []))];
  const { ask, ledger } = await served(t, {
    access: { admins: ["root"], rules: actions.map((action) => rule("allow", action, { principals: [`may-${action}`] })) },
    tokens: [...tokensOf(["nobody", "root"]), ...tokensOf(actions.map((action) => `may-${action}`)), ...tokensOf(["reader"], { role: "admin", read_only: true })],
  });
  const call = async (method: string, name: string): Promise<string> => {
    const { body } = await ask("POST", "/v1/rpc", { role: null, headers: { authorization: `Bearer token-of-${name}` }, body: { jsonrpc: "2.0", id: 1, method, params: { nothing: 1 } } });
    return body.error?.data.code ?? "ok";
  };
  const listed = async (name: string): Promise<readonly string[]> =>
    (await ask("GET", "/v1/capabilities", { role: null, headers: { authorization: `Bearer token-of-${name}` } })).body.methods;
  for (const { name, action, writes } of METHODS) {
    const method = `mob/${name}`;
    // Whoever gets through is told that there is no such param.
    assert.equal(await call(method, "nobody"), action === null ? "mob.invalid_params" : "mob.denied", method);
    for (const name of ["root", ...action === null ? [] : [`may-${action}`]]) assert.equal(await call(method, name), "mob.invalid_params", method);
    assert.equal(await call(method, "reader"), writes ? "mob.read_only" : "mob.invalid_params", method);
  }
  const all = METHODS.map(({ name }) => `mob/${name}`).sort();
  assert.deepEqual(await listed("root"), all);
  assert.deepEqual(await listed("reader"), METHODS.filter(({ writes }) => !writes).map(({ name }) => `mob/${name}`).sort());
  assert.deepEqual(await listed("nobody"), METHODS.filter(({ action }) => action === null).map(({ name }) => `mob/${name}`).sort());
  const { entries } = await ledger.query({ kinds: ["access_denied"], limit: 1_000 });
  assert.equal(entries.length, METHODS.filter(({ action }) => action !== null).length);
  assert.ok(entries.every(({ principal, data }) => principal === "nobody" && typeof data["method"] === "string"));
});

test("nobody is said to be meant whom one may not see", async (t) => {
  const { ask } = await served(t, {
    access: { admins: ["root"], rules: [rule("allow", "*.view member.send", { members: ["open"] })] }, tokens: tokensOf(["ann"]),
  });
  const told = async (verb: string, path: string, body?: object) => (await ask(verb, path, { role: null, headers: { authorization: "Bearer token-of-ann" }, ...body === undefined ? {} : { body } })).body.error.data as { readonly code: string; readonly hint?: string };
  assert.equal((await told("GET", "/v1/members/opne")).hint, 'Did you mean "open"?');
  assert.equal((await told("GET", "/v1/members/shtu")).hint, undefined);
  const [there, none] = await Promise.all(["@s", "@ss"].map((to) => told("POST", `/v1/members/${to}/turns`, { content: 1 })));
  assert.deepEqual([there?.code, there?.hint], [none?.code, none?.hint], "nor is told which profiles there are");
});

test("what one may not see is not there: not in pages, not in counts, not by its id, not in the ledger and not in a stream", async (t) => {
  const { ask, http, append, approvals, ledger } = await served(t, {
    access: { admins: ["root"], rules: [
      rule("allow", "*.view session.read member.send member.manage label.edit", { members: ["open"] }),
      rule("allow", "member.view ledger.view", { principals: ["bob"] }), rule("deny", "member.view", { principals: ["bob"], members: ["shut"] }),
    ] }, tokens: tokensOf(["ann", "bob"]),
  });
  const get = async (path: string, name = "ann", body?: object) => {
    const answer = await ask(body === undefined ? "GET" : "POST", path, { role: null, headers: { authorization: `Bearer token-of-${name}` }, ...body === undefined ? {} : { body } });
    return { status: answer.status, code: answer.body.error?.data.code, ...answer.body };
  };
  await append(spawned("extra"), spawned("more"), { kind: "mob_started", source: "test", data: {} });
  const tickets = [(await ask("POST", "/v1/dispatch", { body: { to: "shut", content: 1 } })).body, (await ask("POST", "/v1/dispatch", { body: { to: "open", content: 2 } })).body];
  const [hidden, shown] = tickets.map(({ tickets: [one] }) => one.turn_id as string);
  for (const id of ["open", "shut"]) {
    void approvals.guard({ member: id, generation: 1, turn_id: "t_x", principal: "p", grant: "fs.write", args: { path: id }, signal: new AbortController().signal }).catch(() => undefined);
  }
  await until(async () => (await ask("GET", "/v1/approvals")).body.approvals.length === 2);
  const secret = (await ask("GET", "/v1/approvals?member=shut")).body.approvals[0].id as string;

  assert.deepEqual((await get("/v1/members?limit=1")).members.map(({ id, wired_to }: { id: string; wired_to: string[] }) => [id, wired_to]), [["open", []]]);
  assert.equal((await get("/v1/members?limit=1")).next, undefined);
  assert.deepEqual((await get("/v1/members?edge=shut")).members, []);
  assert.deepEqual((await get("/v1/members/open")).wired_to, []);
  assert.deepEqual((await get("/v1/edges")).edges, []);
  const { members, edges, approvals_open } = await get("/v1/status");
  assert.deepEqual([members, edges, approvals_open], [{ dormant: 1 }, 0, 1]);
  assert.deepEqual((await get("/v1/turns")).turns.map(({ turn_id }: { turn_id: string }) => turn_id), [shown]);
  assert.deepEqual((await get("/v1/approvals")).approvals.map(({ member: of }: { member: string }) => of), ["open"]);
  for (const path of ["/v1/members/shut", "/v1/members/nobody", `/v1/turns/${hidden}`, `/v1/turns/${hidden}/wait`, "/v1/turns/t_no", `/v1/approvals/${secret}`, "/v1/approvals/a_no", "/v1/sessions?member=shut", "/v1/labels?scope=member&id=shut"]) {
    const answer = await get(path);
    assert.deepEqual([answer.status, answer.code], [404, "mob.not_found"], path);
    assert.ok(!JSON.stringify(answer).includes("shut") || path.includes("shut"), path);
  }
  for (const path of [`/v1/turns/${shown}`, "/v1/sessions?member=open", "/v1/labels?scope=member&id=open"]) assert.equal((await get(path)).status, 200, path);
  // What is about the mob as a whole is not his.
  for (const path of ["/v1/definition", "/v1/boot", "/v1/flows", "/v1/ledger/state_at?seq=1", "/v1/labels?scope=mob", "/metrics", "/readyz"]) assert.equal((await get(path)).code, "mob.denied", path);
  for (const [path, body] of [
    ["/v1/members/shut/turns", { content: 1 }], ["/v1/dispatch", { to: "shut", content: 1 }], ["/v1/members/shut/retire", {}], [`/v1/turns/${hidden}/cancel`, {}], ["/v1/labels/set", { scope: "member", id: "shut", labels: {} }],
  ] as const) assert.ok(["mob.not_found", "mob.denied"].includes((await get(path, "ann", body)).code), path);
  const sent = await get("/v1/members/open/turns", "ann", { content: 1, idempotency_key: "his" });
  assert.equal(sent.status, 200, JSON.stringify(sent));
  assert.equal((await get("/v1/members/open/reset", "ann", { confirm: "open" })).code, "mob.denied");
  assert.deepEqual((await get("/v1/members/@s/turns", "ann", { content: 1 })).code, "mob.not_addressable");

  const mine = (await get("/v1/ledger/query?after=0&limit=2")).entries as readonly { member?: string; kind: string }[];
  assert.deepEqual([mine.length, mine.every((entry) => entry.member === "open")], [2, true]);
  assert.equal((await get("/v1/ledger/query?after=0&kinds=members_wired,mob_started")).entries.length, 0);
  const his = (await get("/v1/ledger/query?after=0&limit=1000", "bob")).entries as readonly { member?: string; kind: string }[];
  assert.ok(his.some(({ kind }) => kind === "mob_started") && his.some((entry) => entry.member === "open") && !his.some((entry) => entry.member === "shut" || entry.kind === "members_wired"));

  // The stream gives what the query gives, from the store and live, and two who see different things share no bytes.
  const heard = (name: string, count: number) => hear(`${http.url}/v1/stream?after=0`, count, { authorization: `Bearer token-of-${name}` });
  const of = (events: readonly { data: string }[]) => events.map(({ data }) => (JSON.parse(data) as { seq: number }).seq);
  const before = (await ledger.query({ after: 0, limit: 1_000 })).entries;
  const forAnn = before.filter((entry) => entry.member === "open").map(({ seq }) => seq);
  assert.deepEqual(of(await heard("ann", forAnn.length)), forAnn);
  const ending = new AbortController();
  const lives: Record<string, string[]> = { ann: [], bob: [], admin: [] };
  const reading = Object.entries(lives).map(async ([name, kept]) => {
    for await (const { data } of listen(`${http.url}/v1/stream`, { authorization: `Bearer token-of-${name}` }, ending.signal)) kept.push((JSON.parse(data) as { source: string }).source);
  });
  await until(() => http.streams === 3);
  const note = (source: string, of?: string) => ({ kind: "note", source, ...of === undefined ? {} : { member: of }, data: {} }) as const;
  await append(note("of shut", "shut"), note("of open", "open"), note("of the mob"), note("end", "open"));
  await until(() => Object.values(lives).every((kept) => kept.at(-1) === "end"));
  assert.deepEqual(lives, { ann: ["of open", "end"], bob: ["of open", "of the mob", "end"], admin: ["of shut", "of open", "of the mob", "end"] });
  ending.abort();
  await Promise.allSettled(reading);
});

test("an open stream tells by the rules that count when something happens: it narrows and widens with them, and whoever may hear nothing more is told bye", async (t) => {
  const first = { admins: ["root"], rules: [rule("allow", "ledger.view member.view", { members: ["open"] }), rule("allow", "ledger.view member.view", { principals: ["bob"], members: ["shut"] })] };
  const { http, append, rules } = await served(t, { access: first, tokens: tokensOf(["ann", "bob"]) });
  const heard: Record<string, string[]> = { ann: [], bob: [], late: [] };
  const ending = new AbortController();
  const listenAs = async (name: string, token: string): Promise<void> => {
    for await (const { event, data } of listen(`${http.url}/v1/stream`, { authorization: `Bearer token-of-${token}` }, ending.signal)) {
      heard[name]?.push(event === "entry" ? (JSON.parse(data) as { source: string }).source : `${event} ${data}`);
    }
  };
  const reading = [listenAs("ann", "ann"), listenAs("bob", "bob")];
  await until(() => http.streams === 2);
  const write = (n: number) => append(...["open", "shut"].map((member) => ({ kind: "note", source: `${member} ${n}`, member, data: {} }) as const));
  await write(1);
  await until(() => heard["ann"]?.length === 1 && heard["bob"]?.length === 1);
  // The same rule by its number, and about somebody else: who comes now must not hear with those who came before.
  rules.access = { ...first, rules: [rule("allow", "ledger.view member.view", { members: ["shut"] }), rule("allow", "*", { principals: ["bob"] })] };
  reading.push(listenAs("late", "ann"));
  await until(() => http.streams === 3);
  await write(2);
  await until(() => heard["late"]?.length === 1 && heard["bob"]?.length === 3);
  // Together, from their seats.
  await write(3);
  await until(() => heard["bob"]?.length === 5);
  rules.access = { ...first, rules: [rule("allow", "*", { principals: ["bob"] })] };
  await write(4);
  await until(() => http.streams === 1 && heard["bob"]?.length === 7);
  const bye = 'bye {"reason":"denied"}';
  assert.deepEqual(heard, {
    ann: ["open 1", "shut 2", "shut 3", bye], late: ["shut 2", "shut 3", bye], bob: ["shut 1", ...[2, 3, 4].flatMap((n) => [`open ${n}`, `shut ${n}`])],
  });
  ending.abort();
  await Promise.allSettled(reading);
});

test("access/get and preview tell admins who may what, and nobody else; roles are what they were", async (t) => {
  const access = { admins: ["root"], rules: [rule("allow", "member.view", { members: ["open"] })] };
  const { rpc } = await served(t, { access });
  assert.deepEqual((await rpc("mob/access/get")).result, { rules: access, roles: ROLES });
  const preview = async (params: object) => (await rpc("mob/access/preview", { principal: "ann", action: "member.view", ...params })).result.allowed;
  assert.deepEqual([await preview({}), await preview({ member: "open" }), await preview({ member: "shut" }), await preview({ role: "viewer" })], [false, true, false, true]);
  for (const method of ["mob/access/get", "mob/access/preview"]) assert.equal((await rpc(method, {}, "operator")).error.data.code, "mob.denied");
  assert.equal((await rpc("mob/definition/get", {}, "viewer")).result.definition.access, null);
});
