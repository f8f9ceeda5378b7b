import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** In a process of its own: what was loaded there is counted. */
const SOURCE = `
  import { registerHooks } from "node:module";
  const loaded = [];
  registerHooks({ load: (url, c, next) => { loaded.push(url); return next(url, c); } });
  const { runLua } = await import(process.argv[1]);
  const { error } = await runLua("sh.exec('true')");
  if (error) throw error;
  console.log(JSON.stringify(loaded.filter((url) => /opentelemetry|open-telemetry|llm-dump.*js/.test(url))));
`;

test("without a registered SDK nothing of OpenTelemetry is loaded", async () => {
  const helper = fileURLToPath(new URL("../support/run-script.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", SOURCE, helper]);
  assert.deepEqual(JSON.parse(stdout), []);
});
