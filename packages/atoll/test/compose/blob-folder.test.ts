/** Goal: a folder of blobs is what its port promises, also after `kill -9`. Invariant: a file under a key is whole. Method: chapters, and processes that are killed while they write. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { blobChapters, killAfterLines } from "@atoll-run/testkit";
import { openBlobFolder } from "../../src/compose/blob-folder.ts";

const CHILD = join(import.meta.dirname, "blob-child.ts");
const ALL = { from: 0, length: Number.MAX_SAFE_INTEGER };

blobChapters({ name: "folder", open: openBlobFolder, durable: true });

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "atoll-blobs-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, "blobs");
}

test("after kill -9 in the middle of writing every blob is whole, what was told is there, and what was begun is gone", async (t) => {
  const at = folder(t);
  for (let round = 1; round <= 6; round++) {
    // Each blob has a line when it is begun and one when it is told: an odd count falls into writing.
    const lines = await killAfterLines([CHILD, at, String(round)], 2 * round + 1);
    await using blobs = await openBlobFolder(at);
    assert.ok(readdirSync(at).every((name) => !name.endsWith(".part")));
    for (const name of readdirSync(at)) {
      const bytes = await blobs.read(name, ALL) as Uint8Array;
      assert.deepEqual([bytes.length, bytes.every((byte) => byte === bytes[0])], [4_000_000, true], name);
    }
    for (const name of lines.filter((line) => line.startsWith("told ")).map((line) => line.slice("told ".length))) assert.equal(await blobs.size(name), 4_000_000, name);
  }
});

test("a folder is made when something is put, and a file in its place is told by its path", async (t) => {
  const at = folder(t);
  await using blobs = await openBlobFolder(at);
  assert.throws(() => readdirSync(at), { code: "ENOENT" });
  assert.equal(await blobs.size("k"), undefined);
  await blobs.put("k", Buffer.from("x"));
  assert.deepEqual(readdirSync(at), ["k"]);
  const blocked = join(at, "k");
  await assert.rejects(openBlobFolder(blocked), { code: "state.broken" });
});

test("on a disk that is full nothing is left of a blob, and what fits is taken", async (t) => {
  const at = mkdtempSync(join(tmpdir(), "atoll-blobs-small-"));
  t.after(() => {
    spawnSync("umount", ["-l", at]);
    rmSync(at, { recursive: true, force: true });
  });
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", at]).status !== 0) return t.skip("no small disk can be mounted here");
  await using blobs = await openBlobFolder(join(at, "blobs"));
  await assert.rejects(blobs.put("k", Buffer.alloc(2_000_000)), { code: "state.full", retry: "later" });
  assert.deepEqual([readdirSync(join(at, "blobs")), await blobs.size("k")], [[], undefined]);
  assert.equal(await blobs.put("k", Buffer.alloc(500_000)), true);
});

test("what fails leaves nothing, and the next try writes it", async (t) => {
  const at = folder(t);
  await using blobs = await openBlobFolder(at);
  // A folder stands where the file is to be written.
  mkdirSync(join(at, "k.part"), { recursive: true });
  writeFileSync(join(at, "k.part", "x"), "");
  await assert.rejects(blobs.put("k", Buffer.from("x")), { code: "state.broken" });
  assert.equal(await blobs.size("k"), undefined);
  rmSync(join(at, "k.part"), { recursive: true });
  assert.equal(await blobs.put("k", Buffer.from("x")), true);
});
