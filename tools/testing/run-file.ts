/** Runs one test file in a process group of its own and reads what became of each test. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { runChild, type ChildEnd } from "../child.ts";
import { formatMs } from "../progress.ts";
import type { Report } from "./reporter.ts";

export interface Failure {
  /** What failed: a test, a step, or the file itself. */
  readonly title: string;
  readonly text: string;
}

export interface Skip { readonly title: string; readonly reason: string }

/** What became of one step or test file. */
export interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failures: readonly Failure[];
  readonly skips: readonly Skip[];
  readonly ms: number;
}

export interface FileOrder {
  readonly root: string;
  /** Path of the test file below the root. */
  readonly file: string;
  /** An empty folder for the report. */
  readonly scratch: string;
  /** Added to the environment of the file. */
  readonly env?: Readonly<Record<string, string>>;
  /** Modules that are loaded before the file. */
  readonly preload?: readonly string[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const REPORTER = fileURLToPath(new URL("./reporter.ts", import.meta.url));

export async function runTestFile(order: FileOrder): Promise<Outcome> {
  const { file, root } = order;
  const report = join(order.scratch, `${file.replaceAll(/[^\w.-]/g, "_")}.ndjson`);
  const end = await runChild({
    command: process.execPath, cwd: root, timeoutMs: order.timeoutMs, signal: order.signal, env: order.env ?? {},
    args: [...(order.preload ?? []).map((path) => `--import=${pathToFileURL(path).href}`), `--test-reporter=${REPORTER}`, `--test-reporter-destination=${report}`, join(root, file)],
  });
  const lines = readReport(report);
  rmSync(report, { force: true });
  const failed = lines.filter((line) => line.kind === "fail");
  const failures = failed
    .map((line): Failure => ({ title: line.title, text: `${line.place}\n${line.error}` }));
  const trouble = troubleOf(end, lines, order.timeoutMs);
  if (trouble !== undefined) failures.push({ title: file, text: trouble });
  const firstFailure = failures[0];
  if (firstFailure && end.output.trim() !== "") {
    failures[0] = { ...firstFailure,
      text: `${firstFailure.text}\noutput of the file:\n${end.output.trimEnd()}` };
  }
  return {
    name: file, failures, ms: end.ms, passed: lines.filter((line) => line.kind === "pass").length,
    skips: lines.filter((line) => line.kind === "skip").map(({ title, reason }) => ({ title, reason })),
  };
}

/** What is wrong with the file as a whole, beside its tests. */
function troubleOf(end: ChildEnd, lines: readonly Report[], timeoutMs: number): string | undefined {
  if (end.timedOut) {
    return `not done after ${formatMs(timeoutMs)}: a test hangs, or something left open keeps it alive`;
  }
  if (lines.length === 0 && end.code === 0) return "has no test in it, or ended before the first";
  if (lines.at(-1)?.kind !== "end") {
    return `ended early with ${end.signal ?? `exit code ${end.code}`}, its tests were not all reported`;
  }
  if (end.leftBehind) return "left child processes running: end them before the test ends";
  const anyFailed = lines.some((line) => line.kind === "fail");
  const quietly = !anyFailed && end.code !== 0;
  return quietly ? `ended with ${end.signal ?? `exit code ${end.code}`} although no test failed` : undefined;
}

function readReport(path: string): readonly Report[] {
  if (!existsSync(path)) return [];
  // A killed process may leave half a line at the end.
  return readFileSync(path, "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line) as Report);
}
