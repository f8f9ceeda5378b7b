/**
 * Host half of `std.fs`, of the files of `io` and `os`, of JSON files and of `std.path.absolute` (spec: block
 * 5.8). takes paths and bytes; gives exact bytes, rows and numbers of open files; promises that what was
 * checked is what is opened; refuses by grant and beyond its limits; never changes text: what is not UTF-8
 * comes and goes as it is.
 */

import { lstat, realpath, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlockLimits, Clock, Ids } from "@atoll-run/core";
import { blockError } from "../errors.ts";
import type { GrantGate } from "../grants/gate.ts";
import { holdEntry, type OpenHow, openGranted } from "../grants/held.ts";
import { readBytes, readNumber, wrongType } from "./arguments.ts";
import type { Patience } from "./fs/bytes.ts";
import { named, readPath } from "./fs/errors.ts";
import { OpenFile } from "./fs/file.ts";
import {
  globOp, listOp, mkdirOp, removeOneOp, removeOp, renameOp, type TreeParts, walkOp,
} from "./fs/tree.ts";
import { copyOp, metadataOp, readOp, statOp, testOp, type WholeParts, writeOp } from "./fs/whole.ts";
import type { Handles } from "./handles.ts";
import type { Op, OpCall, Ops, Value } from "./op.ts";

export interface FsParts {
  readonly gate: Pick<GrantGate, "restricted" | "path">;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Open files; shared with the pipes of `shOps`. */
  readonly handles: Handles;
  /** Where `os.tmpname` and `io.tmpfile` put files; default the system's. */
  readonly tmpDir?: string;
}

/** A file that is read whole may be as large as its isle. */
export type FsLimits = Pick<BlockLimits, "walkDepthMax" | "walkEntriesMax" | "isleBytesMax">;

/**
 * All file ops. `std.fs` raises `fs.<fn>: <path>: <reason>`; `io` and `os` raise `<path>: <reason>` with
 * `errno`.
 */
export function fsOps(parts: FsParts, limits: FsLimits): Ops {
  const whole: WholeParts = { gate: parts.gate, clock: parts.clock, fileBytesMax: limits.isleBytesMax };
  const tree: TreeParts = { gate: parts.gate, limits };
  return {
    "std.fs.read": readOp("fs.read", whole),
    "std.fs.read_binary": readOp("fs.read_binary", whole),
    "std.fs.write": writeOp("fs.write", { truncate: true }, whole),
    "std.fs.write_binary": writeOp("fs.write_binary", { truncate: true }, whole),
    "std.fs.append": writeOp("fs.append", { append: true }, whole),
    "std.fs.copy": copyOp("fs.copy", whole),
    "std.fs.exists": testOp("fs.exists", whole, () => true),
    "std.fs.is_dir": testOp("fs.is_dir", whole, (stats) => stats.isDirectory()),
    "std.fs.is_file": testOp("fs.is_file", whole, (stats) => stats.isFile()),
    "std.fs.metadata": metadataOp("fs.metadata", whole),
    "std.fs.stat": statOp("fs.stat", whole),
    "std.fs.list": listOp("fs.list", tree),
    "std.fs.walk": walkOp("fs.walk", tree),
    "std.fs.glob": globOp("fs.glob", tree),
    "std.fs.mkdir": mkdirOp("fs.mkdir", tree),
    "std.fs.remove": removeOp("fs.remove", tree),
    "std.fs.rename": renameOp("fs.rename", tree),
    "std.json.read_file": readOp("json.read_file", whole),
    "std.json.write_file": writeOp("json.write_file", { truncate: true }, whole),
    "std.path.absolute": absoluteOp(parts),
    "os.remove": removeOneOp(tree),
    "os.rename": renameOp(undefined, tree),
    "os.tmpname": (_args, call) => tmpName(parts, call),
    ...ioOps(parts),
  };
}

/** Real path of what exists. */
function absoluteOp({ gate }: FsParts): Op {
  return ([value]) => {
    const path = readPath("path.absolute", value);
    return named("path.absolute", path, async () => {
      const real = await gate.path("read", path);
      if (!gate.restricted) return await realpath(real);
      await lstat(real);
      return real;
    });
  };
}

const MODES: Readonly<Record<string, OpenHow>> = {
  r: { read: true },
  "r+": { read: true, write: true },
  w: { write: true, create: true, truncate: true },
  "w+": { read: true, write: true, create: true, truncate: true },
  a: { write: true, append: true, create: true },
  "a+": { read: true, write: true, append: true, create: true },
};

/**
 * `io.open(path, mode)` → number; `io.read(n, bytes)` → bytes, or nil at the end; `io.write(n, data)`;
 * `io.seek(n, whence, offset)` → position; `io.flush(n)`; `io.close(n)`; `io.tmpfile()` → number.
 */
function ioOps(parts: FsParts): Ops {
  const fileOf = (id: Value, call: OpCall): OpenFile => parts.handles.get("file", id, call) as OpenFile;
  const patience = (call: OpCall): Patience => ({ clock: parts.clock, signal: call.signal });
  return {
    "io.open": ([value, mode], call) => openFile(parts, readPath("io.open", value), readMode(mode), call),
    "io.tmpfile": (_args, call) => tmpFile(parts, call),
    "io.read": ([id, bytes], call) => named(undefined, undefined, () =>
      fileOf(id, call).read(readNumber("read: argument #2", bytes) ?? 65_536, patience(call))),
    "io.write": ([id, data], call) => named(undefined, undefined, async () => {
      const bytes = readBytes("write: argument #1", data) ?? wrongType("write: argument #1", "string", data);
      await fileOf(id, call).write(bytes, patience(call));
      return true;
    }),
    "io.seek": ([id, whence, offset], call) => named(undefined, undefined, () => {
      const from = whence === "set" || whence === "end" ? whence : "cur";
      return fileOf(id, call).seek(from, readNumber("seek: argument #2", offset) ?? 0);
    }),
    "io.flush": ([id], call) => named(undefined, undefined, async () => {
      await fileOf(id, call).settled();
      return true;
    }),
    "io.close": ([id], call) => named(undefined, undefined, async () => {
      const file = fileOf(id, call);
      parts.handles.forget(Number(id));
      await file.finish();
      return true;
    }),
  };
}

function readMode(value: Value): OpenHow {
  const mode = value === undefined || value === null ? "r" : value;
  const how = typeof mode === "string" ? MODES[mode.replace(/b$/, "")] : undefined;
  if (how === undefined) throw blockError("script.argument", "bad argument #2 to 'open' (invalid mode)");
  return how;
}

function openFile(parts: FsParts, path: string, how: OpenHow, call: OpCall): Promise<number> {
  return named(undefined, path, () => parts.handles.open("file", path, call, async () => {
    const { handle } = await openGranted(parts.gate, path, how);
    const stats = await handle.stat().catch(() => undefined);
    return new OpenFile(handle, {
      append: how.append === true, seekable: stats?.isFile() === true, pipe: stats?.isFIFO() === true,
    });
  }));
}

function tmpPath({ tmpDir, ids }: FsParts): string {
  return join(tmpDir ?? tmpdir(), `lua_${ids.uuid4().replaceAll("-", "").slice(0, 16)}`);
}

/** A new file that only its owner may read. */
const PRIVATE: OpenHow = { read: true, write: true, create: true, exclusive: true, mode: 0o600 };

/** Makes the file, so that nobody else takes the name. */
async function tmpName(parts: FsParts, call: OpCall): Promise<string> {
  call.signal.throwIfAborted();
  const path = tmpPath(parts);
  return await named(undefined, path, async () => {
    const { handle } = await openGranted(parts.gate, path, PRIVATE);
    await handle.close();
    return path;
  });
}

/** A file without a name: it goes when it is closed. */
async function tmpFile(parts: FsParts, call: OpCall): Promise<number> {
  const path = tmpPath(parts);
  const id = await openFile(parts, path, PRIVATE, call);
  await named(undefined, path, async () => {
    await using entry = await holdEntry(parts.gate, "write", path);
    await unlink(entry.at);
  });
  return id;
}
