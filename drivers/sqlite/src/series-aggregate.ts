/**
 * Aggregates over values that are JSON text. Integers stay exact within int64; an integral result is an
 * integer.
 */

export type Agg = "count" | "sum" | "avg" | "last";

export const AGGS: readonly string[] = ["count", "sum", "avg", "last"] satisfies readonly Agg[];

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
/** Above this a float is not within int64, whatever its digits say. */
const INT64_FLOAT = 2 ** 63;
const INTEGER = /^-?\d+$/;
/** An integer of so many characters surely fits a JavaScript number. */
const SAFE_CHARS = 15;

/** One group of rows. */
export class Aggregate {
  readonly #agg: Agg;
  #rows = 0;
  #numbers = 0;
  /** Sum of the integers while a number can hold it exactly; then it moves to `#big`. */
  #small = 0;
  #big = 0n;
  #floats = 0;
  #anyFloat = false;
  #last = "null";

  constructor(agg: Agg) {
    this.#agg = agg;
  }

  add(value: string): void {
    this.#rows++;
    this.#last = value;
    if (this.#agg !== "sum" && this.#agg !== "avg") return;
    const first = value.charCodeAt(0);
    // In JSON only numbers begin with a digit or a minus.
    if (first !== 45 && (first < 48 || first > 57)) return;
    this.#numbers++;
    if (!INTEGER.test(value)) this.#addFloat(Number(value));
    else if (value.length <= SAFE_CHARS) this.#addSmall(Number(value));
    else this.#addBig(BigInt(value));
  }

  /** JSON text. */
  toJson(): string {
    if (this.#agg === "count") return String(this.#rows);
    if (this.#agg === "last") return this.#last;
    if (this.#numbers === 0) return "null";
    return this.#agg === "sum" ? this.#sum() : this.#avg();
  }

  #addSmall(value: number): void {
    const sum = this.#small + value;
    if (Number.isSafeInteger(sum)) this.#small = sum;
    else this.#big += BigInt(value);
  }

  #addBig(value: bigint): void {
    if (value > INT64_MAX || value < INT64_MIN) this.#addFloat(Number(value));
    else this.#big += value;
  }

  #addFloat(value: number): void {
    this.#floats += value;
    this.#anyFloat = true;
  }

  #sum(): string {
    const integers = this.#big + BigInt(this.#small);
    return this.#anyFloat ? numberToJson(Number(integers) + this.#floats) : integerToJson(integers);
  }

  #avg(): string {
    const integers = this.#big + BigInt(this.#small);
    const count = BigInt(this.#numbers);
    if (!this.#anyFloat && integers % count === 0n) return integerToJson(integers / count);
    return numberToJson((Number(integers) + this.#floats) / this.#numbers);
  }
}

function integerToJson(value: bigint): string {
  return value > INT64_MAX || value < INT64_MIN ? numberToJson(Number(value)) : value.toString();
}

/** Integral floats within int64 become integers; larger ones keep a point, so that they stay floats. */
function numberToJson(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < INT64_FLOAT) return BigInt(value).toString();
  // Beyond the range of a double JSON has no number.
  if (!Number.isFinite(value)) return "null";
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
