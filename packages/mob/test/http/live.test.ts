/** Goal: what is not stored reaches who listens, or he is told how much did not. Method: live signals of the ledger itself, real sockets; one that stalls. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { SseDecoder, type SseEvent } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
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
