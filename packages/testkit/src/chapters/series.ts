/** Conformance of `SeriesStore`: order, aggregates, typed tags, texts of errors. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { SeriesQuery, SeriesStore, StoreCall, TagValue } from "@atoll-run/core";

export interface SeriesUnderTest {
  /** Title of the chapters. */
  readonly name: string;
  /** A handle on the store in this folder. */
  open(folder: string): SeriesStore;
  /** What is opened again has what was acknowledged; else the reason why not. */
  readonly durable: true | { readonly skip: string };
}

const CALL: StoreCall = { timeoutMs: 20_000 };

/** Registers the tests with node:test. */
export function seriesChapters(under: SeriesUnderTest): void {
  describe(`${under.name}: ts`, () => {
    const folder = mkdtempSync(join(tmpdir(), "atoll-ts-chapters-"));
    const opened: SeriesStore[] = [];
    let folders = 0;
    const open = (at = join(folder, `${++folders}`)): SeriesStore => {
      const store = under.open(at);
      opened.push(store);
      return store;
    };
    after(async () => {
      await Promise.all(opened.map((store) => store[Symbol.asyncDispose]()));
      rmSync(folder, { recursive: true, force: true });
    });
    rawChapter(open);
    aggregateChapter(open);
    bucketChapter(open);
    tagChapter(open);
    errorChapter(open);
    lifeChapter(open, under.durable === true ? undefined : under.durable.skip, folder);
  });
}

type Open = (at?: string) => SeriesStore;
type Point = readonly [ts: number, json: string, tags?: Readonly<Record<string, TagValue>>];

async function filled(open: Open, points: readonly Point[]): Promise<SeriesStore> {
  const store = open();
  for (const [ts, json, tags = {}] of points) await store.append("s", json, tags, ts, CALL);
  return store;
}

function rawChapter(open: Open): void {
  const POINTS: readonly Point[] = [[30, '"c"'], [10, "1", { b: "x", a: 2 }], [20, "2.0"], [10, "null"], [20, "9007199254740993"]];
  const CASES: readonly (readonly [title: string, query: SeriesQuery, rows: string])[] = [
    ["raw rows are {ts, value, tags} by time, then by insertion", {},
      '[{"ts":10,"value":1,"tags":{"a":2,"b":"x"}},{"ts":10,"value":null,"tags":{}},{"ts":20,"value":2.0,"tags":{}},'
      + '{"ts":20,"value":9007199254740993,"tags":{}},{"ts":30,"value":"c","tags":{}}]'],
    ["from and to are inclusive", { from: 11, to: 20 },
      '[{"ts":20,"value":2.0,"tags":{}},{"ts":20,"value":9007199254740993,"tags":{}}]'],
    ["limit and offset cut the answer", { limit: 1, offset: 3 }, '[{"ts":20,"value":9007199254740993,"tags":{}}]'],
    ["limit 0 gives no rows", { limit: 0 }, "[]"],
    ["an offset behind the end gives no rows", { offset: 5 }, "[]"],
  ];
  for (const [title, query, rows] of CASES) {
    test(title, async () => assert.equal(await (await filled(open, POINTS)).query("s", query, CALL), rows));
  }

  test("a series that has no rows is empty", async () => {
    const store = await filled(open, POINTS);
    assert.equal(await store.query("other", {}, CALL), "[]");
    assert.equal(await store.last("other", {}, CALL), undefined);
  });

  test("last is the last row by time, then by insertion", async () => {
    const store = await filled(open, [[30, "1"], [30, "2", { a: true }], [10, "3"]]);
    assert.equal(await store.last("s", {}, CALL), '{"ts":30,"value":2,"tags":{"a":true}}');
  });

  test("times before 1970 and of many digits are kept", async () => {
    const store = await filled(open, [[-5, "1"], [1_700_000_000_000_000, "2"]]);
    assert.equal(await store.query("s", {}, CALL),
      '[{"ts":-5,"value":1,"tags":{}},{"ts":1700000000000000,"value":2,"tags":{}}]');
  });

  test("more rows than a slice holds come whole and in order", async () => {
    const store = open();
    const times = Array.from({ length: 2_500 }, (_, i) => (i * 7919) % 2_500);
    await Promise.all(times.map((ts) => store.append("s", String(ts), {}, Math.floor(ts / 3), CALL)));
    const rows = JSON.parse(await store.query("s", {}, CALL)) as { ts: number; value: number }[];
    assert.equal(rows.length, 2_500);
    const inserted = new Map(times.map((ts, i) => [ts, i]));
    const expected = times.toSorted((a, b) => Math.floor(a / 3) - Math.floor(b / 3)
      || (inserted.get(a) ?? 0) - (inserted.get(b) ?? 0));
    assert.deepEqual(rows.map((row) => row.value), expected);
    assert.equal(await store.query("s", { agg: "count" }, CALL), '[{"value":2500}]');
    assert.equal(await store.query("s", { agg: "sum" }, CALL), `[{"value":${(2_499 * 2_500) / 2}}]`);
  });
}

function aggregateChapter(open: Open): void {
  const CASES: readonly (readonly [title: string, values: readonly string[], agg: string, rows: string])[] = [
    ["count counts every row", ["1", '"x"', "null"], "count", '[{"value":3}]'],
    ["sum of integers is an integer", ["1", "2", "3"], "sum", '[{"value":6}]'],
    ["an integral sum of floats is an integer", ["1.5", "4.5"], "sum", '[{"value":6}]'],
    ["a sum that is not integral is a float", ["1", "0.25"], "sum", '[{"value":1.25}]'],
    ["sum skips what is not a number", ["1", '"2"', "null", "true", "[3]", '{"a":4}', "5"], "sum", '[{"value":6}]'],
    ["sum is exact in int64", ["9007199254740993", "1", "9007199254740993"], "sum", '[{"value":18014398509481987}]'],
    ["a sum beyond int64 is a float", ["9223372036854775807", "9223372036854775807"], "sum", '[{"value":18446744073709552000.0}]'],
    ["negative numbers count", ["-7", "-0.5", "1e1"], "sum", '[{"value":2.5}]'],
    ["an integral avg is an integer", ["4", "8"], "avg", '[{"value":6}]'],
    ["an avg that is not integral is a float", ["1", "2"], "avg", '[{"value":1.5}]'],
    ["avg skips what is not a number", ["1", '"x"', "3"], "avg", '[{"value":2}]'],
    ["an integral avg is exact in int64", ["9007199254740993", "9007199254740993"], "avg", '[{"value":9007199254740993}]'],
    ["sum of no number is null", ['"x"'], "sum", '[{"value":null}]'],
    ["avg of no number is null", [], "avg", '[{"value":null}]'],
    ["count of nothing is 0", [], "count", '[{"value":0}]'],
    ["last of nothing is no row", [], "last", "[]"],
  ];
  for (const [title, values, agg, rows] of CASES) {
    test(title, async () => {
      const store = await filled(open, values.map((json, i) => [i, json]));
      assert.equal(await store.query("s", { agg }, CALL), rows);
    });
  }

  test("agg last adds tags and ts", async () => {
    const store = await filled(open, [[10, "1"], [20, "2.0", { a: "x" }], [30, "3"]]);
    assert.equal(await store.query("s", { agg: "last", to: 20 }, CALL), '[{"value":2.0,"tags":{"a":"x"},"ts":20}]');
  });

  test("limit and offset apply to the row of an aggregate too", async () => {
    const store = await filled(open, [[10, "1"]]);
    for (const agg of ["count", "last"]) {
      assert.equal(await store.query("s", { agg, limit: 0 }, CALL), "[]");
      assert.equal(await store.query("s", { agg, offset: 1 }, CALL), "[]");
    }
  });
}

function bucketChapter(open: Open): void {
  const POINTS: readonly Point[] = [[0, "1"], [9, "2"], [10, '"x"'], [25, "4.5"], [29, "1.5"], [-1, "7"]];
  const CASES: readonly (readonly [agg: string, rows: string])[] = [
    ["sum", '[{"bucket_ts":-10,"value":7},{"bucket_ts":0,"value":3},{"bucket_ts":10,"value":null},{"bucket_ts":20,"value":6}]'],
    ["avg", '[{"bucket_ts":-10,"value":7},{"bucket_ts":0,"value":1.5},{"bucket_ts":10,"value":null},{"bucket_ts":20,"value":3}]'],
    ["count", '[{"bucket_ts":-10,"value":1},{"bucket_ts":0,"value":2},{"bucket_ts":10,"value":1},{"bucket_ts":20,"value":2}]'],
    ["last", '[{"bucket_ts":-10,"value":7},{"bucket_ts":0,"value":2},{"bucket_ts":10,"value":"x"},{"bucket_ts":20,"value":1.5}]'],
  ];
  for (const [agg, rows] of CASES) {
    const title = agg === "last" ? "given bucketed last, then each bucket holds its last value" : `each bucket holds its ${agg}`;
    test(title, async () => {
      assert.equal(await (await filled(open, POINTS)).query("s", { agg, bucket_ms: 10 }, CALL), rows);
    });
  }

  test("limit and offset count buckets", async () => {
    const store = await filled(open, POINTS);
    assert.equal(await store.query("s", { agg: "count", bucket_ms: 10, limit: 2, offset: 1 }, CALL),
      '[{"bucket_ts":0,"value":2},{"bucket_ts":10,"value":1}]');
  });
}

function tagChapter(open: Open): void {
  test("tag filters compare typed values", async () => {
    const store = await filled(open, [
      [1, "1", { k: 1 }], [2, "2", { k: "1" }], [3, "3", { k: true }], [4, "4", { k: 2n ** 53n + 1n }],
      [5, "5", { k: 1.5 }], [6, "6", {}], [7, "7", { k: "true", j: 1 }],
    ]);
    const values = async (tags: Readonly<Record<string, TagValue>>): Promise<unknown[]> =>
      (JSON.parse(await store.query("s", { tags }, CALL)) as { value: unknown }[]).map((row) => row.value);
    assert.deepEqual(await values({ k: 1 }), [1]);
    assert.deepEqual(await values({ k: 1n }), [1]);
    assert.deepEqual(await values({ k: "1" }), [2]);
    assert.deepEqual(await values({ k: true }), [3]);
    assert.deepEqual(await values({ k: 2n ** 53n + 1n }), [4]);
    assert.deepEqual(await values({ k: 2n ** 53n }), []);
    assert.deepEqual(await values({ k: 1.5 }), [5]);
    assert.deepEqual(await values({ k: "true", j: 1 }), [7]);
    assert.deepEqual(await values({ k: "true", j: 2 }), []);
    assert.deepEqual(await values({ missing: 1 }), []);
    assert.equal(await store.query("s", { tags: { k: "1" }, agg: "sum" }, CALL), '[{"value":2}]');
    assert.equal(await store.last("s", { k: 1 }, CALL), '{"ts":1,"value":1,"tags":{"k":1}}');
    assert.equal(await store.last("s", { k: false }, CALL), undefined);
  });
}

function errorChapter(open: Open): void {
  const CASES: readonly (readonly [query: SeriesQuery, text: string])[] = [
    [{ tags: { "a b": 1 } }, "ts tag key must be [a-zA-Z0-9_]+"],
    [{ tags: { "": 1 } }, "ts tag key must be [a-zA-Z0-9_]+"],
    [{ agg: "sum", bucket_ms: 0 }, "ts bucket_ms must be positive"],
    [{ agg: "sum", bucket_ms: -1 }, "ts bucket_ms must be positive"],
    [{ bucket_ms: 10 }, "ts bucket_ms requires agg"],
    [{ limit: -1 }, "ts opts.limit must be >= 0"],
    [{ offset: -1 }, "ts opts.offset must be >= 0"],
    [{ agg: "median" }, "unknown agg: median"],
  ];
  for (const [query, message] of CASES) {
    test(`${JSON.stringify(query)} fails with "${message}"`, async () => {
      await assert.rejects(open().query("s", query, CALL), { code: "ts.invalid", message });
    });
  }

  test("append and last refuse a bad tag key", async () => {
    const store = open();
    const fault = { code: "ts.invalid", message: "ts tag key must be [a-zA-Z0-9_]+" };
    await assert.rejects(store.append("s", "1", { "a-b": 1 }, 1, CALL), fault);
    await assert.rejects(store.last("s", { "ä": 1 }, CALL), fault);
  });

  test("a cancelled call fails with its text and changes nothing", async () => {
    const store = open();
    const call = { ...CALL, signal: AbortSignal.abort() };
    await assert.rejects(store.append("s", "1", {}, 1, call), { code: "task.cancelled", message: "task cancelled during ts.append" });
    await assert.rejects(store.query("s", {}, call), { code: "task.cancelled", message: "task cancelled during ts.query" });
    await assert.rejects(store.last("s", {}, call), { code: "task.cancelled", message: "task cancelled during ts.last" });
    assert.equal(await store.query("s", {}, CALL), "[]");
  });
}

function lifeChapter(open: Open, skip: string | undefined, folder: string): void {
  test("what was acknowledged is there when the store is opened again", { skip: skip ?? false }, async () => {
    const at = join(folder, "again", "deep");
    const first = open(at);
    await Promise.all(Array.from({ length: 100 }, (_, i) => first.append("s", String(i), {}, i, CALL)));
    await first[Symbol.asyncDispose]();
    assert.equal(await open(at).query("s", { agg: "sum" }, CALL), '[{"value":4950}]');
  });

  test("a closed store refuses later calls, and closing twice is closing once", async () => {
    const store = open();
    await store.append("s", "1", {}, 1, CALL);
    await store[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    await assert.rejects(store.last("s", {}, CALL), { code: "ts.failed", message: "ts.last sql error: the store is closed" });
  });
}
