/** The table behind `std.ts`. Times are int64 from end to end. */
import type { DatabaseSync } from "node:sqlite";
import type { SeriesQuery } from "@atoll-run/core";
import { Aggregate, type Agg } from "./series-aggregate.ts";
import { tagFilter, tagsToJson, type Tags } from "./series-tags.ts";
import { ANSWER_CHARS_MAX, SLICE_ROWS, tooLarge, type Operation, type StoreTable } from "./store-table.ts";

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

type Row = readonly [ts: bigint, rowid: bigint, tags: string, value: string];

export const seriesTable: StoreTable = {
  schema: "CREATE TABLE IF NOT EXISTS ts (series TEXT, ts INTEGER, tags TEXT, value TEXT); "
    + "CREATE INDEX IF NOT EXISTS ts_by_time ON ts (series, ts)",
  open: (db) => {
    const insert = db.prepare("INSERT INTO ts (series, ts, tags, value) VALUES (?, ?, ?, ?)");
    return {
      "ts.append": {
        kind: "write",
        run: ([series, json, tags, atMs]) => {
          const ts = toInt64(Math.floor(atMs as number));
          insert.run(series as string, ts, tagsToJson(tags as Tags), json as string);
        },
      },
      "ts.query": {
        kind: "scan", run: ([series, query]) => runQuery(db, series as string, query as SeriesQuery),
      },
      "ts.last": { kind: "scan", run: ([series, tags]) => runLast(db, series as string, tags as Tags) },
    } satisfies Record<string, Operation>;
  },
};

/** Everything that a query reads and how it is cut. */
interface Scan {
  readonly db: DatabaseSync;
  readonly series: string;
  readonly from: bigint;
  readonly to: bigint;
  readonly matches: (tags: string) => boolean;
}

function* runLast(db: DatabaseSync, series: string, tags: Tags): Generator<undefined, string | undefined> {
  const row = yield* newest({ db, series, from: INT64_MIN, to: INT64_MAX, matches: tagFilter(tags) });
  return row === undefined ? undefined : `{${rowBody(row)}}`;
}

function* runQuery(db: DatabaseSync, series: string, query: SeriesQuery): Generator<undefined, string> {
  const { from = -Infinity, to = Infinity, tags = {}, agg, bucket_ms, limit = Infinity, offset = 0 } = query;
  const bounds = { from: toInt64(Math.ceil(from)), to: toInt64(Math.floor(to)) };
  const scan: Scan = { db, series, ...bounds, matches: tagFilter(tags) };
  const answer = new Answer(Math.floor(offset), Math.floor(limit));
  if (agg === undefined) yield* collect(scan, answer);
  else if (bucket_ms !== undefined) yield* collectBuckets(scan, agg as Agg, bucket_ms, answer);
  else if (agg === "last") {
    const row = yield* newest(scan);
    if (row !== undefined) answer.add(`{"value":${row[3]},"tags":${row[2]},"ts":${row[0]}}`);
  } else {
    const total = new Aggregate(agg as Agg);
    for (const rows of slices(scan, "forward")) {
      for (const row of rows) if (scan.matches(row[2])) total.add(row[3]);
      yield;
    }
    answer.add(`{"value":${total.toJson()}}`);
  }
  return answer.toJson();
}

function* collect(scan: Scan, answer: Answer): Generator<undefined, void> {
  for (const rows of slices(scan, "forward")) {
    for (const row of rows) {
      if (answer.full) return;
      if (scan.matches(row[2])) answer.add(`{${rowBody(row)}}`);
    }
    yield;
  }
}

function* collectBuckets(scan: Scan, agg: Agg, bucketMs: number, answer: Answer): Generator<undefined, void> {
  // A width below one millisecond still separates all times that can be stored.
  const width = toInt64(Math.max(1, Math.floor(bucketMs)));
  let start = 0n;
  let group: Aggregate | undefined;
  const end = (): void => {
    if (group !== undefined) answer.add(`{"bucket_ts":${start},"value":${group.toJson()}}`);
  };
  for (const rows of slices(scan, "forward")) {
    for (const [ts, , tags, value] of rows) {
      if (!scan.matches(tags)) continue;
      const bucket = floorTo(ts, width);
      if (group === undefined || bucket !== start) {
        end();
        if (answer.full) return;
        group = new Aggregate(agg);
        start = bucket;
      }
      group.add(value);
    }
    yield;
  }
  end();
}

function* newest(scan: Scan): Generator<undefined, Row | undefined> {
  for (const rows of slices(scan, "backward")) {
    const row = rows.find((one) => scan.matches(one[2]));
    if (row !== undefined) return row;
    yield;
  }
  return undefined;
}

/** The rows of a scan by time and insertion, at most 1,000 at a time; each slice is a read of its own. */
function* slices(
  { db, series, from, to }: Scan, direction: "forward" | "backward",
): Generator<readonly Row[], void> {
  const forward = direction === "forward";
  const statement = db.prepare(`SELECT ts, rowid, tags, value FROM ts WHERE series = ? AND ${forward
    ? "(ts, rowid) > (?, ?) AND ts <= ? ORDER BY ts, rowid"
    : "(ts, rowid) < (?, ?) AND ts >= ? ORDER BY ts DESC, rowid DESC"} LIMIT ${SLICE_ROWS}`);
  statement.setReturnArrays(true);
  statement.setReadBigInts(true);
  // No row has the smallest or the largest row id, so the first slice begins exactly at the bound.
  let at: readonly [bigint, bigint] = forward ? [from, INT64_MIN] : [to, INT64_MAX];
  for (;;) {
    const rows = statement.all(series, ...at, forward ? to : from) as unknown as Row[];
    if (rows.length > 0) yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < SLICE_ROWS) return;
    at = [last[0], last[1]];
  }
}

/** Rows of the answer, from `offset` on, at most `limit`. */
class Answer {
  readonly #rows: string[] = [];
  readonly #limit: number;
  #skip: number;
  #chars = 0;

  constructor(offset: number, limit: number) {
    this.#skip = offset;
    this.#limit = limit;
  }

  get full(): boolean {
    return this.#rows.length >= this.#limit;
  }

  add(row: string): void {
    if (this.#skip > 0) this.#skip--;
    else if (!this.full) {
      this.#chars += row.length;
      if (this.#chars > ANSWER_CHARS_MAX) throw tooLarge();
      this.#rows.push(row);
    }
  }

  toJson(): string {
    return `[${this.#rows.join(",")}]`;
  }
}

function rowBody([ts, , tags, value]: Row): string {
  return `"ts":${ts},"value":${value},"tags":${tags}`;
}

function floorTo(ts: bigint, width: bigint): bigint {
  const rest = ts % width;
  return ts - (rest < 0n ? rest + width : rest);
}

function toInt64(value: number): bigint {
  if (value >= 2 ** 63) return INT64_MAX;
  return value <= -(2 ** 63) ? INT64_MIN : BigInt(value);
}
