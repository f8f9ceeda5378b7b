// The service of the README is run as it stands there: under 20 lines, and it says what the README says.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { promisify } from "node:util";

const ROOT = join(import.meta.dirname, "..");
const run = promisify(execFile);

test("the service of the README and its typed caller have under 20 lines and work as they stand there", async () => {
  const readme = await readFile(join(ROOT, "README.md"), "utf8");
  const source = /```ts\n(\/\/ bank\.ts\n[^`]*)```/.exec(readme)?.[1] ?? assert.fail("the README has no bank.ts");
  const lines = source.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("//"));
  assert.ok(lines.length < 20, `${lines.length} lines`);
  const dir = await mkdtemp(join(tmpdir(), "atoll-readme-"));
  try {
    await writeFile(join(dir, "bank.ts"), source);
    await writeFile(join(dir, "package.json"), '{"type":"module"}');
    await symlink(join(ROOT, "node_modules"), join(dir, "node_modules"));
    for (const balance of [700, 400]) {
      const { stdout } = await run(process.execPath, ["bank.ts"], { cwd: dir, timeout: 60_000 });
      assert.equal(stdout, `{ ok: true, value: { balance: ${balance} } }\n`);
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
