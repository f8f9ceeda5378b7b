/** One test for each attack: it ends as its row says, and a neighbour still answers. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { IslePool } from "@atoll-run/atoll";
import { attack, Neighbour } from "./attack.ts";
import { SUBJECTS } from "./scripts.ts";
import type { Hostile } from "./script.ts";

const home = mkdtempSync(join(tmpdir(), "atoll-hostile-"));
after(() => rmSync(home, { recursive: true, force: true }));

/** `rows` picks; a pool is closed after them. */
export function attacks(place: string, rows: (all: readonly Hostile[]) => readonly Hostile[], makePool: (home: string) => IslePool | undefined): void {
  describe(`the host and a neighbour outlive attacks ${place}`, { concurrency: 1 }, () => {
    let neighbour: Neighbour;
    const pool = makePool(home);
    before(async () => {
      neighbour = await Neighbour.start({ home, pool });
    });
    after(async () => {
      await neighbour[Symbol.asyncDispose]();
      await pool?.close();
    });
    for (const [subject, all] of Object.entries(SUBJECTS)) {
      describe(subject, { concurrency: 2 }, () => {
        for (const row of rows(all)) {
          test(`${row.name} ends with ${row.ends.join(" or ")}`, async () => {
            const { end, text } = await attack(row, { home, pool });
            assert.ok(row.ends.includes(end as (typeof row.ends)[number]), `${end}: ${text}`);
            await neighbour.ask("handler");
            await neighbour.ask("main");
          });
        }
      });
    }
  });
}
