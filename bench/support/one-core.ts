/**
 * Keeps this process on one core. Two threads that take turns cost two or three times as much when the system happens to
 * place them on two cores of a virtual machine (waking an idle one takes 25 µs), and it places each pair differently: only on
 * one core is the ratio of two pairs that of their work.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Puts every thread of this process on one core, new ones too; false where that cannot be done (no Linux, no taskset). */
export function onOneCore(): boolean {
  const core = allowedCores().at(-1);
  return core !== undefined && pin(String(core));
}

/** On all cores again. */
export function onAllCores(): void {
  pin(`0-${CORES_MAX}`);
}

/** More than any machine has; the system takes those there are. */
const CORES_MAX = 1023;

function pin(cores: string): boolean {
  return spawnSync("taskset", ["--all-tasks", "--pid", "--cpu-list", cores, String(process.pid)], { stdio: "ignore" }).status === 0;
}

function allowedCores(): number[] {
  try {
    const list = /^Cpus_allowed_list:\s*(.+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
    return list.split(",").flatMap((range) => {
      const [from = NaN, to = from] = range.split("-").map(Number);
      return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    });
  } catch {
    return [];
  }
}
