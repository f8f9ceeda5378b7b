/** SIGKILL at random moments while a program writes to kv; each round opens the file again and compares. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { KvStore } from "@atoll-run/core";
import { openStores } from "@atoll-run/sqlite";
import { kvCrashRound } from "@atoll-run/testkit";
import { roundSeed, type Proof } from "../../tools/prove/proof.ts";

const FAILURES_MAX = 10;
const program = fileURLToPath(new URL("./fixtures/kv-writer.ts", import.meta.url));

export const proof: Proof = {
  issue: "A",
  title: "after kill -9 of a writer every acknowledged kv write is there when the file is opened again",
  sharePercent: 10,
  full: 200,
  async run({ seed, from, count, deadlineAtMs, onRound, signal }) {
    const folder = mkdtempSync(join(tmpdir(), "atoll-kv-crash-"));
    const failures: string[] = [];
    let rounds = 0;
    try {
      while (rounds < count && Date.now() < deadlineAtMs && !signal.aborted) {
        if (failures.length >= FAILURES_MAX) break;
        const round = from + rounds;
        // The moment of the kill decides the round, and one draw decides that.
        const random = (): number => roundSeed(seed, round) / 2 ** 32;
        const wrong = await kvCrashRound({ program, folder, run: `r${round}`, random, open });
        if (wrong !== undefined) failures.push(`round ${round}: ${wrong}`);
        rounds += 1;
        onRound();
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return { rounds, failures };
  },
};

function open(at: string): KvStore {
  const stores = openStores({
    kvPath: join(at, "kv.sqlite"), tsPath: ":memory:", busyTimeoutMs: 5_000, journalMode: "WAL",
  });
  return { ...stores.kv, [Symbol.asyncDispose]: () => stores[Symbol.asyncDispose]() };
}
