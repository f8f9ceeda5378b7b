/** Goal: bytes have one id for ever. Invariant: what is given is what was put under that media type. Method: the room on a store in memory that is damaged by hand. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { memoryBlobs, stateBroken, type BlobStore } from "@atoll-run/core";
import { MOB_LIMITS } from "@atoll-run/mob";
import { createBlobs, fromBlob, isRef, toBlob, toRef } from "@atoll-run/mob/internal";

const limits = MOB_LIMITS;
const PNG = "image/png";

async function whole(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

test("an id is the hash of media type, zero byte and bytes; what is put is given whole and in pieces", async () => {
  const blobs = createBlobs({ store: memoryBlobs(), limits });
  for (const size of [0, 1, 262_144, 700_001]) {
    const bytes = randomBytes(size);
    const blob_id = `sha256:${createHash("sha256").update(PNG).update("\0").update(bytes).digest("hex")}`;
    const row = { blob_id, media_type: PNG, size };
    assert.deepEqual(await blobs.put({ media_type: PNG, bytes }), row);
    assert.deepEqual(await blobs.stat(blob_id), row);
    const { bytes: given, ...about } = await blobs.get(blob_id);
    assert.deepEqual([about, Buffer.compare(given, bytes)], [row, 0]);
    const { pieces, ...same } = await blobs.pieces(blob_id);
    assert.deepEqual([same, Buffer.compare(await whole(pieces), bytes)], [row, 0]);
  }
});

test("equal bytes are written once; of another media type they are another blob", async () => {
  const written: boolean[] = [];
  const inner = memoryBlobs();
  const store: BlobStore = { ...inner, put: async (key, bytes) => {
    const isNew = await inner.put(key, bytes);
    written.push(isNew);
    return isNew;
  } };
  const blobs = createBlobs({ store, limits });
  const bytes = Buffer.from("same");
  const [a, b, c] = [await blobs.put({ media_type: PNG, bytes }), await blobs.put({ media_type: "IMAGE/PNG", bytes }), await blobs.put({ media_type: "image/gif", bytes })];
  assert.deepEqual([a.blob_id === b.blob_id, a.blob_id === c.blob_id, written], [true, false, [true, false, true]]);
});

test("25 MiB are taken, one byte more is not", async () => {
  const blobs = createBlobs({ store: memoryBlobs(), limits });
  const bytes = new Uint8Array(26_214_401);
  assert.equal((await blobs.put({ media_type: PNG, bytes: bytes.subarray(1) })).size, 26_214_400);
  await assert.rejects(blobs.put({ media_type: PNG, bytes }), { code: "mob.too_large", facts: { size: 26_214_401, limit: 26_214_400 } });
});

for (const media_type of ["", "image", "image/", "text/html\r\nx: y", "a/b; c", "a/b; charset=\"x\"", `a/${"b".repeat(64)}`, "image/png\0", "ä/b"]) {
  test(`${JSON.stringify(media_type.slice(0, 20))} is no media type`, async () => {
    const blobs = createBlobs({ store: memoryBlobs(), limits });
    await assert.rejects(blobs.put({ media_type, bytes: Buffer.from("x") }), { code: "mob.invalid_params" });
  });
}

test("an id that is none is not found, nor is one that was not put", async () => {
  const blobs = createBlobs({ store: memoryBlobs(), limits });
  const { blob_id } = await blobs.put({ media_type: "text/plain; charset=utf-8", bytes: Buffer.from("x") });
  const hex = blob_id.slice("sha256:".length);
  for (const id of [hex, `sha256:${hex.toUpperCase()}`, `sha256:${hex}0`, `sha256:${hex.slice(1)}`, "sha256:../../etc/passwd", `sha512:${hex}`, `sha256:${"0".repeat(64)}`, ""]) {
    for (const ask of [blobs.stat, blobs.get, blobs.pieces]) await assert.rejects(ask(id), { code: "mob.not_found" }, id);
  }
});

test("a blob that has changed on the disk is told, and never given", async () => {
  const inner = memoryBlobs();
  let harm = (bytes: Uint8Array): Uint8Array => bytes;
  const store: BlobStore = { ...inner, read: async (...asked) => {
    const bytes = await inner.read(...asked);
    return bytes === undefined ? undefined : harm(bytes);
  } };
  const blobs = createBlobs({ store, limits });
  const { blob_id } = await blobs.put({ media_type: PNG, bytes: Buffer.from("good") });
  harm = (bytes) => bytes.map((byte) => byte === "o".charCodeAt(0) ? "a".charCodeAt(0) : byte);
  await assert.rejects(blobs.get(blob_id), { code: "mob.storage_degraded" });
  harm = (bytes) => bytes.subarray(0, -1);
  await assert.rejects(whole((await blobs.pieces(blob_id)).pieces), { code: "mob.storage_degraded" });
});

test("a disk that fails is told by its cause", async () => {
  const blobs = createBlobs({ limits, store: { ...memoryBlobs(), put: () => Promise.reject(stateBroken("x", "no")) } });
  await assert.rejects(blobs.put({ media_type: PNG, bytes: Buffer.from("x") }), { code: "mob.storage_degraded", facts: { cause: "state.broken" }, retry: "later" });
});

test("a value that was made a blob is itself again, and what stands for it says so", async () => {
  const blobs = createBlobs({ store: memoryBlobs(), limits });
  for (const value of ["text ä", { a: [1, null, "x"] }, ["list"], 7]) {
    const ref = toRef(await blobs.put(toBlob(value)));
    assert.deepEqual([isRef(ref), ref.media_type], [true, typeof value === "string" ? "text/plain; charset=utf-8" : "application/json"]);
    assert.deepEqual(fromBlob(await blobs.get(ref.blob_id)), value);
  }
  for (const value of [null, "ref", ["ref"], { type: "ref" }, { type: "text", blob_id: "x" }, { type: "ref", blob_id: 1 }]) assert.equal(isRef(value), false);
});
