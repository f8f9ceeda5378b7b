/** Who imports whom, file by file: cycles and dead files are read off it. */
import { posix } from "node:path";
import type { Workspace } from "../workspaces.ts";
import { isCode, type Finding, type SourceFile, type Tree } from "./tree.ts";

export interface Edge { readonly to: SourceFile; readonly line: number }

export interface Graph {
  readonly imports: ReadonlyMap<SourceFile, readonly Edge[]>;
  /** Files named by `new URL("./x", import.meta.url)`: workers, children, scripts, folders of assets. */
  readonly references: ReadonlyMap<SourceFile, readonly SourceFile[]>;
}

export function buildGraph(tree: Tree): Graph {
  const byPath = new Map(tree.files.map((file) => [file.path, file]));
  const imports = new Map<SourceFile, readonly Edge[]>();
  const references = new Map<SourceFile, readonly SourceFile[]>();
  for (const file of tree.files) {
    imports.set(file, (file.facts?.imports ?? []).flatMap(({ specifier, line }) => {
      const path = resolveImport(tree, file, specifier);
      const to = path === undefined ? undefined : byPath.get(path);
      return to ? [{ to, line }] : [];
    }));
    references.set(file, referencesOf(tree, file));
  }
  return { imports, references };
}

/** The path below the root that an import means, or undefined for `node:` and third-party modules. */
export function resolveImport(tree: Tree, from: SourceFile, specifier: string): string | undefined {
  if (specifier.startsWith(".")) return posix.join(posix.dirname(from.path), specifier);
  const sister = findSister(tree, specifier);
  const target = sister && exportTargets(sister).get(subpathOf(sister, specifier));
  return sister && target ? posix.join(sister.dir, target) : undefined;
}

export function findSister(tree: Tree, specifier: string): Workspace | undefined {
  return tree.workspaces.find(({ manifest: { name } }) => specifier === name
    || specifier.startsWith(`${name}/`));
}

/** `.` for the package itself, else `./door`. */
export function subpathOf(sister: Workspace, specifier: string): string {
  return specifier === sister.manifest.name ? "." : `.${specifier.slice(sister.manifest.name.length)}`;
}

/** Door → file, as package.json says. With conditions the first string counts. */
export function exportTargets(workspace: Workspace): ReadonlyMap<string, string> {
  const { exports } = workspace.manifest;
  if (exports === undefined) return new Map();
  if (typeof exports === "string") return new Map([[".", exports]]);
  return new Map(Object.entries(exports).flatMap(([door, target]) => {
    const file = firstString(target);
    return file === undefined ? [] : [[door, file] as const];
  }));
}

function firstString(target: unknown): string | undefined {
  if (typeof target === "string") return target;
  return Object.values((target ?? {}) as object).map(firstString).find((found) => found !== undefined);
}

function referencesOf(tree: Tree, file: SourceFile): readonly SourceFile[] {
  return (file.facts?.urls ?? []).flatMap((url) => {
    if (!url.prefix.startsWith(".")) return [];
    const start = posix.join(posix.dirname(file.path), url.prefix);
    const isFolder = url.whole && url.prefix.endsWith("/");
    return tree.files.filter(({ path }) => url.whole && !isFolder
      ? path === start || path === start.replace(/\.js$/, ".ts")
      : path.startsWith(start) && path.endsWith(url.suffix));
  });
}

/**
 * One finding for each cycle; types count too, since a file that needs the other's types cannot be read
 * alone.
 */
export function findCycles(tree: Tree, graph: Graph): readonly Finding[] {
  const findings: Finding[] = [];
  const done = new Set<SourceFile>();
  const path: SourceFile[] = [];
  const visit = (file: SourceFile): void => {
    if (done.has(file)) return;
    path.push(file);
    for (const { to, line } of graph.imports.get(file) ?? []) {
      const from = path.indexOf(to);
      if (from < 0) { visit(to); continue; }
      const circle = [...path.slice(from), to].map((one) => one.path).join(" → ");
      findings.push({ file: file.path, line, what: `import cycle: ${circle}`,
        remedy: "move what both need into a file of its own that imports neither" });
    }
    path.pop();
    done.add(file);
  };
  for (const file of tree.files) visit(file);
  return findings;
}

/**
 * Files in src, bin and tools that no door, program, worker or tool reaches. Tests do not keep a file alive.
 */
export function findDead(tree: Tree, graph: Graph): readonly Finding[] {
  const alive = reach(graph, entriesOf(tree));
  const tested = reach(graph, tree.files.filter((file) => file.isTest));
  return tree.files.filter((file) => mustBeReached(file) && !alive.has(file)).map((file) => ({
    file: file.path, line: 1,
    what: tested.has(file) ? "dead file: only tests use it"
      : "dead file: nothing imports it and it is no door or program",
    remedy: tested.has(file) ? "move it to the test folder or the testkit, or use it" : "use it or delete it",
  }));
}

function reach(graph: Graph, from: readonly SourceFile[]): ReadonlySet<SourceFile> {
  const seen = new Set<SourceFile>();
  const todo = [...from];
  for (let file = todo.pop(); file; file = todo.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    todo.push(...(graph.imports.get(file) ?? []).map((edge) => edge.to), ...graph.references.get(file) ?? []);
  }
  return seen;
}

function mustBeReached(file: SourceFile): boolean {
  if (file.isTest || file.path.endsWith(".d.ts")) return false;
  // Test vectors lie beside what they test, so that programs in other languages find them.
  if (/\/vectors\/[\w-]+\.json$/.test(file.path)) return false;
  if (file.owner) return file.path.startsWith(`${file.owner.dir}/src/`) && !file.path.endsWith(".md");
  return file.room === "tools" && isCode(file.path);
}

function entriesOf(tree: Tree): readonly SourceFile[] {
  const paths = new Set(tree.workspaces.flatMap((workspace) => {
    const { bin } = workspace.manifest;
    const programs = typeof bin === "string" ? [bin] : Object.values(bin ?? {});
    return [...exportTargets(workspace).values(), ...programs]
      .map((target) => posix.join(workspace.dir, target));
  }));
  const scripts = Object.values(tree.manifest.scripts ?? {}).join(" ");
  return tree.files.filter(({ path, owner, room }) => paths.has(path)
    || (owner && path.startsWith(`${owner.dir}/bin/`))
    || (room === "tools" && isStartedBy(scripts, path)));
}

/** `tools/test.ts` is started by `node tools/launch.cjs test` or by its own path. */
function isStartedBy(scripts: string, path: string): boolean {
  const name = posix.basename(path).replace(/\.\w+$/, "");
  if (scripts.includes(path)) return true;
  return posix.dirname(path) === "tools" && new RegExp(`launch\\.cjs ${name}\\b`).test(scripts);
}
