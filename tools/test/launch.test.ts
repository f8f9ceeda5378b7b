import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const LAUNCH = fileURLToPath(new URL("../launch.cjs", import.meta.url));

test("on a Node that is too old a tool says what is missing and exits 2", () => {
  const old = "Object.defineProperty(process, 'versions', { value: { node: '20.1.0' } });\n";
  const { status, stderr } = spawnSync(process.execPath, ["-e", old + readFileSync(LAUNCH, "utf8")],
    { encoding: "utf8" });
  assert.equal(status, 2);
  assert.match(stderr, /^atoll: this is Node 20\.1\.0, but Node 24 or newer is needed\.\nRun `npm ci`/);
});

test("the exit code of a tool is that of the launcher", () => {
  const { status, stderr } = spawnSync(process.execPath, [LAUNCH, "bench", "--nonsense"],
    { encoding: "utf8" });
  assert.equal(status, 2);
  assert.match(stderr, /usage: npm run bench/);
});

test("every script of the workspace that starts Node goes through the launcher or the program", () => {
  const file = fileURLToPath(new URL("../../package.json", import.meta.url));
  const { scripts } = JSON.parse(readFileSync(file, "utf8")) as { scripts: Record<string, string> };
  const bare = Object.entries(scripts).filter(([, line]) =>
    /\bnode\b/.test(line) && !/^node (tools\/launch\.cjs \w+|packages\/atoll\/bin\/main\.ts)$/.test(line));
  assert.deepEqual(bare, []);
});
