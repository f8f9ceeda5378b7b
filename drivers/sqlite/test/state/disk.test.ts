/**
 * Disks that are full or fail. Goal: a typed fault, nothing half applied, nothing lost that was acknowledged. Method: a
 * program fills a real file system of 6 MiB where one can be mounted, and a real limit of file size everywhere else.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openState } from "@atoll-run/sqlite";

const PROGRAM = fileURLToPath(new URL("../fixtures/fill-state.ts", import.meta.url));
const BALLAST_BYTES = 3.5 * 1024 * 1024;
const root = mkdtempSync(join(tmpdir(), "atoll-state-disk-"));
let mounted: string | undefined;
after(() => {
  if (mounted !== undefined) spawnSync("umount", ["-l", mounted]);
  rmSync(root, { recursive: true, force: true });
});

interface Report {
  readonly acknowledged: number[];
  readonly held: { entries: number[]; documents: number[] } | string;
  readonly code: string;
  readonly retry: string;
  readonly hint: string;
  readonly again: string;
}

async function* lines(child: ChildProcess): AsyncGenerator<string> {
  if (child.stdout !== null) yield* createInterface({ input: child.stdout });
}

test("a full disk refuses whole batches with state.full, and the store goes on when there is space again", async (t) => {
  const at = join(root, "small");
  mkdirSync(at);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=6m", "tmpfs", at]).status !== 0) return t.skip("no file system can be mounted here");
  mounted = at;
  const ballast = join(at, "ballast");
  writeFileSync(ballast, Buffer.alloc(BALLAST_BYTES));
  const child = spawn(process.execPath, [PROGRAM, at, "lift"], { stdio: ["pipe", "pipe", "inherit"] });
  const output = lines(child);
  const report = JSON.parse((await output.next()).value ?? "{}") as Report;
  assert.deepEqual([report.code, report.retry], ["state.full", "later"]);
  assert.match(report.hint, /Free some space/);
  const held = report.held as Exclude<Report["held"], string>;
  assert.deepEqual(held.entries.filter((n) => report.acknowledged.includes(n)), report.acknowledged);
  assert.deepEqual(held.documents, held.entries);
  rmSync(ballast);
  child.stdin?.end("go\n");
  assert.deepEqual(JSON.parse((await output.next()).value ?? "{}"), { lifted: true });
});

test("a disk that fails ends the store, and what was acknowledged is there when it is opened again", { skip: process.platform === "win32" && "no ulimit" }, async () => {
  const at = join(root, "limited");
  const child = spawn("sh", ["-c", 'ulimit -f 1024; exec "$0" "$@"', process.execPath, PROGRAM, at], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const report = JSON.parse((await lines(child).next()).value ?? "{}") as Report;
  await exited;
  assert.ok(["state.broken", "state.full"].includes(report.code), report.code);
  if (report.code === "state.broken") {
    assert.deepEqual([report.retry, report.again, report.held], ["never", "state.broken", "state.broken"]);
  }
  await using store = await openState({ dir: at });
  const entries = (await store.journal("j", { after: 0, limit: 5_000 })).map(({ body }) => Number(body));
  const documents = (await store.keys("n", "s", { prefix: "", after: null, limit: 5_000 })).map(Number);
  assert.ok(report.acknowledged.length > 0);
  assert.deepEqual(report.acknowledged.filter((n) => !entries.includes(n)), []);
  assert.deepEqual(documents.toSorted((a, b) => a - b), entries);
});

test("a folder has one owner, and the fault names it", async () => {
  const at = join(root, "owned");
  const first = await openState({ dir: at });
  await assert.rejects(openState({ dir: at }), (fault: { code: string; retry: string; message: string }) => {
    assert.deepEqual([fault.code, fault.retry], ["state.locked", "later"]);
    assert.match(fault.message, new RegExp(`in use by process ${process.pid} on `));
    return true;
  });
  await first[Symbol.asyncDispose]();
  await using second = await openState({ dir: at });
  assert.equal((await second.usage("n")).rows, 0);
});

test("a file that is no database is left as it is", async () => {
  const at = join(root, "other");
  mkdirSync(at);
  writeFileSync(join(at, "state.sqlite"), "this is no database, but it is mine\n".repeat(100));
  await assert.rejects(openState({ dir: at }), { code: "state.broken", retry: "never" });
});
