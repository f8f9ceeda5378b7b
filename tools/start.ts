/**
 * `npm start [-- [DIR] [FLAGS]]`: the main job. Runs the program from its sources, without a build, as `atoll mob demo`: a mob
 * that audits the packages installed in DIR (this repository's own when none is given) and writes a report.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");

/** Becomes the program: terminal, signals and exit code are the program's own. */
export async function main(args: readonly string[]): Promise<number | undefined> {
  const program = join(ROOT, "packages/atoll/bin/main.ts");
  if (!existsSync(program)) {
    console.error(`npm start needs ${program}, which is missing from this copy of the repository`);
    return 2;
  }
  // Folders are named, and the report is written, where it was called.
  process.chdir(process.env["INIT_CWD"] ?? ROOT);
  process.env["ATOLL_HOME"] ??= join(ROOT, ".atoll");
  const dir = args[0] === undefined || args[0].startsWith("-") ? [join(ROOT, "node_modules")] : [];
  // What it goes on with after a kill stays in this copy of the repository.
  process.argv.splice(1, Infinity, program, "mob", "demo", "--state", join(ROOT, ".atoll/audit"), ...dir, ...args);
  await import(pathToFileURL(program).href);
  return undefined;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
