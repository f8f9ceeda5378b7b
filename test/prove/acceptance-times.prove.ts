/**
 * The times of the acceptance lines (block 12) that no other proof and no bench judges. Method: a line by chance, against the
 * library or, where a command is named, the built program; a time counts as missed when it is missed three times in a row,
 * since machines have other work to do.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type RunConfig, startBlock } from "@atoll-run/atoll";
import type { Proof } from "../../tools/prove/proof.ts";
import { doRounds } from "./rounds.ts";

const TRIES = 3;
const WAIT_MS_MAX = 30_000;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BUILT = join(ROOT, "build/node_modules/@atoll-run/atoll/bin/atoll.js");
const PROGRAM = existsSync(BUILT) ? BUILT : join(ROOT, "packages/atoll/bin/main.ts");
const SERVER = join(ROOT, "packages/block/test/mcp/fixtures/raw-server.ts");

interface Line {
  readonly name: string;
  readonly msMax: number;
  /** Milliseconds of what the line bounds; throws when its end is not the right one. */
  readonly take: (home: string) => Promise<number>;
}

const LINES: readonly Line[] = [
  { name: "H2 a run that serves by itself settles when its script has returned", msMax: 50,
    take: (home) => settled("returned", home, `tool.call("now")`, { autoServe: true, hostHandlers: { x: () => 1 } }) },
  { name: "H6 a loop in pcall in coroutine.wrap in a task, cancelled", msMax: 500, take: (home) => settled("run.cancelled", home, `
    std.task.spawn(function() coroutine.wrap(function() tool.call("now") while true do
      pcall(function() while true do end end) end end)() end):join()`) },
  { name: "I2 a catastrophic match, cancelled", msMax: 200,
    take: (home) => settled("run.cancelled", home, `tool.call("now") (("a"):rep(40)):find(("a*"):rep(20) .. "b")`) },
  { name: "M4 a call whose server exits", msMax: 1_000, take: serverExits },
  { name: "C3 SIGINT in a busy loop", msMax: 1_000, take: interrupted },
];

export const proof: Proof = {
  issue: "B",
  title: "what the acceptance lines H2, H6, I2, M4 and C3 bound ends within their times",
  sharePercent: 12,
  full: 200,
  async run(order) {
    const home = mkdtempSync(join(tmpdir(), "atoll-times-"));
    try {
      // what is compiled once on a machine, is compiled
      await settled("returned", home, `tool.call("now")`);
      return await doRounds(order, async ({ seed }) => {
        const line = LINES[seed % LINES.length] as Line;
        const wrong = await judged(line, home).catch((error: unknown) => String(error));
        return wrong === undefined ? undefined : `${line.name}: ${wrong}`;
      });
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  },
};

async function judged({ msMax, take }: Line, home: string): Promise<string | undefined> {
  const taken: number[] = [];
  while (taken.length < TRIES) {
    taken.push(await take(home));
    if ((taken.at(-1) as number) <= msMax) return undefined;
  }
  return `${taken.map((ms) => ms.toFixed(0)).join(", ")} ms, at most ${msMax} are right`;
}

function configOf(home: string, source: string): RunConfig & { script: object } {
  return {
    script: { source, name: "times.lua" }, projectRoot: home, stdout: "ignore", stderr: "ignore",
    env: { PATH: process.env["PATH"] ?? "", HOME: home, ATOLL_HOME: home },
  };
}

/** From the script's call of `now`, which cancels the run when that is its right end, to the end of the run. */
async function settled(end: "returned" | "run.cancelled", home: string, source: string, more: Partial<RunConfig> = {}): Promise<number> {
  let begun = 0;
  const now = (): void => {
    begun = performance.now();
    if (end === "run.cancelled") setImmediate(() => run.cancel());
  };
  const run = startBlock({
    ...configOf(home, source), ...more, signal: AbortSignal.timeout(WAIT_MS_MAX),
    hostTools: [{ name: "now", description: "", input_schema: {}, handler: now }],
  });
  const ended = await run.result.then(({ outcome }): string => outcome, (error: { code: string }) => error.code);
  const ms = performance.now() - begun;
  if (ended !== end || begun === 0) throw new Error(`it ended with ${ended}`);
  return ms;
}

async function serverExits(home: string): Promise<number> {
  const { value } = await startBlock({
    ...configOf(home, `
      mcp.connect("r", NODE, {SERVER})
      assert(mcp.call("r", "echo").ok)
      local begun = std.time.now()
      local r = mcp.call("r", "die")
      return {(std.time.now() - begun) * 1000, r.error}`),
    globals: { NODE: process.execPath, SERVER }, signal: AbortSignal.timeout(WAIT_MS_MAX),
  }).result;
  const [ms, error] = value as [number, string];
  if (!/exited \(code 3\)/.test(error)) throw new Error(error);
  return ms;
}

async function interrupted(home: string): Promise<number> {
  const source = "print('ready') while true do pcall(function() while true do end end) end";
  const child = spawn(process.execPath, [PROGRAM, "run", "-"], {
    cwd: home, stdio: ["pipe", "pipe", "ignore"], env: { PATH: process.env["PATH"] ?? "", ATOLL_HOME: home }, timeout: WAIT_MS_MAX,
    killSignal: "SIGKILL",
  });
  const closed = once(child, "close");
  child.stdin.end(source);
  await Promise.race([once(child.stdout, "data"), closed]);
  const begun = performance.now();
  child.kill("SIGINT");
  const [code] = await closed as [number | null];
  if (code !== 130) throw new Error(`exit ${code}`);
  return performance.now() - begun;
}
