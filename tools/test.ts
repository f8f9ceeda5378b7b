/**
 * `npm test`: type check, lint and tidy beside the build, then every test file, each in its own process. The last line is
 * `N passed, N failed`, where each of the four steps counts as one. `npm test -- PATTERN…` runs only the
 * files whose path has a PATTERN in it (and the build first, when it is older than the sources).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { isBuilt } from "./build/stamp.ts";
import { onInterrupt, runChild } from "./child.ts";
import { formatMs, Progress } from "./progress.ts";
import { findTests } from "./testing/find.ts";
import { runTestFile, type Outcome } from "./testing/run-file.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** The machine of CI has two cores; more files at once only make each slower and its timing worse. */
const FILES_AT_ONCE = 2;
const FILE_TIMEOUT_MS = 180_000;
const STEP_TIMEOUT_MS = 120_000;
const LAUNCH = fileURLToPath(new URL("./launch.cjs", import.meta.url));

/** Tests of what is built are as good as tests of its source, and take half the time; 0 takes the source all the same. */
const BUILT = process.env["ATOLL_TEST_BUILT"] ?? "1";
const TEST_ENV = {
  ATOLL_TEST_BUILT: BUILT,
  /** Types are stripped and code is compiled once, not once for each file. */
  NODE_COMPILE_CACHE: join(ROOT, "node_modules", ".cache", "atoll-test"),
};
const PRELOAD = BUILT === "1" ? [fileURLToPath(new URL("./testing/built-code.ts", import.meta.url))] : [];

interface Step { readonly name: string; readonly args: readonly string[] }

const bin = (path: string): string => join(ROOT, "node_modules", path);
/** The build takes one core and as long as the others, which come one after the other meanwhile. */
const CHECKS: readonly Step[] = [
  { name: "type check", args: [bin("typescript/bin/tsc"), "-p", "tsconfig.json", "--noEmit"] },
  { name: "lint", args: [bin("oxlint/bin/oxlint"), "--deny-warnings"] },
  { name: "tidy", args: [LAUNCH, "tidy"] },
];
const BUILD: Step = { name: "build", args: [LAUNCH, "build"] };

export async function main(args: readonly string[]): Promise<number> {
  const patterns = args.filter((arg) => !arg.startsWith("-"));
  const unknown = args.find((arg) => arg.startsWith("-"));
  if (unknown !== undefined) {
    console.error(`unknown option ${unknown}\nusage: npm test [-- PATTERN…]`);
    return 2;
  }
  const files = findTests(ROOT, patterns);
  if (files.length === 0) {
    console.error(`no test file has ${patterns.join(" or ")} in its path`);
    return 1;
  }
  const lanes = patterns.length === 0 ? [CHECKS, [BUILD]] : isBuilt(ROOT) ? [] : [[BUILD]];
  const outcomes = await runAll(lanes, files);
  return conclude(outcomes);
}

async function runAll(steps: readonly (readonly Step[])[], files: readonly string[]): Promise<readonly Outcome[]> {
  const progress = new Progress();
  const signal = onInterrupt();
  const scratch = mkdtempSync(join(tmpdir(), "atoll-test-"));
  const outcomes: Outcome[] = [];
  const keep = (outcome: Outcome): void => {
    outcomes.push(outcome);
    progress.line(describe(outcome));
  };
  try {
    await Promise.all(steps.map(async (lane) => {
      for (const step of lane) {
        progress.status(step.name);
        keep(await runStep(step, signal));
      }
    }));
    const waiting = [...files];
    const lane = async (): Promise<void> => {
      for (let file = waiting.shift(); file !== undefined && !signal.aborted; file = waiting.shift()) {
        progress.status(`${files.length - waiting.length}/${files.length} ${file}`);
        keep(await runTestFile({
          root: resolve(ROOT), file, scratch, timeoutMs: FILE_TIMEOUT_MS, signal, env: TEST_ENV, preload: PRELOAD,
        }));
      }
    };
    await Promise.all(Array.from({ length: FILES_AT_ONCE }, lane));
  } finally {
    progress.end();
    rmSync(scratch, { recursive: true, force: true });
  }
  if (signal.aborted) {
    outcomes.push({ name: "run", passed: 0, skips: [], ms: 0,
      failures: [{ title: "run", text: "interrupted" }] });
  }
  return outcomes;
}

async function runStep(step: Step, signal: AbortSignal): Promise<Outcome> {
  const end = await runChild({
    command: process.execPath, args: step.args, cwd: ROOT, timeoutMs: STEP_TIMEOUT_MS, signal,
  });
  const failed = end.code !== 0;
  const why = end.timedOut ? `not done after ${formatMs(STEP_TIMEOUT_MS)}\n` : "";
  return {
    name: step.name, ms: end.ms, passed: failed ? 0 : 1, skips: [],
    failures: failed ? [{ title: step.name, text: why + stripVTControlCharacters(end.output).trimEnd() }] : [],
  };
}

function describe({ name, passed, failures, skips, ms }: Outcome): string {
  const parts = [`${passed} passed`, ...failures.length > 0 ? [`${failures.length} failed`] : [],
    ...skips.length > 0 ? [`${skips.length} skipped`] : []];
  return `${failures.length > 0 ? "FAIL" : "ok  "} ${name}  ${parts.join(", ")}  ${formatMs(ms)}`;
}

/** Prints what failed and what was skipped, then the line that counts; gives the exit code. */
function conclude(outcomes: readonly Outcome[]): number {
  for (const { name, skips } of outcomes) {
    for (const { title, reason } of skips) console.log(`skipped in ${name}: ${title} (${reason})`);
  }
  for (const { name, failures } of outcomes) {
    for (const { title, text } of failures) {
      console.log(`\n--- ${name === title ? name : `${name}: ${title}`}\n${text}`);
    }
  }
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
  const failed = outcomes.reduce((sum, outcome) => sum + outcome.failures.length, 0);
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
