// Goal: no script harms its host. Invariants: each attack ends in one of the ways its row names, in its time, and an isle
// beside it still answers. Method: a table of attacks, two at a time, on threads of their own and on a pool.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createPool, type IslePool } from "@atoll-run/atoll";
import { attack, Neighbour } from "./attack.ts";
import { HOSTILE, SUBJECTS } from "./scripts.ts";
import type { Hostile } from "./script.ts";

const LEAST = 80;
const home = mkdtempSync(join(tmpdir(), "atoll-hostile-"));
after(() => rmSync(home, { recursive: true, force: true }));

test(`there are at least ${LEAST} hostile scripts, each with a name of its own`, () => {
  assert.equal(new Set(HOSTILE.map(({ name }) => name)).size, HOSTILE.length);
  assert.ok(HOSTILE.length >= LEAST);
});

function attacks(place: string, rows: (all: readonly Hostile[]) => readonly Hostile[], makePool: () => IslePool | undefined): void {
  describe(`the host and a neighbour outlive attacks ${place}`, { concurrency: 1 }, () => {
    let neighbour: Neighbour;
    const pool = makePool();
    before(async () => {
      neighbour = await Neighbour.start(pool);
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
            await neighbour.ask();
          });
        }
      });
    }
  });
}

attacks("on threads of their own", (all) => all, () => undefined);
attacks("on threads it shares with them", (all) => all.filter(({ shared }) => shared === true), () => createPool({ max: 2, home }));
