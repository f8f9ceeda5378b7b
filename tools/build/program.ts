/**
 * The command, bundled into few files so that it starts fast. Commands that are imported lazily become
 * chunks. What the code names by `new URL("./x", import.meta.url)` (worker and child entries, scripts,
 * folders) is laid beside the chunks under its base name, and the name in the code is shortened to fit.
 */
import {
  chmodSync, copyFileSync, cpSync, existsSync, readFileSync, rmSync, statSync, writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { runChild } from "../child.ts";
import { bundle, type BundleOrder, type OutputChunk, type RolldownPlugin } from "../rolldown.ts";
import { readFacts, type UrlFact } from "../tidy/facts.ts";
import { writeNotices } from "./notices.ts";

const PREPARE_TIMEOUT_MS = 60_000;

export interface ProgramOrder {
  readonly root: string;
  /** Folder of the package with `bin/main.ts`. */
  readonly source: string;
  /** Folder of the finished package. */
  readonly target: string;
  /** Name of the command. */
  readonly command: string;
}

/** A file or folder that the code names by URL. */
type Named = { readonly as: "entry" | "asset" | "folder"; readonly path: string };

/** Gives the file to start, from the folder of the finished package. */
export async function buildProgram(order: ProgramOrder): Promise<string> {
  const bin = join(order.target, "bin");
  const inputs: Record<string, string> = { main: join(order.source, "bin/main.ts") };
  const prepare = join(order.source, "bin/prepare.ts");
  if (existsSync(prepare)) inputs["prepare"] = prepare;
  let chunks: readonly OutputChunk[] = [];
  for (let known = 0; known < Object.keys(inputs).length;) {
    known = Object.keys(inputs).length;
    // What an earlier turn made and this one does not would be published for nothing.
    rmSync(bin, { recursive: true, force: true });
    chunks = await bundleEach(inputs, (one) => bundleQuick(order, { inputs: one, outDir: bin, external: isBuiltin, plugins: [shortenUrls(order)] }));
    for (const { path } of namedIn(order, chunks).filter(({ as }) => as === "entry")) {
      addEntry(inputs, path);
    }
  }
  layAssets(namedIn(order, chunks), bin);
  writeNotices(chunks.flatMap((chunk) => chunk.moduleIds), join(bin, "THIRD-PARTY.txt"));
  if (existsSync(prepare)) await runPrepare(join(bin, "prepare.js"));
  const start = join(bin, `${order.command}.js`);
  copyFileSync(fileURLToPath(new URL("./program.js", import.meta.url)), start);
  chmodSync(start, 0o755);
  return `./bin/${order.command}.js`;
}

/**
 * Every entry alone: what two of them share lies in both. A thread that starts loads few large files faster
 * than many small ones, and each costs a part of a millisecond.
 */
async function bundleEach(
  inputs: Readonly<Record<string, string>>,
  bundleOne: (one: Record<string, string>) => Promise<readonly OutputChunk[]>,
): Promise<readonly OutputChunk[]> {
  const chunks: OutputChunk[] = [];
  for (const [name, path] of Object.entries(inputs)) chunks.push(...await bundleOne({ [name]: path }));
  return chunks;
}

/**
 * Bundles twice: what the command that is started most needs goes into one file, also what others share with it, since
 * each file costs its start a part of a millisecond. What main.ts loads before it, to start the threads, stays apart.
 */
async function bundleQuick({ source }: ProgramOrder, order: BundleOrder): Promise<readonly OutputChunk[]> {
  const chunks = await bundle(order);
  const apart = needsOf(chunks, ["bin/main.ts", "bin/program/threads.ts"].map((file) => join(source, file)));
  const together = needsOf(chunks, [join(source, "bin/commands/run.ts")]).filter((id) => !apart.includes(id));
  if (together.length === 0) return chunks;
  for (const { fileName } of chunks) rmSync(join(order.outDir, fileName));
  return await bundle({ ...order, together: new Set(together) });
}

/** The modules in the chunks that these modules are in, and in those that they import. */
function needsOf(chunks: readonly OutputChunk[], modules: readonly string[]): string[] {
  const needed = new Set(chunks.filter(({ moduleIds }) => moduleIds.some((id) => modules.includes(id))));
  for (const { imports } of needed) for (const chunk of chunks) if (imports.includes(chunk.fileName)) needed.add(chunk);
  return [...needed].flatMap(({ moduleIds }) => moduleIds);
}

/** The program may lay more beside itself, made by its own code; what makes it is not published. */
async function runPrepare(file: string): Promise<void> {
  const end = await runChild({
    command: process.execPath, args: [file], cwd: dirname(file), timeoutMs: PREPARE_TIMEOUT_MS,
  });
  if (end.code !== 0) throw new Error(`${basename(file)} failed:\n${end.output}`);
  rmSync(file);
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith("node:");
}

function addEntry(inputs: Record<string, string>, path: string): void {
  const name = basename(path).replace(/\.ts$/, "");
  const other = inputs[name];
  if (other !== undefined && other !== path) {
    throw new Error(`two entries are called ${name}: ${other} and ${path}: rename one`);
  }
  inputs[name] = path;
}

function namedIn(order: ProgramOrder, chunks: readonly OutputChunk[]): readonly Named[] {
  const modules = new Set(chunks.flatMap((chunk) => chunk.moduleIds));
  return [...modules].filter((id) => isOurs(order.root, id)).flatMap((id) =>
    readFacts(id, readFileSync(id, "utf8")).urls.flatMap((url) => {
      const named = nameOf(order, id, url);
      return named ? [named] : [];
    }));
}

/** What a URL in a module means, or undefined when it is not about a file of ours. */
function nameOf(order: ProgramOrder, id: string, url: UrlFact): Named | undefined {
  if (!url.prefix.startsWith(".") || isOwnManifest(order, id, url)) return undefined;
  const path = resolve(dirname(id), url.prefix);
  const asSource = url.whole ? path.replace(/\.js$/, ".ts") : `${path}.ts`;
  if (asSource.endsWith(".ts") && existsSync(asSource)) return { as: "entry", path: asSource };
  const place = `${relative(order.root, id)}:${url.line}`;
  if (!existsSync(path)) {
    throw new Error(`${place}: there is no ${url.prefix} that could be laid beside the program`);
  }
  if (basename(path) === "package.json") {
    throw new Error(`${place}: only the program's own package.json can be named`);
  }
  return { as: statSync(path).isDirectory() ? "folder" : "asset", path };
}

/** The one file that is also in the finished package: it stays where it is, one folder up. */
function isOwnManifest(order: ProgramOrder, id: string, url: UrlFact): boolean {
  return resolve(dirname(id), url.prefix) === join(order.source, "package.json");
}

function isOurs(root: string, id: string): boolean {
  return id.startsWith(root) && !id.includes("node_modules") && id.endsWith(".ts");
}

function layAssets(named: readonly Named[], bin: string): void {
  const laid = new Map<string, string>();
  for (const { as, path } of named) {
    if (as === "entry") continue;
    const name = basename(path);
    const other = laid.get(name);
    if (other === path) continue;
    if (other !== undefined) {
      throw new Error(`two assets are called ${name}: ${other} and ${path}: rename one`);
    }
    laid.set(name, path);
    if (as === "folder") cpSync(path, join(bin, name), { recursive: true });
    else writeFileSync(join(bin, name), readFileSync(path));
  }
}

/** `new URL("../lua/prelude.lua", …)` → `"./prelude.lua"`, since everything lies in one folder now. */
function shortenUrls(order: ProgramOrder): RolldownPlugin {
  return {
    name: "shorten-urls",
    transform(code: string, id: string) {
      if (!isOurs(order.root, id)) return null;
      let text = code;
      for (const url of readFacts(id, code).urls.toReversed()) {
        if (!url.prefix.startsWith(".")) continue;
        const slash = url.prefix.endsWith("/") ? "/" : "";
        const short = isOwnManifest(order, id, url) ? "../package.json" : `./${basename(url.prefix)}${slash}`;
        text = text.slice(0, url.start) + short + text.slice(url.start + url.prefix.length);
      }
      return text === code ? null : text;
    },
  };
}
