/**
 * Isles that begin with a copy of another's memory: the first two of a kind on a thread are built, those after them are
 * copies. Goal: no script can tell which it is in, and nothing of one block is in the next.
 */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { BlockResult } from "../../src/config.ts";
import { createIslePool } from "../../src/isle/host/pool.ts";
import { startLua } from "../support/run-script.ts";
import { luaModule } from "./bare-state.ts";

const pool = createIslePool(luaModule(), { max: 2, warm: 2 });
after(() => pool.close());

/** Two threads, two isles a run, two built isles of each kind on each: the last runs are in copies, wherever they are. */
const RUNS = 12;

/** What every run gives, from one that was built to those that are copies. */
async function everywhere(source: string, o: Parameters<typeof startLua>[1] = {}): Promise<BlockResult["value"][]> {
  const values: BlockResult["value"][] = [];
  for (let i = 0; i < RUNS; i++) {
    const { end } = startLua(source, { ...o, placing: pool });
    const { result, error } = await end;
    if (result === undefined) throw error;
    values.push(result.value);
  }
  return values;
}

const same = (values: readonly unknown[]): void => {
  for (const value of values) assert.deepEqual(value, values[0]);
};

describe("an isle that begins with a copy", () => {
  test("has every function where a built one has it", async () => {
    const values = await everywhere(`
      local seen, found = {}, {}
      local function walk(name, t)
        if seen[t] then return end
        seen[t] = true
        -- in one order: a table that has two names is found by the same one everywhere
        local keys = {}
        for key in pairs(t) do keys[#keys + 1] = key end
        table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
        for _, key in ipairs(keys) do
          local value, path = rawget(t, key), name .. "." .. tostring(key)
          found[#found + 1] = path .. " " .. type(value)
          if type(value) == "table" then walk(path, value) end
        end
      end
      walk("_G", _G)
      table.sort(found)
      return found`);
    assert.ok((values[0] as unknown[]).length > 200);
    same(values);
  });

  test("does what a built one does: host functions, late code, errors, tools", async () => {
    const values = await everywhere(`
      local ok, problem = pcall(tool.call, "nothing")
      local task = std.task.spawn(function() std.task.sleep(1) return "slept" end)
      tool.register("mine", {description = "d"}, function(input) return input end)
      return {
        problem = tostring(problem), code = problem.code, slept = task:join(), tools = tool.list(),
        json = std.json.encode(std.json.decode('{"a": [1, 2.5, {}], "b": null}')), home = os.getenv("NO_SUCH"),
        opened = select(2, io.open("/no/such/file")), missing = select(2, pcall(require, "no.such")),
        wrong = select(2, pcall(std.kv.get, 1)), array = std.json.encode(std.json.array({})), co = coroutine.wrap(function() return "co" end)(),
      }`);
    same(values);
  });

  test("runs handlers that moved to it", async () => {
    const answers: unknown[] = [];
    for (let i = 0; i < RUNS; i++) {
      const { run, end } = startLua(`
        local factor = 2
        bus.on("twice", function(ev) return {n = ev.payload.n * factor, role = type(bus.serve), json = std.json.encode({1})} end)
        bus.serve()`, { placing: pool });
      answers.push(await run.request("twice", { n: 21 }));
      run.cancel();
      await end;
    }
    same(answers);
  });

  test("has the tools, the arguments and the path of its own block only", async () => {
    const handler = (): string => "x";
    for (let i = 0; i < RUNS; i++) {
      const name = `tool-${i}`;
      const { end } = startLua("left = (left or 0) + 1; package.path = 'mine'; return {tool.list(), tool.call(tool.list()[1]), left, arg[1]}",
        { placing: pool, args: [name], hostTools: [{ name, description: "", input_schema: {}, handler }] });
      const { result, error } = await end;
      assert.deepEqual(result?.value, [[name], "x", 1, name], error?.message);
    }
    same(await everywhere("return {package.path, #tool.list()}", { projectRoot: "/" }));
  });

  test("has random numbers of its own", async () => {
    const values = await everywhere("return math.random(0)");
    assert.equal(new Set(values.slice(-4)).size, 4);
  });
});
