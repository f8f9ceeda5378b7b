/** One round of the proof that a killed program leaves no orphan. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type Place, startAtoll, type Started } from "./cli.ts";

export interface KillRound {
  readonly at: Place;
  readonly seed: number;
}

/** What runs while the program is killed; `NAME` is unique for the round. Each starts as soon as the script does. */
const CHILDREN = [
  `sh.exec("sleep 1000.NAME")`,
  `sh.exec("sleep 1000.NAME & sleep 1000.NAME; true")`,
  `sh.exec("trap '' TERM HUP INT; (trap '' TERM; sleep 1000.NAME) & while :; do sleep 1000.NAME; done")`,
  `sh.exec("setsid sleep 1000.NAME & sleep 1000.NAME; true")`,
  `io.popen("sleep 1000.NAME"):read("a")`,
  `sh.exec("i=0; while [ $i -lt 20 ]; do sleep 1000.NAME & i=$((i+1)); done; wait")`,
];

/** Runs a script with children, kills the program at a moment of the seed; says what was wrong. */
export async function killRound({ at, seed }: KillRound): Promise<string | undefined> {
  const name = `${process.pid}${String(seed >>> 0)}`;
  const random = randomOf(seed);
  const chosen = CHILDREN.filter(() => random() < 0.6);
  const tasks = (chosen.length === 0 ? CHILDREN.slice(0, 1) : chosen).map((child) => `std.task.spawn(function() ${child} end)`);
  const source = `print("ready")\n${tasks.join("\n")}`.replaceAll("NAME", name);
  const started = startAtoll(at, ["run", at.file("children.lua", source)]);
  await said(started);
  // From "no child yet" over "just being started" to "all at work".
  await delay(random() ** 2 * 120);
  started.child.kill("SIGKILL");
  const { signal } = await started.end;
  if (signal !== "SIGKILL") return `the program ended by itself: ${started.stderr()}`;
  const left = await nothingLeft(name);
  return left.length === 0 ? undefined : `left: ${left.join("; ")}`;
}

async function said(started: Started): Promise<void> {
  while (!started.stdout().includes("ready") && started.child.exitCode === null) await delay(2);
}

/** Command lines that still hold the name after 20 s. */
async function nothingLeft(name: string): Promise<string[]> {
  const until = performance.now() + 20_000;
  for (;;) {
    const left = commandLines().filter((line) => line.includes(name));
    if (left.length === 0 || performance.now() > until) return left;
    await delay(20);
  }
}

function commandLines(): string[] {
  return readdirSync("/proc").filter((entry) => /^\d+$/.test(entry)).map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
    } catch {
      return "";
    }
  });
}

/** Numbers from 0 to 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}
