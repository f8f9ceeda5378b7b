import assert from "node:assert/strict";
import { test } from "node:test";
import { runLua, startLua, valueOf } from "../support/run-script.ts";
import { project } from "./project.ts";

/** The places of package.path beside those of the project. */
const LUA_PLACES = [
  "/usr/local/share/lua/5.4/?.lua", "/usr/local/share/lua/5.4/?/init.lua", "/usr/local/lib/lua/5.4/?.lua",
  "/usr/local/lib/lua/5.4/?/init.lua", "./?.lua", "./?/init.lua",
];

/** What require says after every searcher failed. */
function missing(root: string, name: string): string {
  const places = [
    `${root}/?.lua`, `${root}/?/init.lua`, `${root}/blocks/?.lua`, `${root}/blocks/?/init.lua`, ...LUA_PLACES,
  ];
  const file = name.replaceAll(".", "/");
  const tried = [
    `no field package.preload['${name}']`, ...places.map((place) => `no file '${place.replace("?", file)}'`),
    `no embedded block '${name}'`,
  ];
  return `module '${name}' not found:${tried.map((line) => `\n\t${line}`).join("")}`;
}

test("modules are found beside the script, then in blocks/ of the project, dots are folders", async (t) => {
  const root = await project(t, {
    "one.lua": "return 'script dir'", "blocks/one.lua": "return 'blocks'",
    "blocks/two/init.lua": "return 'init'",
    "blocks/three/four.lua": "return 'dotted'", "sub/five.lua": "return 5",
  });
  assert.deepEqual(await valueOf(`
    return {(require("one")), (require("two")), (require("three.four")), (require("sub.five"))}
  `, { projectRoot: root }), ["script dir", "init", "dotted", 5]);
});

test("package.path is the script's folder, the project's blocks and Lua's default", async (t) => {
  const root = await project(t, {});
  assert.equal(await valueOf("return package.path", { projectRoot: root }),
    [
      `${root}/?.lua`, `${root}/?/init.lua`, `${root}/blocks/?.lua`, `${root}/blocks/?/init.lua`,
      ...LUA_PLACES,
    ].join(";"));
});

test("a module gets its name and its file, and is loaded once", async (t) => {
  const root = await project(t, {
    "m.lua": "count = (count or 0) + 1 return {name = (...), file = select(2, ...)}",
    "none.lua": "", "no.lua": "return false",
    "sets.lua": "package.loaded[...] = 'set' return nil",
  });
  assert.deepEqual(await valueOf(`
    local m, file = require("m")
    return {m, file, require("m") == m, count, select("#", require("m")), require("none"),
      package.loaded.none, (require("no")), (require("sets"))}
  `, { projectRoot: root }), [
    { name: "m", file: `${root}/m.lua` }, `${root}/m.lua`, true, 1, 1, true, true, false, "set",
  ]);
});

test("a module that is nowhere is told with every place, where it was required", async (t) => {
  const root = await project(t, {});
  const { stdout } = await runLua(`print(select(2, pcall(require, "a.b")))
print(select(2, pcall(function() require("x") end)))`, { projectRoot: root });
  assert.equal(stdout, `${missing(root, "a.b")}\ntest.lua:2: ${missing(root, "x")}\n`);
});

test("errors of a module keep their text and place", async (t) => {
  const root = await project(t, {
    "bad.lua": "x =", "raises.lua": "\nerror('boom')", "tab.lua": "error({code = 7})",
  });
  assert.deepEqual(await valueOf(`
    local function why(name) return select(2, pcall(require, name)) end
    return {why("bad"), why("raises"), why("tab").code, package.loaded.raises == nil}
  `, { projectRoot: root }), [
    `error loading module 'bad' from file '${root}/bad.lua':
\t${root}/bad.lua:1: unexpected symbol near <eof>`,
    `${root}/raises.lua:2: boom`, 7, true,
  ]);
});

test("an error nobody caught in a module has the module in its traceback", async (t) => {
  const root = await project(t, { "raises.lua": "local function deep() error('boom') end\ndeep()" });
  const { error } = await runLua(`require("raises")`, { projectRoot: root });
  assert.match(
    error?.message ?? "",
    /raises\.lua:1: boom\n[^]*raises\.lua:1: in upvalue 'deep'|raises\.lua:1: in local 'deep'/,
  );
});

test("modules that require each other in a circle end as in Lua 5.4", async (t) => {
  const root = await project(t, { "a.lua": "return require('b')", "b.lua": "return require('a')" });
  const text = await valueOf(`return select(2, pcall(require, "a"))`, { projectRoot: root });
  assert.match(String(text), /^error loading module '[ab]' from file '.*\/[ab]\.lua':\n\tC stack overflow$/);
});

test("preload, own searchers and package.loaded work as in Lua", async (t) => {
  const root = await project(t, { "lib/deep.lua": "return 'by path'" });
  assert.deepEqual(await valueOf(`
    package.preload.pre = function(...) return {...} end
    table.insert(package.searchers, 2, function(name)
      if name == "mine" then return function(...) return {...} end, "data" end
    end)
    package.loaded.ready = "here"
    package.path = "./lib/?.lua"
    local function why(f) return select(2, pcall(f)) end
    return {require("pre"), (require("mine")), require("ready"), (require("deep")),
      why(function() package.path = nil require("zz") end),
      why(function() package.searchers = nil require("zz") end)}
  `, { projectRoot: root }), [
    ["pre", ":preload:"], ["mine", "data"], "here", "by path", "'package.path' must be a string",
    "test.lua:11: 'package.searchers' must be a table",
  ]);
});

test("package.searchpath gives the first file, or every file it looked for", async (t) => {
  const root = await project(t, { "x/a/b.lua": "", "x-a.lua": "" });
  assert.deepEqual(await valueOf(`
    return {package.searchpath("a.b", "./?.lua;./x/?.lua"),
      (package.searchpath("a%b", "./x?.lua", "a%b", "-a")),
      select(2, package.searchpath("a.b", "?;;./?")), (package.config:gsub("\\n", " "))}
  `, { projectRoot: root }), [
    "./x/a/b.lua", "./x-a.lua", "no file 'a/b'\n\tno file ''\n\tno file './a/b'", "/ ; ? ! - ",
  ]);
});

test("loadfile and dofile read files with a first line for the shell and a byte order mark", async (t) => {
  const root = await project(t, {
    "s.lua": "#!/usr/bin/env lua\nreturn ..., value", "b.lua": "\ufeffreturn 'bom'",
    "bad.lua": "\nreturn + 1", "e.lua": "#\nerror('x')",
  });
  assert.deepEqual(await valueOf(`
    local function why(...) return select(2, pcall(...)) end
    value = "global"
    local list = {(loadfile("s.lua")("arg"))}
    list[2] = select(2, loadfile("s.lua", "t", {value = "own"})("arg"))
    list[3] = dofile("b.lua")
    list[4] = select(2, loadfile("nowhere.lua"))
    list[5] = select(2, loadfile("bad.lua"))
    list[6] = select(2, loadfile("."))
    list[7] = why(dofile, "nowhere.lua")
    list[8] = why(dofile, "e.lua")
    list[9] = select(2, loadfile("s.lua", "b"))
    list[10] = why(loadfile, {})
    list[11] = dofile() == nil
    return list
  `, { projectRoot: root }), [
    "arg", "own", "bom", "cannot open nowhere.lua: No such file or directory",
    "bad.lua:2: unexpected symbol near '+'",
    "cannot read .: Is a directory", "cannot open nowhere.lua: No such file or directory", "e.lua:2: x",
    "attempt to load a text chunk (mode is 'b')",
    "bad argument #1 to 'loadfile' (string expected, got table)", true,
  ]);
});

test("a module may wait for the host while it loads, in a coroutine and where none can yield", async (t) => {
  const root = await project(t, {
    "slow.lua": "return sh.exec('echo ' .. ...).stdout", "other.lua": "return (require('slow'))",
  });
  assert.deepEqual(await valueOf(`
    local one = coroutine.wrap(function() return (require("other")) end)()
    package.loaded.slow = nil
    return {one, (("x"):gsub("x", function() return (require("slow")) end))}
  `, { projectRoot: root }), ["slow\n", "slow\n"]);
});

test("two tasks that require one module at the same time get the same one", async (t) => {
  const root = await project(t, {
    "m.lua": "loads = (loads or 0) + 1 require('n') return {}", "n.lua": "sh.exec('sleep 0.05') return {}",
  });
  assert.deepEqual(await valueOf(`
    local function get() return require("m") end
    local one, two = std.task.spawn(get), std.task.spawn(get)
    return {one:join() == two:join(), loads}
  `, { projectRoot: root }), [true, 1]);
});

test("tasks that require modules in a circle do not wait for each other for ever", async (t) => {
  const root = await project(t, {
    "a.lua": "sh.exec('true') if not half then half = true require('b') end return 'a'",
    "b.lua": "sh.exec('true') if not other then other = true require('a') end return 'b'",
  });
  assert.deepEqual(await valueOf(`
    local one = std.task.spawn(function() return (require("a")) end)
    local two = std.task.spawn(function() return (require("b")) end)
    return {one:join(), two:join()}
  `, { projectRoot: root }), ["a", "b"]);
});

test("a module whose task dies while loading it is loaded by the next", async (t) => {
  const root = await project(t, {
    "m.lua": "sh.exec('sleep 0.02') n = (n or 0) + 1 if n == 1 then error('first') end return n",
  });
  assert.deepEqual(await valueOf(`
    local one = std.task.spawn(function() return (require("m")) end)
    local two = std.task.spawn(function() return (require("m")) end)
    return {select(2, pcall(one.join, one)), two:join()}
  `, { projectRoot: root }), [`${root}/m.lua:1: first`, 2]);
});

test("a required module that a handler captured is re-resolved in the handler isle", async (t) => {
  const root = await project(t, {
    "blocks/words.lua": `
      local n = 0
      return {shout = function(s) n = n + 1 return s:upper() .. n end, deep = {list = {1, 2}}}
    `,
  });
  const script = startLua(`
    local words = require("words")
    local shout, list = words.shout, words.deep.list
    bus.on("say", function(ev) return {words.shout(ev.payload), shout(ev.payload), #list} end)
    bus.on("lazy", function() return require("words").shout("x") end)
    bus.serve()
  `, { projectRoot: root });
  assert.deepEqual(await script.run.request("say", "hi"), ["HI1", "HI2", 2]);
  assert.equal(await script.run.request("lazy", null), "X3");
  await script.run.stop();
});

test("a handler whose module cannot be loaded in the handler isle is refused with the reason", async (t) => {
  const root = await project(t, {
    "once.lua": "if not arg[1] then error('needs an argument') end return {}",
  });
  const { error } = await runLua(`
    arg = {"x"}
    local once = require("once")
    bus.on("x", function() return once end)
  `, { projectRoot: root });
  assert.match(error?.message ?? "", /once\.lua:1: needs an argument/);
});

test("there are no C modules", async () => {
  assert.deepEqual(
    await valueOf(`return {package.loadlib == nil, package.cpath, #package.searchers}`), [true, "", 3],
  );
});
