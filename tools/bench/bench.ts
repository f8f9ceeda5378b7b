/** What a file `bench/NAME.bench.ts` exports as `bench`. */

/** A bound for one row; a row without a bar is only reported. */
export interface Bar {
  /** Name of the row. */
  readonly name: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface Row {
  readonly name: string;
  readonly value: number;
  /** Where it is not that of the bench. */
  readonly unit?: string;
  /** What the value stands on: medians, rounds, p95. */
  readonly note?: string;
}

export interface BenchOrder {
  /** True in `npm run prove`, where each bench runs up to five times: a few seconds at most. */
  readonly quick: boolean;
}

export interface Bench {
  readonly name: string;
  readonly question: string;
  /** Of the values: `×` for ratios, `ms`, `KiB`. */
  readonly unit: string;
  readonly bars: readonly Bar[];
  /** The issue whose minutes of `npm run prove` the bars take; A when not said. */
  readonly issue?: string;
  run(order: BenchOrder): Promise<{ readonly rows: readonly Row[] }>;
}
