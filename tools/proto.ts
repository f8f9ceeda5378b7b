/**
 * `npm run proto`: checks the schemas of core and writes their TypeScript. The generated files are committed;
 * a test compares them with the schemas wherever buf is installed.
 */
import { createRequire } from "node:module";
import { existsSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runChild } from "./child.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");
const TIMEOUT_MS = 120_000;

export const SCHEMAS = join(ROOT, "packages/core/src/protocol/schema");
export const GENERATED = join(ROOT, "packages/core/src/protocol/generated");

const CONFIG = JSON.stringify({
  version: "v2", modules: [{ path: "." }],
  // Names and required fields are those of a protocol that was there before these schemas.
  lint: { use: ["BASIC"], except: ["FIELD_NOT_REQUIRED"] },
});

/** The program `buf`; undefined where its package is not installed for this machine. */
export function findBuf(): string | undefined {
  const require = createRequire(join(ROOT, "package.json"));
  try {
    const file = join(dirname(require.resolve("@bufbuild/buf/package.json")), "bin/buf");
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined;
  }
}

/** Checks the schemas and writes their code below `out`. Throws with what buf said. */
export async function generate(buf: string, out: string): Promise<void> {
  const template = JSON.stringify({
    version: "v2",
    plugins: [{
      local: [process.execPath, join(ROOT, "node_modules/@bufbuild/protoc-gen-es/bin/protoc-gen-es")], out,
      opt: ["target=ts", "import_extension=ts", "erasable_syntax=true"],
    }],
  });
  const config = ["--config", CONFIG];
  for (const args of [["lint", ...config], ["generate", ...config, "--template", template]]) {
    const end = await runChild({
      command: process.execPath, args: [buf, ...args], cwd: SCHEMAS, timeoutMs: TIMEOUT_MS,
    });
    if (end.code !== 0) throw new Error(`buf ${args[0]} failed:\n${end.output}`);
  }
}

export async function main(args: readonly string[]): Promise<number> {
  const buf = findBuf();
  if (args.length > 0 || buf === undefined) {
    console.error(args.length > 0 ? "usage: npm run proto" : "buf is not installed for this machine: npm ci");
    return 2;
  }
  rmSync(GENERATED, { recursive: true, force: true });
  await generate(buf, GENERATED);
  return 0;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
