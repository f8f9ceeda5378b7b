/**
 * `BlobStore` on a folder: one file a blob, named by its key.
 *
 * takes keys and bytes; gives them back; promises that a file under a key is whole and on the disk before anybody is told of it,
 * and that equal keys that are put at the same time are written once; refuses when the disk does (`state.full`, `state.broken`); never leaves what
 * it had begun: that goes when the folder is opened again.
 */
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { assert, isBlobKey, stateBroken, stateClosed, stateFull, type BlobStore } from "@atoll-run/core";

/** In the folder of a state. */
export const BLOBS_DIR = "blobs";

const PART = ".part";
const NO_SPACE: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT"]);

/** It is this process's alone: whoever opens it holds the lock of the state. Made when something is put. `drops`: takes away what was begun, true. Throws `state.broken`. */
export async function openBlobFolder(folder: string, { drops = true }: { readonly drops?: boolean } = {}): Promise<BlobStore> {
  if (drops) await guard(folder, () => dropParts(folder));
  const putting = new Map<string, Promise<boolean>>();
  const closing = new AbortController();
  const pathOf = (key: string): string => {
    assert(isBlobKey(key), "a key of a blob has lower letters and digits");
    if (closing.signal.aborted) throw stateClosed();
    return join(folder, key);
  };
  return {
    supports: { durable: true },
    put: async (key, bytes) => {
      const path = pathOf(key);
      const before = putting.get(key);
      if (before !== undefined) return await before.then(() => false);
      const writing = guard(path, () => write(path, bytes));
      putting.set(key, writing);
      try {
        return await writing;
      } finally {
        putting.delete(key);
      }
    },
    size: async (key) => {
      const path = pathOf(key);
      return await guard(path, () => sizeOf(path));
    },
    read: async (key, range) => {
      const path = pathOf(key);
      return await guard(path, () => read(path, range));
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      await Promise.allSettled(putting.values());
    },
  };
}

async function write(path: string, bytes: Uint8Array): Promise<boolean> {
  const folder = dirname(path);
  // One that is there may be of a process that died before its name was on the disk.
  if (await sizeOf(path) !== undefined) return syncFolder(folder).then(() => false);
  const made = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (made !== undefined) await syncFolder(dirname(made));
  const part = `${path}${PART}`;
  try {
    const file = await open(part, "w", 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(folder);
  return true;
}

async function syncFolder(path: string): Promise<void> {
  // Windows has no way to do it, and no need.
  if (process.platform === "win32") return;
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return await orNone(stat(path).then(({ size }) => size));
}

async function read(path: string, { from, length }: { readonly from: number; readonly length: number }): Promise<Uint8Array | undefined> {
  const file = await orNone(open(path));
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    const bytes = new Uint8Array(Math.max(0, Math.min(length, size - from)));
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await file.read(bytes, done, bytes.length - done, from + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  } finally {
    await file.close();
  }
}

async function dropParts(folder: string): Promise<void> {
  const names = await orNone(readdir(folder)) ?? [];
  await Promise.all(names.filter((name) => name.endsWith(PART)).map((name) => rm(join(folder, name), { force: true })));
}

async function orNone<T>(asked: Promise<T>): Promise<T | undefined> {
  return await asked.catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

async function guard<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw NO_SPACE.has(code) ? stateFull(path, error) : stateBroken(path, message, { cause: error });
  }
}
