/** Goal: table 4.3. Invariant: reconciled twice is reconciled once, and what was there before is never unwired. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type EdgeNow, type EdgePlanRow, planEdges, toEdge, unfoldEdges } from "@atoll-run/mob/internal";

const AB = { a: "a", b: "b" };
const both = new Set(["a", "b"]);

interface Row {
  readonly desired: boolean;
  readonly now?: Omit<EdgeNow, "a" | "b">;
  readonly present?: ReadonlySet<string>;
  readonly bucket?: string;
  readonly deed?: string | null;
}

const ROWS: Readonly<Record<string, Row>> = {
  "desired, an endpoint absent: skipped": { desired: true, present: new Set(["a"]), bucket: "skipped_missing_members", deed: null },
  "desired, suppressed by an operator: left": { desired: true, now: { wired: false, suppressed: true }, bucket: "suppressed_edges", deed: null },
  "desired, managed, wired: kept": { desired: true, now: { wired: true, owner: "managed" }, bucket: "retained_edges", deed: null },
  "desired, managed, not wired: healed": { desired: true, now: { wired: false, owner: "managed" }, bucket: "wired_edges", deed: "heal" },
  "desired, not managed, wired: never claimed": { desired: true, now: { wired: true, owner: "manual" }, bucket: "preexisting_edges", deed: null },
  "desired, of a peer, wired: never claimed": { desired: true, now: { wired: true, owner: "peer" }, bucket: "preexisting_edges", deed: null },
  "desired, not managed, not wired: wired, then owned": { desired: true, bucket: "wired_edges", deed: "claim" },
  "not desired, managed, endpoint gone: disowned": { desired: false, now: { wired: true, owner: "managed" }, present: new Set(["a"]), bucket: "pruned_stale_managed_edges", deed: "disown" },
  "not desired, managed, not wired: disowned": { desired: false, now: { wired: false, owner: "managed" }, bucket: "pruned_stale_managed_edges", deed: "disown" },
  "not desired, managed, wired: unwired, then disowned": { desired: false, now: { wired: true, owner: "managed" }, bucket: "unwired_edges", deed: "unwire" },
  "not desired, manual, wired: untouched": { desired: false, now: { wired: true, owner: "manual" } },
};

for (const [title, { desired, now, present = both, bucket, deed }] of Object.entries(ROWS)) {
  test(title, () => {
    const rows = planEdges({ desired: desired ? [AB] : [], now: now === undefined ? [] : [{ ...AB, ...now }], present });
    assert.deepEqual(rows, bucket === undefined ? [] : [{ ...AB, bucket, deed }]);
  });
}

test("@name stands for every member of the profile, an edge is there once, in order, and none goes to itself", () => {
  const members = [{ id: "s", profile: "scout" }, { id: "w-1", profile: "w" }, { id: "w-2", profile: "w" }];
  assert.deepEqual(unfoldEdges([["s", "@w"], [" @w ", "s"], ["@w", "@w"]], members), [
    { a: "s", b: "w-1" }, { a: "s", b: "w-2" }, { a: "w-1", b: "w-2" },
  ]);
});

/** Does what the plan says. */
function apply(now: readonly EdgeNow[], plan: readonly EdgePlanRow[]): readonly EdgeNow[] {
  const edges = new Map(now.map((edge) => [`${edge.a}/${edge.b}`, edge]));
  for (const { a, b, deed } of plan) {
    const key = `${a}/${b}`;
    if (deed === "claim" || deed === "heal") edges.set(key, { a, b, wired: true, owner: "managed" });
    if (deed === "unwire" || deed === "disown") edges.delete(key);
  }
  return [...edges.values()];
}

test("reconciled twice is reconciled once, and what was there before is never unwired", () => {
  const names = ["a", "b", "c", "d"];
  const pair = fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names)).filter(([x, y]) => x !== y).map(([x, y]) => toEdge(x, y));
  const edge: fc.Arbitrary<EdgeNow> = fc.record({
    edge: pair, wired: fc.boolean(), owner: fc.option(fc.constantFrom("managed", "manual", "peer"), { nil: undefined }), suppressed: fc.boolean(),
  }).map(({ edge: one, wired, owner, suppressed }) => ({ ...one, wired, suppressed, ...owner === undefined ? {} : { owner } }));
  const key = ({ a, b }: { a: string; b: string }) => `${a}/${b}`;
  fc.assert(fc.property(
    fc.uniqueArray(pair, { selector: key }), fc.uniqueArray(edge, { selector: key }), fc.subarray(names),
    (desired, now, there) => {
      const present = new Set(there);
      const after = apply(now, planEdges({ desired, now, present }));
      const again = planEdges({ desired, now: after, present });
      assert.deepEqual(again.filter(({ deed }) => deed !== null), [], "the second pass changes nothing");
      for (const before of now.filter(({ wired, owner }) => wired && owner !== "managed")) {
        assert.deepEqual(after.find((one) => key(one) === key(before)), before);
      }
    },
  ), { numRuns: 1_000 });
});

test("nobody is to have more edges than a member may: whoever would is named, and the pair that is too much", () => {
  const many = Array.from({ length: 10_000 }, (_, n) => ({ id: `w-${n}`, profile: "w" }));
  assert.throws(() => unfoldEdges([["w-1", "w-2"], ["@w", "@w"]], many, 256), (error: { code: string; facts: { row: number } }) =>
    error.code === "mob.overloaded" && error.facts.row === 1);
  assert.equal(unfoldEdges([["@w", "@w"]], many.slice(0, 257), 256).length, 257 * 128);
  assert.equal(unfoldEdges(Array.from({ length: 20_000 }, () => ["@w", "@w"] as const), many.slice(0, 200), 256).length, 100 * 199);
});
