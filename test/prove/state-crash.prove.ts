/**
 * SIGKILL at random moments while a program commits to a state file. In every other round the tail of the log that
 * nothing acknowledged stands on is torn as a power cut may leave it: cut off, or overwritten, at random bytes.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync, truncateSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { openState } from "@atoll-run/sqlite";
import { stateCrashRound } from "@atoll-run/testkit";
import type { Proof } from "../../tools/prove/proof.ts";
import { doRounds, type Round } from "./rounds.ts";

/** Of the log's header, counts how often it began again from its start. */
const RESTARTS_AT = 12;
const program = fileURLToPath(new URL("./fixtures/state-writer.ts", import.meta.url));

export const proof: Proof = {
  issue: "C",
  title: "after kill -9, with the un-synced tail of the log torn, every acknowledged batch is there and none is half there",
  sharePercent: 10,
  full: 500,
  async run(order) {
    const root = mkdtempSync(join(tmpdir(), "atoll-state-crash-"));
    try {
      return await doRounds(order, (round) => runRound(root, round));
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  },
};

async function runRound(root: string, { round, random }: Round): Promise<string | undefined> {
  const folder = mkdtempSync(join(root, `${round}-`));
  const tear = (synced: number): void => {
    if (round % 2 === 1) tearTail(join(folder, "state.sqlite-wal"), synced, random);
  };
  const wrong = await stateCrashRound({ program, folder, random, harm: tear, open: (dir) => openState({ dir }) });
  const whole = wrong ?? integrityOf(join(folder, "state.sqlite"));
  rmSync(folder, { recursive: true, force: true });
  return whole;
}

/** `synced`: bytes that may be covered by an acknowledgement. */
function tearTail(log: string, synced: number, random: () => number): void {
  const file = openSync(log, "r+");
  const header = Buffer.alloc(32);
  readSync(file, header, 0, header.length, 0);
  const tail = statSync(log).size - synced;
  // After a restart the length does not tell any more what is new.
  if (tail > 0 && header.readUInt32BE(RESTARTS_AT) === 0) {
    const at = synced + Math.floor(random() * tail);
    const noise = Buffer.from(Array.from({ length: 64 }, () => Math.floor(random() * 256)));
    if (random() < 0.5) truncateSync(log, at);
    else writeSync(file, noise, 0, Math.min(noise.length, synced + tail - at), at);
  }
  closeSync(file);
}

function integrityOf(path: string): string | undefined {
  const db = new DatabaseSync(path);
  const { integrity_check: said } = db.prepare("PRAGMA integrity_check").get() as { integrity_check: string };
  db.close();
  return said === "ok" ? undefined : `integrity: ${said}`;
}
