/**
 * Goal: each rule of tidy speaks when it is broken, names file and line, and is silent on a clean repository.
 * Method: a clean fixture repository; each test breaks one thing in it.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { formatFinding, tidy } from "../tidy.ts";
import { CLEAN, makeFolder, manifest } from "./fixture.ts";

const LAUNCH = fileURLToPath(new URL("../launch.cjs", import.meta.url));

/** What tidy says, notes left out, after `change` was written over the clean repository. */
function complaints(t: TestContext, change: Readonly<Record<string, string>>): readonly string[] {
  const root = makeFolder(t, { ...CLEAN, ...change });
  return tidy(root).filter((finding) => !finding.note).map(formatFinding);
}

const CORE = "packages/core/src/fault.ts";
const BLOCK = "packages/block/src/send.ts";
const UNDICI = "import { request } from \"undici\";\nexport const send = request;\n";
const lines = (count: number, line = "// x"): string => Array.from({ length: count }, () => line).join("\n");

/** Title → what is written, and what must be said about it. */
const BROKEN: Readonly<Record<string, readonly [change: Record<string, string>, said: RegExp]>> = {
  "core may not import another room": [
    { [CORE]: "export * from \"@atoll-run/block\";" },
    /fault\.ts:1: core imports @atoll-run\/block, against the direction/],
  "core may not import node modules but as types": [
    { [CORE]: "\nimport { readFileSync } from \"node:fs\";\nexport default readFileSync;" },
    /fault\.ts:2: core imports node:fs/],
  "core may not have dependencies": [
    { [CORE]: "import \"undici\";" }, /fault\.ts:1: core imports undici/],
  "a room is not reached by path": [
    { [BLOCK]: `${UNDICI}import "../../core/src/fault.ts";` },
    /send\.ts:3: import by path .*import it by name: @atoll-run\/core/],
  "inside the mob, a room does not use one that comes after it": [
    { "packages/mob/package.json": manifest("@atoll-run/mob", { exports: "./src/index.ts" }), "packages/mob/src/index.ts": "export * from \"./ledger/late.ts\";\n",
      "packages/mob/src/ledger/reader.ts": "export const x = 1;\n", "packages/mob/src/member/turn.ts": "export const end = 1;\n",
      "packages/mob/src/ledger/late.ts": "import { a } from \"../member/life-of.ts\";\nimport { end } from \"../member/turn.ts\";\nexport const b = a + end;",
      "packages/mob/src/member/life-of.ts": "import { x } from \"../ledger/reader.ts\";\nexport const a = x;" },
    /ledger\/late\.ts:1: ledger\/late\.ts imports member\/life-of\.ts, against the direction inside packages\/mob\/src/],
  "a package is entered by its doors only": [
    { [BLOCK]: `${UNDICI}import "@atoll-run/core/src/fault.ts";` }, /send\.ts:3: no such door/],
  "a package has no third door": [
    { "packages/core/package.json": manifest("@atoll-run/core",
      { exports: { ".": "./src/index.ts", "./x": "./src/fault.ts" } }) },
    /package\.json:1: a third door: \.\/x/],
  "a sister package must be declared": [
    { "packages/block/package.json":
      manifest("@atoll-run/block", { exports: "./src/index.ts", dependencies: { undici: "1" } }) },
    /block\.ts:1: @atoll-run\/core is imported but not declared: .* packages\/block\/package\.json/],
  "a third-party package must be declared": [
    { [BLOCK]: `${UNDICI}import "left-pad/x";` }, /send\.ts:3: left-pad is imported but not declared/],
  "a root devDependency does not serve shipped code": [
    { [BLOCK]: `${UNDICI}import "fast-check";` }, /send\.ts:3: fast-check is imported but not declared/],
  "a dependency has one door": [
    { "packages/block/src/worker.ts": "await import(\"undici\");" },
    /worker\.ts:1: a second door to undici: only packages\/block\/src\/send\.ts/],
  "a dependency that nothing imports is told": [
    { [BLOCK]: "export const send = (x: unknown): unknown => x;" },
    /package\.json:\d+: undici is declared but nothing imports it/],
  "an import cycle is told with its files": [
    { [BLOCK]: `${UNDICI}import type { run } from "./block.ts";\nexport type Run = typeof run;` },
    /import cycle: packages\/block\/src\/block\.ts → packages\/block\/src\/send\.ts → packages\/block\/src\/block\.ts/],
  "a source file that nothing imports is dead": [
    { "packages/core/src/lost.ts": "export {};" }, /lost\.ts:1: dead file: nothing imports it/],
  "a source file that only tests import is dead": [
    { "packages/block/src/lost.ts": "export {};",
      "packages/block/test/lost.test.ts": "import \"../src/lost.ts\";" },
    /lost\.ts:1: dead file: only tests use it/],
  "an asset that nothing names is dead": [
    { "packages/block/src/lost.lua": "return 2" }, /lost\.lua:1: dead file/],
  "a file has at most 500 lines": [
    { [CORE]: lines(501) }, /fault\.ts:501: 501 lines, the limit is 500/],
  "a function has at most 70 lines": [
    { [CORE]: `class A {\n  long() {\n${lines(69)}\n  }\n}\nexport type Fault = A;` },
    /fault\.ts:2: function long has 71 lines/],
  "a function has at most 4 parameters": [
    { [CORE]:
      "export type Fault = 1;\nexport const f = (a: 1, b: 2, c: 3, d: 4, e: 5): unknown[] => [a, b, c, d, e];" },
    /fault\.ts:2: function f has 5 parameters/],
  "a TODO needs its mark": [
    { [CORE]: "export type Fault = 1;\n/**\n * TODO later\n */" },
    /fault\.ts:3: a mark that no one will find/],
  "no test runs alone": [
    { "packages/core/test/a.test.ts": "import { test } from \"node:test\";\ntest.only(\"x\", () => {});" },
    /a\.test\.ts:2: a test runs alone/],
  "no debugger statement stays": [
    { [CORE]: "export type Fault = 1;\ndebugger;" }, /fault\.ts:2: a debugger statement/],
  "a library does not print": [
    { [CORE]: "export type Fault = 1;\nconsole.log(1);" }, /fault\.ts:2: console\.log in a library/],
  "a merge mark is told in any text file": [
    { "docs/x.md": `a\n${"<".repeat(7)} HEAD\n` }, /docs\/x\.md:2: a merge mark/],
  "a log of the engine is told": [{ "isolate-0x7f63b8197000-823-v8.log": "" }, /^isolate-.*: what a run has left behind/],
  "a profile is told, wherever it lies": [{ "packages/core/x.cpuprofile": "{}" }, /x\.cpuprofile:1: what a run has left/],
  "a report of a crash is told": [{ "report.20261121.1.json": "{}" }, /report\..*: what a run has left/],
  "a path of one machine is told": [
    { [CORE]: "export type Fault = \"/home/somebody/x\";" }, /fault\.ts:1: a path of one machine/],
  "a syntax error is told": [
    { [CORE]: "export type Fault = 1;\nconst = 2;" }, /fault\.ts:2: syntax error/],
  "a door holds no code": [
    { "packages/core/src/index.ts": "export * from \"./fault.ts\";\nexport const x = 1;" },
    /index\.ts:2: code in a door/],
  "a package has no barrels inside": [
    { "packages/block/src/worker.ts": "import \"./isle/index.ts\";",
      "packages/block/src/isle/index.ts": "export {};" },
    /isle\/index\.ts:1: a barrel/],
};

test("a clean repository gives no findings", (t) => {
  assert.deepEqual(complaints(t, {}), []);
});

for (const [title, [change, said]] of Object.entries(BROKEN)) {
  test(title, (t) => {
    const found = complaints(t, change);
    assert.ok(found.some((line) => said.test(line)), `expected ${said}, tidy said:\n${found.join("\n")}`);
  });
}

/** Title → what is written and must be accepted. */
const FINE: Readonly<Record<string, Record<string, string>>> = {
  "a marked @TODO may stay": { [CORE]: "export type Fault = 1; // @TODO x" },
  "a worker entry and what it imports are alive": {
    "packages/block/src/prelude-loader.ts": "export const x = 1;",
  },
  "test callbacks are not counted to the function around them": {
    "packages/core/test/a.test.ts": `import { describe, test } from "node:test";
describe("a", () => {\n${`test("b", () => {\n${lines(30)}\n});\n`.repeat(4)}});` },
  "core may stand on the runtime of its generated code, which has doors of its own": {
    "packages/core/package.json": manifest("@atoll-run/core",
      { exports: "./src/index.ts", dependencies: { "@bufbuild/protobuf": "2.0.0" } }),
    "packages/core/src/index.ts": "export * from \"./fault.ts\";\nexport * from \"./proto.ts\";",
    "packages/core/src/proto.ts":
      "export * from \"@bufbuild/protobuf\";\nexport * from \"./generated/a_pb.ts\";",
    "packages/core/src/generated/a_pb.ts": `import "@bufbuild/protobuf/codegenv2";\n${lines(600)}\nexport {};`,
  },
  "test vectors beside a codec are not dead": { "packages/core/src/codec/vectors/a.json": "{}" },
  "tests may name folders of a person": {
    "packages/core/test/a.test.ts": "export const x = \"/home/somebody/x\";",
  },
  "tests may use the testkit and the drivers": {
    "packages/testkit/package.json": manifest("@atoll-run/testkit", { exports: "./src/index.ts" }),
    "packages/testkit/src/index.ts": "", "packages/core/test/a.test.ts": "import \"@atoll-run/testkit\";" },
  "proofs and benches take types from the tools": {
    "tools/tidy.ts": "import \"./proof.ts\";", "tools/proof.ts": "export type Proof = 1;",
    "test/prove/a.prove.ts":
      "import type { Proof } from \"../../tools/proof.ts\";\nexport const proof: Proof = 1;" },
  "a package may be imported for its types where it is declared": {
    "packages/block/src/worker.ts":
      "import \"./prelude-loader.ts\";\nimport type { Fault } from \"@atoll-run/core\";\nexport type X = Fault;" },
};

for (const [title, change] of Object.entries(FINE)) {
  test(title, (t) => assert.deepEqual(complaints(t, change), []));
}

test("a file of over 300 lines is a note and does not fail", (t) => {
  const root = makeFolder(t, { ...CLEAN, [CORE]: `export type Fault = 1;\n${lines(320)}` });
  assert.deepEqual(tidy(root).map((finding) => [finding.file, finding.note]), [[CORE, true]]);
});

/** Exit code and text of `node tools/launch.cjs tidy ROOT`. */
function runTidy(root: string): Promise<{ code: number; out: string }> {
  return new Promise((done) => {
    const child = execFile(process.execPath, [LAUNCH, "tidy", root], (_error, out) =>
      done({ code: child.exitCode ?? -1, out }));
  });
}

test("the command exits 0 on a clean repository and 1 on another", async (t) => {
  const clean = await runTidy(makeFolder(t, CLEAN));
  assert.deepEqual([clean.code, clean.out], [0, "tidy: 0 to mend, 0 notes (shown with --notes)\n"]);
  const broken = await runTidy(makeFolder(t, { ...CLEAN, [CORE]: "debugger;\nexport type Fault = 1;" }));
  assert.equal(broken.code, 1);
  assert.match(broken.out, /^packages\/core\/src\/fault\.ts:1: a debugger statement: remove it\n/);
});
