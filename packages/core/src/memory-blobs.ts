/** A `BlobStore` in memory: what is put is lost with the process. */
import { assert } from "./must.ts";
import { isBlobKey, type BlobStore } from "./ports/blob.ts";
import { stateClosed, stateFull } from "./state-fault.ts";

/** Of all its blobs: memory is for mobs that keep nothing, and for tests. */
export const MEMORY_BLOBS_BYTES_MAX = 268_435_456;

/** Throws `state.full` for more than its bytes. */
export function memoryBlobs({ bytesMax = MEMORY_BLOBS_BYTES_MAX }: { readonly bytesMax?: number } = {}): BlobStore {
  const blobs = new Map<string, Uint8Array>();
  let taken = 0;
  let closed = false;
  const enter = (key: string): void => {
    assert(isBlobKey(key), "a key of a blob has lower letters and digits");
    if (closed) throw stateClosed();
  };
  return {
    supports: { durable: false },
    put: async (key, bytes) => {
      enter(key);
      if (blobs.has(key)) return false;
      if (taken + bytes.length > bytesMax) throw stateFull("memory");
      blobs.set(key, new Uint8Array(bytes));
      taken += bytes.length;
      return true;
    },
    size: async (key) => {
      enter(key);
      return blobs.get(key)?.length;
    },
    read: async (key, { from, length }) => {
      enter(key);
      return blobs.get(key)?.slice(from, from + length);
    },
    [Symbol.asyncDispose]: async () => {
      closed = true;
      blobs.clear();
    },
  };
}
