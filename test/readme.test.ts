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

/** Runs programs of a page in a folder where the packages are installed. */
async function inFolder(source: string, use: (run: () => Promise<string>) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "atoll-readme-"));
  try {
    await writeFile(join(dir, "program.ts"), source);
    await writeFile(join(dir, "package.json"), '{"type":"module"}');
    await symlink(join(ROOT, "node_modules"), join(dir, "node_modules"));
    await use(async () => (await run(process.execPath, ["program.ts"], { cwd: dir, timeout: 60_000 })).stdout);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

test("the service of the README and its typed caller have under 20 lines and work as they stand there", async () => {
  const readme = await readFile(join(ROOT, "README.md"), "utf8");
  const source = /```ts\n(\/\/ bank\.ts\n[^`]*)```/.exec(readme)?.[1] ?? assert.fail("the README has no bank.ts");
  const lines = source.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("//"));
  assert.ok(lines.length < 20, `${lines.length} lines`);
  await inFolder(source, async (run) => {
    for (const balance of [700, 400]) assert.equal(await run(), `{ ok: true, value: { balance: ${balance} } }\n`);
  });
});

test("the service of docs/services.md does what the page says", async () => {
  const page = await readFile(join(ROOT, "docs/services.md"), "utf8");
  await inFolder(/```ts\n([^`]*(?:`[^`]+`[^`]*)*?)```/.exec(page)?.[1] ?? assert.fail("the page has no program"), async (run) => {
    assert.equal(await run(), [
      "{ balance: 700 }", "{ ok: false, error: { code: 'no_funds', details: { short: 200 } } }",
      "{ level: 'accepted', duplicate: false }", "[ 'one' ]", "",
    ].join("\n"));
  });
});
