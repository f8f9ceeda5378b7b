import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { folder } from "../ops.ts";
import { runLua, valueOf } from "../support/run-script.ts";

test("os.execute gives Lua's three values, and true when there is a shell", async () => {
  assert.deepEqual(await valueOf(`
    local out = {}
    for i, command in ipairs{"true", "exit 3", "kill -9 $$"} do
      local ok, how, code = os.execute(command)
      out[i] = tostring(ok) .. " " .. how .. " " .. code
    end
    return {out, os.execute(), select(2, pcall(os.execute, {}))}
  `), [
    ["true exit 0", "nil exit 3", "nil signal 9"], true,
    "bad argument #1 to 'execute' (string expected, got table)",
  ]);
});

test("what os.execute prints comes between what the script prints", async () => {
  const { stdout } = await runLua(`print("a") os.execute("echo b") print("c")`);
  assert.equal(stdout, "a\nb\nc\n");
});

for (const [argument, code] of [["", 0], ["true", 0], ["false", 1], ["9", 9], ["'7'", 7]] as const) {
  test(`os.exit(${argument}) ends the run with exit code ${code}`, async () => {
    const { result, stdout } = await runLua(`print("before") os.exit(${argument}) print("after")`);
    assert.deepEqual([result?.outcome, result?.exit_code, stdout], ["exited", code, "before\n"]);
  });
}

test("os.exit ends the run from a place that cannot yield", async () => {
  const { result } = await runLua(`table.sort({2, 1}, function() os.exit(4) end)`);
  assert.equal(result?.exit_code, 4);
});

test("os.exit refuses what is no exit code", async () => {
  assert.deepEqual(await valueOf(`
    return {select(2, pcall(os.exit, "x")), select(2, pcall(os.exit, 1.5)), select(2, pcall(os.exit, {}))}
  `), [
    "bad argument #1 to 'exit' (number expected, got string)",
    "bad argument #1 to 'exit' (number has no integer representation)",
    "bad argument #1 to 'exit' (number expected, got table)",
  ]);
});

test("os.getenv sees the block's environment with what the script set", async () => {
  assert.deepEqual(await valueOf(`
    std.env.set("PET", "cat")
    return {os.getenv("NAME"), os.getenv("PET"), os.getenv("NOPE") == nil, select(2, pcall(os.getenv))}
  `, { env: { NAME: "value" } }), [
    "value", "cat", true, "bad argument #1 to 'getenv' (string expected, got no value)",
  ]);
});

test("os.remove and os.rename give true, or nil, the reason and its number", async (t) => {
  const root = await folder(t);
  writeFileSync(join(root, "a"), "");
  assert.deepEqual(await valueOf(`
    local function show(ok, why, n) return tostring(ok) .. "|" .. tostring(why) .. "|" .. tostring(n) end
    return {show(os.rename("a", "b")), show(os.remove("b")), show(os.remove("b")), show(os.rename("b", "c"))}
  `, { projectRoot: root }),
  ["true|nil|nil", "true|nil|nil", "nil|b: No such file or directory|2", "nil|No such file or directory|2"]);
  assert.ok(!existsSync(join(root, "b")));
});

test("os.tmpname makes a file that nobody else has; io.tmpfile one without a name", async () => {
  assert.deepEqual(await valueOf(`
    local name = os.tmpname()
    local there = io.open(name, "r+") ~= nil
    os.remove(name)
    local f = io.tmpfile()
    f:write("kept")
    f:seek("set")
    return {there, io.open(name) == nil, f:read("a"), os.tmpname() ~= os.tmpname()}
  `), [true, true, "kept", true]);
});

test("os.clock counts the CPU time of the isle, not time spent waiting", async () => {
  const { error, stdout } = await runLua(`
    local begun = os.clock()
    local x = 0
    for i = 1, 3000000 do x = x + i end
    local worked = os.clock() - begun
    sh.exec("sleep 0.5")
    print(worked > 0, os.clock() - begun - worked < 0.4, math.type(begun))
  `);
  assert.equal(error, undefined);
  assert.equal(stdout, "true\ttrue\tfloat\n");
});

test("times are UTC", async () => {
  assert.deepEqual(await valueOf(`
    return {os.date("%Y-%m-%d %H:%M:%S", 0), os.date("!%c", 86399),
      os.time{year = 2001, month = 2, day = 3, hour = 4}, os.difftime(5, 3), os.date("*t", 0).isdst,
      os.setlocale()}
  `), ["1970-01-01 00:00:00", "Thu Jan  1 23:59:59 1970", 981172800, 2, false, "C"]);
});

test("sh.exec, io.popen and os.execute without run: give the same text", async () => {
  const [exec, popen, execute] = await valueOf(`
    local function why(...) local ok, e = pcall(...) return {tostring(e), e.code} end
    local r = sh.exec("ls")
    return {{r.error, r.code}, why(io.popen, "ls"), why(os.execute, "ls")}
  `, { grants: [] }) as [string, string][];
  assert.deepEqual(exec, ["denied: run shell text (not granted); needs grant run:sh", "grant.denied"]);
  assert.deepEqual(popen, exec);
  assert.deepEqual(execute, exec);
});

test("restricted io and os reach granted paths only", async (t) => {
  const root = await folder(t);
  writeFileSync(join(root, "open.txt"), "fine");
  writeFileSync(join(root, "shut.txt"), "secret");
  const value = await valueOf(`
    local function why(...) local ok, e = pcall(...) return e.code .. ": " .. tostring(e) end
    return {io.open("open.txt"):read("a"), why(io.open, "shut.txt"), why(io.lines, "shut.txt"),
      why(io.open, "open.txt", "w"), why(os.remove, "open.txt"), why(os.rename, "open.txt", "x"),
      why(os.tmpname)}
  `, { projectRoot: root, grants: ["fs.read:open.txt"] }) as string[];
  assert.equal(value[0], "fine");
  const shut = `${root}/shut.txt`;
  const reason = "outside the granted paths";
  const denied = `grant.denied: denied: fs.read ${shut} (${reason}); needs grant fs.read:${shut}`;
  assert.deepEqual(value.slice(1, 3), [denied, denied]);
  for (const refusal of value.slice(3)) {
    assert.match(refusal, /^grant\.denied: denied: fs\.write .* needs grant fs\.write:/);
  }
});
