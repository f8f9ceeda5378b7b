/** Goal: whoever runs a mob sees how it is. Method: a real server on a store whose commits can be made to fail. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { stateFull, stateOverloaded } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
import { withCommit } from "../../src/ledger/watched-store.ts";
import { spawned } from "../support.ts";
import { served } from "./served.ts";

test("/readyz says why no work is taken, and what is wrong besides", async (t) => {
  let fault: Error | undefined;
  const { ask, append, ledger, writer, stop } = await served(t, { limits: { storageProbeMs: 20 }, wrap: (store) => withCommit(store, async (batch, call) => {
    if (fault !== undefined) throw fault;
    return store.commit(batch, call);
  }) });
  const ready = async () => {
    const { status, body } = await ask("GET", "/readyz", { role: "viewer" });
    return [status, body];
  };
  using _ = ledger.tend(writer);
  assert.deepEqual(await ready(), [503, { ready: false, reasons: ["creating"], degraded: [] }]);
  await append({ kind: "mob_started", source: "test", data: {} });
  assert.deepEqual(await ready(), [200, { ready: true, reasons: [], degraded: [] }]);
  fault = stateOverloaded(1, 1);
  await assert.rejects(append(spawned("a")));
  assert.equal((await ready())[0], 200);
  fault = stateFull("/state.sqlite");
  await assert.rejects(append(spawned("a")), { code: "mob.storage_degraded" });
  assert.deepEqual(await ready(), [503, { ready: false, reasons: ["storage_degraded"], degraded: [] }]);
  fault = undefined;
  await until(async () => (await ready())[0] === 200);
  await append(spawned("a"), { kind: "member_broken", source: "test", member: "a", data: { state: "broken", kind: "start_failed", detail: "x" } });
  assert.deepEqual(await ready(), [200, { ready: true, reasons: [], degraded: ["member_broken"] }]);
  stop();
  assert.deepEqual(await ready(), [503, { ready: false, reasons: ["shutting_down"], degraded: ["member_broken"] }]);
  assert.equal((await ask("GET", "/healthz", { role: null })).status, 200);
});

test("/metrics tells members by state, turns by end, queues, commits, streams and the event loop", async (t) => {
  const { ask, append, http, ledger } = await served(t, { store: "sqlite" });
  const read = async (): Promise<Readonly<Record<string, number>>> => {
    const { status, body, headers } = await ask("GET", "/metrics", { role: "viewer" });
    assert.deepEqual([status, headers.get("content-type")], [200, "text/plain; version=0.0.4; charset=utf-8"]);
    const lines = (body as string).trimEnd().split("\n").filter((line) => !line.startsWith("#"));
    return Object.fromEntries(lines.map((line) => {
      const [, name = "", value] = /^(atoll_mob_\w+\{mob="m".*\}) (\S+)$/.exec(line) ?? assert.fail(line);
      assert.ok(Number.isFinite(Number(value)), line);
      return [name.replace("atoll_mob_", "").replace(/mob="m",?/, "").replace("{}", ""), Number(value)];
    }));
  };
  const before = await read();
  assert.deepEqual([before['members{state="dormant"}'], before['turns_total{end="done"}'], before["stream_clients"], before["edges"]], [2, 0, 0, 1]);
  const turn = (n: number) => ({ member: "open", turn_id: `t_${n}`, source: "test", principal: "p" });
  await append({ kind: "turn_queued", ...turn(1), data: { conversation: "c" } }, { kind: "turn_queued", ...turn(2), data: { conversation: "c" } },
    { kind: "turn_started", ...turn(1), data: {} }, { kind: "turn_done", ...turn(1), data: { output: 1, usage: { tokens_in: 7, tokens_out: 3, cost_usd: 0.25 } } },
    { kind: "turn_queued", ...turn(3), data: { conversation: "c" } }, { kind: "turn_failed", ...turn(3), data: { error: { code: "x", text: "" }, usage: { tokens_in: 1, tokens_out: 1, cost_usd: null } } },
    { kind: "member_broken", source: "test", member: "shut", data: { state: "broken", kind: "start_failed", detail: "x" } });
  const ending = new AbortController();
  const stream = await fetch(`${http.url}/v1/stream`, { headers: { authorization: "Bearer token-of-viewer" }, signal: ending.signal });
  assert.equal(stream.status, 200);
  const after = await read();
  const told = ['members{state="broken"}', 'turns_total{end="done"}', 'tokens_total{direction="in"}', 'tokens_total{direction="out"}', "cost_usd_total", "turns_unpriced_total", "queue_depth", "turn_seconds_count", "turn_wait_seconds_count", "stream_clients", "stream_lag_entries", "head"];
  assert.deepEqual(told.map((name) => after[name]), [1, 1, 8, 4, 0.25, 1, 1, 2, 1, 1, 0, ledger.head]);
  assert.ok((after["commit_seconds_count"] ?? 0) > (before["commit_seconds_count"] ?? 0) && (after["commit_seconds_sum"] ?? 0) > 0);
  await until(async () => ((await read())["loop_delay_seconds_count"] ?? 0) > 0);
  await until(async () => ((await read())["queue_oldest_seconds"] ?? 0) > 0);
  ending.abort();
  await until(async () => (await read())["stream_clients"] === 0);
});
