/** `std.sql`, `std.kv`, `std.ts`: what outlives a run. */
import { apiModule, fn, shape, value } from "../declare.ts";

const TABLE = `std.sql.exec("CREATE TABLE IF NOT EXISTS pets (name TEXT, age INTEGER)")\n`;
const SQL_ERRORS = "sql.failed sql.timeout sql.cancelled sql.param sql.aborted";

export const sql = apiModule("std.sql", "An SQLite database of the block.", {
  values: [value("std.sql.null: userdata", "NULL in rows and parameters; JSON's null everywhere else.")],
  functions: [
    fn("~std.sql.query(sql: string, params: any[]?) -> {[string]: any}[]",
      "Rows of a query; NULL is `std.sql.null`.", {
        params: { sql: "One statement.", params: "Values of its `?`, by place." }, errors: SQL_ERRORS,
        before: TABLE, example: `local rows = std.sql.query("SELECT name FROM pets WHERE age > ?", {2})`,
        js: "query(sql: string, params?: readonly SqlValue[]): Promise<Record<string, Json>[]>",
      }),
    fn("~std.sql.exec(sql: string, params: any[]?) -> SqlChange", "Runs a statement that changes data.", {
      params: { sql: "One statement.", params: "Values of its `?`, by place." }, errors: SQL_ERRORS,
      before: TABLE, example: `local change = std.sql.exec("INSERT INTO pets VALUES (?, ?)", {"Rex", 3})`,
      js: "exec(sql: string, params?: readonly SqlValue[]): Promise<SqlChange>",
    }),
    registerTools("sql", "query, exec"),
  ],
  shapes: [
    shape("SqlChange", "What a statement changed.", {
      "affected: integer": "Rows that changed.", "last_id: integer": "Row id of the last insert.",
    }),
  ],
});

function registerTools(store: string, names: string): ReturnType<typeof fn> {
  return fn(`std.${store}.register_tools(opts: StoreToolOptions?) -> string[]`,
    `Registers the store as tools (${names}) and gives their names.`, {
      params: { opts: "Which tools, and their prefix." },
      example: `local names = std.${store}.register_tools({prefix = "my_${store}_"})`,
    });
}

const NS = "Namespace: any name without `/`, `\\`, `..` and NUL.";
const KV_ERRORS = "kv.namespace kv.failed kv.timeout kv.cancelled";

export const kv = apiModule("std.kv", "Values under keys, in namespaces.", {
  functions: [
    fn("~std.kv.get(ns: string, key: string) -> json?", "The value under a key; nil when there is none.", {
      params: { ns: NS, key: "Key." }, errors: KV_ERRORS, host: true,
      before: `std.kv.set("notes", "first", {done = false})`, example: `local note = std.kv.get("notes", "first")`,
    }),
    fn("~std.kv.set(ns: string, key: string, value: json)", "Stores a value; when it returns, it is on disk.", {
      params: { ns: NS, key: "Key.", value: "Plain data; nil is stored as null." },
      errors: `${KV_ERRORS} json.encode json.depth`, host: true,
      example: `std.kv.set("notes", "first", {done = false})`,
    }),
    fn("~std.kv.delete(ns: string, key: string) -> boolean", "Deletes a key; true when it was there.", {
      params: { ns: NS, key: "Key." }, errors: KV_ERRORS, host: true, example: `std.kv.delete("notes", "first")`,
    }),
    fn("~std.kv.list(ns: string, prefix: string?) -> string[]", "Keys of a namespace, sorted by bytes.", {
      params: { ns: NS, prefix: "Only keys that begin so." }, errors: KV_ERRORS, host: true,
      before: `std.kv.set("notes", "first", 1)`, example: `for _, key in ipairs(std.kv.list("notes")) do print(key) end`,
    }),
    registerTools("kv", "get, set, delete, list"),
  ],
  shapes: [
    shape("StoreToolOptions", "Which tools of a store are registered.", {
      "allowed: string[]?": "Names without prefix; default all.",
      "prefix: string?": "Default `sql_`, `kv_` or `ts_`.",
      "ns_lock: string?": "kv: the one namespace that the tools use; a model cannot name another.",
    }),
  ],
});

const TS_ERRORS = "ts.invalid ts.failed ts.timeout task.cancelled";
const APPENDED = `std.ts.append("load", 0.5, {host = "a"}, 1000)`;

export const ts = apiModule("std.ts", "Values over time.", {
  functions: [
    fn("~std.ts.append(series: string, value: json, tags: {[string]: any}?, at_ms: integer?)",
      "Appends a value to a series.", {
        params: {
          series: "Name of the series.", value: "Plain data; numbers can be summed.",
          tags: "Names of letters, digits and `_`, with texts, numbers or booleans.",
          at_ms: "Milliseconds since 1970; default now.",
        },
        errors: `${TS_ERRORS} json.encode json.depth`, host: true, example: APPENDED.replace(", 1000", ""),
      }),
    fn("~std.ts.query(series: string, opts: SeriesQuery?) -> SeriesRow[]", "Rows of a series, or what they come to.", {
      params: { series: "Name of the series.", opts: "Which rows, and how they are summed up." },
      errors: TS_ERRORS, host: true, before: APPENDED,
      example: `local rows = std.ts.query("load", {agg = "avg", bucket_ms = 60000})`,
    }),
    fn("~std.ts.last(series: string, tags: {[string]: any}?) -> SeriesRow?", "The last row of a series, or nil.", {
      params: { series: "Name of the series.", tags: "Only rows that have all of these." },
      errors: TS_ERRORS, host: true, before: APPENDED, example: `local row = std.ts.last("load", {host = "a"})`,
    }),
    registerTools("ts", "append, query, last"),
  ],
  shapes: [
    shape("SeriesQuery", "Which rows of a series, and how they are summed up.", {
      "from: integer?": "Milliseconds, inclusive.",
      "to: integer?": "Milliseconds, inclusive.",
      "tags: {[string]: any}?": "Only rows that have all of these; `1` is not `\"1\"`.",
      'agg: ("count" | "sum" | "avg" | "last")?': "One row `{value}` instead of rows.",
      "bucket_ms: integer?": "With `agg`: one row for each stretch of so many milliseconds.",
      "limit: integer?": "Rows at most.", "offset: integer?": "Rows to leave out first.",
    }),
    shape("SeriesRow", "A row of a series.", {
      "ts: integer?": "Milliseconds since 1970.", "bucket_ts: integer?": "Begin of its stretch of time.",
      "value: json?": "What was appended, or what it comes to.", "tags: {[string]: any}?": "As appended.",
    }),
  ],
});
