/** Goal: what is not stored reaches who listens, or he is told how much did not. Method: live signals of the ledger itself, real sockets; one that stalls. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { SseDecoder, type SseEvent } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
import { spawned } from "../support.ts";
import { listen, served } from "./served.ts";

const of = ({ event, data }: SseEvent) => [event, JSON.parse(data)] as const;

test("who joins late has texts so far, of members, turns and calls of his; one that is over, or too long, is told no more", async (t) => {
  const { http, ledger, append } = await served(t);
  const say = (text: string, { member = "open", call = 1, turn = "t_1", live = "text" } = {}) => ledger.live({ live, member, turn_id: turn, data: { call, index: 0, text } });
  say("a");
  say("b");
  say("because", { live: "reasoning" });
  say("other", { member: "shut", turn: "t_2" });
  say("x".repeat(70_000), { call: 2 });
  say("y", { call: 2 });
  const heard = async (query: string): Promise<readonly (readonly [string | undefined, { live: string; data: object }])[]> => {
    const ending = new AbortController();
    const all: SseEvent[] = [];
    const reading = (async () => {
      for await (const event of listen(`${http.url}/v1/stream${query}`, {}, ending.signal)) all.push(event);
    })().catch(() => undefined);
    await until(() => http.streams === 1);
    // In line behind what it is told of.
    await append({ kind: "note", source: "end", member: "open", turn_id: "t_1", data: {} });
    await until(() => all.some(({ event }) => event === "entry"));
    ending.abort();
    await reading;
    await until(() => http.streams === 0);
    return all.filter(({ event }) => event !== "entry").map(of);
  };
  const partial = (text: string, { of: live = "text", call = 1, member = "open" } = {}) => ["partial", { of: live, call, index: 0, text, member }];
  const short = (all: Awaited<ReturnType<typeof heard>>) => all.map(([event, { member, data }]: readonly [string | undefined, { member?: string; data: object }]) => [event, { ...data, member }]);
  const mine = [partial("ab"), partial("because", { of: "reasoning" })];
  assert.deepEqual(short(await heard("")), [...mine, partial("other", { member: "shut" })]);
  assert.deepEqual(short(await heard("?turn_id=t_1")), mine);
  assert.deepEqual(short(await heard("?topics=live:open,entries&member=open")), mine);
  assert.deepEqual(short(await heard("?topics=turns,entries&kinds=note")), []);
  // The call is over; the turn is.
  ledger.live({ live: "phase", member: "open", turn_id: "t_1", data: { call: 1, phase: "waiting" } });
  assert.deepEqual(short(await heard("")), [partial("other", { member: "shut" })]);
  await append({ kind: "turn_failed", source: "x", member: "shut", turn_id: "t_2", data: { error: { code: "x", text: "" } } });
  assert.deepEqual(short(await heard("")), []);
});

test("who could not take them is told how many he has missed, and has the text whole again", async (t) => {
  const { http, ledger, append } = await served(t);
  const socket = connect(http.port, "127.0.0.1");
  t.after(() => socket.destroy());
  const decoder = new SseDecoder(1_000_000);
  const seen: (readonly [string | undefined, { data: { n?: number; text?: string } }])[] = [];
  socket.on("data", (piece) => seen.push(...decoder.push(piece).filter(({ event }) => event !== "").map(of)));
  socket.pause();
  socket.write("GET /v1/stream HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer token-of-admin\r\nConnection: close\r\n\r\n");
  await until(() => http.streams === 1);
  // More than kernels keep for sockets.
  for (let n = 0; n < 300; n++) await append({ kind: "note", source: "x", data: { text: "ä".repeat(20_000) } });
  let text = "";
  for (let n = 0; n < 100; n++) {
    ledger.live({ live: "text", member: "open", turn_id: "t_1", data: { call: 1, index: 0, text: `${n},` } });
    text += `${n},`;
  }
  await append({ kind: "note", source: "x", data: {} });
  socket.resume();
  await until(() => seen.some(([event]) => event === "live_dropped"));
  await until(() => seen.some(([event]) => event === "partial"));
  const { data: { n = 0 } } = seen.find(([event]) => event === "live_dropped")?.[1] ?? assert.fail();
  const lives = seen.filter(([event]) => event === "live").length;
  assert.deepEqual([n + lives, n > 0, seen.find(([event, { data }]) => event === "partial" && data.text === text) !== undefined], [100, true, true]);
  assert.equal(seen.filter(([event]) => event === "entry").length, 301);
});

test("figures of the mob come at once and when something happens, at most once a second, whatever else is asked; a quiet mob says nothing", async (t) => {
  const { http, append } = await served(t);
  const heard: { readonly at: number; readonly data: Record<string, unknown> }[] = [];
  const ending = new AbortController();
  const reading = (async () => {
    for await (const { event, id, data } of listen(`${http.url}/v1/stream?topics=metrics&member=nobody`, {}, ending.signal)) {
      assert.deepEqual([event, id, (JSON.parse(data) as { live: string }).live], ["live", undefined, "metrics"]);
      heard.push({ at: performance.now(), data: (JSON.parse(data) as { data: Record<string, unknown> }).data });
    }
  })().catch(() => undefined);
  await until(() => heard.length === 1);
  const members = (dormant: number, active: number) => ({ starting: 0, active, dormant, suspended: 0, broken: 0, retiring: 0, retired: 0, completed: 0 });
  assert.deepEqual([heard[0]?.data["members"], heard[0]?.data["edges"], heard[0]?.data["queue_oldest_at_ms"]], [members(2, 0), 1, null]);
  // Told once, however much it is.
  for (let n = 0; n < 40; n++) await append(spawned(`m-${n}`));
  const turn = { source: "x", member: "open", turn_id: "t_1", data: {} } as const;
  await append({ ...turn, kind: "turn_queued" }, { ...turn, kind: "turn_started" }, { kind: "member_started", source: "x", member: "open", data: { state: "active" } });
  await until(() => heard.at(-1)?.data["turns_running"] === 1);
  assert.deepEqual([heard.at(-1)?.data["members"], heard.at(-1)?.data["queue_depth"]], [members(41, 1), 1]);
  await append({ ...turn, kind: "turn_done", data: { usage: { tokens_in: 3, tokens_out: 4, cost_usd: 0.5 } } });
  await until(() => heard.at(-1)?.data["turns_running"] === 0);
  const { turns, tokens, cost_usd_total } = heard.at(-1)?.data ?? {};
  assert.deepEqual([(turns as { done: number }).done, tokens, cost_usd_total], [1, { in: 3, out: 4 }, 0.5]);
  // The first was for this one alone.
  const told = heard.slice(1).map(({ at }) => at);
  const gaps = told.slice(1).map((at, n) => at - (told[n] as number));
  assert.ok(gaps.every((ms) => ms > 900), gaps.join());
  const { length } = heard;
  const quiet = performance.now();
  await until(() => performance.now() - quiet > 2_100);
  assert.equal(heard.length, length);
  ending.abort();
  await reading;
});

test("who could not take figures has the newest when he can, and has lost nothing", async (t) => {
  const { http, append } = await served(t);
  const socket = connect(http.port, "127.0.0.1");
  t.after(() => socket.destroy());
  const decoder = new SseDecoder(1_000_000);
  const seen: (readonly [string | undefined, { live?: string; data: { members?: { dormant: number } } }])[] = [];
  socket.on("data", (piece) => seen.push(...decoder.push(piece).filter(({ event }) => event !== "").map(of)));
  socket.pause();
  socket.write("GET /v1/stream?topics=entries,metrics HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer token-of-admin\r\nConnection: close\r\n\r\n");
  await until(() => http.streams === 1);
  for (let n = 0; n < 300; n++) await append({ ...spawned(`m-${n}`), data: { ...spawned(`m-${n}`).data, text: "ä".repeat(20_000) } });
  const quiet = performance.now();
  // The last figures were told while he took nothing.
  await until(() => performance.now() - quiet > 1_100);
  socket.resume();
  await until(() => seen.some(([, { live, data }]) => live === "metrics" && data.members?.dormant === 302));
  assert.deepEqual([seen.filter(([event]) => event === "entry").length, seen.some(([event]) => event === "live_dropped")], [300, false]);
});
