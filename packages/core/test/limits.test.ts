import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { blockLimits, Bug, FIXED_LIMITS, JSON_DEPTH_MAX, LIMITS, limitProblems, limitText, renderLimits,
  type BlockLimits } from "@atoll-run/core";

const MIB = 1_048_576;

/** Section 10 of the specification, row by row: default, restricted. */
const SPEC: { readonly [N in keyof BlockLimits]?: readonly [number, number] } = {
  isleBytesMax: [256 * MIB, 64 * MIB], wallMsMax: [Infinity, Infinity], cpuMsMax: [Infinity, Infinity],
  handlerMsMax: [Infinity, Infinity], sliceMsMax: [Infinity, 10_000], sliceSharedMsMax: [100, 100],
  printBytesMax: [Infinity, 10 * MIB], printBytesPerSecondMax: [Infinity, MIB],
  busEventsMax: [64, 64], emitMsMax: [30_000, 30_000], ackMsMax: [30_000, 30_000],
  graceMs: [1_000, 1_000], hardStopMs: [500, 500], endMsMax: [5_000, 5_000], lingerMs: [Infinity, 5_000],
  isleQueueMax: [256, 256], mcpNotificationsMax: [128, 128], liveTasksMax: [10_000, 1_000],
  httpBodyBytesMax: [10 * MIB, 10 * MIB], sseEventBytesMax: [MIB, MIB], httpOpenMax: [256, 32],
  childOutputBytesMax: [10 * MIB, MIB], childrenLiveMax: [128, 16],
  meshPayloadBytesMax: [4 * MIB, 4 * MIB], walkDepthMax: [256, 256],
    walkEntriesMax: [10_000, 10_000],
};

for (const [name, [usual, restricted]] of Object.entries(SPEC) as [keyof BlockLimits,
  readonly [number, number]][]) {
  test(`${name} is ${usual}, restricted ${restricted}`, () => {
    assert.equal(blockLimits(false)[name], usual);
    assert.equal(blockLimits(true)[name], restricted);
  });
}

test("the host overrides single limits, and nothing can change them afterwards", () => {
  const limits = blockLimits(true, { busEventsMax: 2, wallMsMax: 50, lingerMs: Infinity });
  assert.partialDeepStrictEqual(limits,
    { busEventsMax: 2, wallMsMax: 50, lingerMs: Infinity, isleBytesMax: 64 * MIB });
  assert.ok(Object.isFrozen(limits));
});

test("all wrong overrides are named at once", () => {
  const problems = limitProblems({
    busEventsMax: 0, isleBytesMax: 1.5, graceMs: -1, wallMsMax: Number.NaN, liveTasksMax: Infinity,
      cpuMsMax: "5",
    nonsense: 1, toString: 2, graceMsMax: undefined, hardStopMs: 0, printBytesMax: Infinity,
  });
  assert.deepEqual(problems.map((p) => `${p.where.name}: ${p.problem}`), [
    "limits.busEventsMax: 0 is not in 1..", "limits.isleBytesMax: 1.5 is not a whole number",
      "limits.graceMs: -1 is not in 0..",
    "limits.wallMsMax: NaN is not a number", "limits.liveTasksMax: this limit cannot be switched off",
    "limits.cpuMsMax: 5 is not a number", "limits.nonsense: there is no such limit",
      "limits.toString: there is no such limit",
  ]);
  assert.throws(() => blockLimits(false, { busEventsMax: 0 }), Bug);
});

test("a limit that is fixed is on the page, and no override moves it", () => {
  assert.equal(FIXED_LIMITS.jsonDepthMax.default, 128);
  assert.equal(FIXED_LIMITS.jsonDepthMax.default, JSON_DEPTH_MAX);
  for (const name of Object.keys(FIXED_LIMITS)) {
    const problems = limitProblems({ [name]: 5 });
    assert.deepEqual(problems, [{ where: { name: `limits.${name}` }, problem: "this limit is fixed" }]);
    assert.match(renderLimits().split("## Fixed")[1] ?? "", new RegExp(name));
  }
});

test("every limit has a unit in its name, a reason and an answer", () => {
  for (const [name, limit] of Object.entries({ ...LIMITS, ...FIXED_LIMITS })) {
    assert.equal(/Bytes/.test(name), limit.unit === "bytes", name);
    assert.equal(/Ms(Max)?$/.test(name), limit.unit === "ms", name);
    assert.match(limit.why, /\.$/, name);
    assert.ok(limit.effect !== "", name);
    assert.match(limit.over ?? "a.b", /^[a-z]+\.[a-z_]+$/, name);
    assert.ok(limit.restricted <= limit.default, `${name}: restricted is never wider`);
  }
});

test("docs/limits.md is what the table says (node packages/core/test/write-docs.ts writes it)", () => {
  assert.equal(readFileSync(new URL("../../../docs/limits.md", import.meta.url), "utf8"), renderLimits());
});

test("amounts are shown in the unit that people read", () => {
  assert.deepEqual(
    [limitText(256 * MIB, "bytes"), limitText(64 * 1024, "bytes"), limitText(1_500, "bytes"),
      limitText(30_000, "ms"), limitText(1_500, "ms"), limitText(10_000, "count"), limitText(Infinity, "ms")],
    ["256 MiB", "64 KiB", "1,500 bytes", "30 s", "1,500 ms", "10,000", "none"],
  );
});
