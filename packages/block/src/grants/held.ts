/**
 * Opening granted paths so that nobody can change them between check and effect. takes a gate and a path;
 * gives a handle, or an entry whose folder is held open; promises that what was checked is what is acted on;
 * refuses links put in the way; never follows a link in the last place on write.
 *
 * On Linux the folder is pinned by a descriptor, its place is checked again, and the entry is reached through
 * `/proc/self/fd/<n>/<name>`. Elsewhere a file is compared by device and inode after opening, which detects a
 * swapped path before anything is read or written, but not before an empty file may have been created.
 * Without restriction paths are used as they are.
 */
import { constants, existsSync } from "node:fs";
import { type FileHandle, open, readlink, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { blockError } from "../errors.ts";
import type { GrantGate } from "./gate.ts";

type PathGate = Pick<GrantGate, "restricted" | "path">;

/** A place in a folder, safe to act on until it is let go. */
export interface HeldEntry extends AsyncDisposable {
  /** What to hand to system calls. */
  readonly at: string;
  /** Absolute path, for texts; real when restricted. */
  readonly real: string;
}

/** A folder that is open; its entries are `${at}/${name}`. */
export type HeldFolder = HeldEntry;

export interface OpenHow {
  readonly read?: boolean;
  readonly write?: boolean;
  readonly create?: boolean;
  readonly exclusive?: boolean;
  readonly append?: boolean;
  readonly truncate?: boolean;
  /** Permission bits of a new file. */
  readonly mode?: number;
}

export interface OpenedFile {
  readonly handle: FileHandle;
  readonly real: string;
}

const PROC_FD = "/proc/self/fd";
const CAN_PIN = process.platform === "linux" && existsSync(PROC_FD);
/** Linux: a descriptor that only names a place, so the folder need not be readable. Not in `fs.constants`. */
const O_PATH = 0x20_0000;
/** How a folder is opened for reading: never through a link. */
const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Holds the folder of `path`, so that the entry can be created, removed or renamed. Throws grant.denied or a
 * system error.
 */
export async function holdEntry(gate: PathGate, verb: "read" | "write", path: string): Promise<HeldEntry> {
  const real = await gate.path(verb, path);
  if (!gate.restricted || !CAN_PIN || dirname(real) === real) return loose(real);
  const folder = await open(dirname(real), O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await checkPlace(gate, verb, folder, { real, name: basename(real) });
    const at = `${PROC_FD}/${folder.fd}/${basename(real)}`;
    return { at, real, [Symbol.asyncDispose]: () => folder.close() };
  } catch (error) {
    await folder.close();
    throw error;
  }
}

function loose(real: string): HeldEntry {
  return { at: real, real, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** Opens a file. Throws grant.denied, or a system error with its `code`. */
export async function openGranted(gate: PathGate, path: string, how: OpenHow): Promise<OpenedFile> {
  const verb = how.write === true || how.append === true ? "write" : "read";
  const access = verb === "read"
    ? constants.O_RDONLY : how.read === true ? constants.O_RDWR : constants.O_WRONLY;
  // Without O_NONBLOCK a pipe without a peer would hold one of the few threads that do file work, for ever.
  const flags = access | constants.O_NONBLOCK | (how.create === true ? constants.O_CREAT : 0)
    | (how.exclusive === true ? constants.O_EXCL : 0) | (how.append === true ? constants.O_APPEND : 0);
  if (!gate.restricted) {
    const real = await gate.path(verb, path);
    const truncate = how.truncate === true ? constants.O_TRUNC : 0;
    return { handle: await open(real, flags | truncate, how.mode), real };
  }
  await using entry = await holdEntry(gate, verb, path);
  const handle = await open(entry.at, flags | constants.O_NOFOLLOW, how.mode)
    .catch((error: unknown) => refuseLink(gate, verb, entry, error));
  try {
    await checkOpened(gate, verb, handle, { path, real: entry.real });
    // Only now: a truncation of the wrong file could not be undone.
    if (how.truncate === true && (await handle.stat()).isFile()) await handle.truncate(0);
    return { handle, real: entry.real };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Opens a folder for listing. Throws grant.denied, or a system error with its `code`. */
export async function holdFolder(gate: PathGate, path: string): Promise<HeldFolder> {
  if (!gate.restricted || !CAN_PIN) return loose(await gate.path("read", path));
  const real = await gate.path("read", path);
  const handle = await open(real, FOLDER);
  return pinned(gate, handle, { path, real });
}

/** Opens the folder `name` inside an open one, never through a link. */
export async function holdChild(gate: PathGate, folder: HeldFolder, name: string): Promise<HeldFolder> {
  const real = join(folder.real, name);
  if (!gate.restricted || !CAN_PIN) return loose(real);
  const handle = await open(`${folder.at}/${name}`, FOLDER);
  return pinned(gate, handle, { path: real, real });
}

async function pinned(
  gate: PathGate, handle: FileHandle, asked: { path: string; real: string },
): Promise<HeldFolder> {
  try {
    await checkOpened(gate, "read", handle, asked);
    return { at: `${PROC_FD}/${handle.fd}`, real: asked.real, [Symbol.asyncDispose]: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The folder that is open must still be the one that was checked, or one that is granted as well. */
async function checkPlace(
  gate: PathGate, verb: "read" | "write", folder: FileHandle, entry: { real: string; name: string },
): Promise<void> {
  const place = join(await readlink(`${PROC_FD}/${folder.fd}`), entry.name);
  if (place !== entry.real && await gate.path(verb, place) !== place) throw moved(entry.real);
}

/** The same for what was opened in the end. */
async function checkOpened(
  gate: PathGate, verb: "read" | "write", handle: FileHandle, asked: { path: string; real: string },
): Promise<void> {
  if (CAN_PIN) {
    const place = await readlink(`${PROC_FD}/${handle.fd}`);
    if (place !== asked.real && await gate.path(verb, place) !== place) throw moved(asked.real);
    return;
  }
  const [opened, there] = [await handle.stat(), await stat(await gate.path(verb, asked.path))];
  if (opened.dev !== there.dev || opened.ino !== there.ino) throw moved(asked.real);
}

function moved(path: string): Error {
  return blockError("fs.denied", `${path}: the path was changed while it was being opened`, {
    facts: { path, errno: 13, strerror: "Permission denied" },
    hint: "Try again when nothing else moves files there.",
  });
}

/** A link in the last place: denied by its target when that is not granted, else as a link. */
async function refuseLink(
  gate: PathGate, verb: "read" | "write", entry: HeldEntry, error: unknown,
): Promise<never> {
  if ((error as { code?: unknown }).code !== "ELOOP") throw error;
  const target = await readlink(entry.at).catch(() => undefined);
  if (target !== undefined) await gate.path(verb, resolve(dirname(entry.real), target));
  throw blockError("fs.denied", `${entry.real}: is a symbolic link, which is not followed on write`, {
    facts: { path: entry.real, errno: 40, strerror: "Too many levels of symbolic links" },
    hint: "Name the file that the link leads to.", cause: error,
  });
}
