/** Host half of `std.sql`, `std.kv` and `std.ts`: each store is opened at its first use. */
import type { KvStore, SeriesQuery, SeriesStore, SqlCall, SqlDatabase, SqlValue, TagValue } from "@atoll-run/core";
import { isFault, toFaultData } from "@atoll-run/core";
import { BlockError, type BlockCode, blockError } from "../errors.ts";
import { JsonText, type OpCall, type Ops, type Value } from "./op.ts";

export interface StoreParts {
  sql(): SqlDatabase;
  kv(): KvStore;
  series(): SeriesStore;
  now(): number;
}

export interface StoreLimits {
  /** Milliseconds a statement may run; 0 = no bound. */
  readonly sqlMs: number;
  /** Milliseconds a statement of `std.sql` may wait for its turn. */
  readonly sqlQueueMsMax: number;
}

export function storeOps(parts: StoreParts, limits: StoreLimits): Ops {
  const bound = limits.sqlMs > 0 ? { timeoutMs: limits.sqlMs } : {};
  const store = (call: OpCall): { timeoutMs?: number; signal: AbortSignal } => ({ ...bound, signal: call.signal });
  const statement = (call: OpCall): SqlCall => ({ ...store(call), owner: call.owner, queueMs: limits.sqlQueueMsMax });
  return own({
    "std.sql.query": async ([sql, params], call) => new JsonText(await parts.sql().query(String(sql), toParams(params), statement(call))),
    "std.sql.exec": async ([sql, params], call) => ({ ...(await parts.sql().exec(String(sql), toParams(params), statement(call))) }),
    "std.kv.get": async ([ns, key], call) => toJson(await parts.kv().get(String(ns), String(key), store(call))),
    "std.kv.set": async ([ns, key, value], call) => {
      await parts.kv().set(String(ns), String(key), String(value), store(call));
      return undefined;
    },
    "std.kv.delete": ([ns, key], call) => parts.kv().delete(String(ns), String(key), store(call)),
    // as text, so that an empty list stays a list
    "std.kv.list": async ([ns, prefix], call) =>
      new JsonText(JSON.stringify(await parts.kv().list(String(ns), prefix === undefined ? "" : String(prefix), store(call)))),
    "std.ts.append": async ([series, value, tags, at], call) => {
      const atMs = at === undefined ? parts.now() : Number(at);
      await parts.series().append(String(series), String(value), toTags(tags), atMs, store(call));
      return undefined;
    },
    "std.ts.query": async ([series, opts], call) => new JsonText(await parts.series().query(String(series), toQuery(opts), store(call))),
    "std.ts.last": async ([series, tags], call) => toJson(await parts.series().last(String(series), toTags(tags), store(call))),
  });
}

function toJson(text: string | undefined): JsonText | undefined {
  return text === undefined ? undefined : new JsonText(text);
}

/** Faults of the stores become faults of the block, code and text as they are. */
function own(ops: Ops): Ops {
  return Object.fromEntries(Object.entries(ops).map(([name, op]) => [name, async (args, call) => {
    try {
      return await op(args, call);
    } catch (error) {
      if (!isFault(error) || error instanceof BlockError) throw error;
      const { text, code, ...rest } = toFaultData(error);
      throw blockError(code as BlockCode, text, { ...rest, cause: error });
    }
  }]));
}

/** Integers reach us as bigint, floats as number: the isle keeps them apart for parameters. */
function toParams(params: Value): SqlValue[] {
  return ((params ?? []) as readonly SqlValue[]).map((value) => value);
}

function toTags(tags: Value): Record<string, TagValue> {
  return { ...(tags as Record<string, TagValue> | undefined) };
}

function toQuery(opts: Value): SeriesQuery {
  const { tags, ...rest } = (opts ?? {}) as Record<string, Value>;
  return { ...(rest as SeriesQuery), ...(tags === undefined ? {} : { tags: toTags(tags) }) };
}

