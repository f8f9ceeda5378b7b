// Block 2.2: the start order, seen in events and in what fails first, and what is opened only when it is used.
import assert from "node:assert/strict";
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createLocalMesh } from "@atoll-run/atoll/block";
import { emptyFolder, faultOf, resultOf, serving, start, stopped, valueOf } from "./support.ts";

const MISSING = { script: { path: "/nowhere/script.lua" } };

function project(files: Readonly<Record<string, string>>): string {
  const folder = emptyFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

test("the config is validated before the script is read", async () => {
  assert.equal((await faultOf("", { ...MISSING, globals: { std: 1 } })).code, "config.invalid");
});

test("a script that cannot be read fails before the prompt does", async () => {
  const fault = await faultOf("", { ...MISSING, prompt: { file: "/nowhere/prompt" } });
  assert.deepEqual([fault.code, fault.message], ["script.not_found", "script error: /nowhere/script.lua: No such file or directory"]);
});

test("a prompt that cannot be read fails before the context does", async () => {
  const fault = await faultOf("", { prompt: { file: "/nowhere/p" }, context: { file: "/nowhere/c" } });
  assert.match(fault.message, /^script error: prompt file \/nowhere\/p: /);
});

test("a context that cannot be read is named", async () => {
  assert.match((await faultOf("", { context: { file: "/nowhere/c" } })).message, /^script error: context file \/nowhere\/c: /);
});

test("the prompt is read before the script runs", async () => {
  const s = start("print('ran')", { prompt: { file: "/nowhere/p" } });
  await s.end;
  assert.equal(s.printed(), "");
});

test(".env never overrides a variable that is there, and adds the others", async () => {
  const projectRoot = project({ ".env": "SET=file\nNEW=file\n" });
  assert.deepEqual(await valueOf(`return {os.getenv("SET"), os.getenv("NEW")}`, { projectRoot, env: { SET: "env" } }), ["env", "file"]);
});

test("a missing .env is fine", async () => assert.deepEqual((await resultOf("return 1")).warnings, []));

test("a bad line of .env warns with its place, and the others count", async () => {
  const projectRoot = project({ ".env": "A=1\nthis is none\nB=2\n" });
  const result = await resultOf(`return {os.getenv("A"), os.getenv("B")}`, { projectRoot });
  assert.deepEqual(result.value, ["1", "2"]);
  assert.equal(result.warnings.length, 1);
  assert.match(result.warnings[0] as string, /\.env:2: /);
});

test("a .env with comments, export, quotes and values of several lines is read", async () => {
  const projectRoot = project({ ".env": "# a comment\nexport A='one two' # why\n\nB=\"x\ny\"\nC=\n" });
  const result = await resultOf(`return {os.getenv("A"), os.getenv("B"), os.getenv("C")}`, { projectRoot });
  assert.deepEqual([result.value, result.warnings], [["one two", "x\ny", ""], []]);
});

test("grants are compiled before the script runs", async () => {
  const s = start("print('ran')", { grants: ["fs.fly:/"] });
  assert.equal((await s.end).error?.code, "config.invalid");
  assert.equal(s.printed(), "");
});

test("host handlers are there when the script begins", async () => {
  const s = start(`bus.emit("x", 1) bus.serve()`, { hostHandlers: { x: (ev) => ev.payload } });
  assert.equal(await s.run.request("x", "now"), "now");
  await stopped(s);
});

test("with autoServe the dispatcher runs beside the script", async () => {
  const handled: unknown[] = [];
  const value = await valueOf(`bus.emit("x", 1) while tool.call("handled") == 0 do std.task.yield() end return "seen"`, {
    autoServe: true, hostHandlers: { x: (ev) => void handled.push(ev.payload) },
    hostTools: [{ name: "handled", description: "", input_schema: {}, handler: () => handled.length }],
  });
  assert.equal(value, "seen");
});

test("the mesh is connected before the script, and every peer is accepted", async () => {
  const mesh = createLocalMesh();
  const s = await serving(`bus.on("mesh", function(ev) return ev.meta.from end) bus.serve()`, { mesh: mesh.join("a") });
  const call = { deadlineMs: 10_000, signal: new AbortController().signal };
  assert.equal(await mesh.join("stranger").request("a", null, call), "stranger");
  await stopped(s);
});

test("projectRoot is its real path", async () => {
  const folder = realpathSync(emptyFolder());
  mkdirSync(join(folder, "real"));
  symlinkSync("real", join(folder, "link"));
  assert.equal(await valueOf("return std.env.project_root()", { projectRoot: join(folder, "link") }), join(folder, "real"));
});

test("_SCRIPT_NAME, _PROMPT, _CONTEXT, std, globals, bridges and package.path are there before the script", async () => {
  const code = "return {_SCRIPT_NAME, _PROMPT, _CONTEXT, type(std.json), MINE, type(bus.on), type(package.path)}";
  assert.deepEqual(await valueOf(code, { prompt: "p", context: "c", globals: { MINE: 1 } }), ["test.lua", "p", "c", "table", 1, "function", "string"]);
});

test("host tools are registered before those of the script", async () => {
  const hostTools = [{ name: "host", description: "", input_schema: {}, handler: () => 1 }];
  assert.deepEqual(await valueOf(`tool.register("a", {}, function() end) return tool.list()`, { hostTools }), ["host", "a"]);
});

test("started comes before everything the script does", async () => {
  const s = start("print(1)");
  const order: string[] = [];
  s.run.on("started", () => order.push("started"));
  s.run.on("print", () => order.push("print"));
  await s.end;
  assert.deepEqual(order, ["started", "print"]);
});

test("the script runs as a coroutine", async () => {
  assert.deepEqual(await valueOf("local co, main = coroutine.running() return {type(co), main}"), ["thread", false]);
});

test("the handler isle is opened when the first handler moves there", async () => {
  const s = await serving("bus.serve()", { hostHandlers: { x: () => 1 } });
  assert.deepEqual(s.run.stats().isles.map(({ role }) => role), ["main"]);
  await stopped(s);
});

test("no store is opened, and no SQL child started, before it is used", async () => {
  const s = start(`std.fs.list(".") return std.fs.exists(".atoll")`);
  assert.equal((await s.end).result?.value, false);
  assert.deepEqual(await valueOf(`std.kv.set("n", "k", 1)
    return {std.fs.exists(".atoll/kv.sqlite"), std.fs.exists(".atoll/db.sqlite")}`, { projectRoot: s.home }), [true, false]);
});
