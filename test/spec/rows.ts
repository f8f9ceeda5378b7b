/** Tables of the specification: all rows of a table run in one script, each in a pcall; each is a test. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Config, valueOf } from "./support.ts";

/**
 * `text` is what the code gives: its values as text, tables as JSON, tabs between them; an error is `!` and
 * its text. A text that ends in `…` is the beginning only.
 */
export type Row = readonly [title: string, code: string, text: string];

/** One test for each row. `before` runs first; what it sets globally, rows see. */
export function rowTests(module: string, rows: readonly Row[], o: { before?: string; config?: Config } = {}): void {
  const source = `${o.before ?? ""}
    local function show(ok, ...)
      if not ok then return "!" .. tostring((...)) end
      local t = table.pack(...)
      for i = 1, t.n do t[i] = type(t[i]) == "table" and std.json.encode(t[i]) or tostring(t[i]) end
      return table.concat(t, "\\t")
    end
    local out = {}
    for i, code in ipairs(ROWS) do
      local f, why = load("return " .. code, "=row")
      if not f then f = assert(load(code, "=row")) end
      out[i] = show(pcall(f))
    end
    return out`;
  const config = { ...o.config, globals: { ...o.config?.globals, ROWS: rows.map(([, code]) => code) } };
  let ran: Promise<string[]> | undefined;
  for (const [index, [title, code, text]] of rows.entries()) {
    test(`${module}: ${title}`, async () => {
      ran ??= valueOf(source, config) as Promise<string[]>;
      const got = (await ran)[index] as string;
      if (text.endsWith("…")) assert.ok(got.startsWith(text.slice(0, -1)), `${code}: ${got}`);
      else assert.equal(got, text, code);
    });
  }
}
