/**
 * One door per dependency: a third-party package is known to one file of ours, so it can be changed there.
 */
import { builtinModules } from "node:module";
import { packageName } from "./direction.ts";
import { findSister } from "./graph.ts";
import { isGenerated, type Finding, type SourceFile, type Tree } from "./tree.ts";

/** Package → why many files may import it. Tests, benches and examples are not counted at all. */
const MANY_DOORS: Readonly<Record<string, string>> = {
  "react": "the console is written in it",
  "react-dom": "the console is written in it",
  "zod": "the schema language of every edge",
  "fast-check": "arbitraries of the testkit",
};

/** Package → a second door of its own, and why. */
const SECOND_DOORS: Readonly<Record<string, string>> = {
  // A client is a bridge of the block, a server is a command of the program: neither loads the other's half.
  "@modelcontextprotocol/sdk": "packages/atoll/src/mcp/sdk-server.ts",
  // Blocks and nodes tell their spans each for itself: a block runs without a node, and a node without a block.
  "@opentelemetry/api": "packages/node/src/observe/open-telemetry.ts",
  // A realm takes upgrades of signaling, a node dials and takes those of its peers: neither imports the other.
  "ws": "packages/realm/src/http/web-socket.ts",
};

export function checkDependencies(tree: Tree): readonly Finding[] {
  return [...checkDoorsOfDependencies(tree), ...checkUnused(tree)];
}

function checkDoorsOfDependencies(tree: Tree): readonly Finding[] {
  const doors = new Map<string, SourceFile>();
  const findings: Finding[] = [];
  for (const file of tree.files) {
    if (file.isTest || isGenerated(file.path)) continue;
    for (const { specifier, line } of file.facts?.imports ?? []) {
      const name = packageName(specifier);
      if (!isThirdParty(tree, specifier) || name in MANY_DOORS || SECOND_DOORS[name] === file.path) continue;
      const door = doors.get(name) ?? file;
      doors.set(name, door);
      if (door === file) continue;
      findings.push({ file: file.path, line, what: `a second door to ${name}`,
        remedy: `only ${door.path} may import it: use what that file exports` });
    }
  }
  return findings;
}

function isThirdParty(tree: Tree, specifier: string): boolean {
  return !specifier.startsWith(".") && !specifier.startsWith("node:") && !builtinModules.includes(specifier)
    && findSister(tree, specifier) === undefined;
}

/** A dependency that ships with a package and that no text in it names. */
function checkUnused(tree: Tree): readonly Finding[] {
  return tree.workspaces.flatMap(({ dir, manifest }) => {
    const own = tree.files.filter((file) => file.path.startsWith(`${dir}/`) && !file.isTest);
    const strings = new Set(own.flatMap((file) => [...file.facts?.strings ?? []].map(packageName)));
    return Object.keys(manifest.dependencies ?? {}).filter((name) => !strings.has(name)).map((name) => ({
      file: `${dir}/package.json`, line: lineOf(tree, `${dir}/package.json`, `"${name}"`),
      what: `${name} is declared but nothing imports it`, remedy: "remove it from the dependencies",
    }));
  });
}

function lineOf(tree: Tree, path: string, text: string): number {
  const lines = tree.files.find((file) => file.path === path)?.text.split("\n") ?? [];
  return Math.max(0, lines.findIndex((line) => line.includes(text))) + 1;
}
