/**
 * Finding and ending processes that carry the mark of a run, on Linux. A process that cleared its environment
 * and left its group is out of reach.
 */
import { readdir, readFile } from "node:fs/promises";
import { CHILD_MARK } from "./environment.ts";

/** Rounds after which processes that fork faster than they are ended are given up. */
const ROUNDS_MAX = 10;
/** Files read at once. */
const AT_ONCE = 8;

/** Process ids whose mark has a part that `fits`; none where there is no /proc. */
export async function findMarked(fits: (mark: string) => boolean): Promise<number[]> {
  return await findProcesses((pid) => isMarked(pid, fits));
}

/**
 * Does somebody in this process group still run? Where the first process of a container collects no orphans,
 * they stay in the table as zombies for ever: those do not count on Linux.
 */
export async function groupLives(group: number): Promise<boolean> {
  if (!signalProcess(-group, 0)) return false;
  if (process.platform !== "linux") return true;
  const members = await findProcesses(async (pid) => {
    const status = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
    // The name in parentheses may hold anything; state, parent and group follow the last one.
    const [state, , itsGroup] = status.slice(status.lastIndexOf(")") + 2).split(" ");
    return itsGroup === String(group) && state !== "Z" && state !== "X";
  });
  return members.length > 0;
}

async function findProcesses(fits: (pid: number) => Promise<boolean>): Promise<number[]> {
  if (process.platform !== "linux") return [];
  const names = await readdir("/proc").catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => pid !== process.pid);
  const found: number[] = [];
  for (let at = 0; at < pids.length; at += AT_ONCE) {
    const some = pids.slice(at, at + AT_ONCE).map(async (pid) => await fits(pid) ? [pid] : []);
    found.push(...(await Promise.all(some)).flat());
  }
  return found;
}

async function isMarked(pid: number, fits: (mark: string) => boolean): Promise<boolean> {
  const environ = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
  const entry = environ.split("\0").find((one) => one.startsWith(`${CHILD_MARK}=`));
  return entry !== undefined && entry.slice(CHILD_MARK.length + 1).split("/").some(fits);
}

/** Ends every process with such a mark. False when some were still being made after ten rounds. */
export async function sweepMarked(fits: (mark: string) => boolean): Promise<boolean> {
  const ended = new Set<number>();
  for (let round = 0; round < ROUNDS_MAX; round++) {
    // A process that was just killed can still be seen for a moment: only new ones call for another round.
    const fresh = (await findMarked(fits)).filter((pid) => !ended.has(pid));
    if (fresh.length === 0) return true;
    for (const pid of fresh) {
      signalProcess(pid, "SIGKILL");
      ended.add(pid);
    }
  }
  return false;
}

/** False when there is no such process, or it is not ours. A negative id is a group. */
export function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
