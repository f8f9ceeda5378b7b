/**
 * `npm run tidy`: the rules of STYLE.md that a machine can check. Prints `file:line: what is wrong: what to
 * do` and exits 1 when anything is wrong; `--notes` prints what deserves a second look too.
 */
import { resolve } from "node:path";
import { checkDependencies } from "./tidy/dependencies.ts";
import { checkDirection } from "./tidy/direction.ts";
import { buildGraph, findCycles, findDead } from "./tidy/graph.ts";
import { checkLeftovers } from "./tidy/leftovers.ts";
import { checkLock } from "./tidy/lock.ts";
import { checkSize } from "./tidy/size.ts";
import { readTree, type Finding } from "./tidy/tree.ts";

/** Every finding in the repository at `root`, by file and line. */
export function tidy(root: string): readonly Finding[] {
  const tree = readTree(root);
  const graph = buildGraph(tree);
  const findings = [
    ...checkDirection(tree), ...checkDependencies(tree), ...checkSize(tree), ...findCycles(tree, graph),
    ...findDead(tree, graph), ...checkLeftovers(tree), ...checkLock(tree),
  ];
  return findings.sort((a, b) => a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line);
}

/** `packages/x/src/y.ts:3: what: remedy`. */
export function formatFinding({ file, line, what, remedy, note }: Finding): string {
  return `${file}:${line}: ${note ? "note: " : ""}${what}: ${remedy}`;
}

export async function main(args: readonly string[]): Promise<number> {
  const folders = args.filter((arg) => !arg.startsWith("-"));
  const findings = tidy(resolve(folders[0] ?? "."));
  const wrong = findings.filter((finding) => !finding.note);
  const notes = findings.filter((finding) => finding.note);
  for (const finding of args.includes("--notes") ? findings : wrong) console.log(formatFinding(finding));
  console.log(`tidy: ${wrong.length} to mend, ${notes.length} notes (shown with --notes)`);
  return wrong.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
