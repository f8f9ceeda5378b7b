/**
 * The one file that knows where Lua comes from: the official Lua 5.4 module inside the npm package `wasmoon`,
 * rewritten in memory (wasm/rewrite.ts). The package's own JavaScript is not used.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { compileIsleModule } from "./wasm/compile.ts";
import { rewrite } from "./wasm/rewrite.ts";

/** The rewriter relies on the exact shape of this build; another one is refused. */
const SOURCE_SHA256 = "95f3f19ddb740125883bc41d5ec670cd0828e7b58c8bdad385323cbff497b55c";
/** Of the rewritten module: makes a cached copy trustworthy. A test compares it with a fresh rewrite. */
export const REWRITTEN_SHA256 = "22ad619f6a161abf0e975c2ceaa0a07f52620673283c1262820fb2fa9ee1d3c0";

export interface LuaModule {
  readonly module: WebAssembly.Module;
}

/**
 * Compiled Lua, ready for `new WebAssembly.Instance`; may be shared with worker threads. `cacheFile`: where
 * the rewritten bytes may be kept (rewriting costs some 100 ms in a fresh process, reading 2 ms). A cache
 * that cannot be read, written or trusted is passed over in silence.
 */
export function loadLuaModule(options: { cacheFile?: string } = {}): LuaModule {
  const bytes = (options.cacheFile === undefined ? undefined : readCache(options.cacheFile))
    ?? fresh(options.cacheFile);
  return { module: compileIsleModule(bytes) };
}

/** The stock module's bytes, after the check of its hash. */
export function stockLuaBytes(): Uint8Array {
  const path = createRequire(import.meta.url).resolve("wasmoon/dist/glue.wasm");
  return checkStock(readFileSync(path), path);
}

/** The bytes of the build that we know; throws for any other, with its path and hash. */
export function checkStock(bytes: Uint8Array, path: string): Uint8Array {
  const hash = sha256(bytes);
  if (hash === SOURCE_SHA256) return bytes;
  const known = "the Lua build this version was made for";
  throw new Error(`${path} is not ${known} (sha256 ${hash}); install wasmoon 1.16.0 exactly`);
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function readCache(file: string): Uint8Array | undefined {
  try {
    const bytes = readFileSync(file);
    return sha256(bytes) === REWRITTEN_SHA256 ? bytes : undefined;
  } catch {
    return undefined;
  }
}

function fresh(cacheFile: string | undefined): Uint8Array {
  const { bytes } = rewrite(stockLuaBytes());
  if (cacheFile !== undefined) {
    try {
      mkdirSync(dirname(cacheFile), { recursive: true });
      const partial = `${cacheFile}.${process.pid}.part`;
      writeFileSync(partial, bytes);
      renameSync(partial, cacheFile);
    } catch {
      // a read-only home only costs time
    }
  }
  return bytes;
}
