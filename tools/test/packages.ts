/**
 * A repository of three small packages and a program, with a worker, a script and one installed dependency.
 */
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { makeFolder, manifest } from "./fixture.ts";

export const REPO = fileURLToPath(new URL("../..", import.meta.url));

const FILES: Readonly<Record<string, string>> = {
  "package.json": manifest("workspace", { private: true, workspaces: ["packages/*"] }),
  "package-lock.json": "{}",
  "LICENSE-MIT": "MIT", "LICENSE-APACHE": "Apache",
  "packages/core/package.json": manifest("@atoll-run/core", { version: "0.3.0", license: "MIT",
    devDependencies: { x: "1" },
    exports: { ".": "./src/index.ts", "./internal": { default: "./src/word.ts" } } }),
  "packages/core/src/index.ts": "export * from \"./word.ts\";\n",
  "packages/core/src/word.ts": "/** A word. */\nexport const word: string = \"sun\";\n",
  "packages/block/package.json": manifest("@atoll-run/block",
    { exports: { ".": "./src/index.ts" }, dependencies: { "@atoll-run/core": "*", "tiny": "^1.0.0" } }),
  "packages/block/src/index.ts": "export * from \"./pool/start.ts\";\n",
  "packages/block/src/pool/start.ts": `
    import { readFileSync } from "node:fs";
    import { Worker } from "node:worker_threads";
    import { double } from "tiny";
    const extension = import.meta.url.slice(-3);
    const prelude = readFileSync(new URL("../lua/prelude.lua", import.meta.url), "utf8");
    export function start(n: number): Promise<string> {
      const entry = new URL(\`../isle/thread\${extension}\`, import.meta.url);
      const worker = new Worker(entry, { workerData: double(n) });
      return new Promise((done, fail) => {
        worker.once("message", (said: string) => done(\`\${said} \${prelude}\`));
        worker.once("error", fail);
      });
    }`,
  "packages/block/src/isle/thread.ts": `
    import { parentPort, workerData } from "node:worker_threads";
    import { word } from "@atoll-run/core";
    parentPort?.postMessage(\`\${word} \${String(workerData)}\`);`,
  "packages/block/src/lua/prelude.lua": "return 1",
  "packages/atoll/package.json": manifest("@atoll-run/atoll",
    { version: "0.3.0", exports: "./src/index.ts", dependencies: { "@atoll-run/block": "0.1.0" } }),
  "packages/atoll/src/index.ts": "export { start } from \"@atoll-run/block\";\n",
  "packages/atoll/bin/main.ts": `
    import { readFileSync } from "node:fs";
    if (process.argv[2] === "--version") {
      const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
      console.log((JSON.parse(text) as { version: string }).version);
    } else {
      const { run } = await import("./run.ts");
      await run(Number(process.argv[2]));
    }`,
  "packages/atoll/bin/run.ts": `
    import { start } from "@atoll-run/block";
    export async function run(n: number): Promise<void> { console.log(await start(n)); }`,
  "node_modules/tiny/package.json": manifest("tiny", { version: "1.2.3", exports: "./index.js" }),
  "node_modules/tiny/index.js": "export const double = (n) => n * 2;\n",
  "node_modules/tiny/LICENSE": "Tiny licence: do as you like.",
};

export function makePackages(t: TestContext, change: Readonly<Record<string, string>> = {}): string {
  const config = readFileSync(join(REPO, "tsconfig.json"), "utf8");
  const root = makeFolder(t, { ...FILES, "tsconfig.json": config, ...change });
  for (const name of ["typescript", "@types", "undici-types"]) {
    symlinkSync(join(REPO, "node_modules", name), join(root, "node_modules", name));
  }
  mkdirSync(join(root, "node_modules/@atoll-run"));
  for (const name of ["core", "block", "atoll"]) {
    symlinkSync(join(root, "packages", name), join(root, "node_modules/@atoll-run", name));
  }
  return root;
}
