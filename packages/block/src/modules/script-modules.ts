/**
 * Host half of `import` in JavaScript and TypeScript scripts (spec: block 7, 8.1).
 * takes a name as a module imports it; gives path and source; promises that the script's own modules are always
 * open to it; refuses other files by grant, and what Node would bring; never runs or changes what it reads.
 */
import { dirname, extname, isAbsolute, resolve } from "node:path";
import { readAll } from "../bridges/fs/bytes.ts";
import type { OpCall, Ops } from "../bridges/op.ts";
import { blockError } from "../errors.ts";
import { openGranted } from "../grants/held.ts";
import { isMiss, moduleGate, type ModuleLimits, type ModuleParts } from "./ops.ts";
import { moduleDirs } from "./search.ts";
import { withoutShebang } from "./source.ts";

const EXTENSIONS = [".ts", ".mts", ".js", ".mjs"];

/** `module.script(from?, name)` → `{path, source}`; `from`: path of the module that imports, absent = the script. */
export function scriptModuleOps(parts: ModuleParts, limits: ModuleLimits): Ops {
  const gate = moduleGate(parts, (path) => EXTENSIONS.includes(extname(path)));
  const read = async (path: string, { signal }: OpCall): Promise<Uint8Array | undefined> => {
    try {
      const { handle } = await openGranted(gate, path, { read: true });
      await using _ = handle;
      if ((await handle.stat()).isDirectory()) return undefined;
      return withoutShebang(await readAll(handle, path, limits.isleBytesMax, { clock: parts.clock, signal }));
    } catch (error) {
      // what is there but not granted is a refusal, like any other file
      if (!isMiss(error) || (error as { code?: unknown }).code === "grant.denied") throw error;
      return undefined;
    }
  };
  return {
    "module.script": async ([from, value], call) => {
      const name = String(value);
      if (name.startsWith("node:")) throw missing(`'${name}' is of Node, which is not in an isle`, name);
      for (const path of candidates(typeof from === "string" ? from : undefined, name, parts)) {
        const source = await read(path, call);
        if (source !== undefined) return { path, source };
      }
      throw missing(`cannot find module '${name}'; npm packages must be bundled`, name);
    },
  };
}

function missing(text: string, name: string): Error {
  return blockError("script.not_found", text, { facts: { name } });
}

/** Where a module may be, the most likely first. Files of the script win over blocks. */
function candidates(from: string | undefined, name: string, { dirs }: ModuleParts): readonly string[] {
  if (isAbsolute(name)) return spellings(name);
  if (/^\.\.?\//.test(name)) return spellings(resolve(from === undefined ? dirs.scriptDir : dirname(from), name));
  return moduleDirs(dirs).flatMap((dir) => spellings(resolve(dirs.projectRoot, dir, name)));
}

function spellings(path: string): readonly string[] {
  if (EXTENSIONS.includes(extname(path))) return [path];
  return EXTENSIONS.flatMap((end) => [path + end, `${path}/index${end}`]);
}
