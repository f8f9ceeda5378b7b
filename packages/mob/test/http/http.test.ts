/**
 * Goal: one table, every door, no stranger. Invariants: a method gives the same on each door; every route but the public one
 * refuses who is not known; a stream gives each entry once, from any cursor. Method: a real server, real sockets, real rooms.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import type { SseEvent } from "@atoll-run/core";
import { hashToken, METHODS, routeOf, serveHttp, toOpenApi, type Role } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";
import { spawned } from "../support.ts";
import { hear, listen, ROUTES, served } from "./served.ts";

const SOURCES = new URL("../../src/http/", import.meta.url);
const PATHS: readonly string[] = [...new Set(readdirSync(SOURCES).filter((name) => name.endsWith(".ts"))
  .flatMap((name) => [...readFileSync(new URL(name, SOURCES), "utf8").matchAll(/["'`](?:[A-Z]+ )?(\/[\w./-]*)["'`]/g)].map(([, path = ""]) => path)))];
const PUBLIC = new Set(["GET /healthz", "GET /", "GET /console", ...["", "page.css", "page.js", "page-rows.js", "page-client.js", "icon.svg"].map((name) => `GET /console/${name}`)]);

test("every route but /healthz and the files of the console refuses a stranger, the stream too, and says why", async (t) => {
  const { ask } = await served(t, { tokens: [{ sha256: hashToken("token-of-nobody"), principal: "nobody" }] });
  // Also one that somebody adds and forgets to list: whatever looks like an address in the code of the doors.
  const named = PATHS.flatMap((path) => ["GET", "POST", "PUT", "DELETE"].map((verb) => [verb, path] as const)).filter((one) => !PUBLIC.has(one.join(" ")));
  assert.ok(["/metrics", "/readyz", "/openapi.json", "/v1/rpc", "/v1/session", "/v1/stream", "/v1/stream-tickets"].every((path) => PATHS.includes(path)), String(PATHS));
  for (const [verb, path] of [...ROUTES, ...named]) {
    const cases = [[{}, "missing_credentials"], [{ authorization: "Basic x" }, "invalid_token_header"], [{ authorization: "Bearer wrong" }, "invalid_token"]] as const;
    for (const [headers, reason] of cases) {
      const { status, body } = await ask(verb, path, { role: null, headers });
      assert.deepEqual([status, body.error.data.code, body.error.data.facts.reason], [401, "mob.unauthenticated", reason], `${verb} ${path}`);
    }
  }
  // Nor is being known enough: whoever may nothing is told what there is and who he is, and no more.
  const open = new Set(METHODS.filter(({ action }) => action === null).map((one) => `${routeOf(one).verb} /v1${routeOf(one).path}`));
  for (const one of ["GET /openapi.json", "POST /v1/session", "DELETE /v1/session", "POST /v1/rpc", "POST /v1/stream-tickets", "GET /nothing", "GET /console/nothing", "POST /console/"]) open.add(one);
  for (const [verb, path] of ROUTES) {
    const { status } = await ask(verb, path, { role: null, headers: { authorization: "Bearer token-of-nobody" } });
    if (!open.has(`${verb} ${path}`)) assert.equal(status, 403, `${verb} ${path}`);
  }
  const health = await ask("GET", "/healthz", { role: null });
  assert.deepEqual([health.status, health.body], [200, "ok"]);
  const leaked = await ask("GET", "/v1/status?access_token=token-of-admin");
  assert.deepEqual([leaked.status, leaked.body.error.data.code], [401, "mob.token_in_query"]);
});

test("a method gives the same by RPC and by REST, for what is there and for what is not", async (t) => {
  const { ask, rpc } = await served(t);
  const pairs: readonly [method: string, params: object, verb: string, path: string, body?: object][] = [
    ["mob/status", {}, "GET", "/v1/status"], ["mob/members/list", { profile: "o" }, "GET", "/v1/members?profile=o"],
    ["mob/members/get", { member: "open" }, "GET", "/v1/members/open"], ["mob/members/get", { member: "no" }, "GET", "/v1/members/no"],
    ["mob/members/list", { limit: 1 }, "GET", "/v1/members?limit=1"], ["mob/members/list", { limit: "x" }, "GET", "/v1/members?limit=x"],
    ["mob/members/list", { profil: "o" }, "GET", "/v1/members?profil=o"], ["mob/edges/list", {}, "GET", "/v1/edges"],
    ["mob/ledger/query", { kinds: ["member_spawned"], after: "0" }, "GET", "/v1/ledger/query?kinds=member_spawned&after=0"],
    ["mob/approvals/evaluate", { member: "open", grant: "fs.write" }, "POST", "/v1/approvals/evaluate", { member: "open", grant: "fs.write" }],
    ["mob/flows/get", { flow: "f" }, "GET", "/v1/flows/f"], ["mob/runs/get", { run_id: "r_x" }, "GET", "/v1/runs/r_x"],
    ["mob/labels/delete", { scope: "mob" }, "DELETE", "/v1/labels", { scope: "mob" }], ["mob/members/ensure", { spec: { id: "open", profile: "o" } }, "PUT", "/v1/members/open", { spec: { profile: "o" } }],
    ["mob/capabilities", {}, "GET", "/v1/capabilities"], ["mob/access/whoami", {}, "GET", "/v1/access/whoami"],
  ];
  for (const [method, params, verb, path, body] of pairs) {
    const byRpc = await rpc(method, params);
    const byRest = await ask(verb, path, body === undefined ? {} : { body });
    assert.deepEqual(byRest.status < 300 ? { result: byRest.body } : byRest.body, "result" in byRpc ? { result: byRpc.result } : { error: byRpc.error }, `${method} ${path}`);
  }
  const { error } = await rpc("mob/members/list", { profil: "o" });
  assert.deepEqual([error.code, error.data.code, error.data.facts.path, error.data.hint], [-32602, "mob.invalid_params", "profil", 'Did you mean "profile"?']);
  assert.equal((await rpc("mob/member/list")).error.data.hint, "Did you mean mob/members/list?");
});

test("members are spawned, ensured, wired and retired; a turn is sent, waited for and listed", async (t) => {
  const { ask, rpc } = await served(t);
  assert.equal((await ask("POST", "/v1/members", { body: { spec: { id: "new", profile: "s" } } })).body.id, "new");
  assert.equal((await ask("PUT", "/v1/members/new", { body: { spec: { profile: "s" } } })).body.created, false);
  for (const [verb, path, body] of [["PUT", "/v1/members/new", { spec: { id: "other", profile: "s" } }], ["POST", "/v1/members/new/retire", { member: "open" }]] as const) {
    const { status, body: { error } } = await ask(verb, path, { body });
    assert.deepEqual([status, error.data.code, error.data.facts.path], [400, "mob.invalid_params", verb === "PUT" ? "spec.id" : "member"]);
  }
  assert.equal((await ask("DELETE", "/v1/members/new", { body: { confirm: "open" } })).body.error.data.facts.path, "confirm");
  assert.equal((await ask("POST", "/v1/edges/new/shut/wire")).body.owner, "manual");
  assert.deepEqual((await ask("GET", "/v1/members/new")).body.wired_to, ["shut"]);
  assert.equal((await ask("POST", "/v1/members/new/retire", { body: {} })).body.state, "retired");
  const { tickets } = (await ask("POST", "/v1/members/open/turns", { body: { content: { say: "hi" }, idempotency_key: "k" } })).body;
  const turn = (await ask("GET", `/v1/turns/${tickets[0].turn_id}/wait?timeout_ms=20000`)).body;
  assert.deepEqual([turn.state, turn.output], ["done", { say: "hi" }]);
  const again = await rpc("mob/send", { to: "open", content: { say: "hi" }, idempotency_key: "k" });
  assert.deepEqual([again.result.tickets[0].turn_id, again.result.tickets[0].duplicate], [turn.turn_id, true]);
  assert.equal((await rpc("mob/send", { to: "shut", content: "x" })).error.data.code, "mob.not_addressable");
  assert.equal((await rpc("mob/dispatch", { to: "@s", content: "x" })).result.tickets.length, 1);
  assert.equal((await rpc("mob/turns/list", { member: "open" })).result.turns.length, 1);
  const { run_id } = (await ask("POST", "/v1/flows/f/run", { body: { params: { q: 7 } } })).body;
  const run = (await ask("GET", `/v1/runs/${run_id}/wait`)).body;
  assert.deepEqual([run.state, run.output], ["completed", 7]);
  assert.equal((await ask("POST", "/v1/reconcile", { body: { dry_run: true } })).body.dry_run, true);
  assert.equal((await ask("POST", "/v1/reconcile", { body: { expected_revision: 1 } })).status, 409);
});

test("every change of members and edges may say what revision it was planned on; one that is late names both, and does nothing", async (t) => {
  const { rpc, view } = await served(t);
  const changing = METHODS.filter(({ name, writes }) => writes && /^(members|edges|reconcile|definition)\b/.test(name) && name !== "members/cancel");
  for (const { name, params } of changing) assert.ok("expected_revision" in params.shape, name);
  const { revision } = view;
  assert.ok("result" in await rpc("mob/members/spawn", { spec: { id: "new", profile: "o" }, expected_revision: revision }));
  for (const [method, params] of [
    ["members/retire", { member: "new" }], ["edges/unwire", { a: "open", b: "shut" }], ["reconcile", {}], ["edges/reconcile", {}], ["definition/reload", {}],
  ] as const) {
    const { error } = await rpc(`mob/${method}`, { ...params, expected_revision: revision });
    assert.deepEqual([error?.data?.code, error?.data?.facts], ["mob.conflict", { what: "revision", expected: revision, actual: view.revision }], method);
  }
  assert.deepEqual([view.row("new")?.final, view.isWired("open", "shut")], [false, true]);
  const made = await rpc("mob/edges/reconcile", { dry_run: true, expected_revision: view.revision });
  assert.deepEqual([made.result.dry_run, made.result.edges.retained_edges, made.result.members.retained], [true, [["open", "shut"]], []]);
});

test("a member that is asked for may have fewer grants than its profile, never more, and its profile must be there", async (t) => {
  const { rpc } = await served(t);
  for (const [method, params] of [
    ["spawn", (spec: object) => ({ spec })], ["ensure", (spec: object) => ({ spec })], ["spawn_many", (spec: object) => ({ specs: [spec] })],
  ] as const) {
    assert.equal((await rpc(`mob/members/${method}`, params({ id: "x", profile: "o", grants: ["run:*"] }))).error.data.code, "mob.grant_widened");
    assert.equal((await rpc(`mob/members/${method}`, params({ id: "x", profile: "p" }))).error.data.code, "mob.invalid_params");
  }
  assert.equal((await rpc("mob/reconcile", { desired: [{ id: "x", profile: "s", grants: ["net:*"] }] })).error.data.code, "mob.grant_widened");
});

test("labels of the mob, of runs and of members are set, survive a start, and are taken away", async (t) => {
  const { ask, rpc, again } = await served(t);
  const { run_id } = (await ask("POST", "/v1/flows/f/run", { body: { params: { q: 1 } } })).body;
  const places = [{ scope: "mob" }, { scope: "run", id: run_id }, { scope: "member", id: "open" }];
  for (const place of places) {
    assert.deepEqual((await rpc("mob/labels/get", place)).result.labels, {});
    assert.deepEqual((await rpc("mob/labels/set", { ...place, labels: { of: place.scope, x: "1" } })).result.labels, { of: place.scope, x: "1" });
    assert.deepEqual((await ask("GET", `/v1/labels?${new URLSearchParams(place).toString()}`)).body.labels, { of: place.scope, x: "1" });
  }
  assert.equal((await rpc("mob/members/list", { label: "of=member" })).result.members.length, 1);
  for (const place of places) {
    assert.deepEqual((await rpc("mob/labels/delete", place)).result.labels, { of: place.scope, x: "1" });
    assert.deepEqual((await rpc("mob/labels/get", place)).result.labels, {});
    await rpc("mob/labels/set", { ...place, labels: { of: place.scope, x: "1" } });
  }
  assert.equal((await rpc("mob/labels/get", { scope: "run", id: "r_none" })).error.data.code, "mob.not_found");
  assert.equal((await rpc("mob/labels/get", { scope: "member" })).error.data.facts.path, "id");
  assert.equal((await rpc("mob/labels/set", { scope: "mob", labels: { a: 1 } })).error.data.facts.path, "labels.a");
  const later = await again();
  assert.deepEqual([...later.roster.view.labels], [["", { of: "mob", x: "1" }], [run_id, { of: "run", x: "1" }]]);
});

test("a value that is kept with the mob has a revision, and is set only if nobody was faster", async (t) => {
  const { ask, rpc } = await served(t);
  const set = (body: object) => ask("PUT", "/v1/meta/app%2Fcursor", { body });
  assert.deepEqual((await ask("GET", "/v1/meta/app%2Fcursor")).body, { key: "app/cursor", value: null, revision: 0 });
  const { revision, ...made } = (await set({ value: { at: 1 }, expected: 0 })).body;
  assert.deepEqual([made, revision > 0], [{ key: "app/cursor", value: { at: 1 } }, true]);
  const races = await Promise.all([set({ value: "a", expected: revision }), set({ value: "b", expected: revision })]);
  assert.deepEqual(races.map(({ status }) => status).sort(), [200, 409]);
  const [{ code, facts } = { code: "", facts: {} }] = races.filter(({ status }) => status === 409).map(({ body }) => body.error.data);
  assert.deepEqual([code, facts.expected, facts.actual], ["mob.conflict", revision, (await ask("GET", "/v1/meta/app%2Fcursor")).body.revision]);
  assert.equal((await rpc("mob/meta/set", { key: "app/cursor", value: "x".repeat(70_000) })).error.data.code, "mob.too_large");
  assert.equal((await ask("PUT", "/v1/meta/k", { role: "operator", body: { value: 1 } })).status, 403);
  assert.deepEqual((await rpc("mob/meta/set", { key: "app/cursor", value: null })).result, { key: "app/cursor", value: null, revision: 0 });
});

test("a page of the ledger goes on as a stream, without hole or double, whatever is written in between", async (t) => {
  const { http, rpc, append } = await served(t);
  const { result } = await rpc("mob/ledger/subscribe", { topics: "structural" });
  const last = result.entries.at(-1);
  const placed = await append(spawned("a"), { kind: "note", source: "x", data: {} }, spawned("b"));
  const events = await hear(`${http.url}${result.stream_url}`, 2);
  assert.deepEqual(events.map(({ data }) => (JSON.parse(data) as { seq: number }).seq), [placed[0]?.seq, placed[2]?.seq]);
  assert.ok(last.class === "structural" && last.seq < (placed[0]?.seq ?? 0));
});

test("an approval is decided by who is signed in and may; four eyes hold; the ledger has the name", async (t) => {
  const { ask, approvals, append, ledger } = await served(t);
  await append({ kind: "turn_queued", source: "mob", member: "open", turn_id: "t_1", principal: "approver", data: {} });
  const guarded = (principal: string, n: number) => approvals.guard({
    member: "open", generation: 1, turn_id: "t_1", principal, grant: "fs.write", args: { n }, signal: new AbortController().signal,
  });
  await guarded("approver", 1);
  await guarded("admin", 2);
  const [own, other] = (await ask("GET", "/v1/approvals?state=open")).body.approvals as { id: string }[];
  const decide = (id: string, role: Role, more: object = {}) => ask("POST", `/v1/approvals/${id}/decide`, { role, body: { decision: "approve", ...more } });
  assert.equal((await decide(own?.id ?? "", "viewer")).status, 403);
  assert.equal((await decide(own?.id ?? "", "approver")).body.error.data.code, "mob.self_approval_forbidden");
  assert.equal((await decide(own?.id ?? "", "approver", { approver_id: "admin" })).body.error.data.code, "mob.approver_mismatch");
  assert.equal((await decide(own?.id ?? "", "admin")).body.state, "approved");
  assert.equal((await decide(other?.id ?? "", "approver")).body.decisions[0].principal, "approver");
  assert.equal((await decide(other?.id ?? "", "approver")).body.error.data.code, "mob.approval_closed");
  const { entries } = await ledger.query({ after: 0, kinds: ["access_denied"] });
  assert.deepEqual(entries.map(({ principal, data }) => [principal, data["action"]]), [["viewer", "approval.decide"]]);
});

test("roles hide and refuse what is not theirs; a mob that is read only refuses every writing method", async (t) => {
  const { rpc } = await served(t);
  for (const role of ["viewer", "approver", "operator"] as const) {
    const { result: { methods } } = await rpc("mob/capabilities", {}, role);
    for (const one of METHODS) {
      const { error } = await rpc(`mob/${one.name}`, { "": "refused in any case" }, role);
      const listed = (methods as string[]).includes(`mob/${one.name}`);
      assert.equal(error.data.code, listed ? "mob.invalid_params" : "mob.denied", `${role} ${one.name}`);
    }
  }
  const reading = await served(t, { readOnly: true });
  for (const one of METHODS.filter(({ writes }) => writes)) {
    assert.equal((await reading.rpc(`mob/${one.name}`, {})).error.data.code, "mob.read_only");
  }
  const { result } = await reading.rpc("mob/capabilities");
  assert.ok(METHODS.every(({ name, writes }) => (result.methods as string[]).includes(`mob/${name}`) !== writes));
});

test("RPC: batches, notifications and nonsense are answered as JSON-RPC 2.0 says", async (t) => {
  const { ask } = await served(t);
  const one = (id: number | undefined, method: string) => ({ jsonrpc: "2.0", ...id === undefined ? {} : { id }, method });
  const batch = await ask("POST", "/v1/rpc", { body: [one(1, "mob/status"), one(undefined, "mob/status"), { no: 1 }, one(2, "nothing")] });
  assert.deepEqual(batch.body.map(({ id, error }: { id: unknown; error?: { code: number } }) => [id, error?.code ?? 0]), [[1, 0], [null, -32600], [2, -32601]]);
  assert.equal((await ask("POST", "/v1/rpc", { body: one(undefined, "mob/status") })).status, 204);
  assert.equal((await ask("POST", "/v1/rpc", { body: "{" })).body.error.code, -32700);
  for (const body of [[], Array.from({ length: 51 }, () => one(1, "mob/status"))]) assert.equal((await ask("POST", "/v1/rpc", { body })).body.error.code, -32600);
});

test("what is too large, for another host or not there is refused; nothing of the inside is told", async (t) => {
  const { ask, http } = await served(t);
  const large = await ask("POST", "/v1/dispatch", { body: JSON.stringify({ to: "open", content: "x".repeat(1_100_000) }) }).catch(() => undefined);
  assert.ok(large === undefined || large.status === 413);
  assert.equal((await ask("GET", "/v1/nothing")).status, 404);
  assert.equal((await ask("DELETE", "/v1/turns/t_x")).body.error.data.code, "mob.method_unknown");
  for (const [verb, path, hint] of [["POST", "/v1/status", "GET /v1/status"], ["GET", "/v1/member", "GET /v1/members"], ["DELETE", "/v1/turns/t_x", "GET /v1/turns/t_x"], ["GET", `/v1/${"x".repeat(8_000)}`, undefined]] as const) {
    assert.equal((await ask(verb, path)).body.error.data.hint, hint === undefined ? undefined : `Did you mean ${hint}?`, verb + path.slice(0, 40));
  }
  for (const [body, message, hint] of [[{}, "content: must be given"], [{ contnt: 1 }, 'contnt: there is no such key', 'Did you mean "content"?'], [{ content: 1, conversation: 2 }, /^conversation: .*expected string/]] as const) {
    const { error } = (await ask("POST", "/v1/members/open/turns", { body })).body;
    if (typeof message === "string") assert.equal(error.message, message);
    else assert.match(error.message, message);
    assert.equal(error.data.hint, hint);
  }
  for (const [verb, path, body, hint] of [
    ["GET", "/v1/members/opne", undefined, '"open"'], ["POST", "/v1/members/opne/turns", { content: 1 }, '"open"'], ["POST", "/v1/dispatch", { to: "shtu", content: 1 }, '"shut"'],
    ["POST", "/v1/members/@oo/turns", { content: 1 }, '"o"'], ["GET", "/v1/flows/ff", undefined, '"f"'], ["POST", "/v1/flows/ff/run", {}, '"f"'],
    ["GET", "/v1/flows/constructor", undefined, undefined], ["POST", "/v1/flows/constructor/run", {}, undefined], ["GET", "/v1/members/somebody", undefined, undefined],
  ] as const) {
    const { code, hint: given } = (await ask(verb, path, body === undefined ? {} : { body })).body.error.data;
    assert.deepEqual([code, given], ["mob.not_found", hint === undefined ? undefined : `Did you mean ${hint}?`], `${verb} ${path}`);
  }
  assert.equal((await ask("POST", "/v1/dispatch", { body: "[1" })).body.error.data.code, "mob.parse");
  const raw = (path: string, host: string): Promise<string> => new Promise((resolve, reject) => {
    const socket = connect(http.port, "127.0.0.1", () => socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer token-of-admin\r\nConnection: close\r\n\r\n`));
    let text = "";
    socket.on("data", (piece) => { text += String(piece); }).on("end", () => resolve(text)).on("error", reject);
  });
  assert.match(await raw("/v1/status", "evil.example"), /^HTTP\/1.1 403 /);
  // Not an error of ours, whatever stands there.
  for (const path of ["//", "http://[", "//:99999/v1/status"]) assert.match(await raw(path, "localhost"), /^HTTP\/1.1 400 [^]*mob\.invalid_request/, path);
  await assert.rejects(serveHttp({ ...({} as Parameters<typeof serveHttp>[0]), host: "0.0.0.0", port: 0 }), { code: "mob.invalid_params" });
});

test("OpenAPI 3.1 has every method once, with its params and what it gives; every shape it names is there", () => {
  const contract = toOpenApi("0");
  const { paths, components: { schemas } } = contract as {
    paths: Record<string, Record<string, { operationId: string; parameters: { name: string; in: string }[] }>>;
    components: { schemas: Record<string, { type?: string; properties?: object }> };
  };
  const named = new Set([...JSON.stringify(contract).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name));
  assert.deepEqual([...named].sort(), Object.keys(schemas).sort());
  assert.deepEqual(Object.keys(schemas["Ticket"]?.properties ?? {}), ["turn_id", "member", "generation", "conversation", "state", "seq", "duplicate"]);
  assert.doesNotMatch(JSON.stringify(contract), /\$defs/);
  const operations = Object.values(paths).flatMap((verbs) => Object.values(verbs));
  assert.deepEqual(operations.map(({ operationId }) => operationId).sort(), METHODS.map(({ name }) => `mob/${name}`).sort());
  for (const [path, verbs] of Object.entries(paths)) {
    for (const { parameters } of Object.values(verbs)) {
      assert.deepEqual(parameters.filter((one) => one.in === "path").map(({ name }) => name).sort(), [...path.matchAll(/\{([\w.]+)\}/g)].map(([, name]) => name).sort());
    }
  }
});

for (const store of ["memory", "sqlite"] as const) {
  test(`on ${store}: a stream gives every entry once from any cursor on; Last-Event-ID wins; a stale cursor is 410 before it opens`, async (t) => {
    const { http, append, ledger, ask } = await served(t, { store });
    const base = ledger.head;
    const early = await append(...Array.from({ length: 40 }, (_, n) => spawned(`m-${n}`)));
    const hearing = hear(`${http.url}/v1/stream?after=${ledger.cursor(base)}`, 60);
    const middle = hear(`${http.url}/v1/stream?after=0&topics=structural`, 30, { "last-event-id": ledger.cursor(early[29]?.seq ?? 0) });
    for (let n = 40; n < 60; n++) await append(spawned(`m-${n}`));
    const idsOf = (events: readonly SseEvent[]) => events.map(({ data }) => (JSON.parse(data) as { member: string }).member);
    assert.deepEqual(idsOf(await hearing), Array.from({ length: 60 }, (_, n) => `m-${n}`));
    const some = await middle;
    assert.deepEqual(idsOf(some), Array.from({ length: 30 }, (_, n) => `m-${n + 30}`));
    assert.equal(some[0]?.id, ledger.cursor(early[30]?.seq ?? 0));
    const stale = await ask("GET", "/v1/stream?after=999999999");
    assert.deepEqual([stale.status, stale.body.error.data.code], [410, "mob.stale_cursor"]);
    assert.equal((await ask("GET", "/v1/stream?topics=nothing")).status, 400);
  });
}

test("streams are counted apart from requests, for each principal; what is above is told when to come again, and /healthz is free", async (t) => {
  const { http, ask } = await served(t, { limits: { streamsPerPrincipalMax: 2, streamsMax: 4, requestsMax: 1 } });
  const ending = new AbortController();
  const open = (role: Role) => fetch(`${http.url}/v1/stream`, { headers: { authorization: `Bearer token-of-${role}` }, signal: ending.signal });
  for (const role of ["viewer", "viewer", "admin"] as const) assert.equal((await open(role)).status, 200);
  const third = await ask("GET", "/v1/stream", { role: "viewer" });
  assert.deepEqual([third.status, third.body.error.data.facts.limit, third.headers.get("retry-after")], [429, 2, "1"]);
  assert.equal((await open("admin")).status, 200);
  assert.equal((await ask("GET", "/v1/stream", { role: "operator" })).status, 429);
  assert.equal((await ask("GET", "/v1/status")).status, 200);
  const waiting = ask("GET", "/v1/members/wait?members=open&until=final&timeout_ms=60000");
  const busy = await until(async () => {
    const answer = await ask("GET", "/v1/status");
    return answer.status === 429 ? answer : undefined;
  });
  assert.equal(busy.body.error.data.code, "mob.overloaded");
  assert.equal((await ask("GET", "/healthz", { role: null })).status, 200);
  ending.abort();
  await until(() => http.streams === 0);
  await http.close();
  assert.equal(await waiting.then(({ body }) => body.error.data.code, () => "closed"), "mob.shutting_down");
});

test("topics choose: one run, one member, approvals", async (t) => {
  const { http, append } = await served(t);
  const heard = Promise.all([hear(`${http.url}/v1/stream?topics=run:r_2,member:b&after=0`, 2), hear(`${http.url}/v1/stream?topics=approvals&after=0`, 1)]);
  await append({ kind: "note", source: "x", run_id: "r_1", data: {} }, { kind: "note", source: "x", run_id: "r_2", data: { n: 1 } }, spawned("a"), spawned("b"),
    { kind: "action_allowed", source: "x", data: {} });
  const [mixed, approvals] = await heard;
  assert.deepEqual(mixed.map(({ data }) => (JSON.parse(data) as { kind: string }).kind), ["note", "member_spawned"]);
  assert.equal((JSON.parse(approvals[0]?.data ?? "{}") as { kind: string }).kind, "action_allowed");
});

test("a reader that stops reading is let go and holds up nobody; at the end streams are told bye", async (t) => {
  const { http, append, ask } = await served(t, { limits: { stalledMs: 1_000 } });
  const socket = connect(http.port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.on("error", () => undefined);
  socket.pause();
  socket.write("GET /v1/stream?after=0 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer token-of-admin\r\n\r\n");
  const ending = new AbortController();
  const events: SseEvent[] = [];
  const last = (async () => {
    for await (const event of listen(`${http.url}/v1/stream`, {}, ending.signal)) events.push(event);
  })();
  await until(() => http.streams === 2);
  // More than sockets keep.
  for (let n = 0; n < 300; n++) await append({ kind: "note", source: "x", data: { n, text: "x".repeat(40_000) } });
  assert.equal((await ask("GET", "/v1/status")).status, 200);
  await until(() => events.length === 300);
  await until(() => http.streams === 1);
  socket.resume();
  await until(() => socket.closed);
  await http.close();
  await last;
  const bye = events.pop();
  assert.deepEqual([bye?.event, bye?.data], ["bye", '{"reason":"shutting_down"}']);
  assert.deepEqual(events.map(({ data }) => (JSON.parse(data) as { data: { n: number } }).data.n), Array.from({ length: 300 }, (_, n) => n));
});
