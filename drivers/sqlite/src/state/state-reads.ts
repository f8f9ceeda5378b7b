/** The reads of the state file, each a few index look-ups. Run between commits, so that they see whole batches. */
import { checkLimit, compareBytes, PRIORITIES, STATE_LIMITS, type StateReader, type Usage, type Wakes } from "@atoll-run/core";
import type { Compiled, Row } from "./compiled.ts";
import { toAnswer, toEntry, toHead, toLetter, toMail, toParcel } from "./rows.ts";

export type ReadName = Exclude<keyof StateReader, "commit">;
type Arguments<Name extends ReadName> = Required<Parameters<StateReader[Name]>> extends [...infer Given, unknown]
  ? Given : never;
type Answered<Name extends ReadName> = Awaited<ReturnType<StateReader[Name]>>;

export type StateReads = { [Name in ReadName]: (...args: Arguments<Name>) => Answered<Name> };

/** `scopeOf`: number of a scope, 0 when nothing was stored under that name. */
export function createReads(sql: Compiled, scopeOf: (name: string) => number): StateReads {
  const number = (name: "pageSize" | "pages" | "freePages"): number => sql.row(name)?.[0] as number;
  const usage = (name: string): Usage => {
    const scope = scopeOf(name);
    const [rows, bytes] = sql.row("usageOfMail", scope) as [number, number];
    const [answers, answer_bytes] = sql.row("usageOfAnswers", scope) as [number, number];
    const [letters, letter_bytes] = sql.row("usageOfLetters", scope) as [number, number];
    const [parcels] = sql.row("usageOfOutbox", scope) as [number];
    return { rows, bytes, answers, answer_bytes, letters, letter_bytes, parcels };
  };
  const wakes = (name: string, after: number): Wakes => {
    const scope = scopeOf(name);
    const first = (row: Row | undefined): number | null => row === undefined ? null : row[0] as number;
    const ready = Object.values(PRIORITIES).map((priority) => first(sql.row("nextReady", scope, priority, after)));
    const least = Math.min(...ready.map((at) => at ?? Infinity));
    return {
      ready_at_ms: least === Infinity ? null : least,
      expires_at_ms: first(sql.row("nextExpires", scope, after)),
      send_at_ms: first(sql.row("nextSend", scope, after)),
      forget_at_ms: first(sql.row("nextForget", scope, after)),
    };
  };
  return {
    usage, wakes,
    size: () => number("pageSize") * (number("pages") - number("freePages")),
    ready: (name, { priority, at_ms, limit, except = [] }) => {
      const left = new Set(except.slice(0, STATE_LIMITS.exceptMax));
      const rows = sql.rows("ready", scopeOf(name), PRIORITIES[priority], at_ms);
      return page(left.size === 0 ? rows : without(rows, left), limit, toMail);
    },
    mail: (name, seq) => map(sql.row("mail", seq, scopeOf(name)), toMail),
    rows: (name, { after, limit }) => Array.from(sql.rows("rows", scopeOf(name), after, checkLimit(limit)), toHead),
    expired: (name, at_ms, limit) => Array.from(sql.rows("expired", scopeOf(name), at_ms, checkLimit(limit)), toHead),
    parked: (name, parked, limit) => Array.from(sql.rows("parked", scopeOf(name), parked, checkLimit(limit)), toHead),
    find: (name, { sender, route, request_id }) => {
      const request = [scopeOf(name), request_id, sender, route] as const;
      return map(sql.row("headOf", ...request), toHead) ?? map(sql.row("answerOf", ...request), toAnswer);
    },
    outbox: (name, at_ms, limit) => page(sql.rows("outbox", scopeOf(name), at_ms, limit), limit, toParcel),
    outboxTo: (name, to, { after, limit }) =>
      page(sql.rows("outboxTo", scopeOf(name), to, after, limit), limit, toParcel),
    letters: (name, { after, limit }) => page(sql.rows("letters", scopeOf(name), after, limit), limit, toLetter),
    get: (name, space, key) => map(sql.row("get", scopeOf(name), space, key), ([value, version]) => ({
      value: value as string, version: version as number,
    })),
    keys: (name, space, { prefix, after, limit }) => {
      checkLimit(limit);
      const keys: string[] = [];
      const rows = after === null || compareBytes(after, prefix) < 0 ? sql.rows("keysFrom", scopeOf(name), space, prefix)
        : sql.rows("keysAfter", scopeOf(name), space, after);
      for (const [key] of rows) {
        if (keys.length === limit || !(key as string).startsWith(prefix)) break;
        keys.push(key as string);
      }
      return keys;
    },
    journal: (journal, { after, limit }) => page(sql.rows("journal", journal, after, limit), limit, toEntry),
    journalBack: (journal, { before, limit }) => page(sql.rows("journalBack", journal, before, limit), limit, toEntry),
  };
}

function* without(rows: Iterable<Row>, senders: ReadonlySet<string>): Generator<Row> {
  for (const row of rows) if (!senders.has(row[1] as string)) yield row;
}

function map<T>(row: Row | undefined, to: (row: Row) => T): T | undefined {
  return row === undefined ? undefined : to(row);
}

/** Ends at `limit` rows, or before the row that takes it past the bytes of a page. */
function page<T extends { readonly body: { readonly length: number } }>(
  rows: Iterable<Row>, limit: number, to: (row: Row) => T,
): T[] {
  const found: T[] = [];
  let bytes = 0;
  if (checkLimit(limit) === 0) return found;
  for (const row of rows) {
    const one = to(row);
    bytes += one.body.length;
    if (bytes > STATE_LIMITS.pageBytesMax && found.length > 0) break;
    found.push(one);
    if (found.length === limit) break;
  }
  return found;
}
