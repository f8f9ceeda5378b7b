/** The packages of this repository, found from the `workspaces` list of the root package.json. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The fields of a package.json that the tools look at. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly workspaces?: readonly string[];
  readonly scripts?: Readonly<Record<string, string>>;
  readonly exports?: string | Readonly<Record<string, unknown>>;
  readonly bin?: string | Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

export interface Workspace {
  /** Folder below the root, with forward slashes: `packages/core`. */
  readonly dir: string;
  /** The word of the import table: `core` for packages/core, `drivers` for everything in drivers/. */
  readonly room: string;
  readonly manifest: Manifest;
}

export function readManifest(file: string): Manifest {
  return JSON.parse(readFileSync(file, "utf8")) as Manifest;
}

/** Every workspace that has a package.json, in the order of the root's list, then by name. */
export function readWorkspaces(root: string): readonly Workspace[] {
  const found: Workspace[] = [];
  for (const pattern of readManifest(join(root, "package.json")).workspaces ?? []) {
    for (const dir of foldersOf(root, pattern)) {
      const file = join(root, dir, "package.json");
      if (!existsSync(file)) continue;
      found.push({ dir, room: roomOf(dir), manifest: readManifest(file) });
    }
  }
  return found;
}

/**
 * `packages/core/src/x.ts` → `core`; `drivers/sqlite/…` → `drivers`; `tools/…` → `tools`; a root file → ``.
 */
export function roomOf(path: string): string {
  const [first = "", second = ""] = path.split("/");
  if (first === "packages") return second;
  return path.includes("/") ? first : "";
}

function foldersOf(root: string, pattern: string): readonly string[] {
  if (!pattern.endsWith("/*")) return [pattern];
  const parent = pattern.slice(0, -2);
  if (!existsSync(join(root, parent))) return [];
  return readdirSync(join(root, parent), { withFileTypes: true })
    .filter((entry) => entry.isDirectory()).map((entry) => `${parent}/${entry.name}`).sort();
}
