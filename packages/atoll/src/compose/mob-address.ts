/**
 * Where a mob that runs on this machine is found: `mob.json` in the folder of its state.
 * takes a folder; gives the address of the mob that serves from it; promises that the file of a mob that has ended in order is gone;
 * refuses nothing: a file that is no such file is none; never holds a credential.
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ShutdownReport } from "@atoll-run/mob";

export interface MobAddress {
  readonly mob: string;
  readonly url: string;
  readonly pid: number;
}

export const TOKEN_FILE = "http.token";
export const ADDRESS_FILE = "mob.json";

export const REPORT_FILE = "shutdown.json";

/** How its last end went, for whoever has asked for it, and for whoever looks later. */
export async function keepReport(dir: string, report: ShutdownReport): Promise<void> {
  await writeFile(join(dir, REPORT_FILE), `${JSON.stringify({ pid: process.pid, report })}\n`, { mode: 0o600 });
}

/** Undefined: that process has left none. */
export async function findReport(dir: string, pid: number): Promise<ShutdownReport | undefined> {
  try {
    const kept = JSON.parse(await readFile(join(dir, REPORT_FILE), "utf8")) as { readonly pid: number; readonly report: ShutdownReport };
    return kept.pid === pid ? kept.report : undefined;
  } catch {
    return undefined;
  }
}

/** Gives what takes it away again. */
export async function tellAddress(dir: string, address: MobAddress): Promise<() => Promise<void>> {
  const path = join(dir, ADDRESS_FILE);
  await writeFile(path, `${JSON.stringify(address)}\n`, { mode: 0o600 });
  return () => rm(path, { force: true });
}

/** Undefined: no mob serves from that folder, or none that said so. What was killed has left its file behind. */
export async function findAddress(dir: string): Promise<MobAddress | undefined> {
  try {
    const { mob, url, pid } = JSON.parse(await readFile(join(dir, ADDRESS_FILE), "utf8")) as Partial<Record<keyof MobAddress, unknown>>;
    return typeof mob === "string" && typeof url === "string" && typeof pid === "number" ? { mob, url, pid } : undefined;
  } catch {
    return undefined;
  }
}
