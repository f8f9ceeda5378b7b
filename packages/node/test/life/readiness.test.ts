// Node 11.4: ready = running, intake open, store writable, identity valid, workload up, room.
import assert from "node:assert/strict";
import { test } from "node:test";
import { toHealth, type HealthFacts } from "../../src/life/health.ts";
import { nodeLimits } from "../../src/life/node-limits.ts";

const limits = nodeLimits();
const network = { signaling: "up", identity: "good", addresses: [] } as const;
const WELL: HealthFacts = {
  state: "running", storeReady: true, workloadUp: true, durability: "full", dir: undefined, inbox: {}, network, nowMs: 100_000, limits,
};
const down = (forMs: number): HealthFacts["network"] => ({ ...network, signaling: "down", signaling_down_since_ms: WELL.nowMs - forMs });

for (const [what, change, ready, problems, degraded = false] of [
  ["nothing is wrong", {}, true, []],
  ["it drains", { state: "draining" }, false, ["draining"]],
  ["the store fails", { storeReady: false }, false, ["store"]],
  ["the workload is being rebuilt", { workloadUp: false }, false, ["workload"]],
  ["there is no room", { inbox: { mailbox_depth: limits.mailbox.hardRowsMax } }, false, ["mailbox"]],
  ["the identity has expired", { network: { ...network, identity: "expired" } }, false, ["identity"]],
  ["the identity is in its grace", { network: { ...network, identity: "grace" } }, true, []],
  ["signaling is down for a minute", { network: down(60_000) }, true, []],
  ["signaling is down for more than a minute", { network: down(60_001) }, true, ["signaling"], true],
] as const satisfies readonly (readonly [string, Partial<HealthFacts>, boolean, readonly string[], boolean?])[]) {
  test(`a node is ${ready ? "ready" : "not ready"}${degraded ? " but degraded" : ""} when ${what}`, () => {
    const health = toHealth({ ...WELL, ...change });
    assert.deepEqual([health.ready, health.problems, health.degraded], [ready, problems, degraded]);
  });
}
