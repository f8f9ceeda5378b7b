/**
 * Goal: figures are compared with their bars, told and written without loss, and a bar fails a proof only
 * when it is missed by much and often.
 * Method: benches with known figures in a fixture repository, run by the real command.
 */
import assert from "node:assert/strict";
import { readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { judge } from "../bench/measure.ts";
import { proveBars } from "../prove/bars.ts";
import { makeFolder, manifest, runTool } from "./fixture.ts";

/** A bench whose figures are this text of an array of rows. */
function bench(rows: string, bars = "[{ name: \"hop\", atMost: 3 }]", before = ""): string {
  return `import { existsSync, readFileSync, writeFileSync } from "node:fs";
    export const bench = { name: "bus", question: "How fast?", unit: "×", bars: ${bars},
      async run({ quick }) { ${before} return { rows: ${rows} }; } };`;
}

function makeRepository(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = makeFolder(t, { "package.json": manifest("fixture"), "build/stamp": "", ...files });
  const later = new Date(Date.now() + 3_600_000);
  utimesSync(join(root, "build/stamp"), later, later);
  return root;
}

test("the table shows value, bar and whether it is met, and a miss does not fail", async (t) => {
  const root = makeRepository(t, { "bench/bus.bench.ts":
    bench("[{ name: \"hop\", value: 3.14159, note: \"30 runs\" }, { name: \"free\", value: 12345.6 }]") });
  const { code, out } = await runTool("bench", [], root);
  assert.deepEqual([code, out.split("\n")], [0, [
    "bus: How fast?", "  hop   3.14 ×   ≤ 3  no, by less than × 1.5  30 runs", "  free  12346 ×", ""]]);
});

test("a bench that cannot run is told and fails the command", async (t) => {
  const root = makeRepository(t, {
    "bench/boom.bench.ts": bench("[]", "[]", "throw new Error(\"no disk\");"),
    "bench/lost.bench.ts": bench("[]"),
    "bench/nan.bench.ts": bench("[{ name: \"hop\", value: 0 / 0 }]"),
  });
  const { code, out } = await runTool("bench", [], root);
  assert.equal(code, 1);
  assert.match(out, /boom could not run: [^]*no disk/);
  assert.match(out, /lost could not run: it has a bar for hop but measured no such row/);
  assert.match(out, /nan could not run: hop is /);
});

test("--json gives the figures as data", async (t) => {
  const root = makeRepository(t, {
    "bench/bus.bench.ts": bench("[{ name: \"hop\", value: quick ? 1 : 2 }]"), "bench/other.bench.ts": "" });
  const { out } = await runTool("bench", ["bus", "--json", "--quick"], root);
  const { machine, date, benches } = JSON.parse(out) as { machine: string; date: string; benches: unknown };
  assert.match(machine, /^\d+ × .*Node 24/);
  assert.ok(!Number.isNaN(Date.parse(date)));
  assert.deepEqual(benches, [{ file: "bus", name: "bus", question: "How fast?", unit: "×",
    rows: [{ name: "hop", value: 1, ok: true, at_most: 3 }] }]);
});

test("--write keeps what the README says around the table", async (t) => {
  const root = makeRepository(t, { "bench/bus.bench.ts": bench("[{ name: \"hop\", value: 2 }]"),
    "bench/README.md": "# Benchmarks\n\nBefore.\n" });
  await runTool("bench", ["--write"], root);
  const first = readFileSync(join(root, "bench/README.md"), "utf8");
  assert.match(first,
    /^# Benchmarks\n\nBefore\.\n\n<!-- figures: begin[^]*\| bus \| hop \| 2 × \| ≤ 3 \| yes \|/);
  assert.match(first, /Machine: .*Node 24.* Date: \d{4}-\d\d-\d\d\. Command: `npm run bench -- --write`\./);
  await runTool("bench", ["--write"], root);
  assert.equal(readFileSync(join(root, "bench/README.md"), "utf8"), first, "written twice is written once");
  const { code } = await runTool("bench", ["bus", "--write"], root);
  assert.equal(code, 2, "a part of the benches would tear holes into the table");
});

test("a bar is missed grossly only beyond × 1.5, in both directions", () => {
  const bars = [{ name: "most", atMost: 10 }, { name: "least", atLeast: 10 }];
  const rows = (most: number, least: number): boolean[][] =>
    judge(bars, [{ name: "most", value: most }, { name: "least", value: least }])
    .map(({ ok, gross }) => [ok, gross]);
  assert.deepEqual(rows(10, 10), [[true, false], [true, false]]);
  assert.deepEqual(rows(15, 6.7), [[false, false], [false, false]]);
  assert.deepEqual(rows(15.1, 6.6), [[false, true], [false, true]]);
});

/** A bench that gives these values one run after the other. */
const sequence = (values: readonly number[]): string => bench("[{ name: \"hop\", value }]", undefined, `
  const n = existsSync("n.txt") ? Number(readFileSync("n.txt", "utf8")) : 0;
  writeFileSync("n.txt", String(n + 1));
  const value = ${JSON.stringify(values)}[n];`);

/** Values of the runs → whether the bar passes, and how many runs it took. */
const SERIES: readonly (readonly [values: readonly number[], passed: boolean, runs: number])[] = [
  [[1, 1, 1, 9, 9], true, 3], [[9, 9, 9, 1, 1], false, 3],
  [[9, 1, 9, 1, 9], false, 5], [[9, 1, 1, 9, 1], true, 5],
];

for (const [values, passed, runs] of SERIES) {
  const end = passed ? "passes" : "fails";
  test(`a bar of 3 with the values ${values.join(", ")} ${end} after ${runs} runs`, async (t) => {
    const root = makeRepository(t, { "bench/bus.bench.ts": sequence(values) });
    const results = await proveBars({ root, files: [join(root, "bench/bus.bench.ts")], allowedMs: undefined,
      signal: t.signal, onStatus: () => undefined });
    assert.deepEqual(results.map((result) => result.passed), [passed]);
    assert.equal(readFileSync(join(root, "n.txt"), "utf8"), String(runs));
  });
}

test("when the time is over every bench has run once and no bar fails for the lack of runs", async (t) => {
  const root = makeRepository(t, { "bench/bus.bench.ts": sequence([9, 9, 9]) });
  const [result] = await proveBars({ root, files: [join(root, "bench/bus.bench.ts")], allowedMs: 0,
    signal: t.signal,
    onStatus: () => undefined });
  assert.deepEqual([result?.passed, readFileSync(join(root, "n.txt"), "utf8")], [true, "1"]);
});

test("npm run prove judges the bars too", async (t) => {
  const root = makeRepository(t, { "bench/bus.bench.ts": bench("[{ name: \"hop\", value: 9 }]") });
  const { code, out } = await runTool("prove", [], root);
  assert.equal(code, 1);
  assert.match(out, /FAIL bar bus: hop: 9, 9, 9, bar ≤ 3, missed by more than × 1\.5 in 3 of 3 runs\n/);
  assert.match(out, /\n0 passed, 1 failed\n$/);
});
