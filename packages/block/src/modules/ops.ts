/**
 * Host half of `require`, `package.searchpath`, `loadfile` and `dofile` (spec: block 5.11, 8.1).
 * takes file names; gives the source of the first file that is there; promises that the script's own modules
 * are always open to it; refuses other files by grant: `require` passes them over as if they were not there;
 * never tells a script whether a file exists that it may not read.
 */
import { realpathSync } from "node:fs";
import { lstat } from "node:fs/promises";
import { relative, resolve, sep } from "node:path";
import { type BlockLimits, type Clock, isFault } from "@atoll-run/core";
import { readAll } from "../bridges/fs/bytes.ts";
import { named, readPath, systemError } from "../bridges/fs/errors.ts";
import type { OpCall, Ops, Value } from "../bridges/op.ts";
import type { GrantGate } from "../grants/gate.ts";
import { openGranted } from "../grants/held.ts";
import { realOf } from "../grants/paths.ts";
import { EMBEDDED_BLOCKS } from "../stdlib/embedded.ts";
import { embeddedChunkName, moduleDirs, type SearchDirs } from "./search.ts";
import { withoutShebang } from "./source.ts";

type PathGate = Pick<GrantGate, "restricted" | "path">;

export interface ModuleParts {
  readonly gate: PathGate;
  readonly clock: Clock;
  readonly dirs: SearchDirs;
}

/** A module may be as large as its isle. */
export type ModuleLimits = Pick<BlockLimits, "isleBytesMax">;

/**
 * `module.find(files, with_source)` → `{at, source}` or nil; `module.read(file)` → bytes;
 * `module.embedded(name)` → `{source, chunk}` or nil.
 */
export function moduleOps(parts: ModuleParts, limits: ModuleLimits): Ops {
  const reader: Reader = { ...parts, gate: moduleGate(parts, isLua), bytesMax: limits.isleBytesMax };
  return {
    "module.find": ([files, withSource], call) =>
      find(reader, files as readonly Value[], { withSource: withSource === true, call }),
    "module.read": ([value], call) => {
      const path = readPath("loadfile", value);
      return named(undefined, path, () => read(reader, path, call));
    },
    "module.embedded": async ([name]) => {
      const load = Object.hasOwn(EMBEDDED_BLOCKS, String(name)) ? EMBEDDED_BLOCKS[String(name)] : undefined;
      if (load === undefined) return undefined;
      return { source: (await load()).source, chunk: embeddedChunkName(String(name)) };
    },
  };
}

interface Reader extends ModuleParts {
  readonly bytesMax: number;
}

/** Number of the first file that can be read, counted as Lua does. */
async function find(
  r: Reader, files: readonly Value[], o: { withSource: boolean; call: OpCall },
): Promise<Value> {
  for (const [index, value] of files.entries()) {
    if (typeof value !== "string" || value === "" || value.includes("\0")) continue;
    try {
      if (!await exists(r, value)) continue;
      if (o.withSource) return { at: index + 1, source: await read(r, value, o.call) };
      await probe(r, value);
      return { at: index + 1 };
    } catch (error) {
      if (!isMiss(error)) throw error;
    }
  }
  return undefined;
}

/** Looked at before the grants, so that only a refusal of something that is there is reported to the host. */
async function exists({ gate, dirs }: Reader, path: string): Promise<boolean> {
  return !gate.restricted || await lstat(resolve(dirs.projectRoot, path)).then(() => true, () => false);
}

async function probe({ gate }: Reader, path: string): Promise<void> {
  const { handle } = await openGranted(gate, path, { read: true });
  await using _ = handle;
  if ((await handle.stat()).isDirectory()) throw systemError("EISDIR");
}

async function read(r: Reader, path: string, { signal }: OpCall): Promise<Uint8Array> {
  const { handle } = await openGranted(r.gate, path, { read: true });
  await using _ = handle;
  return withoutShebang(await readAll(handle, path, r.bytesMax, { clock: r.clock, signal }));
}

/** What Lua sees as "no file"; anything else (no descriptors left, a disk that fails) is told. */
const MISSES: ReadonlySet<unknown> = new Set([
  "ENOENT", "ENOTDIR", "EISDIR", "EACCES", "EPERM", "ELOOP", "ENAMETOOLONG", "ENXIO",
  "grant.denied", "fs.denied",
]);

export function isMiss(error: unknown): boolean {
  return MISSES.has(isFault(error) ? error.code : (error as { code?: unknown }).code);
}

function isLua(path: string): boolean {
  return path.endsWith(".lua");
}

/** The gate of the block, with the script's own modules open: files that really lie in its module folders. */
export function moduleGate({ gate, dirs }: Pick<ModuleParts, "gate" | "dirs">, isModule: (path: string) => boolean): PathGate {
  if (!gate.restricted) return gate;
  // Made real at the start, so that a link put there later opens nothing.
  const own = moduleDirs(dirs).map((dir) => realDir(resolve(dirs.projectRoot, dir)));
  return {
    restricted: true,
    async path(verb, path) {
      const found = await realOf(resolve(dirs.projectRoot, path));
      const isOwn = !found.dangling && isModule(found.real) && own.some((dir) => isInside(found.real, dir));
      return verb === "read" && isOwn ? found.real : gate.path(verb, path);
    },
  };
}

function realDir(dir: string): string {
  try {
    return realpathSync(dir);
  } catch {
    return dir;
  }
}

function isInside(path: string, dir: string): boolean {
  const way = relative(dir, path);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`);
}
