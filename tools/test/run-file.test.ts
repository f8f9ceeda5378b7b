/**
 * Goal: no way of failing that a test file has is counted as passing.
 * Method: real files run by the runner of `npm test`, each failing in its own way.
 */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { findTests } from "../testing/find.ts";
import { runTestFile, type Outcome } from "../testing/run-file.ts";
import { makeFolder } from "./fixture.ts";

const HEAD = "import { describe, test } from \"node:test\";\n";

async function run(t: TestContext, text: string, timeoutMs = 60_000): Promise<Outcome> {
  const root = makeFolder(t, { "a.test.ts": HEAD + text });
  const scratch = join(root, "scratch");
  mkdirSync(scratch);
  return runTestFile({ root, file: "a.test.ts", scratch, timeoutMs, signal: t.signal });
}

test("passing tests are counted with those inside others, suites are not", async (t) => {
  const { passed, failures, skips } = await run(t,
    "test(\"a\", async (t) => { await t.test(\"b\", () => {}); });\n"
    + "describe(\"s\", () => { test(\"c\", () => {}); });");
  assert.deepEqual([passed, failures, skips], [3, [], []]);
});

test("a failing test is named with its path, its place, its reason and what the file printed", async (t) => {
  const { passed, failures } = await run(t,
    "describe(\"s\", () => { test(\"a\", () => { console.log(\"hello\"); throw Error(\"no sun\"); }); });");
  assert.equal(passed, 0);
  assert.equal(failures.length, 1);
  assert.equal(failures[0]?.title, "s › a");
  assert.match(failures[0].text, /a\.test\.ts:2\nError: no sun[^]*output of the file:\nhello/);
});

test("a skipped test is not counted as passed and its reason is kept", async (t) => {
  const { passed, skips } = await run(t, "test(\"a\", { skip: \"needs a printer\" }, () => {});");
  assert.deepEqual([passed, skips], [0, [{ title: "a", reason: "needs a printer" }]]);
});

/** Title → the file and what must be said of it. */
const BROKEN: Readonly<Record<string, readonly [text: string, said: RegExp, timeoutMs?: number]>> = {
  "a file without a test fails": ["", /has no test in it/],
  "a file that cannot be loaded fails": ["import \"./lost.ts\";", /ended early|exit code 1/],
  "a file that exits early fails": [
    "test(\"a\", () => {});\ntest(\"b\", () => { process.exit(0); });", /ended early|ended before the first/],
  "a file whose process is killed fails": [
    "test(\"a\", () => { process.kill(process.pid, \"SIGKILL\"); });", /ended early with SIGKILL/],
  "a file that hangs is ended at its timeout": [
    "test(\"a\", () => {});\nsetInterval(() => {}, 1000);", /not done after 1\.50 s/, 1500],
  "a file that leaves a child process behind fails": [
    `import { spawn } from "node:child_process";
     test("a", () => { spawn("sleep", ["60"], { stdio: "ignore" }).unref(); });`,
    /left child processes running/],
  "a file that throws after its tests fails": [
    "test(\"a\", () => { process.on(\"exit\", () => { throw new Error(\"late\"); }); });", /late|exit code/],
};

for (const [title, [text, said, timeoutMs]] of Object.entries(BROKEN)) {
  test(title, async (t) => {
    const { failures } = await run(t, text, timeoutMs);
    const all = failures.map((failure) => failure.text).join("\n");
    assert.match(all, said);
  });
}

test("a pattern picks the test files with it in their path", (t) => {
  const root = makeFolder(t, {
    "packages/core/test/clock.test.ts": "", "packages/core/test/deep/ids.test.ts": "",
    "packages/core/src/x.test.ts": "", "drivers/sqlite/test/kv.test.ts": "", "test/walk.test.ts": "",
    "test/prove/kill.prove.ts": "", "tools/test/t.test.ts": "",
    "examples/audit/audit.test.ts": "", "packages/core/test/node_modules/y.test.ts": "",
  });
  assert.deepEqual(findTests(root, []), [
    "drivers/sqlite/test/kv.test.ts", "examples/audit/audit.test.ts", "packages/core/test/clock.test.ts",
    "packages/core/test/deep/ids.test.ts", "test/walk.test.ts", "tools/test/t.test.ts",
  ]);
  assert.deepEqual(findTests(root, ["ids", "./test/walk"]),
    ["packages/core/test/deep/ids.test.ts", "test/walk.test.ts"]);
});
