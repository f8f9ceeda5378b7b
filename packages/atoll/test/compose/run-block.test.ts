/**
 * The library as a TypeScript program uses it. Real threads and files; nothing of the process's environment
 * is read.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { BlockError, createPool, inspectTools, luaFloat, runBlock, type RunConfig,
  startBlock } from "@atoll-run/atoll";

function home(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "atoll-lib-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function inline(source: string): Pick<RunConfig, "script" | "stdout"> {
  return { script: { source, name: "inline.lua" }, stdout: "ignore" };
}

test("runBlock gives the result of startBlock: the script's first value", async () => {
  const { value, outcome, exit_code } = await runBlock(inline("return {answer = 42, big = 1 << 60}"));
  assert.deepEqual([value, outcome, exit_code], [{ answer: 42, big: 2n ** 60n }, "returned", 0]);
});

test("the environment of the block is `env` of its config, and nothing else", async () => {
  const source = "return {os.getenv('PATH') or 'none', std.env.get('PET') or 'none', sh.exec('echo ${PET:-none} ${HOME:-none}').stdout}";
  const { value } = await runBlock({ ...inline(source), env: { PET: "dog" } });
  assert.deepEqual(value, ["none", "dog", "dog none\n"]);
});

test("the stores lie where the config says, else in ATOLL_HOME of its env; compiled Lua is kept there too",
  async (t) => {
  const path = home(t);
  const source = "std.kv.set('n', 'k', 7) std.sql.exec('create table t(x)') std.ts.append('s', 1) return std.kv.get('n', 'k')";
  const { value } = await runBlock(
    { ...inline(source), env: { ATOLL_HOME: path }, kvPath: join(path, "own.sqlite"), sqlPath: ":memory:" });
  assert.equal(value, 7);
  assert.ok(existsSync(join(path, "own.sqlite")) && existsSync(join(path, "ts.sqlite")));
  assert.ok(!existsSync(join(path, "kv.sqlite")) && !existsSync(join(path, "db.sqlite")));
});

test("a home that cannot be written costs nothing but time", async () => {
  assert.equal((await runBlock({ ...inline("return 1"), env: { ATOLL_HOME: "/proc/none/of/this" } })).value,
    1);
});

test("without a home a store raises `HOME env var not set`", async () => {
  const { value } = await runBlock(inline("return tostring(select(2, pcall(std.kv.get, 'n', 'k')))"));
  assert.match(String(value), /HOME env var not set/);
});

test("startBlock gives a run that can be asked, stopped, and disposed", async () => {
  await using run = startBlock(
    inline("bus.on('double', function(ev) return ev.payload * 2 end) bus.serve() return 'served'"));
  await run.ready;
  assert.equal(await run.request("double", 21), 42);
  assert.equal(run.serving, true);
  const { value, outcome } = await run.stop();
  assert.deepEqual([value, outcome], ["served", "stopped"]);
});

test("a wrong config fails with config.invalid, all problems at once", async () => {
  const wrong = runBlock({ ...inline(""), globals: { bus: 1 }, limits: { busEventsMax: 0 } });
  await assert.rejects(wrong, (error) => error instanceof BlockError && error.code === "config.invalid"
    && /globals\.bus/.test(error.message) && /limits\.busEventsMax/.test(error.message));
});

test("many blocks share the threads of a pool", async () => {
  await using pool = createPool({ max: 2 });
  const values = await Promise.all(
    Array.from({ length: 10 }, (_, i) => runBlock({ ...inline(`return ${i}`), pool })));
  assert.deepEqual(values.map(({ value }) => value), Array.from({ length: 10 }, (_, i) => i));
  assert.ok(pool.threads <= 2);
});

test("inspectTools lists host tools in their order and runs nothing", () => {
  const handler = (): never => assert.fail("it ran");
  const tools = inspectTools({
    script: { path: "gone.lua" },
    hostTools: [
      { name: "zeta", description: "Z", input_schema: { type: "object" }, handler },
      { name: "alpha", description: "A", input_schema: {}, group: "pets", handler },
    ],
  });
  assert.deepEqual(tools, [
    { name: "zeta", description: "Z", input_schema: { type: "object" }, source: "host" },
    { name: "alpha", description: "A", input_schema: {}, group: "pets", source: "host" },
  ]);
});

test("H1: given a script returning 7, 2^60 and 7.5, then a number, a bigint and a number; luaFloat(8) reaches a script as a float", async () => {
  const { value } = await runBlock({
    ...inline("local t = tool.call('numbers', {}) return {7, 1 << 60, 7.5, math.type(t[1]), math.type(t[2]), math.type(t[3])}"),
    hostTools: [{ name: "numbers", description: "", input_schema: {},
      handler: () => [7, 2n ** 60n, luaFloat(8) as unknown as number] }],
  });
  assert.deepEqual(value, [7, 2n ** 60n, 7.5, "integer", "integer", "float"]);
});
