/**
 * The agent loop costs nothing until it is used: no file of it is loaded by a run without an agent (issue B).
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const program = fileURLToPath(new URL("fixtures/loaded-files.ts", import.meta.url));

/** Files of the rooms `agent` and `mcp`, and packages, that a run of the script loads. */
async function loadedBy(source: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, source]);
  return stdout.split("\n").filter((line) => /src\/(agent|mcp)\/|\/undici\/|modelcontextprotocol/.test(line));
}

test("a script without an agent loads nothing of the loop, of MCP or of the HTTP library", async () => {
  assert.deepEqual(await loadedBy("return 1"), []);
});

test("a script that asks a model loads the loop", async () => {
  const loaded = await loadedBy(`return require("agent").run{prompt = "hi"}.error`);
  assert.ok(loaded.some((file) => file.endsWith("src/agent/run-agent.ts")), loaded.join("\n"));
  assert.ok(!loaded.some((file) => file.includes("modelcontextprotocol")), loaded.join("\n"));
});
