/** Reading and writing an open file to the end, also where it is a pipe or a device. */
import type { FileHandle } from "node:fs/promises";
import { type Clock, sleep } from "@atoll-run/core";
import { blockError } from "../../errors.ts";
import { systemError } from "./errors.ts";

export interface Patience {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Milliseconds between two looks at a pipe that is not ready: at first, and at most. */
const RETRY_MS = 2;
const RETRY_MS_MAX = 50;

/**
 * Repeats `act` while the other end of a pipe is not ready. Files are opened so that this never blocks a
 * thread.
 */
export async function whenReady<T>(act: () => Promise<T>, o: Patience): Promise<T> {
  for (let waitMs = RETRY_MS; ; waitMs = Math.min(waitMs * 2, RETRY_MS_MAX)) {
    o.signal.throwIfAborted();
    try {
      return await act();
    } catch (error) {
      if ((error as { code?: unknown }).code !== "EAGAIN") throw error;
    }
    await sleep(waitMs, o);
  }
}

/** Reads once; gives the number of bytes, 0 at the end. `position` null = where the file stands. */
export type Reading = (chunk: Uint8Array, position: number | null, o: Patience) => Promise<number>;

/**
 * Reads an open file. Opened as they are, pipes with a name are at their end before a writer came, so there the end is
 * one only after a sign of a writer: bytes, or a wait for them.
 */
export function readingOf(handle: FileHandle, isPipe: boolean): Reading {
  let met = !isPipe;
  return (chunk, position, o) => whenReady(async () => {
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, position).catch((error: unknown) => {
      met = true;
      throw error;
    });
    if (bytesRead === 0 && !met) throw systemError("EAGAIN");
    met = true;
    return bytesRead;
  }, o);
}

const CHUNK_BYTES = 262_144;

/** Everything from the present position. Throws `fs.limit` beyond `max` bytes. */
export async function readAll(
  handle: FileHandle, path: string, max: number, o: Patience,
): Promise<Uint8Array> {
  const stats = await handle.stat();
  if (stats.isDirectory()) throw systemError("EISDIR");
  if (stats.isFile() && stats.size > max) throw tooLarge(path, stats.size, max);
  const chunks: Uint8Array[] = [];
  const read = readingOf(handle, stats.isFIFO());
  let total = 0;
  // One byte more than the file has: a short read then says that this was the end.
  let size = stats.isFile() && stats.size > 0 ? stats.size + 1 : CHUNK_BYTES;
  for (;;) {
    const chunk = new Uint8Array(size);
    const bytesRead = await read(chunk, null, o);
    total += bytesRead;
    if (total > max) throw tooLarge(path, total, max);
    const isEnd = bytesRead === 0 || (stats.isFile() && stats.size > 0 && bytesRead < size);
    if (isEnd && chunks.length === 0) return chunk.subarray(0, bytesRead);
    if (bytesRead > 0) chunks.push(bytesRead === size ? chunk : chunk.slice(0, bytesRead));
    if (isEnd) return Buffer.concat(chunks, total);
    size = CHUNK_BYTES;
  }
}

/** Writes all of it; `position` null = where the file stands. */
export async function writeAll(
  handle: FileHandle, data: string | Uint8Array, position: number | null, o: Patience,
): Promise<number> {
  const bytes = typeof data === "string" ? Buffer.from(data, "utf8") : data;
  for (let at = 0; at < bytes.length;) {
    const from = at;
    const to = position === null ? null : position + from;
    const { bytesWritten } = await whenReady(() => handle.write(bytes, from, bytes.length - from, to), o);
    at += bytesWritten;
  }
  return bytes.length;
}

function tooLarge(path: string, bytes: number, limit: number): Error {
  return blockError("fs.limit", `${path}: file too large: ${bytes} bytes (max ${limit})`, {
    facts: { path, bytes, limit }, hint: "Read it in pieces with io.open.",
  });
}
