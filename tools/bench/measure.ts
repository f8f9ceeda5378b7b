/**
 * Runs one bench in a process of its own, with a clean heap and clean compiler, and compares its rows with
 * its bars.
 */
import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runChild } from "../child.ts";
import { formatMs } from "../progress.ts";
import type { Bar, Row } from "./bench.ts";
import type { BenchMessage } from "./bench-child.ts";

const CHILD = fileURLToPath(new URL("./bench-child.ts", import.meta.url));
/**
 * A bar missed by less may be noise of the machine: only more than this counts against it in `npm run prove`.
 */
const GROSS = 1.5;

export interface Judged extends Row {
  readonly bar: Bar | undefined;
  readonly ok: boolean;
  /** Missed by more than × 1.5. */
  readonly gross: boolean;
}

export type Measured =
  | { readonly file: string; readonly facts: BenchMessage["facts"]; readonly rows: readonly Judged[] }
  | { readonly file: string; readonly trouble: string };

export interface MeasureOrder {
  readonly root: string;
  readonly quick: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** `bench/*.bench.ts` below the root, those with one of the names in theirs when names are given. */
export function findBenches(root: string, names: readonly string[]): readonly string[] {
  return globSync("bench/*.bench.ts", { cwd: root }).map((file) => join(root, file)).sort()
    .filter((file) => names.length === 0 || names.some((name) => nameOf(file).includes(name)));
}

/** `bench/bus-round-trip.bench.ts` → `bus-round-trip`. */
export function nameOf(file: string): string {
  return basename(file).replace(/\.\w+\.ts$/, "");
}

const LOAD_TIMEOUT_MS = 30_000;

/**
 * Reads name, question and bars of a bench file. Throws with what the file printed when it cannot be loaded.
 */
export async function readBench(root: string, file: string): Promise<BenchMessage["facts"]> {
  let told: BenchMessage | undefined;
  const end = await runChild({
    command: process.execPath, args: [CHILD, file, "facts"], cwd: root, timeoutMs: LOAD_TIMEOUT_MS,
    onMessage: (message) => { told = message as BenchMessage; },
  });
  if (!told) throw new Error(`${file} cannot be loaded as a bench:\n${end.output.trimEnd()}`);
  return told.facts;
}

export async function measure(file: string, order: MeasureOrder): Promise<Measured> {
  let told: BenchMessage | undefined;
  const end = await runChild({
    command: process.execPath, args: [CHILD, file, order.quick ? "quick" : "whole"], cwd: order.root,
    timeoutMs: order.timeoutMs, signal: order.signal,
    onMessage: (message) => { told = message as BenchMessage; },
  });
  if (end.timedOut) return { file, trouble: `not done after ${formatMs(order.timeoutMs)}` };
  if (!told || end.code !== 0) {
    return { file, trouble: `ended with ${end.signal ?? `exit code ${end.code}`}:\n${end.output.trimEnd()}` };
  }
  const { facts, rows } = told;
  const trouble = troubleIn(facts.bars, rows);
  return trouble === undefined ? { file, facts, rows: judge(facts.bars, rows) } : { file, trouble };
}

function troubleIn(bars: readonly Bar[], rows: readonly Row[]): string | undefined {
  const orphan = bars.find((bar) => !rows.some((row) => row.name === bar.name));
  if (orphan) return `it has a bar for ${orphan.name} but measured no such row`;
  const empty = rows.find((row) => !Number.isFinite(row.value));
  return empty && `${empty.name} is ${empty.value}, no number`;
}

export function judge(bars: readonly Bar[], rows: readonly Row[]): readonly Judged[] {
  return rows.map((row) => {
    const bar = bars.find(({ name }) => name === row.name);
    const within = (slack: number): boolean => row.value <= (bar?.atMost ?? Infinity) * slack
      && row.value >= (bar?.atLeast ?? -Infinity) / slack;
    return { ...row, bar, ok: within(1), gross: !within(GROSS) };
  });
}
