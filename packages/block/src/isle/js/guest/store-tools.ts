/** Inside an isle: stores as tools for a model. */
import type { Any, Guest } from "./guest.ts";

export function storeTools(g: Guest): void {
  const { tool, std } = g.api;
  const text = { type: "string" };
  const object = { type: "object" };
  const ns = { ns: text, key: text };
  const SETS: Record<string, Record<string, [string, string[], Any, (i: Any) => Any]>> = {
    sql: {
      query: ["Run a SQL query and return its rows.", ["sql"], { sql: text, params: { type: "array" } },
        async (i) => ({ rows: await std.sql.query(i.sql, i.params) })],
      exec: ["Run a SQL statement that changes data.", ["sql"], { sql: text, params: { type: "array" } },
        (i) => std.sql.exec(i.sql, i.params)],
    },
    kv: {
      get: ["Read a value by key.", ["ns", "key"], ns, async (i) => ({ value: await std.kv.get(i.ns, i.key) })],
      set: ["Store a value under a key.", ["ns", "key", "value"], { ...ns, value: {} },
        async (i) => (await std.kv.set(i.ns, i.key, i.value), { ok: true })],
      delete: ["Delete a key.", ["ns", "key"], ns, async (i) => ({ deleted: await std.kv.delete(i.ns, i.key) })],
      list: ["List keys, optionally by prefix.", ["ns"], { ns: text, prefix: text },
        async (i) => ({ keys: await std.kv.list(i.ns, i.prefix) })],
    },
    ts: {
      append: ["Append a value to a time series.", ["series", "value"],
        { series: text, value: {}, tags: object, at_ms: { type: "integer" } },
        async (i) => (await std.ts.append(i.series, i.value, i.tags, i.at_ms), { ok: true })],
      query: ["Query a time series.", ["series"], { series: text, opts: object },
        async (i) => ({ rows: await std.ts.query(i.series, i.opts) })],
      last: ["Read the last value of a time series.", ["series"], { series: text, tags: object },
        async (i) => ({ row: await std.ts.last(i.series, i.tags) })],
    },
  };
  for (const [store, set] of Object.entries(SETS)) {
    std[store].registerTools = (opts: Any = {}) => {
      if (typeof opts !== "object" || opts === null) throw g.wrongType(`${store}.register_tools`, 1, "table", opts);
      const given = g.snake(opts);
      const lock = store === "kv" ? given.ns_lock : undefined;
      const names = Object.keys(set).filter((name) => given.allowed === undefined || given.allowed.includes(name));
      return names.map((name) => {
        const [description, needed, fields, run] = set[name] as [string, string[], Any, (i: Any) => Any];
        const properties = { ...fields };
        if (lock !== undefined) delete properties.ns;
        const required = needed.filter((key) => !(lock !== undefined && key === "ns"));
        const full = (given.prefix ?? `${store}_`) + name;
        const input_schema = { type: "object", properties, ...(required.length > 0 ? { required } : {}) };
        tool.register(full, { description, input_schema },
          (input: Any) => run({ ...input, ...(lock === undefined ? {} : { ns: lock }) }));
        return full;
      });
    };
  }
}
