/** Conformance of `BlobStore`: bytes untouched, each key once and whole, pieces; durability where there is a folder. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isFault, type BlobStore } from "@atoll-run/core";

export interface BlobsUnderTest {
  /** Title of the chapters. */
  readonly name: string;
  /** A handle on the store in this folder. */
  open(folder: string): Promise<BlobStore>;
  /** What is opened again has what was acknowledged; else the reason why not. */
  readonly durable: true | { readonly skip: string };
}

const ALL = { from: 0, length: Number.MAX_SAFE_INTEGER };
const MIB = 1_048_576;

/** Registers the tests with node:test. */
export function blobChapters(under: BlobsUnderTest): void {
  describe(`${under.name}: blobs`, () => {
    const folder = mkdtempSync(join(tmpdir(), "atoll-blob-chapters-"));
    const opened: BlobStore[] = [];
    let folders = 0;
    const open = async (at = join(folder, `${++folders}`, "blobs")): Promise<BlobStore> => {
      const store = await under.open(at);
      opened.push(store);
      return store;
    };
    after(async () => {
      await Promise.all(opened.map((store) => store[Symbol.asyncDispose]()));
      rmSync(folder, { recursive: true, force: true });
    });
    byteChapter(open);
    lifeChapter(open, under.durable === true ? undefined : under.durable.skip, folder);
  });
}

type Open = (at?: string) => Promise<BlobStore>;

function byteChapter(open: Open): void {
  test("what was put is read, byte for byte, of any size", async () => {
    const blobs = await open();
    for (const size of [0, 1, 4_096, 25 * MIB + 256]) {
      const bytes = new Uint8Array(size).map((_, at) => at * 31 + (at >> 8));
      assert.equal(await blobs.put(`k${size}`, bytes), true);
      assert.equal(await blobs.size(`k${size}`), size);
      assert.equal(Buffer.compare(await blobs.read(`k${size}`, ALL) as Uint8Array, bytes), 0);
    }
  });

  test("a piece is what lies there, and ends with the blob", async () => {
    const blobs = await open();
    await blobs.put("k", Buffer.from("0123456789"));
    const piece = async (from: number, length: number): Promise<string> => Buffer.from(await blobs.read("k", { from, length }) as Uint8Array).toString();
    assert.deepEqual([await piece(0, 3), await piece(8, 3), await piece(10, 3), await piece(11, 3)], ["012", "89", "", ""]);
  });

  test("a key that was not put is undefined", async () => {
    const blobs = await open();
    assert.deepEqual([await blobs.size("nope"), await blobs.read("nope", ALL)], [undefined, undefined]);
  });

  test("a key that is there is not written again", async () => {
    const blobs = await open();
    assert.equal(await blobs.put("k", Buffer.from("first")), true);
    assert.equal(await blobs.put("k", Buffer.from("other")), false);
    assert.equal(Buffer.from(await blobs.read("k", ALL) as Uint8Array).toString(), "first");
  });

  test("of equal keys that are put at the same time one is written", async () => {
    const blobs = await open();
    const bytes = Buffer.alloc(MIB, 7);
    const written = await Promise.all(Array.from({ length: 8 }, () => blobs.put("k", bytes)));
    assert.equal(written.filter(Boolean).length, 1);
    assert.equal(Buffer.compare(await blobs.read("k", ALL) as Uint8Array, bytes), 0);
  });

  test("bytes that are changed after they were put stay as they were", async () => {
    const blobs = await open();
    const bytes = Buffer.from("before");
    await blobs.put("k", bytes);
    bytes.fill(0);
    assert.equal(Buffer.from(await blobs.read("k", ALL) as Uint8Array).toString(), "before");
  });

  for (const key of ["", "../k", "K", "a/b", "a.b", "x".repeat(129)]) {
    test(`${JSON.stringify(key.slice(0, 8))} is no key`, async () => {
      const blobs = await open();
      await assert.rejects(blobs.put(key, Buffer.from("x")), { name: "Bug" });
      await assert.rejects(blobs.read(key, ALL), { name: "Bug" });
    });
  }
}

function lifeChapter(open: Open, skip: string | undefined, folder: string): void {
  test("what is closed takes and gives nothing", async () => {
    const blobs = await open();
    await blobs[Symbol.asyncDispose]();
    const isClosed = (error: unknown): boolean => isFault(error) && error.code === "state.closed";
    await assert.rejects(blobs.put("k", Buffer.from("x")), isClosed);
    await assert.rejects(blobs.size("k"), isClosed);
  });

  test("what was put is there when it is opened again", { skip }, async () => {
    const at = join(folder, "again", "blobs");
    const first = await open(at);
    await first.put("k", Buffer.from("kept"));
    await first[Symbol.asyncDispose]();
    const second = await open(at);
    assert.equal(second.supports.durable, true);
    assert.equal(Buffer.from(await second.read("k", ALL) as Uint8Array).toString(), "kept");
    assert.equal(await second.put("k", Buffer.from("kept")), false);
  });
}
