/**
 * Goal: `npm run pack:check` sees what a user would get: the size, install scripts anywhere in the tree, and
 * a program that starts.
 * Method: the fixture packages, with their one dependency left out so that nothing is asked of a registry.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder, manifest, runTool } from "./fixture.ts";
import { makePackages } from "./packages.ts";

const ALONE = {
  "packages/block/package.json": manifest("@atoll-run/block",
    { exports: { ".": "./src/index.ts" }, dependencies: { "@atoll-run/core": "0.1.0" } }),
  "packages/block/src/pool/start.ts": "export const start = async (n: number): Promise<string> => String(n);",
};

test("the packed program is installed, measured and answers with its version", async (t) => {
  const { code, out, err } = await runTool("pack", ["--json"], makePackages(t, ALONE));
  assert.equal(code, 0, out + err);
  const { largest, installed_mb, ...figures } = JSON.parse(out) as Record<string, number | object>;
  assert.deepEqual(figures, { packages: 3, install_scripts: [], version: "0.3.0" });
  assert.ok(Number(installed_mb) < 1, String(installed_mb));
  assert.equal(Object.keys(largest ?? {}).length, 3);
});

test("an executable that answers with another version is told", async (t) => {
  const root = makePackages(t, { ...ALONE, "packages/atoll/bin/main.ts": "console.log(\"0.0.0\");" });
  const { code, err } = await runTool("pack", [], root);
  assert.deepEqual([code, err], [1, "wrong: --version said 0.0.0, the package is 0.3.0\n"]);
});

test("an install script of a dependency is told", async (t) => {
  const folder = makeFolder(t,
    { "tiny/package.json": manifest("tiny", { scripts: { postinstall: "node -e 0" } }) });
  execFileSync("npm", ["pack", join(folder, "tiny")], { cwd: folder, stdio: "ignore" });
  const dependencies = { "@atoll-run/core": "0.1.0", "tiny": `file:${join(folder, "tiny-0.1.0.tgz")}` };
  const root = makePackages(t, { ...ALONE,
    "packages/block/package.json": manifest("@atoll-run/block", { exports: "./src/index.ts",
      dependencies }) });
  const { code, err } = await runTool("pack", [], root);
  assert.deepEqual([code, err], [1, "wrong: install scripts: tiny: postinstall\n"]);
});
