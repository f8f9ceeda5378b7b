/**
 * Goal: whoever opens the printed link is signed in once, and nobody else is. Invariants: a ticket counts once, for its time and
 * for what it was made for; a cookie alone writes nothing; no credential stands in an address. Method: a real server; time is ours.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { until } from "@atoll-run/testkit";
import { realClock } from "../support.ts";
import { served } from "./served.ts";

/** Real time, and what we add to it. */
function shifted() {
  let by = 0;
  return { clock: { ...realClock, now: () => realClock.now() + by }, pass: (ms: number) => { by += ms; } };
}

async function door(t: TestContext) {
  const { clock, pass } = shifted();
  const all = await served(t, { clock });
  const { http, ask } = all;
  const linkTicket = () => new URL(http.link()).hash.replace("#ticket=", "");
  const signIn = async (body: object, headers: Record<string, string> = {}) => {
    const answer = await ask("POST", "/v1/session", { role: null, body, headers });
    const [cookie = ""] = (answer.headers.get("set-cookie") ?? "").split(";");
    return { ...answer, cookie, reason: answer.body.error?.data.facts.reason };
  };
  const own = { origin: http.url, "x-atoll": "1" };
  return { ...all, pass, linkTicket, signIn, own };
}

test("the printed link signs in once, within ten minutes; the page has a cookie for twelve hours, and may end it", async (t) => {
  const { http, ask, pass, linkTicket, signIn, own, append } = await door(t);
  assert.match(http.link(), /^http:\/\/127\.0\.0\.1:\d+\/console\/#ticket=[\w-]{43}$/);
  const ticket = linkTicket();
  const first = await signIn({ ticket });
  assert.deepEqual([first.status, first.body.principal, first.body.local], [200, "admin", true]);
  assert.match(first.headers.get("set-cookie") ?? "", /^atoll_\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/);
  assert.deepEqual([(await signIn({ ticket })).status, (await signIn({ ticket })).reason], [401, "ticket_used"]);
  const late = linkTicket();
  pass(600_001);
  assert.equal((await signIn({ ticket: late })).reason, "expired");
  assert.equal((await signIn({ ticket: "x".repeat(43) })).reason, "invalid_token");
  assert.equal((await signIn({})).reason, "missing_credentials");
  assert.equal((await signIn({ tickt: "x" })).body.error.data.hint, 'Did you mean "ticket"?');

  const by = (verb: string, path: string, headers: Record<string, string>, body?: object) =>
    ask(verb, path, { role: null, headers: { cookie: `other=1; ${first.cookie}`, ...headers }, ...body === undefined ? {} : { body } });
  assert.equal((await by("GET", "/v1/access/whoami", {})).body.principal, "admin");
  const whoami = { jsonrpc: "2.0", id: 1, method: "mob/access/whoami" };
  for (const headers of [{}, { origin: http.url }, { "x-atoll": "1" }, { "x-atoll": "1", origin: "http://evil.example" }, { "x-atoll": "1", origin: "null" },
    { "x-atoll": "1", origin: http.url.replace(/\d+$/, "1") }] as Record<string, string>[]) {
    const { status, body } = await by("POST", "/v1/rpc", headers, whoami);
    assert.deepEqual([status, body.error?.data.code], [403, "mob.denied"], JSON.stringify(headers));
  }
  assert.equal((await by("POST", "/v1/rpc", own, whoami)).body.result.principal, "admin");
  assert.equal((await by("DELETE", "/v1/session", {})).status, 403);
  const out = await by("DELETE", "/v1/session", own);
  assert.deepEqual([out.status, /Max-Age=0/.test(out.headers.get("set-cookie") ?? "")], [204, true]);
  assert.equal((await by("GET", "/v1/access/whoami", {})).body.error.data.facts.reason, "invalid_token");

  const second = await signIn({ ticket: linkTicket() });
  const heard: string[] = [];
  const listening = (async () => {
    const answer = await fetch(`${http.url}/v1/stream`, { headers: { cookie: second.cookie } });
    for await (const piece of answer.body as AsyncIterable<Uint8Array>) heard.push(String(Buffer.from(piece)));
  })();
  await until(() => http.streams === 1);
  await append({ kind: "note", source: "in time", data: {} });
  await until(() => heard.join("").includes("in time"));
  pass(43_200_001);
  // What it has opened ends with it.
  await append({ kind: "note", source: "too late", data: {} });
  await listening;
  assert.match(heard.join(""), /event: bye\ndata: {"reason":"expired"}/);
  assert.doesNotMatch(heard.join(""), /too late/);
  assert.equal((await ask("GET", "/v1/status", { role: null, headers: { cookie: second.cookie } })).body.error.data.facts.reason, "expired");
});

test("a token signs a page in as its own principal, with no more than its role; a page of another site signs nobody in", async (t) => {
  const { ask, signIn, own } = await door(t);
  const signed = await signIn({}, { authorization: "Bearer token-of-viewer" });
  assert.deepEqual([signed.status, signed.body.principal, signed.body.role, signed.body.local], [200, "viewer", "viewer", false]);
  const stop = await ask("POST", "/v1/lifecycle/stop", { role: null, headers: { cookie: signed.cookie, ...own } });
  assert.deepEqual([stop.status, stop.body.error.data.code], [403, "mob.denied"]);
  assert.equal((await signIn({}, { authorization: "Bearer wrong" })).reason, "invalid_token");
  assert.equal((await signIn({}, { authorization: "Bearer token-of-viewer", origin: "http://evil.example" })).status, 403);
});

test("a ticket opens the one stream it was made for, once, within 30 s; any other credential in an address is refused", async (t) => {
  const { http, ask, pass, append, linkTicket } = await door(t);
  const query = "after=0&topics=structural";
  const make = async (path = "/v1/stream", of = query) => (await ask("POST", "/v1/stream-tickets", { role: "viewer", body: { path, query: of } })).body;
  const open = (ticket: string, of = query) => fetch(`${http.url}/v1/stream?${of}&ticket=${ticket}`);
  const refused = async (answer: Promise<Response>) => {
    const { error } = await (await answer).json() as { error: { data: { code: string; facts: { reason?: string } } } };
    return error.data.facts.reason ?? error.data.code;
  };
  await append({ kind: "mob_started", source: "test", data: {} });
  const { ticket, expires_at_ms } = await make();
  assert.ok(expires_at_ms > 0);
  // The order of its words makes no other address.
  const streaming = await open(ticket, "topics=structural&after=0");
  assert.equal(streaming.status, 200);
  await streaming.body?.cancel();
  assert.equal(await refused(open(ticket)), "ticket_used");
  assert.equal(await refused(open((await make()).ticket, "after=0&topics=entries")), "invalid_token");
  assert.equal(await refused(open(linkTicket())), "invalid_token");
  const late = (await make()).ticket;
  pass(30_001);
  assert.equal(await refused(open(late)), "expired");
  assert.equal((await make("/v1/status")).error.data.code, "mob.invalid_params");
  const { ticket: whole } = await make();
  for (const path of [`/v1/status?ticket=${whole}`, "/v1/stream?token=token-of-viewer", "/v1/stream?access_token=x", "/v1/members?authorization=x"]) {
    assert.deepEqual((await ask("GET", path, { role: null })).body.error.data.code, "mob.token_in_query", path);
  }
  assert.equal((await ask("POST", "/v1/session", { role: null, body: { ticket: whole } })).body.error.data.facts.reason, "invalid_token");
});

test("tickets and sessions have a bound; those whose time is over make room", async (t) => {
  const { clock, pass } = shifted();
  const { http, ask } = await served(t, { clock, limits: { ticketsMax: 2, sessionsMax: 1 } });
  for (let n = 0; n < 2; n++) http.link();
  assert.throws(() => http.link(), { code: "mob.overloaded" });
  pass(600_001);
  const ticket = new URL(http.link()).hash.replace("#ticket=", "");
  assert.equal((await ask("POST", "/v1/session", { role: null, body: { ticket } })).status, 200);
  const full = await ask("POST", "/v1/session", { body: {} });
  assert.deepEqual([full.status, full.headers.get("retry-after")], [429, "1"]);
  pass(43_200_001);
  assert.equal((await ask("POST", "/v1/session", { body: {} })).status, 200);
});
