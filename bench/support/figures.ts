/** What a bench says about times it took: median, p95, and how often it was done. */
import type { Row } from "../../tools/bench/bench.ts";

export interface Figures {
  readonly median: number;
  readonly p95: number;
  readonly runs: number;
}

/** Takes one time, in milliseconds. */
export type Take = () => number | Promise<number>;

/** 30 runs after 5 warm-ups; fewer where the bars are proved again and again. */
export function rounds(quick: boolean): { readonly runs: number; readonly warmUps: number } {
  return quick ? { runs: 10, warmUps: 5 } : { runs: 30, warmUps: 5 };
}

/** Takes each subject in turns (A B A B), so that what disturbs the machine disturbs them all alike. */
export async function takeTurns<K extends string>(
  subjects: Readonly<Record<K, Take>>, o: { readonly runs: number; readonly warmUps: number },
): Promise<Record<K, Figures>> {
  const names = Object.keys(subjects) as K[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>;
  for (let run = -o.warmUps; run < o.runs; run++) {
    for (const name of names) {
      const ms = await subjects[name]();
      if (run >= 0) times[name].push(ms);
    }
  }
  return Object.fromEntries(names.map((name) => [name, toFigures(times[name])])) as Record<K, Figures>;
}

export function toFigures(times: readonly number[]): Figures {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] as number;
  return { median: at(0.5), p95: at(0.95), runs: sorted.length };
}

/** Median against median; the note says what both stand on. */
export function ratioRow(name: string, measured: Figures, baseline: Figures): Row {
  return {
    name, value: measured.median / baseline.median,
    note: `${describe(measured)} against ${describe(baseline)}; ${measured.runs} runs`,
  };
}

export function medianRow(name: string, figures: Figures): Row {
  return { name, value: figures.median, note: `p95 ${formatTime(figures.p95)}; ${figures.runs} runs` };
}

function describe({ median, p95 }: Figures): string {
  return `${formatTime(median)} (p95 ${formatTime(p95)})`;
}

/** `12.3 ms`, `45.6 µs`. */
export function formatTime(ms: number): string {
  return ms >= 0.1 ? `${Number(ms.toPrecision(3))} ms` : `${Number((ms * 1000).toPrecision(3))} µs`;
}

/** Milliseconds that it took. */
export async function timed(work: () => unknown): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** The median of so many, one after the other. */
export async function medianOf(times: number, work: () => unknown): Promise<number> {
  const taken: number[] = [];
  for (let i = 0; i < times; i++) taken.push(await timed(work));
  return toFigures(taken).median;
}
