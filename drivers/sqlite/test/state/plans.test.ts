/** No statement of the state file walks a whole table or sorts, however full the file is. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { MIGRATIONS } from "../../src/state/migrations.ts";
import { READS, WRITES } from "../../src/state/statements.ts";

const db = new DatabaseSync(":memory:");
for (const sql of MIGRATIONS) db.exec(sql);

for (const [name, sql] of Object.entries({ ...READS, ...WRITES })) {
  test(`${name} finds its rows by an index, in their order`, () => {
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all().map((row) => String(row["detail"]));
    // The counter is one row; "SCAN CONSTANT ROW" is the row that is inserted.
    const bad = plan.filter((line) => /SCAN|TEMP B-TREE/.test(line) && !/CONSTANT ROW|SCAN counter|LIST SUBQUERY/.test(line));
    assert.deepEqual(bad, [], plan.join("\n"));
  });
}
