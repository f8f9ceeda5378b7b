/** What one durable write costs: the unit in which everything that is stored should be counted. */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import { reason } from "../running/inputs.ts";
import type { Finding } from "./finding.ts";
import { existingAbove } from "./home.ts";

const ROUNDS = 32;
const PAGE = Buffer.alloc(4_096, 1);

export function checkDisk(home: string): Finding {
  const folder = existingAbove(resolve(home));
  const path = join(folder, `.atoll-doctor-${process.pid}`);
  try {
    const times = measure(path).sort((a, b) => a - b);
    const median_ms = round(times[ROUNDS / 2] as number);
    const max_ms = round(times.at(-1) as number);
    return { name: "disk", ok: true,
      text: `a durable write takes ${median_ms} ms (median of ${ROUNDS}, at most ${max_ms} ms)`,
      facts: { median_ms, max_ms, rounds: ROUNDS, folder } };
  } catch (error) {
    return { name: "disk", ok: false, text: `${folder}: ${reason(error)}`,
      fix: "Set ATOLL_HOME to a folder that you may write." };
  }
}

function measure(path: string): number[] {
  const file = openSync(path, "wx");
  try {
    return Array.from({ length: ROUNDS }, (_, i) => {
      const begun = performance.now();
      writeSync(file, PAGE, 0, PAGE.length, i * PAGE.length);
      fdatasyncSync(file);
      return performance.now() - begun;
    });
  } finally {
    closeSync(file);
    rmSync(path, { force: true });
  }
}

function round(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
