/**
 * `npm run bench [-- NAME…]`: runs `bench/*.bench.ts` one after the other and compares with the bars. A
 * missed bar is printed and does not fail: `npm run prove` judges. Exit 1 only when one cannot run. `--quick`
 * as in `npm run prove`, `--json` for programs, `--write` puts the table into bench/README.md.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findBenches, measure, nameOf, type Measured } from "./bench/measure.ts";
import { toColumns, toData, toMarkdown, writeFigures } from "./bench/table.ts";
import { isBuilt } from "./build/stamp.ts";
import { build } from "./build.ts";
import { onInterrupt } from "./child.ts";
import { Progress } from "./progress.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");
const TIMEOUT_MS = 10 * 60_000;
const USAGE = "usage: npm run bench [-- NAME… --quick --json --write]";

export async function main(args: readonly string[], root = ROOT): Promise<number> {
  const read = readArgs(args);
  if (!read) return 2;
  const { values, positionals } = read;
  const files = findBenches(root, positionals);
  if (files.length === 0) {
    console.error(positionals.length === 0 ? "no bench in bench/"
      : `no bench is called ${positionals.join(" or ")}`);
    return 2;
  }
  if (!isBuilt(root)) await build(root);
  const signal = onInterrupt();
  const progress = new Progress(process.stderr);
  const all: Measured[] = [];
  for (const file of files) {
    if (signal.aborted) break;
    progress.status(`${nameOf(file)} …`);
    const measured = await measure(file, { root, quick: values.quick, timeoutMs: TIMEOUT_MS, signal });
    progress.end();
    all.push(measured);
    if (!values.json) console.log(toColumns(measured));
  }
  if (values.json) console.log(JSON.stringify(toData(all, new Date()), null, 2));
  if (signal.aborted) return 130;
  if (values.write) writeFigures(join(root, "bench", "README.md"), toMarkdown(all, new Date()));
  return all.some((measured) => "trouble" in measured) ? 1 : 0;
}

function readArgs(args: readonly string[]) {
  try {
    const read = parseArgs({ args: [...args], allowPositionals: true, options: {
      quick: { type: "boolean", default: false }, json: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
    } });
    if (read.values.write && read.positionals.length > 0) {
      throw new Error("--write takes no NAME: it writes the whole table");
    }
    return read;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return undefined;
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
