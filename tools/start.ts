/**
 * `npm start [-- DIR]`: the main job. Runs the program from its sources, without a build, on examples/audit:
 * an agent that audits the packages installed in DIR (this repository's own when none is given) and writes a
 * report.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");

/** Becomes the program: terminal, signals and exit code are the program's own. */
export async function main(args: readonly string[]): Promise<number | undefined> {
  const program = join(ROOT, "packages/atoll/bin/main.ts");
  const script = join(ROOT, "examples/audit/audit.lua");
  const missing = [program, script].find((file) => !existsSync(file));
  if (missing !== undefined) {
    console.error(`npm start needs ${missing}, which is missing from this copy of the repository`);
    return 2;
  }
  const folders = (args.length > 0 ? args : [join(ROOT, "node_modules")])
    .map((dir) => resolve(process.env["INIT_CWD"] ?? ".", dir));
  // its stores stay in this copy of the repository
  process.env["ATOLL_HOME"] ??= join(ROOT, ".atoll");
  process.env["AUDIT_TERMINAL"] ??= process.stderr.isTTY ? "1" : "0";
  process.argv.splice(1, Infinity, program, "run", "-s", script, "-p", ROOT, "--", ...folders);
  await import(pathToFileURL(program).href);
  return undefined;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
