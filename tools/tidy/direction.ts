/** Imports point one way, through doors, and only to what the package declares. */
import { posix } from "node:path";
import { roomOf, type Manifest, type Workspace } from "../workspaces.ts";
import { exportTargets, findSister, subpathOf } from "./graph.ts";
import type { ImportFact } from "./facts.ts";
import { checkInside } from "./rooms-inside.ts";
import { TEST_ROOMS, type Finding, type SourceFile, type Tree } from "./tree.ts";

/** Room → rooms it may import. A room that is not here may import none. */
const MAY: Readonly<Record<string, readonly string[] | "all">> = {
  core: [], block: ["core"], node: ["core"], realm: ["core"], web: ["core"], drivers: ["core"],
  testkit: ["core"], client: ["core"], console: ["client"], mob: ["core", "block", "node", "realm"],
  atoll: "all", tools: [], test: "all", bench: "all", examples: "all",
};
/** Tests of any package may also stand on these. */
const TESTS_MAY = ["core", "testkit", "drivers"];
/**
 * Rooms outside packages/ that may reach another by path: proofs and benches take their types from the tools.
 */
const BY_PATH: Readonly<Record<string, readonly string[]>> = { test: ["tools"], bench: ["tools"] };
/** Rooms that run in a browser too, or know nothing of a machine. */
const NO_NODE = new Set(["core", "web", "client", "console"]);
/** All that core may stand on: the runtime of its generated code. */
const CORE_MAY = new Set(["@bufbuild/protobuf"]);
/** The doors a package may have. The composed package `atoll` passes on those of others, so it is free. */
const DOORS = new Set([".", "./internal", "./package.json"]);

export function checkDirection(tree: Tree): readonly Finding[] {
  const findings = tree.workspaces.flatMap((workspace) => checkDoors(workspace));
  for (const file of tree.files) {
    for (const fact of file.facts?.imports ?? []) {
      const wrong = checkImport(tree, file, fact);
      if (wrong) findings.push({ file: file.path, line: fact.line, what: wrong[0], remedy: wrong[1] });
    }
  }
  return findings;
}

type Wrong = readonly [what: string, remedy: string] | undefined;

function checkDoors(workspace: Workspace): readonly Finding[] {
  if (workspace.room === "atoll") return [];
  return [...exportTargets(workspace).keys()].filter((door) => !DOORS.has(door)).map((door) => ({
    file: `${workspace.dir}/package.json`, line: 1, what: `a third door: ${door}`,
    remedy: "export it from `.` (for everybody) or `./internal` (for sister packages)",
  }));
}

function checkImport(tree: Tree, file: SourceFile, fact: ImportFact): Wrong {
  const { specifier } = fact;
  if (specifier.startsWith(".")) return checkPath(tree, file, specifier) ?? checkInside(file, fact);
  if (specifier.startsWith("node:")) return checkNode(file, fact);
  const sister = findSister(tree, specifier);
  return sister ? checkSister(file, { specifier, sister }) : checkPackage(tree, file, specifier);
}

function checkPath(tree: Tree, file: SourceFile, specifier: string): Wrong {
  const path = posix.join(posix.dirname(file.path), specifier);
  const home = file.owner?.dir ?? file.room;
  if (path.startsWith(`${home}/`)) return undefined;
  if (BY_PATH[file.room]?.includes(roomOf(path))) return undefined;
  const sister = tree.workspaces.find((one) => path.startsWith(`${one.dir}/`));
  return [`import by path into another room: ${specifier}`,
    sister ? `import it by name: ${sister.manifest.name}` : "what both rooms need belongs into a package"];
}

function checkNode(file: SourceFile, { specifier, typeOnly }: ImportFact): Wrong {
  if (typeOnly || file.isTest || !NO_NODE.has(file.room)) return undefined;
  return [`${file.room} imports ${specifier}`,
    "take what it does as a part (a port of core), or use `import type`"];
}

function checkSister(file: SourceFile, to: { specifier: string; sister: Workspace }): Wrong {
  const { specifier, sister } = to;
  const subpath = subpathOf(sister, specifier);
  if (!exportTargets(sister).has(subpath)) {
    return [`no such door: ${specifier}`,
      `import from one that ${sister.dir}/package.json exports, or export it there`];
  }
  if (sister === file.owner) {
    return file.isTest ? undefined : ["a package imports itself by name", "import the file by its path"];
  }
  const may = MAY[file.room] ?? [];
  const allowed = may === "all" || may.includes(sister.room)
    || (file.isTest && TESTS_MAY.includes(sister.room));
  if (!allowed) {
    return [`${file.room} imports ${specifier}, against the direction`,
      `${file.room} may import ${may.join(", ") || "no other room"}: put the seam into a port of core`];
  }
  if (file.isTest || !file.owner) return undefined;
  if (declares(file.owner.manifest, sister.manifest.name, file)) return undefined;
  return undeclared(file, sister.manifest.name);
}

function checkPackage(tree: Tree, file: SourceFile, specifier: string): Wrong {
  const name = packageName(specifier);
  if (file.room === "core" && !file.isTest && !CORE_MAY.has(name)) {
    return [`core imports ${specifier}`, "core has no other dependencies: keep it in another room, behind a port"];
  }
  const manifests = file.owner ? [file.owner.manifest] : [tree.manifest];
  if (file.isTest || TEST_ROOMS.has(file.room)) manifests.push(tree.manifest);
  if (manifests.some((manifest) => declares(manifest, name, file))) return undefined;
  return undeclared(file, name);
}

function undeclared(file: SourceFile, name: string): Wrong {
  const where = file.owner ? `${file.owner.dir}/package.json` : "package.json";
  return [`${name} is imported but not declared`,
    `add it to the dependencies in ${where}: hoisting hides that it is missing`];
}

function declares(manifest: Manifest, name: string, file: SourceFile): boolean {
  const { dependencies, optionalDependencies, peerDependencies, devDependencies } = manifest;
  const always = [dependencies, optionalDependencies, peerDependencies];
  const shipped = file.owner && !file.isTest;
  return [...always, ...shipped ? [] : [devDependencies]].some((list) => list && name in list);
}

/** `@a/b/c` → `@a/b`, `b/c` → `b`. */
export function packageName(specifier: string): string {
  return specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}
