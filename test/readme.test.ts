// What the README shows is run as it stands there, and does what the README says.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { hostname, tmpdir } from "node:os";
import { test } from "node:test";
import { promisify } from "node:util";

const ROOT = join(import.meta.dirname, "..");
const run = promisify(execFile);
const PROGRAM = join(ROOT, "packages/atoll/bin/main.ts");

/** Runs programs of a page in a folder where the packages are installed. */
async function inFolder(source: string, use: (run: () => Promise<string>, dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "atoll-readme-"));
  try {
    await writeFile(join(dir, "program.ts"), source);
    await writeFile(join(dir, "package.json"), '{"type":"module"}');
    await symlink(join(ROOT, "node_modules"), join(dir, "node_modules"));
    await use(async () => (await run(process.execPath, ["program.ts"], { cwd: dir, timeout: 60_000 })).stdout, dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

test("the first agent of the README runs with everything, is refused with nothing, and runs with exactly one grant", async () => {
  const readme = await readFile(join(ROOT, "README.md"), "utf8");
  const dir = await mkdtemp(join(tmpdir(), "atoll-readme-"));
  try {
    await writeFile(join(dir, "hello.lua"), /```lua\n([^`]*)```/.exec(readme)?.[1] ?? assert.fail("the README has no hello.lua"));
    const said = async (flags: readonly string[]): Promise<string> => {
      const child = spawn(process.execPath, [PROGRAM, "run", ...flags, "hello.lua"], {
        cwd: dir, env: { PATH: process.env["PATH"] ?? "", HOME: dir }, stdio: ["ignore", "pipe", "inherit"],
      });
      let text = "";
      child.stdout.setEncoding("utf8").on("data", (part: string) => {
        text += part;
        // it has greeted, and waits
        if (text.includes("\n")) child.kill("SIGINT");
      });
      const [code] = await once(child, "close");
      assert.equal(code, 0, text);
      return text;
    };
    const greeting = `hello atoll from ${hostname()}\n`;
    assert.equal(await said([]), greeting);
    assert.match(await said(["--restricted"]), /^hello atoll from nowhere: denied: run uname .*; needs grant run:uname\n$/);
    assert.equal(await said(["--grant", "run:uname"]), greeting);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("every page of docs/ can be reached from the README", async () => {
  const reached = new Set<string>();
  const follow = async (file: string): Promise<void> => {
    if (reached.has(file)) return;
    reached.add(file);
    const text = file.endsWith(".md") ? await readFile(join(ROOT, file), "utf8") : "";
    for (const [, link = ""] of text.matchAll(/\]\(([^)#:\s]+)/g)) await follow(join(dirname(file), link));
  };
  await follow("README.md");
  const pages = (await readdir(join(ROOT, "docs"))).filter((name) => name.endsWith(".md"));
  assert.deepEqual(pages.filter((name) => !reached.has(join("docs", name))), []);
});

test("the service of the README and its typed caller have under 20 lines and work as they stand there", async () => {
  const readme = await readFile(join(ROOT, "README.md"), "utf8");
  const source = /```ts\n(\/\/ bank\.ts\n[^`]*)```/.exec(readme)?.[1] ?? assert.fail("the README has no bank.ts");
  const lines = source.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("//"));
  assert.ok(lines.length < 20, `${lines.length} lines`);
  await inFolder(source, async (run) => {
    for (const balance of [700, 400]) assert.equal(await run(), `{ ok: true, value: { balance: ${balance} } }\n`);
  });
});

test("the mob of the README has at most 25 lines and works as it stands there", async () => {
  const readme = await readFile(join(ROOT, "README.md"), "utf8");
  const source = /```ts\n(\/\/ audit\.ts\n(?:[^`]|`[^`]+`)*)```/.exec(readme)?.[1] ?? assert.fail("the README has no audit.ts");
  const lines = source.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("//"));
  assert.ok(lines.length <= 25, `${lines.length} lines`);
  await inFolder(source, async (run, dir) => {
    for (const [name, license] of [["a", "MIT"], ["b", undefined], ["c", "ISC"]]) {
      await mkdir(join(dir, "packages", String(name)), { recursive: true });
      await writeFile(join(dir, "packages", String(name), "package.json"), JSON.stringify({ license }));
    }
    // The second run finds the first under its key.
    for (let n = 0; n < 2; n++) assert.equal(await run(), "{ audited: 3 }\n");
    assert.deepEqual(JSON.parse(await readFile(join(dir, "report.json"), "utf8")), ["MIT", "none", "ISC"]);
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
