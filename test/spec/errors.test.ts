// Block 2.4: every code has its text and its retry class, for the host as a fault and in Lua as an object.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, test } from "node:test";
import { createLocalMesh } from "@atoll-run/atoll/block";
import { type Config, emptyFolder, faultOf, serving, stopped, valueOf } from "./support.ts";

// ---- what a run fails with

const RUN_FAILS: readonly (readonly [title: string, source: string, config: Config, code: string, text: RegExp])[] = [
  ["config.invalid is `config error: …`", "", { globals: { bus: 1 } }, "config.invalid", /^config error: /],
  ["script.not_found is `script error: <path>: <reason>`", "", { script: { path: "/no.lua" } }, "script.not_found", /^script error: \/no\.lua: No such file or directory$/],
  ["script.syntax is the Lua text with its place", "x = = 1", {}, "script.syntax", /^script error: test\.lua:1: unexpected symbol near '='/],
  ["script.failed is the Lua text with traceback", "local function f() error('boom') end f()", {}, "script.failed", /^script error: test\.lua:1: boom\nstack traceback:\n/],
  ["a bridge error nobody caught is script.failed", "std.fs.read('nothing')", {}, "script.failed", /^script error: .*nothing/],
  ["isle.memory is `limit error: …`", "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1e6) .. i end", { limits: { isleBytesMax: 16 << 20 } }, "isle.memory", /^limit error: not enough memory/],
  ["isle.timeout is `limit error: …`", "while true do end", { limits: { wallMsMax: 100 } }, "isle.timeout", /^limit error: /],
];

for (const [title, source, config, code, text] of RUN_FAILS) {
  test(title, async () => {
    const fault = await faultOf(source, config);
    assert.deepEqual([fault.code, fault.retry, fault.name], [code, "never", "BlockError"]);
    assert.match(fault.message, text);
  });
}

test("a fault has code, facts, retry and a hint where one helps", async () => {
  const fault = await faultOf("", { script: { path: "/no.lua" } });
  assert.deepEqual([fault.facts["path"], typeof fault.hint], ["/no.lua", "string"]);
});

test("the hint of config.invalid, or its text, names every problem", async () => {
  const fault = await faultOf("", { globals: { bus: 1, mesh: 2 } });
  assert.equal((fault.facts["problems"] as unknown[]).length, 2);
});

// ---- what a bridge raises

/** Accepts and says nothing. */
const silent = createServer((socket) => void socket.on("error", () => undefined));
await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
const { port } = silent.address() as { port: number };
const closed = createServer();
await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
const { port: closedPort } = closed.address() as { port: number };
closed.close();
after(() => silent.close());

const mesh = createLocalMesh();
mesh.join("mute").serve(() => new Promise(() => undefined));
const SPIN = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n";

/** Lua code that raises, the code of what it raises, its retry class and its text. */
const RAISED: readonly (readonly [source: string, code: string, retry: string, text: RegExp])[] = [
  [`http.request("http://a b")`, "http.invalid", "never", /./],
  [`http.request("http://127.0.0.1:${port}", {timeout = 0.1})`, "http.timeout", "later", /^http timeout after 0\.1s: /],
  [`http.request("http://127.0.0.1:${closedPort}")`, "http.connect", "later", /^http connection error: /],
  [`http.request("http://127.0.0.1", {method = "B AD"})`, "http.invalid", "never", /^invalid HTTP method 'B AD': /],
  [`std.fs.read("nothing")`, "fs.not_found", "never", /nothing/],
  [`std.fs.read(".")`, "fs.failed", "never", /./],
  [`std.json.encode(print)`, "json.encode", "never", /unsupported type for JSON conversion/],
  [`std.json.decode("{")`, "json.decode", "never", /^json\.decode: /],
  [`local t = {} for i = 1, 200 do t = {t} end std.json.encode(t)`, "json.depth", "never", /^json\.encode: Lua table nesting too deep for JSON \(limit: 128\)$/],
  [`std.json.decode(("["):rep(200) .. ("]"):rep(200))`, "json.depth", "never", /^json\.decode: JSON nesting too deep \(limit: 128\)$/],
  [`tool.call("none")`, "tool.not_found", "never", /^tool not found: none$/],
  [`std.sql.query("nonsense")`, "sql.failed", "never", /^sql error: /],
  [`std.sql.query("${SPIN}")`, "sql.timeout", "later", /^sql\.query timeout \(2000ms\)$/],
  [`std.sql.exec("select ?", {1/0})`, "sql.param", "never", /^SQL param #1 is non-finite \(.*\); /],
  [`std.sql.exec("select ?", {{}})`, "sql.param", "never", /^unsupported SQL param type: table$/],
  [`std.kv.get("", "k")`, "kv.namespace", "never", /^Invalid namespace: ''$/],
  [`std.ts.query("s", {bucket_ms = 5})`, "ts.invalid", "never", /^ts bucket_ms requires agg$/],
  [`local t = std.task.spawn(function() end) t:join() t:join()`, "task.joined", "never", /^task already joined$/],
  [`local t = std.task.spawn(function() std.time.sleep(60) end) t:abort() t:join()`, "task.aborted", "never", /^task aborted$/],
  [`std.task.with_timeout(10, function() std.time.sleep(60) end)`, "task.timeout", "later", /^task\.with_timeout: exceeded 10 ms$/],
  [`local t = std.task.cancel_token() t:cancel() t:check()`, "task.cancelled", "never", /^task cancelled$/],
  [`mesh.request("mute", {}, {timeout_ms = 50})`, "mesh.timeout", "later", /^mesh error: /],
  [`mesh.request("nobody", {})`, "mesh.rejected", "never", /^mesh error: /],
  [`mesh.request("mute", ("x"):rep(5 * 1024 * 1024))`, "mesh.rejected", "never", /^mesh error: /],
  [`for i = 1, 65 do bus.emit("x", i) end`, "bus.overloaded", "later", /^bus\.emit: queue full \(64\), no reader; call bus\.serve\(\) or use autoServe$/],
  [`io.lines("nothing")`, "", "", /cannot open file 'nothing' \(No such file or directory\)$/],
  [`std.string.split("a", "")`, "script.argument", "never", /^string\.split: separator must not be empty$/],
];

interface Shown { code?: string; retry?: string; text: string; concat: string; raised: boolean }
const GUARD = `local function show(f)
  local ok, e = pcall(f)
  local fields = type(e) == "table" and e or {}
  return {raised = not ok, code = fields.code, retry = fields.retry, text = tostring(e), concat = "" .. tostring(e == nil and "" or e)}
end\n`;
let shown: Promise<Shown[]> | undefined;
const showAll = (): Promise<Shown[]> => valueOf(
  `${GUARD}return {${RAISED.map(([source]) => `show(function() ${source} end)`).join(",\n")}}`,
  { mesh: mesh.join("me"), limits: { sqlMs: 2_000 } },
) as unknown as Promise<Shown[]>;

for (const [index, [source, code, retry, text]] of RAISED.entries()) {
  test(`${source.slice(0, 90)} raises ${code === "" ? "a plain error" : `${code}, retry ${retry}`}: ${text.source}`, async () => {
    shown ??= showAll();
    const it = (await shown)[index] as Shown;
    assert.equal(it.raised, true);
    assert.match(it.text, text);
    assert.deepEqual([it.code ?? "", it.retry ?? ""], [code, retry]);
  });
}

test("in Lua tostring(e) and .. give the text, e.code, e.retry and e.retry_after_ms are fields", async () => {
  const code = `for i = 1, 64 do bus.emit("x", i) end
    local ok, e = pcall(bus.emit, "x", 65)
    return {tostring(e) == "a" .. e and false or ("[" .. e .. "]") == "[" .. tostring(e) .. "]", (e .. "!") == tostring(e) .. "!", e.code, e.retry, e.retry_after_ms > 0}`;
  assert.deepEqual(await valueOf(code), [true, true, "bus.overloaded", "later", true]);
});

test("a bridge error raised again keeps its code", async () => {
  assert.equal(await valueOf(`local ok, e = pcall(function() local ok, e = pcall(std.fs.read, "no") error(e) end) return e.code`), "fs.not_found");
});

test("grant.denied is `denied: …`, retry never", async () => {
  const value = await valueOf(`local ok, e = pcall(std.fs.read, "/etc/hosts") return {e.code, e.retry, tostring(e)}`, { grants: [] });
  assert.deepEqual((value as string[]).slice(0, 2), ["grant.denied", "never"]);
  assert.match((value as string[])[2] as string, /^denied: /);
});

test("mesh.not_connected is `mesh.<fn>: mesh not connected (no --relay specified)`, retry never", async () => {
  for (const fn of ["send", "request"]) {
    assert.deepEqual(await valueOf(`local ok, e = pcall(mesh.${fn}, "x") return {e.code, e.retry, tostring(e)}`),
      ["mesh.not_connected", "never", `mesh.${fn}: mesh not connected (no --relay specified)`]);
  }
});

test("an address that is taken is mesh.connect_failed: `mesh error: connect to … failed: …`", () => {
  assert.throws(() => mesh.join("mute"), { code: "mesh.connect_failed", retry: "never", message: /^mesh error: connect to mute failed: / });
});

test("sql.aborted is retried later, when the transaction of the caller was rolled back by the end of its child", async () => {
  const value = await valueOf(`
    std.sql.exec("create table t(x)")
    local holder = std.task.spawn(function()
      std.sql.exec("BEGIN") std.sql.exec("insert into t values (1)") BEGUN = true
      while not ENDED do std.task.sleep(5) end
      local ok, e = pcall(std.sql.exec, "insert into t values (2)")
      return {ok, e.code, e.retry, tostring(e)}
    end)
    while not BEGUN do std.task.sleep(5) end
    pcall(std.sql.query, "${SPIN}")
    ENDED = true
    return holder:join()`, { limits: { sqlMs: 2_000 } });
  assert.deepEqual((value as unknown[]).slice(0, 3), [false, "sql.aborted", "later"]);
  assert.match((value as string[])[3] as string, /^sql aborted: /);
});

test("a statement of a task that is cancelled is sql.cancelled: `task cancelled during sql.query`", async () => {
  const value = await valueOf(`
    local got
    std.task.scope(function(scope)
      scope:spawn(function() local ok, e = pcall(std.sql.query, "${SPIN}") got = {ok, e.code or "", tostring(e)} end)
      std.task.sleep(150)
      scope:cancel()
    end)
    return got`);
  assert.deepEqual((value as unknown[])[0], false);
  assert.match(String((value as unknown[])[2]), /^task cancelled( during sql\.query)?$/);
});

// ---- what a request fails with

const ASKED: readonly (readonly [title: string, handler: string, code: string, retry: string, text: string])[] = [
  ["bus.no_handler is `bus error: no handler for kind …`", "", "bus.no_handler", "never", "bus error: no handler for kind `x`"],
  ["bus.handler_failed is the text of the handler", `bus.on("x", function() error("mine", 0) end)`, "bus.handler_failed", "never", "mine"],
  ["a bridge error of a handler keeps its code", `bus.on("x", function() tool.call("none") end)`, "tool.not_found", "never", "tool not found: none"],
  ["bus.timeout is `handler timeout`", `bus.on("x", function() std.time.sleep(60) end, {timeout_ms = 50})`, "bus.timeout", "later", "handler timeout"],
];
for (const [title, handler, code, retry, message] of ASKED) {
  test(title, async () => {
    const s = await serving(`${handler} bus.serve()`);
    await assert.rejects(s.run.request("x", null), { code, retry, message });
    await stopped(s);
  });
}

test("bus.closed is what a request gets after the end of the run", async () => {
  const s = await serving("bus.serve()", { projectRoot: emptyFolder() });
  await stopped(s);
  await assert.rejects(s.run.request("x", null), { code: "bus.closed", retry: "never" });
});
