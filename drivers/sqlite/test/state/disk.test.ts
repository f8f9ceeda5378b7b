/**
 * Disks that are full or fail. Goal: a typed fault, nothing half applied, nothing lost that was acknowledged. Method: a
 * program fills a real file system of 6 MiB where one can be mounted, and a real limit of file size everywhere else.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { StateStore } from "@atoll-run/core";
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
  assert.equal((JSON.parse((await output.next()).value ?? "{}") as { lifted: boolean }).lifted, true);
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

test("a file that is to be opened anew takes what is written when the disk is well again; all that was acknowledged is there, and the folder stays its owner's", {
  skip: spawnSync("prlimit", ["--version"]).status !== 0 && "no prlimit",
}, async () => {
  const at = join(root, "reopened");
  const child = spawn("sh", ["-c", 'ulimit -S -f 1024; exec "$0" "$@"', process.execPath, PROGRAM, at, "lift", "50"], { stdio: ["pipe", "pipe", "inherit"] });
  const output = lines(child);
  const report = JSON.parse((await output.next()).value ?? "{}") as Report;
  assert.deepEqual([report.code, report.again], ["state.broken", "state.broken"]);
  await assert.rejects(openState({ dir: at }), { code: "state.locked" });
  assert.equal(spawnSync("prlimit", ["--pid", String(child.pid), "--fsize=unlimited"]).status, 0);
  child.stdin?.end("go\n");
  const { lifted, entries } = JSON.parse((await output.next()).value ?? "{}") as { lifted: boolean; entries: number[] };
  assert.ok(lifted);
  assert.deepEqual(report.acknowledged.filter((n) => !entries.includes(n)), []);
});

test("a file whose content is wrong stays broken, however often it is opened anew", async () => {
  const at = join(root, "damaged");
  const put = (store: StateStore, n: number) => store.commit({ scope: "n", epoch: null, at_ms: 1, ops: [{ op: "put", space: "s", key: String(n), value: "x".repeat(2_000), if_version: null }] });
  const first = await openState({ dir: at });
  for (let n = 0; n < 100; n++) await put(first, n);
  await first[Symbol.asyncDispose]();
  const pages = readFileSync(join(at, "state.sqlite"));
  // The first page tells what is where: it opens, and what it leads to is nonsense.
  writeFileSync(join(at, "state.sqlite"), pages.fill(0xa5, 4_096 * 20));
  await using store = await openState({ dir: at, reopenMs: 0 });
  const found = await (async () => {
    for (let n = 0; n < 100; n++) await store.get("n", "s", String(n));
  })().catch((error: unknown) => error as { code: string });
  assert.equal(found?.code, "state.broken");
  // Where nothing is wrong: it could be written.
  await assert.rejects(store.commit({ scope: "n", epoch: null, at_ms: 1, ops: [{ op: "append", journal: "j", body: "x" }] }), { code: "state.broken" });
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
