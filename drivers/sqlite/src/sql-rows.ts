/** Rows as JSON text in which integers and floats stay apart and no integer loses a digit. */
import type { StatementSync } from "node:sqlite";

/**
 * One answer, UTF-16 units. Larger results are refused, never cut: the script should ask for less at a
 * time.
 */
export const RESULT_CHARS_MAX = 64 * 1024 * 1024;

/** What `StatementSync.iterate` takes: values by name, then values by position. */
export type Bound = Parameters<StatementSync["iterate"]>;

/** Runs the statement to its end. It must read integers as bigint and rows as arrays. */
export function rowsToJson(statement: StatementSync, bound: Bound): string {
  const rows: string[] = [];
  let chars = 2;
  let keys: readonly (string | undefined)[] | undefined;
  for (const row of statement.iterate(...bound) as Iterable<unknown>) {
    // Asked after the first step: a statement compiled before the table changed only now knows its columns.
    keys ??= keysOf(statement);
    const text = rowToJson(row as readonly unknown[], keys);
    chars += text.length + 1;
    if (chars > RESULT_CHARS_MAX) {
      const limit = `${RESULT_CHARS_MAX >> 20} MiB`;
      throw new Error(`the result is larger than ${limit}; ask for fewer rows at a time (LIMIT)`);
    }
    rows.push(text);
  }
  return `[${rows.join(",")}]`;
}

/** `"name":` of each column; undefined for a name that comes again later. */
function keysOf(statement: StatementSync): readonly (string | undefined)[] {
  const names = statement.columns().map((column) => column.name);
  return names.map((name, i) => names.includes(name, i + 1) ? undefined : `${JSON.stringify(name)}:`);
}

function rowToJson(row: readonly unknown[], keys: readonly (string | undefined)[]): string {
  let text = "";
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    if (key !== undefined) text += (text === "" ? "{" : ",") + key + valueToJson(row[i]);
  }
  return `${text}}`;
}

function valueToJson(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return realToJson(value);
  if (typeof value === "string") return JSON.stringify(value);
  throw new Error("blob columns not supported");
}

function realToJson(value: number): string {
  if (value === Infinity) return "1e999";
  if (value === -Infinity) return "-1e999";
  const text = Object.is(value, -0) ? "-0" : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
