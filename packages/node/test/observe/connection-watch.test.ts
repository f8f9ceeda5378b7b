// Node 11.2, 11.3: what the spans `connect` and `recover` and their histograms say of connections that come and go.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@atoll-run/testkit";
import type { PeerFact } from "../../src/hooks/report.ts";
import { NODE_LIMITS } from "../../src/limits.ts";
import { ConnectionWatch } from "../../src/observe/connection-watch.ts";
import { Figures } from "../../src/observe/figures.ts";
import type { Histogram } from "../../src/observe/histogram.ts";
import { tracerOf } from "./tracer-of.ts";

function make() {
  const clock = new ManualClock();
  const figures = new Figures();
  const { tracer, spans } = tracerOf();
  const watch = new ConnectionWatch({ clock, figures, tracer, self: () => "me" });
  const peer = (event: "connecting" | "connected" | "disconnected", name: string, direction: PeerFact["direction"] = "out"): void =>
    watch.hear(`websocket_${event}`, { peer: name, direction, proof: "key" });
  return { clock, figures, watch, peer, spans };
}

/** How many, their sum in seconds, and the bounds between which they lie. */
function told(histogram: Histogram): { readonly count: number; readonly sum: number; readonly upTo: readonly string[] } {
  const lines = histogram.lines("h", "");
  const numbers = lines.map((line) => Number(line.slice(line.lastIndexOf(" "))));
  const [sum = 0, count = 0] = numbers.slice(-2);
  const upTo = lines.slice(0, -2).filter((_, at) => (numbers[at] ?? 0) > (numbers[at - 1] ?? 0)).map((line) => /le="(.*?)"/.exec(line)?.[1] ?? "");
  return { count, sum, upTo };
}

test("connect_seconds is the time of dials that came through, and each dial is a span", () => {
  const { clock, figures, watch, peer, spans } = make();
  peer("connecting", "a");
  peer("connecting", "b");
  assert.equal(watch.connecting, 2);
  clock.advance(200);
  peer("connected", "a");
  clock.advance(3_000);
  peer("disconnected", "b");
  peer("connected", "c", "in");
  assert.equal(watch.connecting, 0);
  assert.deepEqual(told(figures.connect), { count: 1, sum: 0.2, upTo: ["0.25"] });
  assert.deepEqual(spans, [
    { name: "connect", facts: { node: "me", peer: "a" }, ended: "connected" },
    { name: "connect", facts: { node: "me", peer: "b" }, ended: "failed node.unavailable" },
  ]);
});

test("recovery_seconds of a peer runs from the end of its last connection to the next, whoever dials", () => {
  const { clock, figures, peer, spans } = make();
  peer("connected", "a", "in");
  peer("connected", "a");
  peer("disconnected", "a", "in");
  assert.deepEqual(spans, [], "one is left");
  peer("disconnected", "a");
  clock.advance(400);
  peer("connecting", "a");
  clock.advance(100);
  peer("disconnected", "a");
  clock.advance(1_500);
  peer("connected", "a", "in");
  assert.deepEqual(told(figures.recovery.peer), { count: 1, sum: 2, upTo: ["2.5"] });
  assert.deepEqual(spans.filter(({ name }) => name === "recover"), [{ name: "recover", facts: { node: "me", peer: "a" }, ended: "recovered" }]);
  assert.equal(figures.recovery.signaling.count, 0);
});

test("recovery_seconds of the realm has a row and a span of its own; a first connection recovers nothing", () => {
  const { clock, figures, watch, spans } = make();
  watch.hear("signaling_connected", {});
  for (const ms of [20, 7_000]) {
    watch.hear("signaling_disconnected", { reason: "cut" });
    clock.advance(ms);
    watch.hear("signaling_connected", {});
  }
  assert.deepEqual(told(figures.recovery.signaling), { count: 2, sum: 7.02, upTo: ["0.025", "10"] });
  assert.equal(figures.recovery.peer.count, 0);
  assert.deepEqual(spans, [20, 7_000].map(() => ({ name: "recover", facts: { node: "me", kind: "signaling" }, ended: "recovered" })));
});

test("of peers that never come back so many are remembered, the oldest is forgotten", () => {
  const { figures, peer } = make();
  for (let at = 0; at <= NODE_LIMITS.observe.lostPeersMax; at++) {
    peer("connected", `p${at}`);
    peer("disconnected", `p${at}`);
  }
  peer("connected", "p0");
  assert.equal(figures.recovery.peer.count, 0);
  peer("connected", "p1");
  assert.equal(figures.recovery.peer.count, 1);
});
