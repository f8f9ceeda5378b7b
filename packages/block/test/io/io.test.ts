import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { folder } from "../ops.ts";
import { runLua, startLua, valueOf } from "../support/run-script.ts";

/** What each call gives, every value as text, so that nil at the end counts. */
const SHOW = `local function show(...)
  local t = table.pack(...)
  for i = 1, t.n do t[i] = math.type(t[i]) == "float" and "float " .. t[i] or tostring(t[i]) end
  return table.concat(t, "|", 1, t.n)
end\n`;

const READS: readonly (readonly [file: string, formats: string, want: string])[] = [
  ["a\nb\n", ``, "a"],
  ["a\nb\n", `"l", "L", "l"`, "a|b\n|nil"],
  ["a\nb", `"*l", "*L", "*l"`, "a|b|nil"],
  ["a\nb\n", `"a", "a", "l"`, "a\nb\n||nil"],
  ["", `"a"`, ""],
  ["", `0`, "nil"],
  ["x", `0, 1, 0`, "|x|nil"],
  ["abcdef", `2, 10, 1`, "ab|cdef|nil"],
  [
    "12 -7 0x1F .5 -.5e1 3. 1e2 x", `"n", "n", "n", "n", "n", "n", "n", "n"`,
    "12|-7|31|float 0.5|float -5.0|float 3.0|float 100.0|nil",
  ],
  [
    "0x1p4 9223372036854775807 9223372036854775808", `"*n", "n", "n"`,
    "float 16.0|9223372036854775807|float 9.2233720368548e+18",
  ],
  ["nil 5", `"n", "l"`, "nil"],
  ["12abc", `"n", "a"`, "12|abc"],
  ["1e+ 5", `"n", "a"`, "nil"],
  [`${"1".repeat(201)} 5`, `"n"`, "nil"],
  ["\n\n", `"l", "l", "l"`, "||nil"],
];

for (const [file, formats, want] of READS) {
  const shown = JSON.stringify(file.slice(0, 40));
  test(`a file with ${shown} read by (${formats}) gives ${JSON.stringify(want)}`, async (t) => {
    const root = await folder(t);
    writeFileSync(join(root, "f"), file);
    assert.equal(
      await valueOf(`${SHOW} return show(io.open("f"):read(${formats}))`, { projectRoot: root }), want,
    );
  });
}

test("a file is a userdata with a name, closed once, and closed by <close>", async (t) => {
  const root = await folder(t);
  assert.deepEqual(await valueOf(`
    local f = io.open("f", "w")
    local open = {type(f), io.type(f), tostring(f):match("^file %(0x%x+%)$") ~= nil, getmetatable(f).__name}
    local again
    do
      local g <close> = f
      again = g
    end
    return {open, {tostring(again), io.type(again), io.type(1) == nil, select(2, pcall(f.read, f))}}
  `, { projectRoot: root }), [
    ["userdata", "file", true, "FILE*"],
    ["file (closed)", "closed file", true, "attempt to use a closed file"],
  ]);
});

const REFUSALS: readonly (readonly [code: string, want: string])[] = [
  [`io.open("nowhere/x")`, "nil|nowhere/x: No such file or directory|2"],
  [`io.open("nowhere/x", "w")`, "nil|nowhere/x: No such file or directory|2"],
  [`io.open(".", "w")`, "nil|.: Is a directory|21"],
  [`io.open("."):read()`, "nil|Is a directory|21"],
  [`io.open("."):read("a")`, "nil|Is a directory|21"],
  [`io.open("f", "w"):read()`, "nil|Bad file descriptor|9"],
  [`io.open("f"):write("x")`, "nil|Bad file descriptor|9"],
  [`io.open("f"):seek("set", -1)`, "nil|Invalid argument|22"],
  [`pcall(io.lines, "nowhere")`, "false|cannot open file 'nowhere' (No such file or directory)"],
  [`pcall(function() io.open("f", "rw") end)`, "false|test.lua:6: bad argument #2 to 'open' (invalid mode)"],
  [
    `pcall(function() io.open("f"):read("z") end)`,
    "false|test.lua:6: bad argument #1 to 'read' (invalid format)",
  ],
  [
    `pcall(function() io.open("f"):seek("foo") end)`,
    "false|test.lua:6: bad argument #1 to 'seek' (invalid option 'foo')",
  ],
  [`pcall(function() io.open("f"):seek("set", 1.5) end)`,
    "false|test.lua:6: bad argument #2 to 'seek' (number has no integer representation)"],
  [
    `pcall(function() io.stdout.write() end)`,
    "false|test.lua:6: bad argument #1 to 'write' (FILE* expected, got no value)",
  ],
  [
    `pcall(function() io.stdout:write("", {}) end)`,
    "false|test.lua:6: bad argument #2 to 'write' (string expected, got table)",
  ],
  [
    `pcall(function() io.output():setvbuf("x") end)`,
    "false|test.lua:6: bad argument #1 to 'setvbuf' (invalid option 'x')",
  ],
  [
    `pcall(function() io.open() end)`,
    "false|test.lua:6: bad argument #1 to 'open' (string expected, got no value)",
  ],
  [
    `pcall(function() io.close(5) end)`,
    "false|test.lua:6: bad argument #1 to 'close' (FILE* expected, got number)",
  ],
  [`io.close()`, "nil|cannot close standard file"],
  [`io.stdin:write("x")`, "nil|Bad file descriptor|9"],
  [`io.stdout:seek()`, "nil|Illegal seek|29"],
];

for (const [code, want] of REFUSALS) {
  test(`${code} gives ${want}`, async (t) => {
    const root = await folder(t);
    writeFileSync(join(root, "f"), "text");
    assert.equal(await valueOf(`${SHOW}return show(${code})`, { projectRoot: root }), want);
  });
}

test("io.lines reads the formats it was given, closes at its end and when its loop is left", async (t) => {
  const root = await folder(t);
  writeFileSync(join(root, "f"), "1 a\n2 b\n");
  assert.deepEqual(await valueOf(`
    local got, it = {}, nil
    for n, rest in io.lines("f", "n", "L") do got[#got + 1] = n .. rest end
    it = io.lines("f")
    for line in it do got[#got + 1] = line end
    got[#got + 1] = select(2, pcall(it))
    local held
    local iterator, _, _, file = io.lines("f")
    for line in iterator, nil, nil, file do held = file break end
    got[#got + 1] = io.type(held)
    local f = io.open("f")
    for line in f:lines(1) do got[#got + 1] = line break end
    got[#got + 1] = io.type(f)
    return got
  `, { projectRoot: root }), [
    "1 a\n", "2 b\n", "1 a", "2 b", "file is already closed", "closed file", "1", "file",
  ]);
});

test("a bad format of lines is told where the loop asks", async (t) => {
  const root = await folder(t);
  writeFileSync(join(root, "f"), "x");
  const problem = await valueOf(
    `return select(2, pcall(function() for l in io.lines("f", "x") do end end))`, { projectRoot: root },
  );
  assert.equal(problem, "test.lua:1: bad argument #2 to 'for iterator' (invalid format)");
});

test("reading, writing and seeking in one file keep one position", async (t) => {
  const root = await folder(t);
  writeFileSync(join(root, "f"), "0123456789\nabcdef\n");
  assert.deepEqual(await valueOf(`
    local f = io.open("f", "r+")
    local out = {f:read(3), f:seek(), f:seek("cur", 2), f:read(1)}
    f:write("XY")
    out[5] = f:seek()
    out[6] = f:read("l")
    out[7] = f:seek("end", -3)
    out[8] = f:read("a")
    f:seek("set")
    out[9] = f:read("a")
    f:close()
    local g = io.open("f", "a+")
    g:write("end")
    g:seek("set", 1)
    out[10] = g:read("a")
    return out
  `, { projectRoot: root }), [
    "012", 3, 5, "5", 8, "89", 15, "ef\n", "012345XY89\nabcdef\n", "12345XY89\nabcdef\nend",
  ]);
});

test("what a script wrote and did not close is in the file when the run has ended", async (t) => {
  const root = await folder(t);
  for (const [name, source] of Object.entries({
    returned: `f = io.open("returned", "w") f:write("kept")`,
    failed: `f = io.open("failed", "w") f:write("kept") error("so")`,
    exited: `f = io.open("exited", "w") f:write("kept") os.exit(3)`,
  })) {
    await runLua(source, { projectRoot: root });
    assert.equal(readFileSync(join(root, name), "utf8"), "kept", name);
  }
});

test("what a handler wrote and did not close is in the file when the run has ended", async (t) => {
  const root = await folder(t);
  const script = startLua(`
    bus.on("note", function(ev) f = f or io.open("notes", "a") f:write(ev.payload, "\\n") end)
    bus.serve()
  `, { projectRoot: root });
  await script.run.request("note", "one");
  await script.run.request("note", "two");
  await script.run.stop();
  assert.equal(readFileSync(join(root, "notes"), "utf8"), "one\ntwo\n");
});

test("a child sees what was written before it was started", async (t) => {
  const root = await folder(t);
  assert.equal(await valueOf(`
    local f = io.open("f", "w")
    f:write("fresh")
    return sh.exec("cat f").stdout
  `, { projectRoot: root }), "fresh");
});

test("a write that the disk refuses is told by write, flush or close", async () => {
  const rows = await valueOf(`
    local f, g, h = io.open("/dev/full", "w"), io.open("/dev/full", "w"), io.open("/dev/full", "w")
    f:write("x")
    g:write("x")
    h:setvbuf("no")
    return {{f:flush()}, {g:close()}, {h:write("x")}, {io.open("/dev/full", "w"):write(("x"):rep(100000))}}
  `);
  assert.deepEqual(rows, Array.from({ length: 4 }, () => [null, "No space left on device", 28]));
});

test("files that are forgotten are let go of when no more can be opened", async (t) => {
  const root = await folder(t);
  assert.equal(await valueOf(`
    for i = 1, 600 do assert(io.open("f", "w")):write(i) end
    return io.open("f"):read("a")
  `, { projectRoot: root }), "600");
});

test("a file that one task closes while others use it ends their work, not the isle", async (t) => {
  const root = await folder(t);
  const value = await valueOf(`
    local f = io.open("f", "w+")
    f:write(("line\\n"):rep(200000))
    f:seek("set")
    local works = {
      function() return f:read("a") end, function() return f:flush() end, function() return f:seek("end") end,
      function() for i = 1, 100 do if not f:write(("x"):rep(5000)) then return end end end,
      function() for line in f:lines() do end end,
    }
    local tasks = {}
    for i, work in ipairs(works) do
      tasks[i] = std.task.spawn(function() return (select(2, pcall(work))) end)
    end
    std.task.spawn(function() f:close() end)
    for i, task in ipairs(tasks) do task:join() end
    return {io.type(f), select(2, pcall(f.read, f))}
  `, { projectRoot: root });
  assert.deepEqual(value, ["closed file", "attempt to use a closed file"]);
});

test("files work where a coroutine cannot yield", async (t) => {
  const root = await folder(t);
  writeFileSync(join(root, "a"), "2");
  writeFileSync(join(root, "b"), "1");
  assert.deepEqual(await valueOf(`
    local names = {"a", "b"}
    table.sort(names, function(x, y) return io.open(x):read("n") < io.open(y):read("n") end)
    return {names, (("a b"):gsub("%a", function(name) return io.open(name):read("a") end))}
  `, { projectRoot: root }), [["b", "a"], "2 1"]);
});

test("a file that a handler captured is refused by name and type; with isle main it works", async (t) => {
  const root = await folder(t);
  writeFileSync(join(root, "f"), "one\ntwo\n");
  const refused = await runLua(
    `local file = io.open("f") bus.on("x", function() return file:read() end)`, { projectRoot: root },
  );
  assert.match(
    refused.error?.message ?? "",
    /bus\.on: handler for 'x' captures 'file' \(userdata\), which cannot move to the handler isle/,
  );
  const script = startLua(`
    local file = io.open("f")
    bus.on("x", function() return file:read() end, {isle = "main"})
    bus.serve()
  `, { projectRoot: root });
  assert.deepEqual(
    [await script.run.request("x", null), await script.run.request("x", null)], ["one", "two"],
  );
  await script.run.stop();
});

test("a read of a pipe with a name waits for its writer, and ends when that is gone", async (t) => {
  const root = await folder(t);
  const script = `
    os.execute("mkfifo pipe")
    local function write(text) return std.task.spawn(function() sh.exec("sleep 0.1; printf '" .. text .. "' > pipe") end) end
    local writer = write("a\\nb")
    local f = io.open("pipe")
    local lines = {f:read("l"), f:read("l"), tostring(f:read("l"))}
    f:close() writer:join()
    writer = write("whole")
    local whole = std.fs.read("pipe")
    writer:join()
    return {lines, whole}`;
  assert.deepEqual(await valueOf(script, { projectRoot: root }), [["a", "b", "nil"], "whole"]);
});
