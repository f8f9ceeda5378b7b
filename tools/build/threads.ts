/**
 * What a package starts in threads and children of its own (`new URL("./x.ts", import.meta.url)`), bundled over what
 * the compiler made of it: a thread that loads some sixty small files starts 30 ms later than one that loads one.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { bundle } from "../rolldown.ts";
import { readFacts } from "../tidy/facts.ts";

export interface ThreadsOrder {
  /** Folder of the package's sources, with `src`. */
  readonly source: string;
  /** Folder of the compiled code. */
  readonly dist: string;
  /** Names of the packages whose code goes into the bundle; all others stay imports. */
  readonly sisters: readonly string[];
}

export async function bundleThreads({ source, dist, sisters }: ThreadsOrder): Promise<void> {
  const src = join(source, "src");
  for (const entry of entriesIn(src)) {
    const name = basename(entry, ".ts");
    const chunks = await bundle({
      inputs: { [name]: entry }, outDir: join(dist, dirname(relative(src, entry))),
      external: (specifier) => !/^[./]/.test(specifier) && !sisters.includes(specifier),
    });
    // such a name means another file once the code lies elsewhere
    const moved = chunks.flatMap((chunk) => chunk.moduleIds).find((id) =>
      dirname(id) !== dirname(entry) && readFacts(id, readFileSync(id, "utf8")).urls.length > 0);
    if (moved !== undefined) throw new Error(`${moved} names a file by URL and is bundled into ${entry}`);
  }
}

function entriesIn(src: string): Set<string> {
  const files = globSync("**/*.ts", { cwd: src }).map((file) => join(src, file));
  return new Set(files.flatMap((file) => readFacts(file, readFileSync(file, "utf8")).urls
    .map((url) => resolve(dirname(file), url.whole ? url.prefix.replace(/\.js$/, ".ts") : `${url.prefix}.ts`))
    .filter((path) => path.endsWith(".ts") && existsSync(path))));
}
