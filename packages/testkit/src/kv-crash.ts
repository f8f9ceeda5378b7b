/**
 * kill -9 of a program that writes to a `KvStore`: whatever it was told is done must be there when the file
 * is opened again. The program and the round are two halves of one test, so that every driver can be put
 * through it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import type { KvStore, StoreCall } from "@atoll-run/core";

const CALL: StoreCall = { timeoutMs: 60_000 };
/** Writes under way at one time, so that kills fall into group commits. */
const WRITERS = 8;
/** A round is killed after so many acknowledged writes, drawn evenly. */
const WRITES_MAX = 400;
const STDOUT = 1;

/** The program: writes for ever, in a namespace of its run, and prints each number that was acknowledged. */
export async function writeUntilKilled(kv: KvStore, run: string): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: WRITERS }, async () => {
    for (;;) {
      const n = next++;
      await kv.set(run, `k${n}`, valueOf(n), CALL);
      say(`${n}\n`);
    }
  }));
}

/** At once: a line that is out was acknowledged before it. Other threads of the program make the pipe non-blocking. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(STDOUT, line);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
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
  const acknowledged = await runAndKill([program, folder, run], 1 + Math.floor(random() * WRITES_MAX));
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

async function runAndKill(args: readonly string[], afterWrites: number): Promise<number[]> {
  const child = spawn(process.execPath, [...args], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const acknowledged: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(Number(line));
    if (acknowledged.length === afterWrites) child.kill("SIGKILL");
  }
  await exited;
  const { length } = acknowledged;
  if (length < afterWrites) throw new Error(`the program ended after ${length} writes`);
  return acknowledged;
}

function valueOf(n: number): string {
  return JSON.stringify({ n, fill: String(n).repeat(n % 50) });
}
