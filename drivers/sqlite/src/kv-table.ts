/** The table behind `std.kv`. */
import type { DatabaseSync } from "node:sqlite";
import { ANSWER_CHARS_MAX, SLICE_ROWS, tooLarge, type Operation, type StoreTable } from "./store-table.ts";

export const kvTable: StoreTable = {
  schema: "CREATE TABLE IF NOT EXISTS __kv (ns TEXT, key TEXT, value TEXT, PRIMARY KEY (ns, key))",
  open: (db) => {
    const get = db.prepare("SELECT value FROM __kv WHERE ns = ? AND key = ?");
    get.setReturnArrays(true);
    const set = db.prepare(
      "INSERT INTO __kv (ns, key, value) VALUES (?, ?, ?) "
        + "ON CONFLICT (ns, key) DO UPDATE SET value = excluded.value",
    );
    const remove = db.prepare("DELETE FROM __kv WHERE ns = ? AND key = ?");
    return {
      "kv.get": {
        kind: "read",
        run: (args) => (get.get(...args as [string, string]) as unknown as [string] | undefined)?.[0],
      },
      "kv.set": { kind: "write", run: (args) => void set.run(...args as [string, string, string]) },
      "kv.delete": {
        kind: "write", run: (args) => Number(remove.run(...args as [string, string]).changes) > 0,
      },
      "kv.list": { kind: "scan", run: ([ns, prefix]) => list(db, ns as string, prefix as string) },
    } satisfies Record<string, Operation>;
  },
};

/** Keys sort by bytes, so those with the prefix stand together, from the prefix itself on. */
function* list(db: DatabaseSync, ns: string, prefix: string): Generator<undefined, string[]> {
  const keys: string[] = [];
  let chars = 0;
  let after = prefix;
  let compare = ">=";
  for (;;) {
    const slice = db.prepare(
      `SELECT key FROM __kv WHERE ns = ? AND key ${compare} ? ORDER BY key LIMIT ${SLICE_ROWS}`,
    );
    slice.setReturnArrays(true);
    const rows = slice.all(ns, after) as unknown as [string][];
    for (const [key] of rows) {
      if (!key.startsWith(prefix)) return keys;
      chars += key.length;
      if (chars > ANSWER_CHARS_MAX) throw tooLarge();
      keys.push(key);
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < SLICE_ROWS) return keys;
    [after] = last;
    compare = ">";
    yield;
  }
}
