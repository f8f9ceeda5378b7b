/** `std.fs` on whole files: read, write, append, copy, and what is known about a path. */
import { stat } from "node:fs/promises";
import type { Clock } from "@atoll-run/core";
import { blockError } from "../../errors.ts";
import type { GrantGate } from "../../grants/gate.ts";
import { type OpenHow, openGranted } from "../../grants/held.ts";
import { readBytes, wrongType } from "../arguments.ts";
import type { Op, Value } from "../op.ts";
import { readAll, writeAll } from "./bytes.ts";
import { named, readPath, systemError } from "./errors.ts";

export interface WholeParts {
  readonly gate: Pick<GrantGate, "restricted" | "path">;
  readonly clock: Clock;
  /** Bytes of a file that is read in one piece. */
  readonly fileBytesMax: number;
}

/** `(path)` → exact bytes; `fn` begins error texts. */
export function readOp(fn: string, { gate, clock, fileBytesMax }: WholeParts): Op {
  return ([value], call) => {
    const path = readPath(fn, value);
    return named(fn, path, async () => {
      const { handle } = await openGranted(gate, path, { read: true });
      try {
        return await readAll(handle, path, fileBytesMax, { clock, signal: call.signal });
      } finally {
        await handle.close();
      }
    });
  };
}

/** `(path, data)` → true. */
export function writeOp(
  fn: string, how: Pick<OpenHow, "append" | "truncate">, { gate, clock }: WholeParts,
): Op {
  return ([value, content], call) => {
    const path = readPath(fn, value);
    const data = readBytes(`${fn}: argument #2`, content)
      ?? wrongType(`${fn}: argument #2`, "string", content);
    return named(fn, path, async () => {
      const { handle } = await openGranted(gate, path, { ...how, write: true, create: true });
      try {
        await writeAll(handle, data, null, { clock, signal: call.signal });
      } finally {
        await handle.close();
      }
      return true;
    });
  };
}

/** Bytes copied at a time. */
const COPY_BYTES = 1_048_576;

/** `(from, to)` → true. A new file gets the permission bits of the old one. */
export function copyOp(fn: string, { gate, clock }: WholeParts): Op {
  return async ([source, target], call) => {
    const [from, to] = [readPath(fn, source), readPath(fn, target, 2)];
    const { handle: input } = await named(fn, from, () => openGranted(gate, from, { read: true }));
    try {
      const before = await input.stat();
      if (before.isDirectory()) return await named(fn, from, () => Promise.reject(systemError("EISDIR")));
      const how = { write: true, create: true, mode: before.mode & 0o777 };
      const { handle: output } = await named(fn, to, () => openGranted(gate, to, how));
      try {
        const there = await output.stat();
        if (there.dev === before.dev && there.ino === before.ino) throw sameFile(fn, to);
        if (there.isFile()) await output.truncate(0);
        const patience = { clock, signal: call.signal };
        const chunk = new Uint8Array(COPY_BYTES);
        for (;;) {
          call.signal.throwIfAborted();
          const { bytesRead } = await named(fn, from, () => input.read(chunk, 0, COPY_BYTES, null));
          if (bytesRead === 0) return true;
          await named(fn, to, () => writeAll(output, chunk.subarray(0, bytesRead), null, patience));
        }
      } finally {
        await output.close();
      }
    } finally {
      await input.close();
    }
  };
}

function sameFile(fn: string, path: string): Error {
  return blockError("fs.failed", `${fn}: ${path}: source and target are the same file`, { facts: { path } });
}

/** `(path)` → is there something that `fits`? What cannot be looked at is absent; a refusal raises. */
export function testOp(
  fn: string, { gate }: WholeParts, fits: (stats: Awaited<ReturnType<typeof stat>>) => boolean,
): Op {
  return async ([value]) => {
    const path = readPath(fn, value);
    const real = await named(fn, path, () => gate.path("read", path));
    return await stat(real).then(fits, () => false);
  };
}

/** `(path)` → `{size, modified (s), is_dir, is_file}`, links followed. */
export function metadataOp(fn: string, { gate }: WholeParts): Op {
  return ([value]) => {
    const path = readPath(fn, value);
    return named(fn, path, async () => {
      const stats = await stat(await gate.path("read", path));
      return {
        size: stats.size, modified: stats.mtimeMs / 1_000,
        is_dir: stats.isDirectory(), is_file: stats.isFile(),
      };
    });
  };
}

/**
 * `(path)` → `{type, size, modified (s), created (s), mode}`, links followed; `mode` is permission bits.
 */
export function statOp(fn: string, { gate }: WholeParts): Op {
  return ([value]) => {
    const path = readPath(fn, value);
    return named(fn, path, async (): Promise<Value> => {
      const stats = await stat(await gate.path("read", path));
      return {
        type: typeOf(stats), size: stats.size, mode: stats.mode & 0o7777,
        modified: stats.mtimeMs / 1_000, created: stats.birthtimeMs / 1_000,
      };
    });
  };
}

/** What the system says of an entry. */
export interface EntryType {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

/** Type of an entry, as `list` and `stat` name it. */
export function typeOf(entry: EntryType): string {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "dir";
  return entry.isSymbolicLink() ? "symlink" : "other";
}

