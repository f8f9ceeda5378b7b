/** Lua and TypeScript side by side: the library of plain functions, and values on their way. */
import { type Pair, pairs } from "./pairs.ts";

const TABLE: readonly Pair[] = [
  { title: "integers, floats, text and nothing come back as they were given", lua: `return {7, 2^53|0, 0.5, "é\\0", true, {}}`,
    ts: `export default [7, 2 ** 53, 0.5, "é\\0", true, {}].map((v) => (v === 2 ** 53 ? 9007199254740992n : v))` },
  { title: "a 64-bit integer passes through a host tool unchanged", lua: `return tool.call("echo", {n = 9007199254740993})`,
    ts: `export default tool.call("echo", { n: 9007199254740993n })`,
    config: { hostTools: [{ name: "echo", description: "", input_schema: {}, handler: (input) => input }] } },
  { title: "std.json.encode sorts keys and keeps integers", lua: `return std.json.encode({b = {1, 2}, a = 9007199254740993, c = "x"})`,
    ts: `export default std.json.encode({ b: [1, 2], a: 9007199254740993n, c: "x" })` },
  { title: "std.json.encode_pretty indents by two", lua: `return std.json.encode_pretty({b = {1, {c = "{,}"}}, a = true})`,
    ts: `export default std.json.encodePretty({ b: [1, { c: "{,}" }], a: true })` },
  { title: "std.json.encode refuses what is no number", lua: `return try(std.json.encode, {0/0})[1]`,
    ts: `export default (await attempt(() => std.json.encode([NaN])))[0]` },
  { title: "std.json.encode refuses functions", lua: `return try(std.json.encode, {a = print})`,
    ts: `export default attempt(() => std.json.encode({ a: () => 1 }))` },
  { title: "std.json.decode gives exact integers", lua: `return std.json.decode('{"a":[1,9007199254740993,"x"]}')`,
    ts: `export default std.json.decode('{"a":[1,9007199254740993,"x"]}')` },
  { title: "std.json.decode of what is no JSON is json.decode", lua: `return try(std.json.decode, "{nope")[1]`,
    ts: `export default (await attempt(() => std.json.decode("{nope")))[0]` },
  { title: "JSON that is too deep is json.depth", lua: `return try(std.json.decode, ("["):rep(200) .. ("]"):rep(200))[1]`,
    ts: `export default (await attempt(() => std.json.decode("[".repeat(200) + "]".repeat(200))))[0]` },
  { title: "a JSON file is written and read", lua: `return {std.json.write_file("a.json", {b = {1}}), std.fs.read("a.json"), std.json.read_file("a.json")}`,
    ts: `export default [await std.json.writeFile("a.json", { b: [1] }), await std.fs.read("a.json"), await std.json.readFile("a.json")]` },
  { title: "std.string counts in characters", lua: `local s = std.string
    return {s.trim("  é "), s.split("a,b", ","), s.pad_start("7", 3, "0"), s.truncate("äöüß", 3, "…"), s.upper("ß1"),
      s.chars("🌊a"), s.char_count("🌊a"), s.reverse("abc"), s.replace_all("aXbX", "X", "-"), s.starts_with("abc", "ab")}`,
    ts: `const s = std.string;
    export default [s.trim("  é "), s.split("a,b", ","), s.padStart("7", 3, "0"), s.truncate("äöüß", 3, "…"), s.upper("ß1"),
      s.chars("🌊a"), s.charCount("🌊a"), s.reverse("abc"), s.replaceAll("aXbX", "X", "-"), s.startsWith("abc", "ab")]` },
  { title: "std.string.split refuses an empty separator", lua: `return try(std.string.split, "a", "")`,
    ts: `export default attempt(() => std.string.split("a", ""))` },
  { title: "a wrong type of argument is said by function, place and type", lua: `return {try(std.string.trim, {}), try(std.fs.read, true), try(http.request)}`,
    ts: `export default [await attempt(() => std.string.trim({} as any)), await attempt(() => std.fs.read(true as any)), await attempt(() => (http as any).request())]` },
  { title: "numbers count as text where text is wanted", lua: `return std.string.trim(42)`, ts: `export default std.string.trim(42 as any)` },
  { title: "std.path takes paths apart", lua: `local p = std.path
    return {p.join("a", "/b", "c.txt"), p.parent("/a/b"), p.filename("/a/b.c"), p.stem("/a/b.c"), p.ext("b.c"), p.is_absolute("/x")}`,
    ts: `const p = std.path;
    export default [p.join("a", "/b", "c.txt"), p.parent("/a/b"), p.filename("/a/b.c"), p.stem("/a/b.c"), p.ext("b.c"), p.isAbsolute("/x")]` },
  { title: "std.path.join refuses what is no text", lua: `return try(std.path.join, "a", {})`, ts: `export default attempt(() => std.path.join("a", {} as any))` },
  { title: "std.validate.check gives a message for each problem", lua: `
    local ok, why = std.validate.check({a = "x", n = 7.5, l = {1, 2, 3}, o = "z"},
      {a = "number", n = {type = "integer"}, l = {type = "table", max_len = 2}, o = {one_of = {"x", "y"}}, r = {required = true}})
    return {ok, why}`,
    ts: `export default std.validate.check({ a: "x", n: 7.5, l: [1, 2, 3], o: "z" },
      { a: "number", n: { type: "integer" }, l: { type: "table", max_len: 2 }, o: { one_of: ["x", "y"] }, r: { required: true } })` },
  { title: "std.validate.check passes what fits", lua: `return {(std.validate.check({a = 1}, {a = "integer"}))}`,
    ts: `export default [std.validate.check({ a: 1 }, { a: "integer" })[0]]` },
  { title: "std.env reads, sets and falls back", lua: `std.env.set("PAIR_X", "1") return {std.env.get("PAIR_X"), std.env.get_or("PAIR_Y", "d"), std.env.home() == std.env.project_root()}`,
    ts: `await std.env.set("PAIR_X", "1"); export default [await std.env.get("PAIR_X"), await std.env.getOr("PAIR_Y", "d"), (await std.env.home()) === std.env.projectRoot()]` },
  { title: "std.time refuses to sleep for ever", lua: `return {try(std.time.sleep, -1), try(std.time.sleep, 1e9)}`,
    ts: `export default [await attempt(() => std.time.sleep(-1)), await attempt(() => std.time.sleep(1e9))]` },
  { title: "llm.extract_json mends what models write", lua: `return llm.extract_json("see: {'a': [1, 2,], b: 3}")`,
    ts: `export default llm.extractJson("see: {'a': [1, 2,], b: 3}")` },
  { title: "llm.extract_json raises when there is none", lua: `return try(llm.extract_json, "nothing here")`,
    ts: `export default attempt(() => llm.extractJson("nothing here"))` },
  { title: "llm.strip_fences gives the inside of a fence", lua: "return llm.strip_fences('a\\n```js\\nx\\n```\\nb')",
    ts: "export default llm.stripFences('a\\n```js\\nx\\n```\\nb')" },
  { title: "a sleep lets the other task run first", lua: `local seen = {}
    local a = std.task.spawn(function() std.task.sleep(20) seen[#seen + 1] = "a" end)
    local b = std.task.spawn(function() seen[#seen + 1] = "b" end)
    a:join() b:join() return seen`,
    ts: `const seen: string[] = [];
    const a = std.task.spawn(async () => { await std.task.sleep(20); seen.push("a"); });
    const b = std.task.spawn(() => { seen.push("b"); });
    await a.join(); await b.join(); export default seen` },
  { title: "a task gives its value or its error, once", lua: `local h = std.task.spawn(function() return 7 end)
    local bad = std.task.spawn(function() std.fs.read("missing") end)
    return {h:join(), try(h.join, h), (try(bad.join, bad))}`,
    ts: `const h = std.task.spawn(() => 7); const bad = std.task.spawn(() => std.fs.read("missing"));
    export default [await h.join(), await attempt(() => h.join()), await attempt(() => bad.join())]` },
  { title: "an aborted task is task.aborted", lua: `local h = std.task.spawn(function() std.task.sleep(60000) end) h:abort() return try(h.join, h)`,
    ts: `const h = std.task.spawn(({ signal }: any) => std.task.sleep(60000, { signal } as any)); h.abort(); export default attempt(() => h.join())` },
  { title: "std.task.with_timeout ends what takes too long", lua: `return try(std.task.with_timeout, 20, function() std.task.sleep(60000) end)`,
    ts: `export default attempt(() => std.task.withTimeout(20, ({ signal }: any) => std.task.sleep(60000, { signal })))` },
  { title: "std.task refuses what is no duration", lua: `return {try(std.task.sleep, -1), try(std.task.sleep, "x")}`,
    ts: `export default [await attempt(() => std.task.sleep(-1)), await attempt(() => std.task.sleep("x" as any))]` },
];
pairs(TABLE);
