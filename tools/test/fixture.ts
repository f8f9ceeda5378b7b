/** Small repositories in a temporary folder, for the tests of the tools. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";

/** Writes the files (path → text) into a new folder that goes when the test ends, and gives the folder. */
export function makeFolder(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "atoll-tools-")));
  t.after(() => rmSync(root, { recursive: true, force: true, maxRetries: 3 }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

/** A package.json as text. */
export function manifest(name: string, rest: object = {}): string {
  return JSON.stringify({ name, version: "0.1.0", type: "module", ...rest }, null, 2);
}

/** Root, core and block: a repository that tidy has nothing to say about. */
export const CLEAN: Readonly<Record<string, string>> = {
  "package.json": manifest("workspace", { private: true, workspaces: ["packages/*", "drivers/*"],
    scripts: { tidy: "node tools/launch.cjs tidy" }, devDependencies: { "fast-check": "1.0.0" } }),
  "packages/core/package.json": manifest("@atoll-run/core", { exports: { ".": "./src/index.ts" } }),
  "packages/core/src/index.ts": "export * from \"./fault.ts\";\n",
  "packages/core/src/fault.ts": 
    "import type { EventEmitter } from \"node:events\";\nexport type Fault = EventEmitter;\n",
  "packages/block/package.json": manifest("@atoll-run/block",
    { exports: { ".": "./src/index.ts" }, dependencies: { "@atoll-run/core": "0.1.0", "undici": "1.0.0" } }),
  "packages/block/src/index.ts": "export * from \"./block.ts\";\n",
  "packages/block/src/block.ts": [
    "import type { Fault } from \"@atoll-run/core\";",
    "import { readFileSync } from \"node:fs\";",
    "import { send } from \"./send.ts\";",
    "export const worker = new URL(`./worker${import.meta.url.slice(-3)}`, import.meta.url);",
    "export const prelude = readFileSync(new URL(\"./prelude.lua\", import.meta.url));",
    "export const run = (fault: Fault): unknown => send(fault);",
  ].join("\n"),
  "packages/block/src/send.ts": "import { request } from \"undici\";\nexport const send = request;\n",
  "packages/block/src/worker.ts": "import \"./prelude-loader.ts\";\n",
  "packages/block/src/prelude-loader.ts": "export {};\n",
  "packages/block/src/prelude.lua": "return 1\n",
  "packages/block/test/block.test.ts": 
    "import fc from \"fast-check\";\nimport { run } from \"@atoll-run/block\";\nfc(run);\n",
};

export interface Said { readonly code: number | null; readonly out: string; readonly err: string }

type RunningTool = Promise<Said> & { kill: () => void };

/** Runs `main` of a tool on a fixture, in a process of its own; `kill` lets a test interrupt it. */
export function runTool(tool: string, args: readonly string[], root: string): RunningTool {
  const script = `import { main } from ${JSON.stringify(new URL(`../${tool}.ts`, import.meta.url).href)};
    process.exitCode = await main(${JSON.stringify(args)}, ${JSON.stringify(root)});`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script],
    { stdio: ["ignore", "pipe", "pipe"] });
  const said = { out: "", err: "" };
  child.stdout.on("data", (part: Buffer) => { said.out += part.toString(); });
  child.stderr.on("data", (part: Buffer) => { said.err += part.toString(); });
  const ended = new Promise<Said>((done) => {
    child.once("close", (code) => done({ code, ...said }));
  });
  return Object.assign(ended, { kill: () => { child.kill("SIGTERM"); } });
}
