import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const page = readFileSync(join(ROOT, "docs/observability.md"), "utf8");

test("the program of docs/observability.md prints the spans of a run", async (t) => {
  // inside of the project, so that its packages are found
  const home = mkdtempSync(join(ROOT, "packages/atoll/.observed-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  writeFileSync(join(home, "program.ts"), /```ts\n([^]*?)```/.exec(page)?.[1] ?? "");
  const { stdout } = await promisify(execFile)(process.execPath, [join(home, "program.ts")], {
    env: { ATOLL_HOME: home, PATH: process.env["PATH"] ?? "" },
  });
  assert.equal(stdout, "sh.exec block.run\n");
});
