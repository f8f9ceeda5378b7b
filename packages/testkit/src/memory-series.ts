/**
 * A `SeriesStore` in memory: for tests that need no file, and as the model that other drivers are compared
 * with. Written for plainness: every query walks all rows.
 */
import {
  Fault, floatText, INT64_MAX, INT64_MIN, parseJson, stringifyJson, type Json, type SeriesQuery,
  type SeriesStore, type StoreCall, type Tags,
} from "@atoll-run/core";

interface Row {
  readonly ts: number;
  readonly value: string;
  readonly tags: Tags;
}

/** Keeps nothing after it is disposed. Answers in the order of the calls. */
export function memorySeries(): SeriesStore {
  return new MemorySeries();
}

class MemorySeries implements SeriesStore {
  readonly #series = new Map<string, Row[]>();
  #closed = false;

  // The port has five parameters.
  async append(...[series, json, tags, atMs, call]: Parameters<SeriesStore["append"]>): Promise<void> {
    this.#enter("append", call);
    checkTags(tags);
    const rows = this.#series.get(series) ?? [];
    this.#series.set(series, rows);
    const ts = Math.floor(atMs);
    // Behind the last row that is not later: by time, then by insertion.
    rows.splice(rows.findLastIndex((row) => row.ts <= ts) + 1, 0, { ts, value: json, tags: { ...tags } });
  }

  async query(series: string, query: SeriesQuery, call: StoreCall): Promise<string> {
    this.#enter("query", call);
    check(query);
    const { from = -Infinity, to = Infinity, tags = {}, agg, bucket_ms } = query;
    const { limit = Infinity, offset = 0 } = query;
    const rows = (this.#series.get(series) ?? [])
      .filter((row) => row.ts >= from && row.ts <= to && matches(row, tags));
    const answer = agg === undefined ? rows.map(rowText)
      : bucket_ms === undefined ? totals(rows, agg) : buckets(rows, agg, Math.max(1, Math.floor(bucket_ms)));
    return `[${answer.slice(offset, offset + limit).join(",")}]`;
  }

  async last(series: string, tags: Tags, call: StoreCall): Promise<string | undefined> {
    this.#enter("last", call);
    checkTags(tags);
    const row = (this.#series.get(series) ?? []).findLast((one) => matches(one, tags));
    return row === undefined ? undefined : rowText(row);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
  }

  #enter(op: string, { signal }: StoreCall): void {
    if (this.#closed) throw new Fault({ code: "ts.failed", text: `ts.${op} sql error: the store is closed` });
    if (signal?.aborted) throw new Fault({ code: "task.cancelled", text: `task cancelled during ts.${op}` });
  }
}

function invalid(text: string): Fault {
  return new Fault({ code: "ts.invalid", text });
}

function checkTags(tags: Tags): void {
  if (Object.keys(tags).some((key) => !/^[a-zA-Z0-9_]+$/.test(key))) {
    throw invalid("ts tag key must be [a-zA-Z0-9_]+");
  }
}

function check({ tags = {}, agg, bucket_ms, limit = 0, offset = 0 }: SeriesQuery): void {
  checkTags(tags);
  if (bucket_ms !== undefined && bucket_ms <= 0) throw invalid("ts bucket_ms must be positive");
  if (bucket_ms !== undefined && agg === undefined) throw invalid("ts bucket_ms requires agg");
  if (limit < 0) throw invalid("ts opts.limit must be >= 0");
  if (offset < 0) throw invalid("ts opts.offset must be >= 0");
  if (!["count", "sum", "avg", "last", undefined].includes(agg)) throw invalid(`unknown agg: ${agg}`);
}

function matches(row: Row, wanted: Tags): boolean {
  return Object.entries(wanted).every(([key, value]) => {
    const stored = Object.hasOwn(row.tags, key) ? row.tags[key] : undefined;
    if (typeof value !== "number" && typeof value !== "bigint") return stored === value;
    // oxlint-disable-next-line eqeqeq -- 1 and 1n are one number
    return (typeof stored === "number" || typeof stored === "bigint") && stored == value;
  });
}

function tagsText(tags: Tags): string {
  const written = stringifyJson(tags);
  if (!written.ok) throw invalid(written.problem);
  return written.text;
}

function rowText({ ts, value, tags }: Row): string {
  return `{"ts":${ts},"value":${value},"tags":${tagsText(tags)}}`;
}

function totals(rows: readonly Row[], agg: string): string[] {
  if (agg !== "last") return [`{"value":${aggregate(rows, agg)}}`];
  const row = rows.at(-1);
  return row === undefined ? [] : [`{"value":${row.value},"tags":${tagsText(row.tags)},"ts":${row.ts}}`];
}

function buckets(rows: readonly Row[], agg: string, width: number): string[] {
  const groups = Map.groupBy(rows, (row) => Math.floor(row.ts / width) * width);
  return [...groups].map(([start, group]) => `{"bucket_ts":${start},"value":${aggregate(group, agg)}}`);
}

function aggregate(rows: readonly Row[], agg: string): string {
  if (agg === "count") return String(rows.length);
  if (agg === "last") return rows.at(-1)?.value ?? "null";
  const numbers = rows.map((row) => numberOf(row.value)).filter((value) => value !== undefined);
  if (numbers.length === 0) return "null";
  const floats = numbers.filter((value) => typeof value === "number");
  const integers = numbers.filter((value) => typeof value === "bigint")
    .reduce((sum, value) => sum + value, 0n);
  const count = agg === "avg" ? numbers.length : 1;
  if (floats.length === 0 && integers % BigInt(count) === 0n) return numberText(integers / BigInt(count));
  return numberText((Number(integers) + floats.reduce((sum, value) => sum + value, 0)) / count);
}

/** Integers as bigint, floats as number. */
function numberOf(value: string): bigint | number | undefined {
  const parsed = parseJson(value);
  const number: Json = parsed.ok ? parsed.value : null;
  if (typeof number === "bigint") return number;
  if (typeof number !== "number") return undefined;
  return /[.eE]/.test(value) || !Number.isSafeInteger(number) ? number : BigInt(number);
}

function numberText(value: bigint | number): string {
  if (typeof value === "bigint") {
    return value > INT64_MAX || value < INT64_MIN ? numberText(Number(value)) : String(value);
  }
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 63) return String(BigInt(value));
  return Number.isFinite(value) ? floatText(value) : "null";
}
