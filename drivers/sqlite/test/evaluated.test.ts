/** Goal: a program that stands on the command line has stores too. Method: `node -e`, whose flags a thread would take over. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

const SQLITE = JSON.stringify(new URL("../src/index.ts", import.meta.url).href);
const run = promisify(execFile);

for (const flags of [["--input-type=module"], ["--input-type", "module"]]) test(`a program of \`node ${flags.join(" ")} -e\` opens a state and keeps values`, { timeout: 30_000 }, async () => {
  const { stdout } = await run(process.execPath, [...flags, "-e", `
    import { openState, openStores } from ${SQLITE};
    await using state = await openState({ dir: null });
    await using stores = openStores({ kvPath: ":memory:", tsPath: ":memory:", busyTimeoutMs: 1_000, journalMode: "WAL" });
    await stores.kv.set("n", "k", "1", {});
    console.log(await stores.kv.get("n", "k", {}));
  `]);
  assert.equal(stdout.trim(), "1");
});
