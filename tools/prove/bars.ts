/**
 * Judges the bars of benches: only a miss by more than × 1.5 in three of five runs fails, since machines are
 * noisy.
 */
import { measure, nameOf, type Judged } from "../bench/measure.ts";

const RUNS_MAX = 5;
const RUNS_TO_DECIDE = 3;
const GRACE_MS = 60_000;

export interface BarsOrder {
  readonly root: string;
  readonly files: readonly string[];
  /** Milliseconds for all of them; undefined = as long as it takes. Each bench runs at least once. */
  readonly allowedMs: number | undefined;
  readonly signal: AbortSignal;
  readonly onStatus: (text: string) => void;
}

/** One bar, or one bench that could not run. */
export interface BarResult {
  readonly name: string;
  /** The values of all runs, or why it failed. */
  readonly text: string;
  readonly passed: boolean;
}

export async function proveBars(order: BarsOrder): Promise<readonly BarResult[]> {
  const until = performance.now() + (order.allowedMs ?? Infinity);
  const seen = new Map<string, Tally>(order.files.map((file) => [file, new Tally(nameOf(file))]));
  for (let run = 1; run <= RUNS_MAX; run += 1) {
    for (const [file, tally] of seen) {
      const leftMs = until - performance.now();
      if (order.signal.aborted || tally.decided || (run > 1 && leftMs <= 0)) continue;
      order.onStatus(`bars: ${nameOf(file)}, run ${run}`);
      const timeoutMs = Math.min(Math.max(0, leftMs) + GRACE_MS, 10 * GRACE_MS);
      const measured = await measure(file, { root: order.root, quick: true, timeoutMs,
        signal: order.signal });
      if ("rows" in measured) tally.add(measured.rows);
      // A run that the end of the share cut off says nothing, when others were whole.
      else if (run === 1) tally.fail(measured.trouble);
    }
  }
  return [...seen.values()].flatMap((tally) => tally.results());
}

class Tally {
  readonly #name: string;
  /** Name of the bar → its rows, one for each run. */
  readonly #runs = new Map<string, Judged[]>();
  #trouble: string | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  get decided(): boolean {
    if (this.#trouble !== undefined) return true;
    const bars = [...this.#runs.values()];
    return bars.length > 0 && bars.every((rows) => {
      const missed = rows.filter((row) => row.gross).length;
      return missed >= RUNS_TO_DECIDE || rows.length - missed >= RUNS_TO_DECIDE;
    });
  }

  add(rows: readonly Judged[]): void {
    for (const row of rows) {
      if (row.bar) this.#runs.set(row.name, [...this.#runs.get(row.name) ?? [], row]);
    }
  }

  fail(trouble: string): void {
    this.#trouble = trouble;
  }

  results(): readonly BarResult[] {
    if (this.#trouble !== undefined) {
      return [{ name: this.#name, passed: false, text: `cannot run: ${this.#trouble}` }];
    }
    return [...this.#runs].map(([name, rows]) => {
      const missed = rows.filter((row) => row.gross).length;
      const values = rows.map((row) => Number(row.value.toPrecision(3))).join(", ");
      const { atMost, atLeast } = rows[0]?.bar ?? {};
      const bar = [atMost === undefined ? [] : `≤ ${atMost}`, atLeast === undefined ? [] : `≥ ${atLeast}`].flat();
      const misses = missed > 0 ? `, missed by more than × 1.5 in ${missed} of ${rows.length} runs` : "";
      return {
        name: `${this.#name}: ${name}`, passed: missed < RUNS_TO_DECIDE,
        text: `${values}, bar ${bar.join(" and ")}${misses}`,
      };
    });
  }
}
