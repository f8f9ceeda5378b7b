/**
 * Bytes that a mob keeps beside its rows (spec: mob 6.4): outputs and records that are too large to stand there, files of people.
 *
 * takes bytes with their media type; gives an id, which is that of those bytes and that type for ever; promises that a blob is whole and durable before
 * its id is told, and that equal ones are kept once; refuses what is too large, what is no media type, and ids that are none (`mob.not_found`);
 * never takes one away: whoever has an id may come with it at any time.
 */
import { subtle } from "node:crypto";
import { isFault, type BlobStore, type Fault } from "@atoll-run/core";
import { mobError, type MobError } from "../errors.ts";
import type { MobLimits } from "../limits.ts";

export interface BlobRow {
  /** `sha256:` and 64 hex digits: of its media type, a zero byte, and its bytes. */
  readonly blob_id: string;
  readonly media_type: string;
  /** Bytes. */
  readonly size: number;
}

export interface NewBlob {
  readonly media_type: string;
  readonly bytes: Uint8Array;
}

/** It goes forward only, once. */
export interface BlobPieces extends BlobRow {
  readonly pieces: AsyncIterable<Uint8Array>;
}

export interface Blobs {
  /** Durable when it resolves. Throws `mob.too_large`, `mob.invalid_params` for a media type that is none, `mob.storage_degraded`. */
  put(blob: NewBlob): Promise<BlobRow>;
  /** Throws `mob.not_found`, `mob.storage_degraded`. */
  stat(id: string): Promise<BlobRow>;
  /** As it was put. Throws `mob.not_found`; `mob.storage_degraded` also for one that is not what its id says any more. */
  get(id: string): Promise<BlobRow & { readonly bytes: Uint8Array }>;
  /** For sending it on, without having all of it at once. Throws `mob.not_found`, `mob.storage_degraded`. */
  pieces(id: string): Promise<BlobPieces>;
  /** For what has all of a blob in memory because somebody outside asks for it. Throws `mob.overloaded` when there are as many as there may be. */
  guest<T>(act: () => Promise<T>): Promise<T>;
}

export interface BlobParts {
  readonly store: BlobStore;
  readonly limits: Pick<MobLimits, "blobBytesMax" | "blobsAtOnceMax">;
}

/** A type, and parameters as `charset=utf-8`. */
const MEDIA_TYPE = /^[a-z0-9][\w!#$&^.+-]{0,62}\/[a-z0-9][\w!#$&^.+-]{0,62}(?:; ?[\w-]{1,32}=[\w.-]{1,32})?$/;
/** What stands before the bytes is shorter: a media type and a zero. */
const HEAD_BYTES = 256;
const PIECE_BYTES = 262_144;
const RETRY_AFTER_MS = 1_000;
const ID = /^sha256:([0-9a-f]{64})$/;

export function createBlobs({ store, limits: { blobBytesMax, blobsAtOnceMax } }: BlobParts): Blobs {
  let guests = 0;
  const headOf = async (id: string): Promise<BlobRow & { readonly key: string; readonly from: number }> => {
    const [, key] = ID.exec(id) ?? [];
    if (key === undefined) throw noBlob(id);
    const [head, all] = await guarded(() => Promise.all([store.read(key, { from: 0, length: HEAD_BYTES }), store.size(key)]));
    if (head === undefined || all === undefined) throw noBlob(id);
    const end = head.indexOf(0);
    if (end < 0) throw damaged(id);
    return { blob_id: id, media_type: Buffer.from(head.subarray(0, end)).toString("latin1"), size: all - end - 1, key, from: end + 1 };
  };
  return {
    put: async ({ media_type: given, bytes }) => {
      const media_type = given.toLowerCase();
      if (!MEDIA_TYPE.test(media_type)) {
        throw mobError("mob.invalid_params", `${JSON.stringify(given.slice(0, HEAD_BYTES))} is no media type`, { facts: { path: "media_type" }, hint: "Write it as image/png or text/plain; charset=utf-8." });
      }
      const size = bytes.length;
      if (size > blobBytesMax) throw mobError("mob.too_large", `the blob has ${size} bytes, more than ${blobBytesMax}`, { facts: { size, limit: blobBytesMax } });
      // As it is kept, and as it is hashed.
      const whole = Buffer.concat([Buffer.from(`${media_type}\0`, "latin1"), bytes]);
      const key = await hashOf(whole);
      await guarded(() => store.put(key, whole));
      return { blob_id: `sha256:${key}`, media_type, size };
    },
    stat: async (id) => {
      const { blob_id, media_type, size } = await headOf(id);
      return { blob_id, media_type, size };
    },
    get: async (id) => {
      const { blob_id, media_type, size, key, from } = await headOf(id);
      const whole = await guarded(() => store.read(key, { from: 0, length: from + size }));
      if (whole === undefined || await hashOf(whole) !== key) throw damaged(id);
      return { blob_id, media_type, size, bytes: whole.subarray(from) };
    },
    pieces: async (id) => {
      const { blob_id, media_type, size, key, from } = await headOf(id);
      async function* pieces(): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < size; at += PIECE_BYTES) {
          const length = Math.min(PIECE_BYTES, size - at);
          const piece = await guarded(() => store.read(key, { from: from + at, length }));
          if (piece?.length !== length) throw damaged(id);
          yield piece;
        }
      }
      return { blob_id, media_type, size, pieces: pieces() };
    },
    guest: async (act) => {
      if (guests >= blobsAtOnceMax) {
        throw mobError("mob.overloaded", `${guests} blobs are taken in or given as JSON`, { retry_after_ms: RETRY_AFTER_MS, facts: { limit: blobsAtOnceMax }, hint: "GET /v1/blobs/{id} gives bytes without that." });
      }
      guests += 1;
      try {
        return await act();
      } finally {
        guests -= 1;
      }
    },
  };
}

/** On a thread of its own: 25 MiB take a while. */
async function hashOf(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>)).toString("hex");
}

async function guarded<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw isFault(error) ? away(error) : error;
  }
}

function away(error: Fault): MobError {
  return mobError("mob.storage_degraded", `blobs cannot be kept or read: ${error.message}`, {
    facts: { cause: error.code }, cause: error, hint: "Look at the disk; what was accepted is kept.",
  });
}

function noBlob(id: string): MobError {
  return mobError("mob.not_found", `there is no blob ${id.slice(0, HEAD_BYTES)}`, { facts: { what: "blob", id: id.slice(0, HEAD_BYTES) } });
}

function damaged(id: string): MobError {
  return mobError("mob.storage_degraded", `the blob ${id} is not what it was`, {
    facts: { what: "blob", id }, retry: "never", hint: "Look at the disk: the file under blobs/ of that name has changed.",
  });
}
