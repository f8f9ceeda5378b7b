import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@atoll-run/core";
import { newEntry, rank, type Entry, type RankingQuery } from "../src/internal.ts";

const QUERY: RankingQuery = {
  caller: "me", factors: [], fingerprint: "f", dependency: undefined, health: undefined, place: undefined, limit: 8,
};

function entry(name: string, over: Partial<Entry> & { fingerprint?: string; tags?: string[] } = {}): Entry {
  const id: NodeId = { realm: 1, serial: 1n, type: { manufacturer: "m", name: "n", version: "1" } };
  const { fingerprint, tags, ...rest } = over;
  const spec = fingerprint === undefined && tags === undefined ? undefined
    : { name: "s", fingerprint: fingerprint ?? "", tags: tags ?? [], description: "", published_at: "" };
  const made = newEntry({ id, text: name, spec, address: undefined, node_key: undefined, rules: undefined }, 0);
  return { ...made, pinged_at_ms: 0, availability: 0, power: 1, backlog: 0, ...rest };
}

const order = (entries: readonly Entry[], query: Partial<RankingQuery>): string =>
  rank(entries, { ...QUERY, ...query }, () => 0).map(({ text }) => text).join(" ");

/** Entries, what is asked, and the order that comes of it. */
const CASES: readonly (readonly [string, readonly Entry[], Partial<RankingQuery>, string])[] = [
  ["health, then power, then backlog when nothing is asked",
    [entry("tired", { availability: 2 }), entry("busy", { power: 4, backlog: 0.5 }), entry("free", { power: 4 }), entry("weak")],
    {}, "free busy weak tired"],
  ["power", [entry("a", { power: 1 }), entry("b", { power: 2 })], { factors: [0] }, "b a"],
  ["backlog", [entry("a", { backlog: 0.5, power: 9 }), entry("b", { backlog: 0.1 })], { factors: [1] }, "b a"],
  ["an exact match first", [entry("a", { fingerprint: "g", power: 9 }), entry("b", { fingerprint: "f" })], { factors: [2] }, "b a"],
  ["the nearest", [entry("far", { tags: ["geo=0,90"] }), entry("nowhere"), entry("near", { tags: ["geo=48,11"] })],
    { factors: [3], place: { latitude: 47, longitude: 11 } }, "near far nowhere"],
  ["the same region", [entry("a", { tags: ["region=us"] }), entry("b", { tags: ["region=eu"] })],
    { factors: [3], place: { region: "eu" } }, "b a"],
  ["who knows the client", [entry("a", { power: 9 }), entry("b", { sticky: new Set(["me"]) })], { factors: [4] }, "b a"],
  ["the first factor before the second", [entry("a", { backlog: 0.1, power: 1 }), entry("b", { backlog: 0.1, power: 2 })],
    { factors: [1, 0] }, "b a"],
  ["not those that are stale, going away or not healthy enough",
    [entry("stale", { pinged_at_ms: undefined }), entry("draining", { availability: 3 }), entry("tired", { availability: 2 }), entry("well")],
    { health: 1 }, "well"],
  ["only the same fingerprint when nothing less will do",
    [entry("a", { fingerprint: "g" }), entry("b", { fingerprint: "f" }), entry("c")], { dependency: 0 }, "b"],
  ["any description when a difference is only a warning", [entry("a", { fingerprint: "g" }), entry("c")], { dependency: 1 }, "a"],
  ["no more than asked", [entry("a"), entry("b"), entry("c")], { limit: 2 }, "a b"],
];

for (const [name, entries, query, expected] of CASES) {
  test(`candidates are ranked by ${name}`, () => assert.equal(order(entries, query), expected));
}

test("equals share the load", () => {
  const chances = [0.9, 0.1, 0.5];
  const ranked = rank([entry("a"), entry("b"), entry("c")], QUERY, () => chances.shift() ?? 0);
  assert.deepEqual(ranked.map(({ text }) => text), ["b", "c", "a"]);
});
