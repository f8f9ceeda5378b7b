/**
 * Goal: V8 never frees machine code of an isle's module while the module lives (it has ended a process over it).
 * Method: processes in which V8 says when it looks for dead code, and looks as often as it can, run Lua until its code
 * has been compiled twice; what it says before the module is loaded is of Node's own modules.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const support = new URL("bare-state.ts", import.meta.url).href;
const busy = (before: string): string => `
  import v8 from "node:v8";
  import { setTimeout as sleep } from "node:timers/promises";
  import { bareState, evaluate, luaModule } from ${JSON.stringify(support)};
  luaModule();
  ${before}
  await sleep(100);
  console.log("BEGIN");
  for (let n = 0; n < 4; n++) {
    evaluate(bareState(), "local t = {} for i = 1, 2e6 do t[i % 64] = i end return 1");
    await sleep(50);
  }`;

function codeCollections(source: string): number {
  const { stdout, stderr, status } = spawnSync(process.execPath,
    ["--trace-wasm-code-gc", "--stress-wasm-code-gc", "--input-type=module", "-e", source], { encoding: "utf8", timeout: 60_000 });
  assert.equal(status, 0, stderr);
  const lines = stdout.split("\n");
  return lines.slice(lines.indexOf("BEGIN")).filter((line) => line.includes("[wasm-gc]")).length;
}

test("machine code of an isle's module is freed with the module alone", () => {
  assert.equal(codeCollections(busy("")), 0);
});

test("V8 would free it before, had it not been told", () => {
  assert.ok(codeCollections(busy(`v8.setFlagsFromString("--wasm-code-gc");`)) > 0);
});
