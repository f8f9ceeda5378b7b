/** kill -9 while batches are committed: a few rounds of what `npm run prove` does hundreds of times. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openState } from "@atoll-run/sqlite";
import { stateCrashRound } from "@atoll-run/testkit";

const program = fileURLToPath(new URL("../fixtures/state-writer.ts", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "atoll-state-crash-"));
after(() => rmSync(root, { recursive: true, force: true }));

for (const part of [0, 0.3, 0.9]) {
  test(`what was acknowledged is there after kill -9, and nothing is half there (${part})`, async () => {
    const folder = join(root, String(part));
    const wrong = await stateCrashRound({ program, folder, random: () => part, open: (dir) => openState({ dir }) });
    assert.equal(wrong, undefined);
  });
}
