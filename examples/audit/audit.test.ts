// The audit agent on a folder made for the test: every kind of finding, the same bytes twice, clear errors.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "atoll-audit-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

function pack(path: string, manifest: object): void {
  write(`project/node_modules/${path}/package.json`, JSON.stringify(manifest));
}

pack("plain", { name: "plain", version: "1.0.0", license: "MIT" });
pack("@scope/inner", { name: "@scope/inner", version: "2.0.0", license: "(MIT OR GPL-3.0)" });
pack("nest/node_modules/plain", { name: "plain", version: "0.9.0", licenses: [{ type: "ISC" }] });
pack("nest", { name: "nest", version: "1.0.0", license: "MIT", scripts: { postinstall: "node setup.js --all" } });
write("project/node_modules/nest/setup.js", "// set up");
pack("strict", { name: "strict", version: "3.1.4", license: "SSPL-1.0" });
pack("unlicensed", { name: "unlicensed", version: "0.0.1" });
write("project/node_modules/broken/package.json", "{ \"name\": \"broken\", ");
write("project/node_modules/native/lib.node", Buffer.alloc(3000));
pack("native", { name: "native", version: "1.0.0", license: "Apache-2.0" });
write("project/node_modules/native/bin/program", Buffer.concat([Buffer.from("\x7fELF"), Buffer.alloc(5000)]));
write("project/node_modules/.bin/ignored/package.json", "{}");
symlinkSync("plain", join(folder, "project/node_modules/linked"));

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
