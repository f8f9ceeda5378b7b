/** Goal: nobody has more than his share. Invariant: each limit is said, and what is within it goes on. Method: a real server, real sockets. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { MOB_LIMITS } from "@atoll-run/mob";
import { METHODS } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";
import { spawned } from "../support.ts";
import { served } from "./served.ts";

const head = (verb: string, path: string, more: readonly string[] = []) =>
  `${[`${verb} ${path} HTTP/1.1`, "Host: localhost", "Authorization: Bearer token-of-admin", ...more].join("\r\n")}\r\n\r\n`;

async function speak(port: number, text: string): Promise<{ readonly socket: Socket; heard(): string; readonly ended: Promise<unknown> }> {
  const socket = connect(port, "127.0.0.1");
  let heard = "";
  socket.on("data", (piece) => { heard += String(piece); }).on("error", () => undefined);
  const ended = new Promise((resolve) => void socket.once("close", resolve));
  await new Promise((resolve) => void socket.once("connect", resolve));
  socket.write(text);
  return { socket, heard: () => heard, ended };
}

test("with 1,024 streams open, /healthz and RPC answer as before", async (t) => {
  const { http, ask, rpc } = await served(t);
  const sockets = await Promise.all(Array.from({ length: 1_024 }, () => speak(http.port, head("GET", "/v1/stream"))));
  t.after(() => sockets.forEach(({ socket }) => socket.destroy()));
  await until(() => http.streams === 1_024);
  assert.equal((await ask("GET", "/healthz", { role: null })).body, "ok");
  assert.equal((await rpc("mob/status")).result.mob, "m");
  assert.equal((await rpc("mob/dispatch", { to: "open", content: "x" })).result.tickets.length, 1);
  await until(() => sockets.every((one) => one.heard().includes('"kind":"turn_queued"')));
});

test("1,024 streams that are told all members at once share what they are told, and /healthz and RPC answer meanwhile", async (t) => {
  const [STREAMS, MEMBERS] = [1_024, 300];
  const { http, ask, rpc, append, view } = await served(t);
  for (let n = 0; n < MEMBERS; n += 100) await append(...Array.from({ length: 100 }, (_, of) => spawned(`m-${n + of}`)));
  let made = 0;
  const row = view.row.bind(view);
  view.row = (id) => {
    made += 1;
    return row(id);
  };
  let [asked, slowestMs] = [0, 0];
  const over = new AbortController();
  const asking = (async () => {
    while (!over.signal.aborted) {
      const began = performance.now();
      assert.equal((await ask("GET", "/healthz", { role: null })).body, "ok");
      assert.equal((await rpc("mob/members/get", { member: "m-1" })).result.id, "m-1");
      slowestMs = Math.max(slowestMs, performance.now() - began);
      asked += 1;
    }
  })();
  const sockets = await Promise.all(Array.from({ length: STREAMS }, () => speak(http.port, head("GET", "/v1/stream?topics=roster,metrics"))));
  t.after(() => sockets.forEach(({ socket }) => socket.destroy()));
  const told = (text: string) => sockets.filter((one) => one.heard().slice(-4_000).includes(text)).length;
  await until(() => told("event: snapshot_complete") === STREAMS);
  over.abort();
  await asking;
  t.diagnostic(`${asked} questions meanwhile, the slowest two took ${Math.round(slowestMs)} ms`);
  assert.ok(sockets.every((one) => one.heard().split("event: row").length - 1 === MEMBERS + 2));
  assert.ok(made - asked <= (MEMBERS + 2) * 8, `${made} rows made`);
  assert.ok(asked > 1);
  // And so is what comes then.
  const before = made;
  await append(spawned("late"));
  await until(() => told('"member":"late"') === STREAMS);
  assert.equal(made - before, 1);
});

test("of nothing, limit = 0, each method gives none, and where to go on; a limit that is none is refused", async (t) => {
  const { ask, rpc, append, ledger } = await served(t);
  await append({ kind: "note", source: "x", data: {} });
  const more: Readonly<Record<string, object>> = { "ledger/view": { view: "unified" }, "sessions/list": { member: "open" }, "sessions/read": { session_id: "none" } };
  const limited = METHODS.filter(({ params }) => "limit" in params.shape);
  assert.ok(limited.length >= 7);
  for (const one of limited) {
    const { result, error } = await rpc(`mob/${one.name}`, { ...more[one.name], limit: 0 });
    // There is no such session; it is looked for before the limit counts.
    if (error !== undefined) {
      assert.deepEqual([one.name, error.data.code], ["sessions/read", "mob.session_not_found"]);
      continue;
    }
    assert.deepEqual(Object.values(result as object).filter((given) => Array.isArray(given)).flat(), [], one.name);
    for (const limit of [-1, 1.5, MOB_LIMITS.queryMax + 1]) assert.equal((await rpc(`mob/${one.name}`, { ...more[one.name], limit })).error.data.facts.path, "limit", one.name);
  }
  const head = ledger.cursor(ledger.head);
  for (const [query, next] of [["", head], ["&after=0", ledger.cursor(0)], [`&after=0&before=${head}`, ledger.cursor(0)], [`&before=${head}`, ledger.cursor(ledger.head - 1)]] as const) {
    const { body } = await ask("GET", `/v1/ledger/query?limit=0${query}`);
    assert.deepEqual([body.entries, body.next, body.exhausted], [[], next, false], query);
  }
  const { stream_url } = (await ask("GET", "/v1/ledger/subscribe?limit=0&after=0&topics=entries")).body;
  assert.match(stream_url, /after=\w+-0$/);
});

test("a head above 16 KiB, a body above 1 MiB and a batch above 50 are refused", async (t) => {
  const { http, ask } = await served(t);
  const large = await speak(http.port, head("GET", "/v1/status", [`X: ${"x".repeat(17_000)}`]));
  await large.ended;
  assert.doesNotMatch(large.heard(), /200/);
  const body = await speak(http.port, head("POST", "/v1/rpc", ["Content-Length: 1048577"]) + "x".repeat(1_048_577));
  await body.ended;
  assert.match(body.heard(), /^HTTP\/1.1 413 [^]*"mob.too_large"/);
  const one = { jsonrpc: "2.0", id: 1, method: "mob/access/whoami" };
  assert.equal((await ask("POST", "/v1/rpc", { body: Array.from({ length: 51 }, () => one) })).body.error.data.code, "mob.invalid_request");
  assert.equal((await ask("POST", "/v1/rpc", { body: Array.from({ length: 50 }, () => one) })).body.length, 50);
});

test("whoever begins a request and does not end it has no place among those in work for longer than a request may take", async (t) => {
  const { http, ask } = await served(t, { limits: { requestMs: 300, requestsMax: 1 } });
  const slow = await speak(http.port, head("POST", "/v1/rpc", ["Content-Length: 10"]));
  await slow.ended;
  assert.match(slow.heard(), /^HTTP\/1.1 504 [^]*"mob.deadline"/);
  assert.equal((await ask("GET", "/v1/status")).status, 200);
});

test("a request may be given less time than it would have; what it waits for is let go then, and a method's own deadline stays its own", async (t) => {
  const { ask, rpc } = await served(t);
  const wait = { members: ["open"], until: "final" };
  const { error } = await rpc("mob/members/wait", { ...wait, deadline_ms: 50 });
  assert.deepEqual([error.code, error.data.code, error.data.facts, error.data.uncertain], [-32017, "mob.deadline", { limit_ms: 50 }, undefined]);
  const rest = await ask("GET", "/v1/members/wait?members=open&until=final&deadline_ms=50");
  assert.deepEqual([rest.status, rest.body.error.data.code], [504, "mob.deadline"]);
  assert.equal((await rpc("mob/status", { deadline_ms: 60_000 })).result.mob, "m");
  for (const wrong of [0, -1, 1.5, "soon"]) assert.equal((await rpc("mob/status", { deadline_ms: wrong })).error.data.facts.path, "deadline_ms");
  assert.equal((await ask("GET", "/v1/status?deadline_ms=x")).status, 400);
  assert.equal((await rpc("mob/dispatch", { to: "open", content: "x", deadline_ms: 60_000 })).result.tickets.length, 1);
  assert.equal((await ask("POST", "/v1/members/open/turns?deadline_ms=60000", { body: { content: "x" } })).status, 200);
});

test("a wait ends by itself when its time is over", async (t) => {
  const { rpc } = await served(t, { limits: { pollMs: 100 } });
  assert.deepEqual((await rpc("mob/members/wait", { members: ["open"], until: "final" })).result, { met: [], pending: ["open"], broken: [] });
});
