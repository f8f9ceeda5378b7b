/** Issue C: whether the next message is found as fast in a deep mailbox as in a shallow one. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StateOp, StateStore } from "@atoll-run/core";
import type { Bench } from "../tools/bench/bench.ts";
import { sqlite } from "./support/built.ts";
import { formatTime, takeTurns } from "./support/figures.ts";

const SHALLOW = 1_000;
const BATCH = 512;
const CLAIM = 64;

export const bench: Bench = {
  name: "claim at depth", unit: "×", issue: "C",
  question: "What does it take to find and lease the next 64 messages of a mailbox with a million rows, against one with a thousand?",
  bars: [{ name: "deep, of shallow", atMost: 2 }],
  async run({ quick }) {
    const deepRows = quick ? 100_000 : 1_000_000;
    const folder = mkdtempSync(join(tmpdir(), "atoll-bench-"));
    try {
      await using store = await sqlite.openState({ dir: folder, durability: "normal" });
      await fill(store, "shallow", SHALLOW);
      await fill(store, "deep", deepRows);
      const times = await takeTurns({
        deep: () => claim(store, "deep"), shallow: () => claim(store, "shallow"),
      }, { runs: 11, warmUps: 3 });
      return { rows: [{
        name: "deep, of shallow", value: times.deep.median / times.shallow.median,
        note: `${deepRows} rows: ${formatTime(times.deep.median)}, ${SHALLOW} rows: ${formatTime(times.shallow.median)}`,
      }] };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function fill(store: StateStore, scope: string, rows: number): Promise<void> {
  const batches: Promise<unknown>[] = [];
  for (let first = 0; first < rows; first += BATCH) {
    const ops: StateOp[] = Array.from({ length: Math.min(BATCH, rows - first) }, (_, i) => accept(first + i));
    batches.push(store.commit({ scope, epoch: null, at_ms: 1, ops }));
    if (batches.length >= 16) await Promise.all(batches.splice(0));
  }
  await Promise.all(batches);
}

function accept(n: number): StateOp {
  return {
    op: "accept", lease_until_at_ms: null, mail: {
      sender: `acme:client:1.0.0/${n % 100}`, route: "bench.Bench.Note", request_id: `r-${n}`, hash: "0123456789abcdef", priority: "normal",
      // Every other one has a key, a hundred rows each.
      key: n % 2 === 0 ? null : `key-${Math.floor(n / 200)}`, body: new Uint8Array(64), about: "{}", accepted_at_ms: 1, expires_at_ms: null,
      ready_at_ms: 0,
    },
  };
}

/** Leases what it finds, and gives it back. */
async function claim(store: StateStore, scope: string): Promise<number> {
  const begun = performance.now();
  const found = await store.ready(scope, { priority: "normal", at_ms: 10, limit: CLAIM });
  const leased = await store.commit({
    scope, epoch: null, at_ms: 10, ops: found.map(({ seq, fence }) => ({ op: "lease", seq, fence, until_at_ms: 100_000 })),
  });
  const took = performance.now() - begun;
  if (found.length !== CLAIM || !leased.ok) throw new Error(`found ${found.length} of ${CLAIM}`);
  await store.commit({
    scope, epoch: null, at_ms: 10,
    ops: found.map(({ seq }, at) => ({
      op: "release", seq, fence: leased.values[at] ?? 0, ready_at_ms: 0, parked: null, counted: false,
    })),
  });
  return took;
}
