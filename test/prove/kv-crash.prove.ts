/** SIGKILL at random moments while a program writes to kv; each round opens the file again and compares. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { KvStore } from "@atoll-run/core";
import { openStores } from "@atoll-run/sqlite";
import { kvCrashRound } from "@atoll-run/testkit";
import type { Proof } from "../../tools/prove/proof.ts";
import { doRounds } from "./rounds.ts";

const program = fileURLToPath(new URL("./fixtures/kv-writer.ts", import.meta.url));

export const proof: Proof = {
  issue: "A",
  title: "after kill -9 of a writer every acknowledged kv write is there when the file is opened again",
  sharePercent: 10,
  full: 200,
  async run(order) {
    const folder = mkdtempSync(join(tmpdir(), "atoll-kv-crash-"));
    try {
      // The moment of the kill decides the round, and one draw decides that.
      return await doRounds(order, ({ round, seed }) => kvCrashRound({ program, folder, run: `r${round}`, random: () => seed / 2 ** 32, open }));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function open(at: string): KvStore {
  const stores = openStores({
    kvPath: join(at, "kv.sqlite"), tsPath: ":memory:", busyTimeoutMs: 5_000, journalMode: "WAL",
  });
  return { ...stores.kv, [Symbol.asyncDispose]: () => stores[Symbol.asyncDispose]() };
}
