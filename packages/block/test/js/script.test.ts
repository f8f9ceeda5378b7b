/** JavaScript and TypeScript scripts: what the language brings, what is not there, modules, and ends (spec: block 7). */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { until } from "@atoll-run/testkit";
import { ownThreads } from "../../src/isle/host/threads.ts";
import { luaModule } from "../isle/bare-state.ts";
import { runLua as runScript, type ScriptOptions, startLua as startScript, valueOf } from "../support/run-script.ts";

const IMPORT = `import { BlockError, block, bus, sh, std, tool } from "@atoll-run/atoll/script";\n`;
const TS: ScriptOptions = { name: "test.ts" };
const root = realpathSync(mkdtempSync(join(tmpdir(), "atoll-js-")));
after(() => rmSync(root, { recursive: true, force: true }));

/** A project with these files; gives its folder. */
function project(name: string, files: Readonly<Record<string, string>>): string {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name, file)), { recursive: true });
    writeFileSync(join(root, name, file), text);
  }
  return join(root, name);
}

describe("a script", () => {
  const VALUES: readonly (readonly [what: string, source: string, value: unknown])[] = [
    ["a value", "export default 7", 7], ["a function", "export default () => 7", 7],
    ["an async function", "export default async () => [1n, 2.5]", [1, 2.5]], ["a promise", "export default Promise.resolve('x')", "x"],
    ["nothing", "const x = 1", null], ["what was awaited", "const x = await Promise.resolve(1); export { x as default }", 1],
  ];
  for (const [what, source, value] of VALUES) {
    test(`gives what its default export is: ${what}`, async () => assert.deepEqual(await valueOf(source, { name: "test.mjs" }), value));
  }

  test("loses its types and keeps its places", async () => {
    const source = `type A = { a: number };\nconst a: A = { a: 1 } satisfies A;\nfunction f<T>(x: T): T { throw new Error("here"); }\nf(a!);`;
    const { error } = await runScript(source, TS);
    assert.equal(error?.code, "script.failed");
    assert.match(error?.message ?? "", /here\nstack traceback:\n +at f \(test\.ts:3:/);
  });

  test("that needs more than types taken away is script.syntax", async () => {
    const { error } = await runScript("let a = 1;\nenum A { b }", TS);
    assert.equal(error?.code, "script.syntax");
    assert.match(error?.message ?? "", /enum/);
  });

  test("has no Node, no engine, no other realm", async () => {
    const names = ["process", "require", "Buffer", "module", "__dirname", "global", "std", "os", "host", "__atoll_script", "fetch"];
    assert.deepEqual(await valueOf(`export default ${JSON.stringify(names)}.filter((name) => name in globalThis)`, TS), []);
    assert.equal(await valueOf(`export default (await import("node:fs").catch((e) => e.code))`, TS), "script.not_found");
    assert.equal(await valueOf(`export default (await import("@atoll-run/block").catch((e) => e.code))`, TS), "script.not_found");
  });

  test("prints with console.log, and logs with the rest of console", async () => {
    const { stdout, log } = await runScript(`console.log("a", { b: [1n] }, null); console.warn("w", 1); print("x", 2)`, TS);
    assert.equal(stdout, 'a {"b":["1n"]} null\nx\t2\n');
    assert.deepEqual(log.filter(({ target }) => target === "lua").map(({ level, msg }) => [level, msg]), [["warn", "w 1"]]);
  });

  test("takes options in both spellings, and errors that are BlockErrors", async () => {
    const value = await valueOf(`${IMPORT}
      const e = await std.fs.read("missing").catch((e) => e);
      const a = await sh.exec("printf 12345", { maxOutput: 2 }), b = await sh.exec("printf 12345", { max_output: 2 });
      export default [a.stdout, b.stdout, e instanceof BlockError, e instanceof Error, e.name, e.code, e.retry]`, TS);
    assert.deepEqual(value, ["45", "45", true, true, "BlockError", "fs.not_found", "never"]);
  });

  test("cannot pass an integer that 64 bits do not hold", async () => {
    assert.equal(await valueOf(`${IMPORT} export default await sh.exec("true", { timeout: 2n ** 63n }).catch((e) => e.code)`, TS), "json.encode");
  });
});

describe("modules", () => {
  test("come from the folder of the script and from blocks/, with and without their endings", async () => {
    const projectRoot = project("modules", {
      "a.ts": `import { b } from "./sub/b"; export const a: number = b + 1;`, "sub/b.ts": "export const b = 1;",
      "blocks/hello/index.ts": `import word from "./word.js"; export default (): string => word;`, "blocks/hello/word.js": `export default "hello"`,
    });
    assert.deepEqual(await valueOf(`import { a } from "./a.ts"; import hello from "hello"; export default [a, hello(), (await import("./" + "a")).a]`,
      { ...TS, projectRoot }), [2, "hello", 2]);
  });

  test("run once, whoever imports them", async () => {
    const projectRoot = project("once", { "n.js": "globalThis.N = (globalThis.N ?? 0) + 1; export default N", "m.js": `export { default } from "./n.js"` });
    assert.deepEqual(await valueOf(`import a from "./n.js"; import b from "./m.js"; export default [a, b]`, { ...TS, projectRoot }), [1, 1]);
  });

  test("of the script need no grant, and no other file is a module", async () => {
    const projectRoot = project("granted", { "blocks/own.js": "export default 1" });
    const outside = join(project("outside", { "x.js": "export default 2" }), "x.js");
    const source = `import own from "own"; export default [own, await import(${JSON.stringify(outside)}).catch((e) => e.code)]`;
    assert.deepEqual(await valueOf(source, { ...TS, projectRoot, grants: [] }), [1, "grant.denied"]);
  });

  test("with an error say where it is", async () => {
    const projectRoot = project("broken", { "bad.ts": "export const x = 1;\nlet y: = 2;" });
    const { error } = await runScript(`import "./bad.ts"`, { ...TS, projectRoot });
    assert.match(error?.message ?? "", /bad\.ts:2: /);
  });

  test("as handlers run in the handler isle, which is started again with them", async () => {
    const projectRoot = project("handlers", { "h.ts": `
      import { bus } from "@atoll-run/atoll/script";
      let n = 0;
      export default (ev: { payload: string }) => { if (ev.payload === "loop") for (;;); return [++n, (globalThis as any).mark ?? "own"]; }` });
    const { run, end } = startScript(`${IMPORT} globalThis.mark = "main"; await bus.onModule("x", "./h.ts", { timeoutMs: 2_000 }); await bus.serve()`,
      { ...TS, projectRoot, placing: ownThreads(luaModule()) });
    assert.deepEqual([await run.request("x", ""), await run.request("x", "")], [[1, "own"], [2, "own"]]);
    await assert.rejects(run.request("x", "loop"), /handler|crashed|timeout/);
    assert.deepEqual(await run.request("x", ""), [1, "own"]);
    await run.stop();
    assert.equal((await end).error, undefined);
  });

  test("that give no function are no handlers", async () => {
    const projectRoot = project("nofn", { "h.js": "export default 1" });
    assert.equal(await valueOf(`${IMPORT} export default await bus.onModule("x", "./h.js").catch((e) => e.code)`, { ...TS, projectRoot }), "bus.register");
  });
});

describe("a cancel", () => {
  const asked = { name: "ask", description: "", input_schema: {}, handler: () => new Promise<never>(() => undefined) };

  test("by a signal ends one call, with its reason", async () => {
    assert.deepEqual(await valueOf(`${IMPORT}
      const stop = new AbortController();
      const waits = sh.exec("sleep 60", { signal: stop.signal }).catch((e) => [e.code, e.message]);
      stop.abort();
      const late = sh.exec("sleep 60", { signal: AbortSignal.timeout(20) }).catch((e) => e.code);
      export default [await waits, await late]`, TS), [["task.cancelled", "task cancelled"], "task.timeout"]);
  });

  test("of the run fails what waits, and lets it clean up for a moment", async () => {
    const { run, printed, end } = startScript(`${IMPORT}
      block.signal.addEventListener("abort", () => console.log("signal"));
      console.log("begun");
      try { await tool.call("ask"); } catch (e) { console.log(e.code); } finally { console.log("cleaned"); }`, { ...TS, hostTools: [asked] });
    await until(() => printed().includes("begun"));
    run.cancel();
    const { error, stdout } = await end;
    assert.equal(error?.code, "run.cancelled");
    assert.deepEqual(stdout.trim().split("\n").sort(), ["begun", "cleaned", "run.cancelled", "signal"]);
  });

  test("is not held up by what never settles", async () => {
    const { run, printed, end } = startScript(`console.log("begun"); try { await new Promise(() => undefined); } finally { for (;;); }`, TS);
    await until(() => printed().includes("begun"));
    run.cancel();
    assert.equal((await end).error?.code, "run.cancelled");
  });
});
