/** The types of `@atoll-run/atoll/script`, as the compiler of a script's author sees them. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "atoll-types-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** What the compiler says of a script; empty when nothing. */
async function problems(name: string, source: string): Promise<string[]> {
  writeFileSync(join(folder, `${name}.mts`), source);
  writeFileSync(join(folder, `${name}.json`), JSON.stringify({
    compilerOptions: {
      target: "es2024", module: "nodenext", moduleResolution: "nodenext", strict: true, noEmit: true, types: [],
      lib: ["es2024", "dom"], allowImportingTsExtensions: true, exactOptionalPropertyTypes: true,
      paths: { "@atoll-run/atoll/script": [join(ROOT, "packages/atoll/src/script.ts")] },
    },
    files: [`${name}.mts`],
  }));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, [tsc, "-p", join(folder, `${name}.json`)], (_error, stdout) => resolve(stdout));
  });
  return output.split("\n").filter((line) => line.includes("error"));
}

test("a script that uses every part of the API compiles", async () => {
  assert.deepEqual(await problems("good", `
    import { agent, block, bus, http, llm, log, mcp, mesh, session, sh, std, tool } from "@atoll-run/atoll/script";
    import type { AgentResult, BusEvent, Json } from "@atoll-run/atoll/script";

    await bus.on("greet", async (event: BusEvent) => ({ hello: event.payload ?? null }), { timeoutMs: 1000 });
    await bus.onAny((event) => event.kind);
    await bus.onModule("work", "./handler.ts");
    await bus.emit("greet", { name: "Ada" });
    const answer: Json | undefined = await mesh.request(mesh.agentId(), { n: 1n }, { timeoutMs: 500 });
    const reply = await http.request("https://example.com/", {
      headers: { accept: "text/plain" }, maxBody: 10, stream: true, onData: async (data, event) => data !== event.id,
    });
    const status: number = reply.status;
    const { ok, stdout } = await sh.exec("true", { timeout: 1, maxOutput: 5, args: ["a"] });
    tool.register("add", { description: "Adds.", input_schema: {} }, (input) => input, { group: "math" });
    const names: readonly string[] = tool.list();
    log.info("done", { ok, stdout, status, answer, names, trace: block.trace.trace_id, args: block.args });
    const data = llm.extractJson("{}");
    await mcp.connect("demo", "server", ["--fast"], { timeoutMs: 10 });
    const called = await mcp.call("demo", "echo", { message: "hi" }, { onId: (id) => void id });
    await std.kv.set("ns", "key", { data: data ?? null, at: std.time.millis() });
    const rows = await std.sql.query("SELECT ?", [1n, null, "x"]);
    const trimmed: string = std.string.trimStart(" x");
    const parent: string | undefined = std.path.parent(trimmed);
    await std.fs.writeBinary("file", new Uint8Array(3));
    const text: string = await std.fs.read("file");
    const result: AgentResult = await agent.run({
      prompt: "p", maxTokens: 5, parallelTools: true, onDelta: (delta) => { const t: "text" | "thinking" | "tool_input" = delta.type; void t; },
    });
    await session.save("id", result.messages ?? []);
    block.signal.throwIfAborted();
    export default { rows, parent, text, called: called.is_error, usage: result.usage?.input_tokens };
  `), []);
});

const WRONG: Readonly<Record<string, string>> = {
  "a name in snake_case": `import { bus } from "@atoll-run/atoll/script"; await bus.on_any(() => 1);`,
  "a text where a number belongs": `import { http } from "@atoll-run/atoll/script"; await http.request("x", { timeout: "1" });`,
  "an option that is not there": `import { sh } from "@atoll-run/atoll/script"; await sh.exec("x", { shell: true });`,
  "a promise taken for its value": `import { std } from "@atoll-run/atoll/script"; const n: boolean = std.fs.exists("x");`,
  "a part that is not there": `import { fs } from "@atoll-run/atoll/script"; export default fs;`,
  "an agent without a prompt": `import { agent } from "@atoll-run/atoll/script"; await agent.run({});`,
};

test("what a script gets wrong is an error of its compiler", async (t) => {
  for (const [what, source] of Object.entries(WRONG)) {
    await t.test(what, async () => {
      const found = await problems("wrong", `${source}\nexport {};\n`);
      assert.ok(found.some((line) => line.includes("wrong.mts")), found.join("\n"));
    });
  }
});
