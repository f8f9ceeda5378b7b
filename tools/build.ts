/**
 * `npm run build`: the packages as they are published, in `build/node_modules/@atoll-run/*`. Each has
 * compiled code and types in `dist`, stubs for editors in `stubs` when it has some; the one with
 * `bin/main.ts` has the bundled program in `bin`, and the pages in `docs`.
 */
import { copyFileSync, cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "./build/compile.ts";
import { toPublished } from "./build/manifest.ts";
import { buildProgram } from "./build/program.ts";
import { markBuilt } from "./build/stamp.ts";
import { prepare } from "./build/prepare.ts";
import { bundleThreads } from "./build/threads.ts";
import { formatMs } from "./progress.ts";
import { readWorkspaces, type Workspace } from "./workspaces.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");
const LICENCES = ["LICENSE-MIT", "LICENSE-APACHE"];

/**
 * Builds everything and puts it into place in one step, so that a running program never sees half a build.
 */
export async function build(root: string): Promise<readonly string[]> {
  const began = new Date();
  const all = readWorkspaces(root)
    .filter(({ manifest, dir }) => !manifest.private && existsSync(join(root, dir, "src/index.ts")));
  const scratch = join(root, "build", `making-${process.pid}`);
  const modules = join(scratch, "node_modules");
  const target = (workspace: Workspace): string => join(modules, workspace.manifest.name);
  try {
    await compile({ root, workspaces: all, scratch, target });
    const sisters = all.map(({ manifest }) => manifest.name);
    for (const workspace of all) {
      await bundleThreads({ source: join(root, workspace.dir), dist: join(target(workspace), "dist"), sisters });
      await finish({ root, workspace, all, target: target(workspace) });
    }
    for (const workspace of all) await prepare(join(target(workspace), "dist"));
    putIntoPlace(modules, join(root, "build", "node_modules"), join(scratch, "old"));
    markBuilt(root, began);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return all.map(({ manifest }) => manifest.name);
}

interface FinishOrder {
  readonly root: string;
  readonly workspace: Workspace;
  readonly all: readonly Workspace[];
  readonly target: string;
}

async function finish({ root, workspace, all, target }: FinishOrder): Promise<void> {
  const source = join(root, workspace.dir);
  mkdirSync(target, { recursive: true });
  const command = basename(workspace.manifest.name);
  const bin = existsSync(join(source, "bin/main.ts"))
    ? { [command]: await buildProgram({ root, source, target, command }) } : undefined;
  const published = toPublished({ workspace, all, ...bin ? { bin } : {} });
  writeFileSync(join(target, "package.json"), `${JSON.stringify(published, null, 2)}\n`);
  for (const licence of LICENCES) copyFileSync(join(root, licence), join(target, licence));
  const stubs = join(source, "stubs");
  if (existsSync(stubs)) cpSync(stubs, join(target, "stubs"), { recursive: true });
  // The program serves its own pages: atoll mcp.
  if (bin && existsSync(join(root, "docs"))) cpSync(join(root, "docs"), join(target, "docs"), { recursive: true });
  const readme = join(source, "README.md");
  if (existsSync(readme)) copyFileSync(readme, join(target, "README.md"));
  else writeFileSync(join(target, "README.md"),
    `# ${workspace.manifest.name}\n\n${String(published["description"])}\n`);
}

function putIntoPlace(made: string, place: string, old: string): void {
  if (existsSync(place)) renameSync(place, old);
  renameSync(made, place);
}

export async function main(args: readonly string[]): Promise<number> {
  if (args.length > 0) {
    console.error("usage: npm run build");
    return 2;
  }
  const start = performance.now();
  const names = await build(ROOT);
  console.log(`built ${names.join(", ")} in ${formatMs(performance.now() - start)}: build/node_modules`);
  return 0;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
