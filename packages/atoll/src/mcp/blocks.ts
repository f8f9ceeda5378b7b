/**
 * Which blocks of a project are served: folders of `blocks/` with an `init.lua`, and scripts that are named.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";

export interface BlockSource {
  /** Begins the names of its tools. */
  readonly name: string;
  readonly path: string;
  /** Text of a script; absent = a folder of `blocks/`, which is loaded by `require`. */
  readonly source?: string;
}

/** Sorted by name, scripts last in the order given. Throws when a script cannot be read. */
export function findBlocks(project: string, scripts: readonly string[]): BlockSource[] {
  const folder = join(project, "blocks");
  const names = existsSync(folder)
    ? readdirSync(folder).filter((name) => existsSync(join(folder, name, "init.lua"))).sort() : [];
  return [
    ...names.map((name) => ({ name, path: join(folder, name, "init.lua") })),
    ...scripts.map((path) => ({ name: basename(path, extname(path)), path, source: readFileSync(path,
      "utf8") })),
  ];
}
