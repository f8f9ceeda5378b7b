/** kv and ts on SQLite against the plain models of the testkit: any calls give the same answers. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import type { KvStore, StoreCall, TagValue } from "@atoll-run/core";
import { openStores, type Stores } from "@atoll-run/sqlite";
import { memoryKv, memorySeries } from "@atoll-run/testkit";

const CALL: StoreCall = { timeoutMs: 20_000 };
const RUNS = { numRuns: 25 };

const folder = mkdtempSync(join(tmpdir(), "atoll-models-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

function open(): Stores {
  const at = join(folder, `${++files}`);
  return openStores({ kvPath: join(at, "kv.sqlite"), tsPath: join(at, "ts.sqlite"), busyTimeoutMs: 1_000, journalMode: "WAL" });
}

const key = fc.constantFrom("", "a", "ab", "b", "é", "🌊");
const ns = fc.constantFrom("n", "m");
const step = fc.oneof(
  fc.record({ op: fc.constant("set" as const), ns, key, json: fc.json() }),
  fc.record({ op: fc.constantFrom("get" as const, "delete" as const, "list" as const), ns, key }),
);

test("any sequence of calls gives what a plain map would", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
    await using stores = open();
    await using model = memoryKv();
    const run = (store: KvStore): Promise<unknown[]> => Promise.all(steps.map((one) => one.op === "set"
      ? store.set(one.ns, one.key, one.json, CALL) : store[one.op](one.ns, one.key, CALL)));
    assert.deepEqual(await run(stores.kv), await run(model));
  }), RUNS);
});

const value = fc.oneof(
  fc.integer().map(String), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  fc.integer({ min: -64, max: 64 }).map((n) => (n / 4).toFixed(2)), fc.constantFrom('"x"', "null", "true", "[1]"),
);
const tags = fc.dictionary(fc.constantFrom("a", "b"), fc.constantFrom<TagValue>(1, 2n, "1", true, 1.5), { maxKeys: 2 });
const point = fc.record({ ts: fc.integer({ min: -50, max: 50 }), json: value, tags });
const query = fc.record({
  from: fc.integer({ min: -60, max: 60 }), to: fc.integer({ min: -60, max: 60 }), tags,
  agg: fc.constantFrom("count", "sum", "avg", "last"), limit: fc.nat(5), offset: fc.nat(3),
}, { requiredKeys: [] });
const withBucket = fc.tuple(query, fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }));

test("any rows and any query give what the plain model gives", async () => {
  await fc.assert(fc.asyncProperty(fc.array(point, { maxLength: 30 }), fc.array(withBucket, { maxLength: 8 }),
    async (points, queries) => {
      await using stores = open();
      const store = stores.series;
        await using model = memorySeries();
      for (const each of [store, model]) {
        await Promise.all(points.map((one) => each.append("s", one.json, one.tags, one.ts, CALL)));
      }
      for (const [plain, bucket] of queries) {
        const one = plain.agg !== undefined && bucket !== undefined ? { ...plain, bucket_ms: bucket } : plain;
        assert.equal(await store.query("s", one, CALL), await model.query("s", one, CALL));
      }
    }), RUNS);
});
