/** Counts by size, as Prometheus reads them (spec: node 11.3). Observing takes no memory. */

/** Upper bounds of times, in seconds: from one turn of the event loop to the deadlines of calls. */
export const SECONDS: readonly number[] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Upper bounds of counts, up to the ops of the largest commit. */
export const COUNTS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** @example const waits = new Histogram(); waits.observe(0.012); */
export class Histogram {
  readonly #bounds: readonly number[];
  /** One more than bounds: what is above all of them. */
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[] = SECONDS) {
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  get count(): number {
    return this.#count;
  }

  observe(value: number): void {
    let at = 0;
    while (at < this.#bounds.length && value > (this.#bounds[at] as number)) at++;
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#sum += value;
    this.#count++;
  }

  /** Lines of the exposition; `labels` are written as they stand there. */
  lines(name: string, labels: string): readonly string[] {
    let below = 0;
    const buckets = this.#counts.map((count, at) => {
      below += count;
      return `${name}_bucket{${labels},le="${this.#bounds[at] ?? "+Inf"}"} ${below}`;
    });
    return [...buckets, `${name}_sum{${labels}} ${this.#sum}`, `${name}_count{${labels}} ${this.#count}`];
  }
}

/** One for each value of a label pair; the first has at most so many values, all later ones are `other`. */
export class PairHistograms {
  readonly #most: number;
  readonly #byFirst = new Map<string, Map<string, Histogram>>();

  constructor(most: number) {
    this.#most = most;
  }

  /** The second label is the caller's own choice of a few. */
  observe(first: string, second: string, value: number): void {
    let own = this.#byFirst.get(first);
    if (own === undefined) {
      if (this.#byFirst.size >= this.#most && first !== OTHER) return this.observe(OTHER, second, value);
      this.#byFirst.set(first, own = new Map());
    }
    let histogram = own.get(second);
    if (histogram === undefined) own.set(second, histogram = new Histogram());
    histogram.observe(value);
  }

  *[Symbol.iterator](): Generator<readonly [first: string, second: string, histogram: Histogram]> {
    for (const [first, own] of this.#byFirst) for (const [second, histogram] of own) yield [first, second, histogram];
  }
}

const OTHER = "other";
