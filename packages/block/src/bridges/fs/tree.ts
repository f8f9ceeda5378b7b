/** `std.fs` on folders: list, walk, glob, mkdir, remove, rename. */
import { lstat, mkdir, readdir, rename, rm, rmdir, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { BlockLimits } from "@atoll-run/core";
import { blockError } from "../../errors.ts";
import type { GrantGate } from "../../grants/gate.ts";
import { type HeldFolder, holdChild, holdEntry, holdFolder } from "../../grants/held.ts";
import { toGlob } from "../../pure/glob.ts";
import { textOf } from "../arguments.ts";
import type { Op, Value } from "../op.ts";
import { named, readPath, systemError } from "./errors.ts";
import { type EntryType, typeOf } from "./whole.ts";

export interface TreeParts {
  readonly gate: Pick<GrantGate, "restricted" | "path">;
  readonly limits: Pick<BlockLimits, "walkDepthMax" | "walkEntriesMax">;
}

/** Entries looked at together. */
const AT_ONCE = 32;
/** Entries one glob may look at: more than a large tree has, few enough to end. */
const GLOB_ENTRIES_MAX = 1_000_000;

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}

/**
 * `(dir)` → `{{name, type, size}}` sorted by the bytes of the name. A name that is not UTF-8 comes as its
 * bytes.
 */
export function listOp(fn: string, { gate }: TreeParts): Op {
  return ([value], call) => {
    const path = readPath(fn, value);
    return named(fn, path, async () => {
      await using folder = await holdFolder(gate, path);
      const names = (await readdir(folder.at, { encoding: "buffer" })).sort(Buffer.compare);
      const rows: Value[] = [];
      for (let at = 0; at < names.length; at += AT_ONCE) {
        call.signal.throwIfAborted();
        const some = names.slice(at, at + AT_ONCE).map((name) => row(folder, name));
        rows.push(...(await Promise.all(some)).flat());
      }
      return rows;
    });
  };
}

/** One row, or none when the entry is gone meanwhile. */
async function row(folder: HeldFolder, name: Buffer): Promise<Value[]> {
  try {
    const stats = await lstat(Buffer.concat([Buffer.from(`${folder.at}/`), name]));
    return [{ name: textOf(name) ?? Uint8Array.from(name), type: typeOf(stats), size: stats.size }];
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

interface Visit {
  /** Called for each entry; true = go in (folders only). */
  each(path: string, entry: EntryType): boolean;
  /** Called before each folder is read; throws when it is too much. */
  check(path: string, depth: number, entries: number): void;
  /** Passes over what cannot be read. */
  readonly lenient: boolean;
}

/**
 * Goes through a tree, names in order of bytes. Names that are not UTF-8 are passed over: no path could name
 * them.
 */
async function visit(gate: TreeParts["gate"], folder: HeldFolder, path: string, o: Visit): Promise<void> {
  let entries = 0;
  const enter = async (held: HeldFolder, shown: string, depth: number): Promise<void> => {
    const found = await readdir(held.at, { withFileTypes: true })
      .catch((error: unknown) => skip(error, o, []));
    found.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
    for (const entry of found) {
      if (entry.name.includes("\ufffd")) continue;
      o.check(shown, depth, ++entries);
      const below = shown === "" || shown.endsWith("/") ? shown + entry.name : `${shown}/${entry.name}`;
      if (!o.each(below, entry)) continue;
      const child = await openBelow(gate, held, entry).catch((error: unknown) => skip(error, o, undefined));
      if (child === undefined) continue;
      await using _ = child;
      await enter(child, below, depth + 1);
    }
  };
  await enter(folder, path, 1);
}

function openBelow(
  gate: TreeParts["gate"], held: HeldFolder, entry: { readonly name: string; isSymbolicLink(): boolean },
): Promise<HeldFolder> {
  return entry.isSymbolicLink()
    ? holdFolder(gate, join(held.real, entry.name)) : holdChild(gate, held, entry.name);
}

function skip<T>(error: unknown, o: Visit, instead: T): T {
  const code = codeOf(error);
  // Gone since it was listed: no error even for a strict walk.
  const passable = code === "EACCES" || code === "ENOTDIR" || code === "ELOOP";
  if (code === "ENOENT" || (o.lenient && passable)) return instead;
  throw error;
}

/** `(dir)` → paths of the files below, links not followed, sorted by bytes within each folder. */
export function walkOp(fn: string, { gate, limits }: TreeParts): Op {
  return ([value], call) => {
    const path = readPath(fn, value);
    return named(fn, path, async () => {
      const files: string[] = [];
      await using folder = await holdFolder(gate, path);
      if (!(await stat(folder.at)).isDirectory()) throw systemError("ENOTDIR");
      await visit(gate, folder, path, {
        lenient: false,
        each(below, entry) {
          if (entry.isFile()) files.push(below);
          return entry.isDirectory();
        },
        check(_path, depth, entries) {
          call.signal.throwIfAborted();
          checkSize(fn, path, depth, { ...limits, entries });
        },
      });
      return files;
    });
  };
}

function checkSize(
  fn: string, path: string, depth: number, o: TreeParts["limits"] & { readonly entries: number },
): void {
  const what = depth > o.walkDepthMax ? `more than ${o.walkDepthMax} folders deep`
    : o.entries > o.walkEntriesMax ? `more than ${o.walkEntriesMax} entries` : undefined;
  if (what === undefined) return;
  const hint = "Go folder by folder with fs.list.";
  throw blockError("fs.limit", `${fn}: ${path}: ${what}`, { facts: { path }, hint });
}

/**
 * `(pattern)` → paths that match, files and folders. Folders that cannot be read are passed over. Linked
 * folders are gone into where the pattern has no `**`, which could run in circles, and never in restricted
 * mode.
 */
export function globOp(fn: string, { gate, limits }: TreeParts): Op {
  return ([value], call) => {
    const pattern = readPath(fn, value);
    const glob = toGlob(pattern);
    const follow = !gate.restricted && !pattern.split("/").includes("**");
    return named(fn, pattern, async () => {
      const base = glob.base === "" ? "." : glob.base;
      const folder = await holdFolder(gate, base).catch((error: unknown) => absent(error));
      if (folder === undefined) return [];
      await using _ = folder;
      if (!await stat(folder.at).then((stats) => stats.isDirectory(), () => false)) return [];
      const found: string[] = [];
      await visit(gate, folder, glob.base, {
        lenient: true,
        each(path, entry) {
          if (glob.matches(path)) found.push(path);
          return (entry.isDirectory() || (follow && entry.isSymbolicLink())) && glob.mayHold(path);
        },
        check(_path, depth, entries) {
          call.signal.throwIfAborted();
          checkSize(fn, pattern, depth, { ...limits, walkEntriesMax: GLOB_ENTRIES_MAX, entries });
        },
      });
      return found;
    });
  };
}

function absent(error: unknown): undefined {
  if (["ENOENT", "ENOTDIR", "EACCES"].includes(String(codeOf(error)))) return undefined;
  throw error;
}

/** `(path)` → true. Makes what is missing on the way; a folder that is there is fine. */
export function mkdirOp(fn: string, { gate }: TreeParts): Op {
  return ([value]) => {
    const path = readPath(fn, value);
    return named(fn, path, async () => {
      const real = await gate.path("write", path);
      if (!gate.restricted) {
        await mkdir(real, { recursive: true });
        return true;
      }
      const missing: string[] = [];
      for (let at = real; await isMissing(at); at = dirname(at)) missing.unshift(at);
      for (const folder of missing) {
        await using entry = await holdEntry(gate, "write", folder);
        await mkdir(entry.at).catch((error: unknown) => {
          if (codeOf(error) !== "EEXIST") throw error;
        });
      }
      if (!(await stat(real)).isDirectory()) throw systemError("EEXIST");
      return true;
    });
  };
}

async function isMissing(path: string): Promise<boolean> {
  return await lstat(path).then(() => false, (error: unknown) => codeOf(error) === "ENOENT");
}

/** `(path)` → true. A folder goes with all in it; a link goes, not what it leads to. */
export function removeOp(fn: string, { gate }: TreeParts): Op {
  return ([value], call) => {
    const path = readPath(fn, value);
    return named(fn, path, async () => {
      await using entry = await holdEntry(gate, "write", path);
      if (dirname(entry.real) === entry.real) throw systemError("EBUSY");
      if (gate.restricted) await removeTree(gate, entry, call.signal);
      else await rm(entry.at, { recursive: true });
      return true;
    });
  };
}

/** Every folder is held open while its entries go, so that none can be exchanged for a link meanwhile. */
async function removeTree(gate: TreeParts["gate"], entry: HeldFolder, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (!(await lstat(entry.at)).isDirectory()) {
    await unlink(entry.at);
    return;
  }
  const parent: HeldFolder = { ...entry, at: dirname(entry.at), real: dirname(entry.real) };
  {
    await using folder = await holdChild(gate, parent, basename(entry.real));
    for (const name of await readdir(folder.at)) {
      const real = join(folder.real, name);
      await gate.path("write", real);
      await removeTree(gate, { ...folder, at: `${folder.at}/${name}`, real }, signal);
    }
  }
  await rmdir(entry.at);
}

/** `(from, to)` → true; `fn` undefined for `os.rename`. */
export function renameOp(fn: string | undefined, { gate }: TreeParts): Op {
  return ([source, target]) => {
    const name = fn ?? "os.rename";
    const [from, to] = [readPath(name, source), readPath(name, target, 2)];
    return named(fn, from, async () => {
      await using old = await holdEntry(gate, "write", from);
      await using next = await holdEntry(gate, "write", to);
      await rename(old.at, next.at);
      return true;
    });
  };
}

/** `(path)` → true: a file or an empty folder, as C's `remove`. */
export function removeOneOp({ gate }: TreeParts): Op {
  return ([value]) => {
    const path = readPath("os.remove", value);
    return named(undefined, path, async () => {
      await using entry = await holdEntry(gate, "write", path);
      if ((await lstat(entry.at)).isDirectory()) await rmdir(entry.at);
      else await unlink(entry.at);
      return true;
    });
  };
}
