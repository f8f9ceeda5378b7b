/** TypeScript → JavaScript and types, one compiler run for all packages, file for file as the sources lie. */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runChild } from "../child.ts";
import type { Workspace } from "../workspaces.ts";

const TIMEOUT_MS = 60_000;

export interface CompileOrder {
  readonly root: string;
  readonly workspaces: readonly Workspace[];
  /** An empty folder below the root, so that the compiler finds the installed types. */
  readonly scratch: string;
  /** Folder of a finished package. */
  readonly target: (workspace: Workspace) => string;
}

/**
 * Puts `src/**` of every package into `dist/**` of its target: code, types, and everything that is no
 * TypeScript.
 */
export async function compile({ root, workspaces, scratch, target }: CompileOrder): Promise<void> {
  const out = join(scratch, "out");
  const config = join(scratch, "tsconfig.json");
  mkdirSync(scratch, { recursive: true });
  writeFileSync(config, JSON.stringify({
    extends: join(root, "tsconfig.json"),
    // Types were checked by `npm test`; here a mistake in one package must not hide what the others emit.
    compilerOptions: { noEmit: false, noCheck: true, declaration: true, rootDir: root, outDir: out },
    include: workspaces.map(({ dir }) => join(root, dir, "src")),
  }));
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const end = await runChild({
    command: process.execPath, args: [tsc, "-p", config], cwd: root, timeoutMs: TIMEOUT_MS,
  });
  if (end.code !== 0) throw new Error(`the compiler failed:\n${end.output}`);
  for (const workspace of workspaces) {
    const dist = join(target(workspace), "dist");
    cpSync(join(out, workspace.dir, "src"), dist, { recursive: true });
    cpSync(join(root, workspace.dir, "src"), dist, { recursive: true, filter: isAsset });
  }
}

function isAsset(path: string): boolean {
  return path.endsWith(".d.ts") || !/\.[cm]?tsx?$/.test(path);
}
