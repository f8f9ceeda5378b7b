/**
 * kill -9 of a program that writes to a `KvStore`: whatever it was told is done must be there when the file
 * is opened again. The program and the round are two halves of one test, so that every driver can be put
 * through it.
 */
import type { KvStore, StoreCall } from "@atoll-run/core";
import { killAfterLines, printNow } from "./kill-lines.ts";

const CALL: StoreCall = { timeoutMs: 60_000 };
/** Writes under way at one time, so that kills fall into group commits. */
const WRITERS = 8;
/** A round is killed after so many acknowledged writes, drawn evenly. */
const WRITES_MAX = 400;

/** The program: writes for ever, in a namespace of its run, and prints each number that was acknowledged. */
export async function writeUntilKilled(kv: KvStore, run: string): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: WRITERS }, async () => {
    for (;;) {
      const n = next++;
      await kv.set(run, `k${n}`, valueOf(n), CALL);
      printNow(String(n));
    }
  }));
}

export interface KvCrashRound {
  /** File of the program; gets `folder` and `run` as arguments. */
  readonly program: string;
  readonly folder: string;
  /** Namespace of this round; rounds may share a folder. */
  readonly run: string;
  /** From 0 to below 1. */
  readonly random: () => number;
  open(folder: string): KvStore;
}

/** Writes, kills, opens again and compares; gives what is wrong, or undefined. */
export async function kvCrashRound(round: KvCrashRound): Promise<string | undefined> {
  const { program, folder, run, random, open } = round;
  const acknowledged = (await killAfterLines([program, folder, run], 1 + Math.floor(random() * WRITES_MAX))).map(Number);
  await using kv = open(folder);
  const keys = new Set(await kv.list(run, "", CALL));
  for (const n of acknowledged) {
    if (!keys.has(`k${n}`)) return `write ${n} of ${acknowledged.length} was lost`;
  }
  for (const key of keys) {
    const value = await kv.get(run, key, CALL);
    if (value !== valueOf(Number(key.slice(1)))) return `${key} holds something else`;
  }
  return undefined;
}

function valueOf(n: number): string {
  return JSON.stringify({ n, fill: String(n).repeat(n % 50) });
}
