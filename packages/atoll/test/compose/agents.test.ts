/** `openAgents`, and the program of docs/agents.md. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type MockModel, type MockTurn, startMockModel } from "@atoll-run/testkit";
import { openAgents } from "../../src/compose/agents.ts";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));

async function folder(t: TestContext, under = tmpdir()): Promise<string> {
  const path = await mkdtemp(join(under, ".agents-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function mock(t: TestContext, turns: readonly MockTurn[]): Promise<MockModel> {
  const model = await startMockModel({ script: { turns } });
  t.after(() => model.close());
  return model;
}

test("the program of the page runs as it stands", async (t) => {
  const model = await mock(t, [
    { reply: { tool_calls: [{ name: "weather", input: { city: "Bergen" } }] } },
    { when: { tool_result: "rain in Bergen" }, reply: { text: "Take one." } },
  ]);
  const code = /```ts\n([^]*?)```/.exec(await readFile(join(ROOT, "docs/agents.md"), "utf8"))?.[1] ?? "";
  // inside the project, so that its packages are found
  const home = await folder(t, join(ROOT, "packages/atoll"));
  await writeFile(join(home, "program.ts"), code);
  const { stdout } = await promisify(execFile)(process.execPath, [join(home, "program.ts")], {
    env: { ATOLL_HOME: home, ANTHROPIC_API_KEY: "key", ANTHROPIC_BASE_URL: model.url },
  });
  assert.equal(stdout, "true Take one. 2\n");
});

test("sessions of agents outlive them in the file of the store", async (t) => {
  const model = await mock(
    t, [{ reply: { text: "one" } }, { when: { messages: 3 }, reply: { text: "two" } }],
  );
  const config = { env: { ANTHROPIC_API_KEY: "key", ANTHROPIC_BASE_URL: model.url }, kvPath: join(await folder(t), "kv.sqlite") };
  for (const [prompt, content] of [["a", "one"], ["b", "two"]] as const) {
    await using agents = openAgents(config);
    assert.equal((await agents.run({ prompt, session: "s" })).content, content);
  }
});
