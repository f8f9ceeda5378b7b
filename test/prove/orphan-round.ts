/** One round of the proof that a killed program leaves no orphan. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BUILT = join(ROOT, "build/node_modules/@atoll-run/atoll/bin/atoll.js");
const PROGRAM = existsSync(BUILT) ? BUILT : join(ROOT, "packages/atoll/bin/main.ts");
/** Far above what a round needs on a busy machine. */
const WAIT_MS_MAX = 30_000;

/**
 * What runs while the program is killed: alone, with children of its own, deaf to signals, in a session of
 * its own, behind a pipe, many at once. `NAME` is unique for the round.
 */
const CHILDREN = [
  'sh.exec("sleep 1000.NAME")',
  'sh.exec("sleep 1000.NAME & sleep 1000.NAME; true")',
  "sh.exec(\"trap '' TERM HUP INT; (trap '' TERM; sleep 1000.NAME) & while :; do sleep 1000.NAME; done\")",
  'sh.exec("setsid sleep 1000.NAME & sleep 1000.NAME; true")',
  'io.popen("sleep 1000.NAME"):read("a")',
  'sh.exec("i=0; while [ $i -lt 20 ]; do sleep 1000.NAME & i=$((i+1)); done; wait")',
];

/** Runs a script with children and kills the program at a moment that `seed` chooses. Says what was wrong. */
export async function killRound(seed: number): Promise<string | undefined> {
  const random = randomOf(seed);
  const name = `${process.pid}${seed}`;
  const chosen = CHILDREN.filter(() => random() < 0.6);
  const tasks = (chosen.length === 0 ? CHILDREN.slice(0, 1) : chosen)
    .map((child) => `std.task.spawn(function() ${child} end)`);
  const folder = mkdtempSync(join(tmpdir(), "atoll-orphans-"));
  try {
    const script = join(folder, "children.lua");
    writeFileSync(script, `print("ready")\n${tasks.join("\n")}`.replaceAll("NAME", name));
    // From "no child yet" over "just being started" to "all at work".
    const wrong = await runAndKill(script, random() ** 2 * 120);
    if (wrong !== undefined) return wrong;
    const left = await leftOf(name);
    return left.length === 0 ? undefined : `left: ${left.join("; ")}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runAndKill(script: string, afterMs: number): Promise<string | undefined> {
  const child = spawn(process.execPath, [PROGRAM, "run", script], {
    cwd: tmpdir(), stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"] ?? "", ATOLL_HOME: join(tmpdir(), "atoll-orphans-home") },
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), WAIT_MS_MAX);
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const end = new Promise<NodeJS.Signals | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (_code, signal) => resolve(signal));
  });
  const ready = new Promise<true>((resolve) => child.stdout.once("data", () => resolve(true)));
  const begun = await Promise.race([ready, end]);
  if (begun === true) {
    await delay(afterMs);
    child.kill("SIGKILL");
  }
  const signal = await end;
  clearTimeout(timer);
  return begun === true && signal === "SIGKILL" ? undefined : `the program ended by itself: ${said}`;
}

/** Command lines that hold the name when the watcher has had its time. */
async function leftOf(name: string): Promise<string[]> {
  const until = performance.now() + WAIT_MS_MAX;
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
