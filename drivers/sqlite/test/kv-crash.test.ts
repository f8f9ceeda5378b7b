/**
 * Goal: no acknowledged write is lost. Method: 20 rounds on one file, each killed with SIGKILL after a
 * random number of acknowledged writes, eight of them under way. `npm run prove` does 200.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { KvStore } from "@atoll-run/core";
import { openStores } from "@atoll-run/sqlite";
import { kvCrashRound } from "@atoll-run/testkit";

const ROUNDS = 20;
const folder = mkdtempSync(join(tmpdir(), "atoll-kv-crash-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("after kill -9 of a writer every acknowledged write is there when the file is opened again", async () => {
  const program = fileURLToPath(new URL("./fixtures/kv-writer.ts", import.meta.url));
  for (let round = 0; round < ROUNDS; round++) {
    const wrong = await kvCrashRound({ program, folder, run: `r${round}`, random: Math.random, open });
    assert.equal(wrong, undefined, `round ${round}`);
  }
});

function open(at: string): KvStore {
  const stores = openStores({ kvPath: join(at, "kv.sqlite"), tsPath: ":memory:", busyTimeoutMs: 5_000, journalMode: "WAL" });
  return { ...stores.kv, [Symbol.asyncDispose]: () => stores[Symbol.asyncDispose]() };
}
