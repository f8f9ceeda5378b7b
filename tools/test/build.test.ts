/**
 * Goal: what `npm run build` makes works without the sources: doors, types, assets, and the bundled program
 * with its worker, its lazy command, and the texts it reads from disk.
 * Method: a fixture repository with three packages and one installed dependency is built and its program run.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "../build.ts";
import { isBuilt } from "../build/stamp.ts";
import { makeFolder } from "./fixture.ts";
import { makePackages, REPO } from "./packages.ts";

const PACKAGES = "build/node_modules/@atoll-run";
const readJson = (path: string): Record<string, unknown> => JSON.parse(readFileSync(path, "utf8")) as never;

test("the built packages and the program work", async (t) => {
  const root = makePackages(t);
  assert.deepEqual(await build(root), ["@atoll-run/atoll", "@atoll-run/block", "@atoll-run/core"]);

  await t.test("doors lead to compiled code with types, development is left out", () => {
    assert.deepEqual(readJson(join(root, PACKAGES, "core/package.json")), {
      name: "@atoll-run/core", version: "0.3.0", license: "MIT", type: "module",
      exports: {
        ".": { types: "./dist/index.d.ts", default: "./dist/index.js" },
        "./internal": { default: { types: "./dist/word.d.ts", default: "./dist/word.js" } },
      },
      dependencies: {}, files: ["dist", "LICENSE-MIT", "LICENSE-APACHE"],
    });
    for (const file of ["dist/index.d.ts", "LICENSE-MIT", "LICENSE-APACHE", "README.md"]) {
      assert.ok(existsSync(join(root, PACKAGES, "core", file)), file);
    }
    assert.match(readFileSync(join(root, PACKAGES, "core/dist/word.d.ts"), "utf8"),
      /A word\. .*word: string/s);
  });

  await t.test("sister packages are asked for in their real version", () => {
    const { dependencies } = readJson(join(root, PACKAGES, "block/package.json"));
    assert.deepEqual(dependencies, { "@atoll-run/core": "0.3.0", "tiny": "^1.0.0" });
  });

  await t.test("files that are no TypeScript lie where the sources have them", () => {
    assert.equal(readFileSync(join(root, PACKAGES, "block/dist/lua/prelude.lua"), "utf8"), "return 1");
  });

  await t.test("the program names the version of its package", () => {
    assert.equal(runProgram(root, "--version"), "0.3.0\n");
  });

  await t.test("the program runs a lazy command, its worker and its script without the sources", () => {
    const alone = makeFolder(t, {});
    cpSync(join(root, PACKAGES, "atoll"), join(alone, PACKAGES, "atoll"), { recursive: true });
    assert.equal(runProgram(alone, "21"), "sun 42 return 1\n");
    assert.match(readFileSync(join(alone, PACKAGES, "atoll/bin/THIRD-PARTY.txt"), "utf8"),
      /tiny 1\.2\.3\n\nTiny licence/);
  });

  await t.test("the program depends on what its sister packages need, since their code is inside", () => {
    const { dependencies, bin } = readJson(join(root, PACKAGES, "atoll/package.json"));
    assert.deepEqual(dependencies, { "@atoll-run/block": "0.1.0", "@atoll-run/core": "0.3.0",
      "tiny": "^1.0.0" });
    assert.deepEqual(bin, { atoll: "./bin/atoll.js" });
  });

  await t.test("the packages work as a library", () => {
    const script = join(root, "build/use.mjs");
    writeFileSync(script, "import { start } from '@atoll-run/block'; console.log(await start(2));");
    assert.equal(execFileSync(process.execPath, [script], { encoding: "utf8" }), "sun 4 return 1\n");
  });

  await t.test("the types of the packages are found by a strict compiler", () => {
    const script = join(root, "build/use.mts");
    writeFileSync(script,
      "import { start } from '@atoll-run/block'; export const said: Promise<string> = start(2);\n"
      + "import { word } from '@atoll-run/core/internal'; export const wrong: number = word;\n");
    const tsc = [join(REPO, "node_modules/typescript/bin/tsc"), "--noEmit", "--strict", "--ignoreConfig",
      "--module", "nodenext", script];
    const { stdout } = spawnSync(process.execPath, tsc, { cwd: join(root, "build"), encoding: "utf8" });
    assert.match(stdout,
      /^use\.mts\(2,\d+\): error TS2322: Type 'string' is not assignable to type 'number'\.\n$/);
  });

  await t.test("the build knows when it is older than the sources", () => {
    assert.equal(isBuilt(root), true);
    writeFileSync(join(root, "packages/core/src/word.ts"), "export const word = \"moon\";\n");
    assert.equal(isBuilt(root), false);
  });
});

test("two entries with one name are refused by name", async (t) => {
  const root = makePackages(t, {
    "packages/atoll/bin/run.ts": `
      export const other = new URL(\`./thread\${import.meta.url.slice(-3)}\`, import.meta.url);
      export { start as run } from "@atoll-run/block";`,
    "packages/atoll/bin/thread.ts": "export {};",
  });
  await assert.rejects(build(root), /two entries are called thread: .*rename one/);
  assert.equal(existsSync(join(root, PACKAGES)), false, "nothing half-built is left");
});

test("a file that does not exist is refused with the place that names it", async (t) => {
  const root = makePackages(t, {
    "packages/atoll/bin/run.ts": "export const run = (): URL => new URL(\"./lost.lua\", import.meta.url);",
  });
  await assert.rejects(build(root), /packages\/atoll\/bin\/run\.ts:1: there is no \.\/lost\.lua/);
});

test("on a Node that is too old the program says so and exits 2", () => {
  const program = readFileSync(fileURLToPath(new URL("../build/program.js", import.meta.url)), "utf8");
  const old = "Object.defineProperty(process, 'versions', { value: { node: '20.1.0' } });\n";
  const { status, stderr } = spawnSync(process.execPath, ["-e", old + program.replace(/^#!.*/, "")],
    { encoding: "utf8" });
  assert.deepEqual([status, stderr], [2, "atoll: Node 24 or newer is needed, this is Node 20.1.0.\n"]);
});

function runProgram(root: string, argument: string): string {
  return execFileSync(process.execPath, [join(root, PACKAGES, "atoll/bin/atoll.js"), argument],
    { encoding: "utf8" });
}
