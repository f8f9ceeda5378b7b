// Block 5.6 and 5.8: tool, log and the pure library, row by row. All rows run in one script, each in a pcall.
import assert from "node:assert/strict";
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runBlock } from "@atoll-run/atoll";
import { type Row, rowTests } from "./rows.ts";
import { emptyFolder, resultOf, serving, start, stopped, valueOf } from "./support.ts";

const root = realpathSync(emptyFolder());
mkdirSync(join(root, "dir", "sub"), { recursive: true });
writeFileSync(join(root, "dir", "a.txt"), "a");
writeFileSync(join(root, "dir", "sub", "b.txt"), "bb");
symlinkSync("dir/a.txt", join(root, "link"));

const LIBRARY = { projectRoot: root, env: { HOME: "/home/me", SET: "yes" } };

rowTests("std.json", [
  ["write_file gives true and writes pretty", `return std.json.write_file("j.json", {a = 1}), std.fs.read("j.json")`, `true\t{\n  "a": 1\n}`],
  ["read_file reads it", `std.json.read_file("j.json")`, `{"a":1}`],
  ["read_file of a file that is not there raises", `return (pcall(std.json.read_file, "none"))`, "false"],
], { config: LIBRARY });

rowTests("std.env", [
  ["get gives a string or nil", `return std.env.get("SET"), std.env.get("UNSET")`, "yes\tnil"],
  ["get_or gives the default", `return std.env.get_or("SET", "d"), std.env.get_or("UNSET", "d")`, "yes\td"],
  ["home is HOME", `std.env.home()`, "/home/me"],
  ["set is seen by get, os.getenv and children", `std.env.set("NEW", "n") return std.env.get("NEW"), os.getenv("NEW"), sh.exec("echo $NEW").stdout`, "n\tn\tn\n"],
  ["project_root is absolute", `return std.env.project_root()`, root],
  ["agent_id is empty without a mesh", `return #std.env.agent_id()`, "0"],
], { config: LIBRARY });

rowTests("std.path", [
  ["join joins", `std.path.join("a", "b", "c.txt")`, "a/b/c.txt"], ["an absolute part restarts", `std.path.join("a", "/b", "c")`, "/b/c"],
  ["join takes strings only", `std.path.join("a", {})`, "!path.join: argument 2 must be a string, got table"],
  ["parent, filename, stem and ext", `return std.path.parent("a/b.tar.gz"), std.path.filename("a/b.tar.gz"), std.path.stem("a/b.tar.gz"), std.path.ext("a/b.tar.gz")`, "a\tb.tar.gz\tb.tar\tgz"],
  ["what is not there is nil", `return std.path.ext("a"), std.path.parent("/"), std.path.filename("/")`, "nil\tnil\tnil"],
  ["absolute resolves links", `std.path.absolute("link")`, join(root, "dir", "a.txt")],
  ["absolute needs the file to exist", `return (pcall(std.path.absolute, "none"))`, "false"],
  ["is_absolute", `return std.path.is_absolute("/a"), std.path.is_absolute("a")`, "true\tfalse"],
], { config: LIBRARY });

rowTests("std.time", [
  ["now is a float of seconds", `math.type(std.time.now())`, "float"], ["millis is an integer", `math.type(std.time.millis())`, "integer"],
  ["measure gives seconds, then the results", `local s, a, b = std.time.measure(function() return 1, 2 end) return math.type(s), a, b`, "float\t1\t2"],
  ["sleep refuses what is negative", `std.time.sleep(-1)`, "!sleep duration must be a finite non-negative number, got -1"],
  ["sleep refuses NaN", `std.time.sleep(0/0)`, "!sleep duration must be a finite non-negative number, got NaN"],
  ["sleep refuses infinity", `std.time.sleep(1/0)`, "!sleep duration must be a finite non-negative number, got inf"],
  ["sleep is a day at most", `std.time.sleep(86401)`, "!sleep duration must not exceed 86400 seconds"],
  ["sleep of 0 comes back", `return std.time.sleep(0) == nil`, "true"],
], { config: LIBRARY });

rowTests("std.string", [
  ["trim", `return std.string.trim(" a "), std.string.trim_start(" a "), std.string.trim_end(" a ")`, "a\ta \t a"],
  ["split", `std.string.split("a,b,,c", ",")`, `["a","b","","c"]`], ["split needs a separator", `std.string.split("a", "")`, "!string.split: separator must not be empty"],
  ["starts_with, ends_with, contains", `return std.string.starts_with("abc", "ab"), std.string.ends_with("abc", "bc"), std.string.contains("abc", ".")`, "true\ttrue\tfalse"],
  ["replace replaces the first, as plain text", `std.string.replace("a.a.", ".", "%1")`, "a%1a."], ["replace_all replaces all", `std.string.replace_all("a.a.", ".", "-")`, "a-a-"],
  ["pad_start and pad_end count code points", `return std.string.pad_start("é", 3), std.string.pad_end("é", 3, "·")`, "  é\té··"],
  ["fill is one character", `std.string.pad_start("a", 3, "xy")`, "!fill must be a single character"],
  ["truncate counts code points", `return std.string.truncate("äöüß", 2), std.string.truncate("äöüß", 3, "…"), std.string.truncate("ab", 5, "…")`, "äö\täö…\tab"],
  ["upper and lower", `return std.string.upper("äb"), std.string.lower("ÄB")`, "ÄB\täb"],
  ["chars, char_count, reverse", `return std.string.chars("añ"), std.string.char_count("añ"), std.string.reverse("añ")`, `["a","ñ"]\t2\tña`],
  ["a wrong argument is named", `std.string.trim({})`, "!string.trim: argument #1 must be a string, got table"],
  ["numeric strings count as numbers, and numbers as strings", `return std.string.pad_start("a", "2"), std.string.trim(5)`, " a\t5"],
], { config: LIBRARY });

rowTests("std.validate.check", [
  ["gives true and nil", `return std.validate.check({a = 1}, {a = "integer"})`, "true\tnil"],
  ["gives false and messages sorted by key", `return std.validate.check({}, {b = {type = "string", required = true}, a = {type = "string", required = true}})`, `false\t["a: required","b: required"]`],
  ["a type name does not make a field required", `return (std.validate.check({}, {a = "string"}))`, "true"],
  ["expected <t>, got <t>", `return std.validate.check({a = "x"}, {a = "number"})`, `false\t["a: expected number, got string"]`],
  [">= and <=", `return std.validate.check({a = 1, b = 9}, {a = {type = "number", min = 2}, b = {type = "number", max = 8}})`, `false\t["a: must be >= 2, got 1","b: must be <= 8, got 9"]`],
  ["length", `return std.validate.check({a = "x", b = "xxx"}, {a = {type = "string", min_len = 2}, b = {type = "string", max_len = 2}})`, `false\t["a: length must be >= 2, got 1","b: length must be <= 2, got 3"]`],
  ["one_of", `return std.validate.check({a = "z"}, {a = {type = "string", one_of = {"x", "y"}}})`, `false\t["a: must be one of [x, y], got z"]`],
  ...["string", "number", "integer", "boolean", "table", "function", "any"].map((type): Row => [
    `the type ${type}`,
    `return (std.validate.check({v = ${({ string: `"x"`, number: "1.5", integer: "1", boolean: "true", table: "{}", function: "print", any: "print" } as Record<string, string>)[type]}}, {v = "${type}"}))`,
    "true",
  ]),
], { config: LIBRARY });

rowTests("std.fs", [
  ["writers return true", `return std.fs.write("w", "1"), std.fs.write_binary("x", "\\0\\255"), std.fs.append("w", "2"), std.fs.mkdir("m/n/o"), std.fs.copy("w", "m/c"), std.fs.rename("m/c", "m/d"), std.fs.remove("m")`,
    "true\ttrue\ttrue\ttrue\ttrue\ttrue\ttrue"],
  ["read and read_binary give exact bytes", `return std.fs.read("w"), #std.fs.read_binary("x"), std.fs.read_binary("x") == "\\0\\255"`, "12\t2\ttrue"],
  ["exists, is_dir, is_file", `return std.fs.exists("dir"), std.fs.is_dir("dir"), std.fs.is_file("dir"), std.fs.exists("none")`, "true\ttrue\tfalse\tfalse"],
  ["walk gives the files of all levels", `local t = std.fs.walk("dir") table.sort(t) return #t, t[1]:match("a.txt$"), t[2]:match("sub/b.txt$")`, "2\ta.txt\tsub/b.txt"],
  ["glob's * stops at /", `return #std.fs.glob("dir/*.txt"), #std.fs.glob("dir/*/*.txt")`, "1\t1"],
  ["list is {name, type, size} sorted by bytes", `local t = std.fs.list("dir") return #t, t[1].name, t[1].type, t[1].size, t[2].name, t[2].type`, "2\ta.txt\tfile\t1\tsub\tdir"],
  ["metadata is {size, modified, is_dir, is_file}", `local m = std.fs.metadata("dir/a.txt") return m.size, m.is_dir, m.is_file, math.abs(m.modified - std.time.now()) < 600`, "1\tfalse\ttrue\ttrue"],
  ["mkdir of what is there is fine", `return std.fs.mkdir("dir/sub")`, "true"],
], { config: LIBRARY });

rowTests("tool", [
  ["register gives nil", `return tool.register("t", {description = "d", input_schema = {type = "object"}}, function(i) return i.x, 2 end, {group = "g"})`, ""],
  ["call gives the first value", `tool.call("t", {x = 5})`, "5"], ["list gives names", `tool.list()`, `["t"]`],
  ["schema gives name, description, input_schema and group", `tool.schema()`, `[{"description":"d","group":"g","input_schema":{"type":"object"},"name":"t"}]`],
  ["_TOOL_REGISTRY has name, schema, handler and group", `local e = _TOOL_REGISTRY.t return e.name, e.schema.description, type(e.handler), e.group`, "t\td\tfunction\tg"],
  ["unregister says whether it was there", `return tool.unregister("t"), tool.unregister("t"), #tool.list()`, "true\tfalse\t0"],
  ["an unknown tool raises tool not found: <name>", `tool.call("t")`, "!tool not found: t"],
  ["handler errors pass through", `tool.register("e", {}, function() error({mine = true}) end) local ok, e = pcall(tool.call, "e") return e.mine`, "true"],
  ["a wrong handler is named", `tool.register("x", {}, 1)`, "!tool.register: argument #3 must be a function, got number"],
], { config: LIBRARY });

test("a repeated tool name replaces in place and warns", async () => {
  const s = start(`for _, n in ipairs{"a", "b", "a"} do tool.register(n, {}, function() return n .. #tool.list() end) end return {tool.list(), tool.call("a")}`);
  assert.deepEqual((await s.end).result?.value, [["a", "b"], "a2"]);
  assert.ok(s.warned().some((text) => text.includes("'a'")), s.warned().join());
});

test("a handler isle's tools are its own", async () => {
  const s = await serving(`tool.register("main", {}, function() end) bus.on("x", function() tool.register("mine", {}, function() end) return tool.list() end) bus.serve() return tool.list()`);
  assert.deepEqual(await s.run.request("x", null), ["mine"]);
  assert.deepEqual((await stopped(s)).value, ["main"]);
});

test("log writes to target lua with the field script; a table as second argument is fields, others are ignored", async () => {
  const s = start(`log.debug("d") log.info("i", {a = 1}) log.warn("w", "ignored", 2) log.error({1})`);
  await s.end;
  const lines = s.logs.filter(({ target }) => target === "lua");
  assert.deepEqual(lines.map(({ level }) => level), ["debug", "info", "warn", "error"]);
  assert.deepEqual(lines.map(({ fields }) => fields?.["script"]), ["test.lua", "test.lua", "test.lua", "test.lua"]);
  assert.equal(lines[1]?.fields?.["a"], 1);
  assert.match(lines[3]?.msg ?? "", /^table: /);
});

test("std.env.set is seen by both isles, whichever sets", async () => {
  const s = await serving(`std.env.set("A", "1") bus.on("x", function() std.env.set("B", "2") return std.env.get("A") end) bus.serve() return os.getenv("B")`);
  assert.equal(await s.run.request("x", null), "1");
  assert.equal((await stopped(s)).value, "2");
});

test("home falls back to USERPROFILE, else nil", async () => {
  const run = async (env: Record<string, string>): Promise<unknown> => (await runBlock({
    script: { source: "return std.env.home() or 'none'", name: "x.lua" }, projectRoot: emptyFolder(), env, signal: AbortSignal.timeout(20_000),
  })).value;
  assert.equal(await run({ USERPROFILE: "/users/me" }), "/users/me");
  assert.equal(await run({}), "none");
});

test("std.time.sleep yields, never blocks the VM", async () => {
  assert.equal(await valueOf(`local n = 0 local t = std.task.spawn(function() for i = 1, 5 do n = n + 1 std.task.yield() end end) std.time.sleep(0.1) t:join() return n`), 5);
});

test("fs.walk refuses more than 10,000 entries and more than 256 levels: fs.walk: …", async () => {
  const value = await valueOf(`
    local path = "deep" for i = 1, 260 do path = path .. "/d" end
    os.execute("mkdir -p " .. path) os.execute("mkdir many && cd many && seq 10001 | xargs touch")
    local out = {}
    for i, dir in ipairs{"deep", "many"} do local ok, e = pcall(std.fs.walk, dir) out[i] = {ok, e.code, tostring(e):match("^fs.walk: ") ~= nil} end
    return out`);
  assert.deepEqual(value, [[false, "fs.limit", true], [false, "fs.limit", true]]);
});

test("fs.list has no limit of entries", async () => {
  assert.equal(await valueOf(`os.execute("seq 10001 | xargs touch") return #std.fs.list(".") > 10000`), true);
});

test("what the library refuses leaves the script running", async () => {
  const result = await resultOf(`for i = 1, 100 do pcall(std.string.split, "a", "") end return "on"`);
  assert.equal(result.value, "on");
});
