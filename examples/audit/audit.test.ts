// The audit agent on a folder made for the test: every kind of finding, the same bytes twice, clear errors.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeProject } from "./fixture.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const folder = makeProject();
after(() => rmSync(folder, { recursive: true, force: true }));

function audit(args: readonly string[]): { code: number | null; out: string; err: string } {
  const home = join(folder, "home");
  const run = spawnSync(process.execPath, [join(ROOT, "packages/atoll/bin/main.ts"), "run", "-s", join(ROOT, "examples/audit/audit.lua"), "--", ...args], {
    cwd: folder, encoding: "utf8", env: { PATH: process.env["PATH"] ?? "", HOME: home }, timeout: 60_000,
  });
  return { code: run.status, out: run.stdout, err: run.stderr };
}

interface Report {
  totals: { packages: number; names: number };
  duplicates: { name: string; versions: string }[];
  unusual_licences: { path: string; licence: string }[];
  install_scripts: { path: string; command: string; file: string }[];
  native: { path: string; file: string }[];
  broken: { path: string; reason: string }[];
}

test("the audit finds versions, licences, install scripts, native binaries and broken packages", () => {
  const { code, out, err } = audit(["project", "out"]);
  assert.equal(code, 0, err);
  assert.match(out, /report: .*out\/report\.md/);
  assert.match(out, /^no summary in prose: with ANTHROPIC_API_KEY or OPENAI_API_KEY in the environment a model writes one$/m);
  const report = JSON.parse(readFileSync(join(folder, "out/report.json"), "utf8")) as Report;
  assert.deepEqual(report.totals.packages, 8);
  assert.deepEqual(report.duplicates.map((d) => [d.name, d.versions]), [["plain", "0.9.0, 1.0.0"]]);
  assert.deepEqual(report.unusual_licences.map((l) => [l.path, l.licence]), [["strict", "SSPL-1.0"], ["unlicensed", "(none)"]]);
  assert.deepEqual(report.install_scripts.map((s) => [s.path, s.command, s.file]), [["nest", "node setup.js --all", "setup.js"]]);
  assert.deepEqual(report.native.map((n) => `${n.path}/${n.file}`), ["native/bin/program", "native/lib.node"]);
  assert.deepEqual(report.broken.map((b) => b.path), ["broken"]);
  assert.match(report.broken[0]?.reason ?? "", /json\.decode/);
});

test("the same input gives the same bytes", () => {
  assert.equal(audit(["project", "first"]).code, 0);
  assert.equal(audit(["project/node_modules", "second"]).code, 0);
  for (const file of ["report.md", "report.json"]) {
    assert.deepEqual(readFileSync(join(folder, "first", file)), readFileSync(join(folder, "second", file)));
  }
});

test("a wrong folder gets a clear error and exit 2", () => {
  const missing = audit(["nowhere"]);
  assert.equal(missing.code, 2);
  assert.match(missing.err, /'nowhere' is not a folder/);
  mkdirSync(join(folder, "empty"));
  const bare = audit(["empty"]);
  assert.equal(bare.code, 2);
  assert.match(bare.err, /there is no node_modules in 'empty'/);
});

test("a package that cannot be read is a row of the report, not a crash", { skip: process.getuid?.() === 0 ? "root may read everything" : false }, () => {
  chmodSync(join(folder, "project/node_modules/strict/package.json"), 0o000);
  const { code } = audit(["project", "unreadable"]);
  assert.equal(code, 0);
});
