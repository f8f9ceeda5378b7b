/** Goal: table 4.2. Invariant: reconciled twice is reconciled once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberSpec } from "@atoll-run/mob";
import { type MemberNow, planMembers, retireGuard, specHash, type LifeState } from "@atoll-run/mob/internal";
import fc from "fast-check";

const SPEC: MemberSpec = { id: "a", profile: "p", labels: { team: "x" } };
const hashOf = (spec: MemberSpec): string => specHash(undefined, spec);
const NOW: MemberNow = { spec_hash: hashOf(SPEC), spec: SPEC, state: "active", held: false, origin: "definition" };

const ROWS: Readonly<Record<string, { desired?: Partial<MemberSpec>; now?: Partial<MemberNow>; bucket: string | undefined }>> = {
  "desired and absent: spawned": { desired: {}, bucket: "spawned" },
  "desired and retired: spawned": { desired: {}, now: { state: "retired" }, bucket: "spawned" },
  "desired, the same spec: retained": { desired: {}, now: {}, bucket: "retained" },
  "labels differ: updated in place": { desired: { labels: { team: "y" } }, now: {}, bucket: "updated" },
  "the context differs: updated in place": { desired: { context: { x: 1 } }, now: {}, bucket: "updated" },
  "the model differs: reloaded": { desired: { model: "m" }, now: {}, bucket: "reloaded" },
  "what its profile says or a file of it differs: reloaded": { desired: {}, now: { spec_hash: "other" }, bucket: "reloaded" },
  "whether it is open to the outside differs: updated in place": { desired: { external: true }, now: {}, bucket: "updated" },
  "grants differ: reloaded": { desired: { grants: ["net:*"] }, now: {}, bucket: "reloaded" },
  "the profile differs: respawned": { desired: { profile: "q" }, now: {}, bucket: "respawned" },
  "broken, and the profile differs: respawned": { desired: { profile: "q" }, now: { state: "broken" }, bucket: "respawned" },
  "broken, and the model differs: repaired": { desired: { model: "m" }, now: { state: "broken" }, bucket: "repaired" },
  "broken: repaired": { desired: {}, now: { state: "broken" }, bucket: "repaired" },
  "retiring: deferred": { desired: {}, now: { state: "retiring" }, bucket: "deferred" },
  "held by an operator: held": { desired: {}, now: { held: true, state: "retired" }, bucket: "held" },
  "not desired, of the definition: retired": { now: {}, bucket: "retired" },
  "not desired, of the list last given: retired": { now: { origin: "desired" }, bucket: "retired" },
  "not desired, of the api: left": { now: { origin: "api" }, bucket: "unmanaged" },
  "not desired, a helper: left": { now: { origin: "helper" }, bucket: "unmanaged" },
  "not desired, held: held": { now: { held: true }, bucket: "held" },
  "not desired and gone: nothing": { now: { state: "retired" }, bucket: undefined },
};

for (const [title, { desired, now, bucket }] of Object.entries(ROWS)) {
  test(title, () => {
    const rows = planMembers({
      desired: desired === undefined ? [] : [{ ...SPEC, ...desired }], now: now === undefined ? [] : [{ ...NOW, ...now }], retireStale: true, hashOf,
    });
    assert.deepEqual(rows.map((row) => row.bucket), bucket === undefined ? [] : [bucket]);
  });
}

test("with retire_stale = false whoever is not desired any more stays", () => {
  assert.deepEqual(planMembers({ desired: [], now: [NOW], retireStale: false, hashOf }).map(({ bucket }) => bucket), ["retained"]);
});

test("one pass retires at most max(10, 20 %) of the desired without force", () => {
  assert.deepEqual([retireGuard(0), retireGuard(50), retireGuard(100)], [10, 10, 20]);
});

/** What each bucket makes of a member. */
const AFTER: Readonly<Record<string, LifeState>> = { spawned: "active", repaired: "active", retired: "retired", respawned: "active" };

test("reconciled twice is reconciled once", () => {
  const spec = fc.record({ id: fc.constantFrom("a", "b", "c", "d"), profile: fc.constantFrom("p", "q"), model: fc.constantFrom("m", "n") });
  const now: fc.Arbitrary<MemberNow> = fc.record({
    spec, spec_hash: fc.constantFrom(undefined, "old"), state: fc.constantFrom<LifeState[]>("active", "dormant", "broken", "retired", "suspended"), held: fc.boolean(),
    origin: fc.constantFrom("definition", "desired", "api", "helper"),
  });
  const unique = { selector: (one: MemberSpec | MemberNow) => "spec" in one ? one.spec.id : one.id };
  fc.assert(fc.property(fc.uniqueArray(spec, unique), fc.uniqueArray(now, unique), fc.boolean(), (desired, roster, retireStale) => {
    const members = new Map(roster.map((member) => [member.spec.id, member]));
    for (const { id, bucket, spec: wanted } of planMembers({ desired, now: roster, retireStale, hashOf })) {
      const old = members.get(id);
      if (bucket === "held" || bucket === "unmanaged" || bucket === "retained") continue;
      members.set(id, {
        spec_hash: wanted === undefined || bucket === "updated" ? old?.spec_hash : hashOf(wanted),
        spec: wanted ?? (old as MemberNow).spec, held: false, origin: old?.origin ?? "definition",
        state: AFTER[bucket] ?? (old as MemberNow).state,
      });
    }
    const again = planMembers({ desired, now: [...members.values()], retireStale, hashOf });
    assert.deepEqual(again.filter(({ bucket }) => !["retained", "held", "unmanaged"].includes(bucket)), []);
  }), { numRuns: 500 });
});
