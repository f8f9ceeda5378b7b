/** Path grants (spec: block 8.2): real paths, compared by segment. */
import { realpathSync } from "node:fs";
import { lstat, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { toGlob } from "../pure/glob.ts";

export interface PathPattern {
  /** True for `fs.read` alone: every path. */
  readonly any: boolean;
  /** Covers this absolute, real path? */
  covers(real: string): boolean;
  /** Covers it as it is written, before links are followed? Decides only how much a refusal may tell. */
  coversWritten(absolute: string): boolean;
}

const ANY: PathPattern = { any: true, covers: () => true, coversWritten: () => true };

/**
 * Compiles a pattern once, at start: its root is made real then, so that a link put in its place later opens
 * nothing. A plain path covers itself and all below it, and so does `path/**`; any other glob covers exactly
 * what it matches.
 */
export function compilePath(text: string | undefined, base: string): PathPattern {
  if (text === undefined) return ANY;
  const written = segmentsOf(resolve(base, text).replace(/(?:\/\*\*)+$/, ""));
  const at = written.findIndex((segment) => /[*?[]/.test(segment));
  const root = at < 0 ? written : written.slice(0, at);
  const real = segmentsOf(realOfSync(`/${root.join("/")}`));
  // The root may hold wildcard characters in its real spelling: only the tail is a pattern.
  const tail = at < 0 ? "**" : written.slice(at).join("/");
  const globs = [tail, ...(text.endsWith("/**") ? [`${tail}/**`] : [])].map(toGlob);
  const fits = (path: string, from: readonly string[]): boolean => {
    const segments = segmentsOf(path);
    if (!from.every((segment, index) => segments[index] === segment)) return false;
    return at < 0 || globs.some((glob) => glob.matches(segments.slice(from.length).join("/")));
  };
  return { any: false, covers: (path) => fits(path, real), coversWritten: (path) => fits(path, root) };
}

function segmentsOf(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "");
}

/** Real path of the deepest existing ancestor, with the rest as written. */
function realOfSync(path: string): string {
  for (let head = path, rest = ""; ; rest = join(basename(head), rest), head = dirname(head)) {
    try {
      return join(realpathSync(head), rest);
    } catch {
      if (dirname(head) === head) return path;
    }
  }
}

/**
 * Where a path leads: `dangling` when a link on the way has no target, so that nothing can be said about it.
 */
export interface RealPath {
  readonly real: string;
  readonly dangling: boolean;
}

/** Real path of the deepest existing ancestor of an absolute path, with the rest as written. */
export async function realOf(path: string): Promise<RealPath> {
  for (let head = path, rest = ""; ; rest = join(basename(head), rest), head = dirname(head)) {
    try {
      return { real: join(await realpath(head), rest), dangling: false };
    } catch {
      if (dirname(head) === head) return { real: path, dangling: false };
      const link = await lstat(head).then((stats) => stats.isSymbolicLink(), () => false);
      if (link) return { real: path, dangling: true };
    }
  }
}

/**
 * The same, but a link in the last place stays one: for what acts on the entry itself (create, remove,
 * rename).
 */
export async function realEntryOf(path: string): Promise<RealPath> {
  if (dirname(path) === path) return { real: path, dangling: false };
  const parent = await realOf(dirname(path));
  return parent.dangling ? parent : { real: join(parent.real, basename(path)), dangling: false };
}
