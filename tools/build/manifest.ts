/** The package.json that is published: compiled doors, real versions, nothing that only development needs. */
import type { Manifest, Workspace } from "../workspaces.ts";

const KEPT = [
  "name", "version", "description", "keywords", "license", "homepage", "repository", "type", "engines",
  "peerDependencies", "peerDependenciesMeta", "optionalDependencies",
];

export interface PublishOrder {
  readonly workspace: Workspace;
  readonly all: readonly Workspace[];
  /** Command → file, when the package has a program. */
  readonly bin?: Readonly<Record<string, string>>;
}

export function toPublished({ workspace, all, bin }: PublishOrder): Record<string, unknown> {
  const source = workspace.manifest as unknown as Record<string, unknown>;
  const published: Record<string, unknown> = {};
  for (const field of KEPT) if (source[field] !== undefined) published[field] = source[field];
  if (source["exports"] !== undefined) published["exports"] = toCompiled(source["exports"]);
  if (bin) published["bin"] = bin;
  const dependencies = bin ? dependenciesOfProgram(workspace, all) : workspace.manifest.dependencies ?? {};
  published["dependencies"] = toRealVersions(dependencies, all);
  published["files"] = ["dist", ...bin ? ["bin", "docs", "stubs"] : [], "LICENSE-MIT", "LICENSE-APACHE"];
  return published;
}

/** `./src/x.ts` → its types and code in dist; conditions are gone through. */
function toCompiled(target: unknown): unknown {
  if (typeof target !== "string") {
    const doors = Object.entries((target ?? {}) as Record<string, unknown>);
    return Object.fromEntries(doors.map(([door, inner]) => [door, toCompiled(inner)]));
  }
  const path = target.replace(/^\.\/src\//, "./dist/");
  if (!path.endsWith(".ts")) return path;
  const base = path.slice(0, -".ts".length);
  return { types: `${base}.d.ts`, default: `${base}.js` };
}

/**
 * The bundled program also holds the code of its sister packages, and looks up what those need from where it
 * lies.
 */
function dependenciesOfProgram(workspace: Workspace, all: readonly Workspace[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { manifest } of closureOf(workspace, all)) Object.assign(found, manifest.dependencies);
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => a < b ? -1 : 1));
}

/** The package and every sister it depends on, directly or not. */
export function closureOf(workspace: Workspace, all: readonly Workspace[]): readonly Workspace[] {
  const found = new Set([workspace]);
  for (const { manifest } of found) {
    for (const name of Object.keys(manifest.dependencies ?? {})) {
      const sister = all.find((one) => one.manifest.name === name);
      if (sister) found.add(sister);
    }
  }
  return [...found];
}

type Dependencies = NonNullable<Manifest["dependencies"]>;

function toRealVersions(dependencies: Dependencies, all: readonly Workspace[]): Dependencies {
  return Object.fromEntries(Object.entries(dependencies).map(([name, range]) => {
    const sister = all.find((one) => one.manifest.name === name);
    return [name, sister ? sister.manifest.version : range];
  }));
}
