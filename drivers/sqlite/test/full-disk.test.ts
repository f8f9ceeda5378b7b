/**
 * A full disk. Goal: a clear error, nothing half applied, nothing lost that was stored before. Method: a
 * program fills a real file system of 6 MiB where one can be mounted, and a real limit of file size
 * everywhere else.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("./fixtures/fill-disk.ts", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "atoll-full-"));
/** Without it there is room for all that is in the write-ahead log once more, which a checkpoint may take. */
const BALLAST_BYTES = 3.5 * 1024 * 1024;
const mounted: string[] = [];
after(() => {
  for (const at of mounted) spawnSync("umount", ["-l", at]);
  rmSync(root, { recursive: true, force: true });
});

interface Report {
  readonly acknowledged: number;
  readonly stored: number;
  readonly same: boolean;
  readonly code: string;
  readonly text: string;
  readonly hint: string;
}

function mountSmall(name: string): string | undefined {
  const at = join(root, name);
  mkdirSync(at);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=6m", "tmpfs", at]).status !== 0) return undefined;
  mounted.push(at);
  return at;
}

async function* lines(child: ChildProcess): AsyncGenerator<string> {
  if (child.stdout !== null) yield* createInterface({ input: child.stdout });
}

const KINDS = [
  { kind: "kv", code: "kv.failed", op: "kv.set" },
  { kind: "ts", code: "ts.failed", op: "ts.append" },
  { kind: "sql", code: "sql.failed", op: "" },
];

for (const { kind, code, op } of KINDS) {
  test(`${kind} on a full disk: a clear error, all earlier rows, and it goes on when there is space again`, async (t) => {
    const at = mountSmall(kind);
    if (at === undefined) return t.skip("no file system can be mounted here");
    const ballast = join(at, "ballast");
    writeFileSync(ballast, Buffer.alloc(BALLAST_BYTES));
    const child = spawn(process.execPath, [PROGRAM, kind, at, "lift"], { stdio: ["pipe", "pipe", "inherit"] });
    const output = lines(child);
    const report = JSON.parse((await output.next()).value ?? "{}") as Report;
    assert.equal(report.code, code);
    assert.equal(report.text.startsWith(`${op}${op === "" ? "" : " "}sql error: database or disk is full: ${at}`), true, report.text);
    assert.match(report.hint, /Free some space/);
    assert.ok(report.acknowledged > 0 && report.same, JSON.stringify(report));
    rmSync(ballast);
    child.stdin?.end("go\n");
    assert.deepEqual(JSON.parse((await output.next()).value ?? "{}"), { lifted: true });
  });

  test(`${kind} at a limit of file size: a clear error and all earlier rows`, { skip: process.platform === "win32" && "no ulimit" }, async () => {
    const at = join(root, `${kind}-limited`);
    const child = spawn("sh", ["-c", 'ulimit -f 1024; exec "$0" "$@"', process.execPath, PROGRAM, kind, at], { stdio: ["ignore", "pipe", "inherit"] });
    const report = JSON.parse((await lines(child).next()).value ?? "{}") as Report;
    assert.equal(report.code, code);
    assert.match(report.text, new RegExp(`^${op === "" ? "" : `${op.replace(".", "\\.")} `}sql error: (disk I/O error|database or disk is full): `));
    assert.ok(report.hint.length > 0);
    assert.ok(report.acknowledged > 0 && report.same, JSON.stringify(report));
  });
}
