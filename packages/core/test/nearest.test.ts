import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "@atoll-run/core";

const WORDS = ["script", "send", "spawn", "scout", "fs.write", "mob.view", "a"];
for (const [word, meant] of [
  ["scirpt", "script"], ["sned", "send"], ["scuot", "scout"], ["SEND", "send"], ["fs.wriet", "fs.write"], ["mob.veiw", "mob.view"], ["spwan", "spawn"],
  ["snd", "send"], ["b", undefined], ["dance", undefined], ["", undefined], ["s", undefined], ["x".repeat(1_000_000), undefined],
] as const) {
  test(`for ${word.slice(0, 20) || "nothing"} the nearest word is ${meant ?? "none"}`, () => assert.equal(nearest(word, WORDS), meant));
}
