// Block 2.1: the members of a run, its events, its result and what a host may give.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type BlockEvent, inspectTools, luaFloat, runBlock, startBlock } from "@atoll-run/atoll";
import { until } from "@atoll-run/testkit";
import { emptyFolder, faultOf, resultOf, serving, start, stopped, valueOf } from "./support.ts";

const SERVE = `bus.on("echo", function(ev) return {kind = ev.kind, id = ev.id, payload = ev.payload, meta = ev.meta} end) bus.serve()`;

// ---- config

test("script is a path: the file is read once, at start", async () => {
  const folder = emptyFolder();
  const path = join(folder, "agent.lua");
  writeFileSync(path, `std.fs.write(_SCRIPT_NAME, "return 2") return {_SCRIPT_NAME, 1}`);
  assert.deepEqual(await valueOf("", { script: { path }, projectRoot: folder }), [path, 1]);
});

test("script is source with a name, which is _SCRIPT_NAME and the name of its chunk", async () => {
  assert.deepEqual(await valueOf(`return {_SCRIPT_NAME, select(2, pcall(error, "x", 2))}`, { script: { source: "return {_SCRIPT_NAME, (select(2, pcall(function() error('x') end)))}", name: "mine.lua" } }),
    ["mine.lua", "mine.lua:1: x"]);
});

test("args are the global arg", async () => {
  assert.deepEqual(await valueOf("return {arg[1], arg[2], #arg}", { args: ["a", "b"] }), ["a", "b", 2]);
});

test("prompt and context are text or a file", async () => {
  const folder = emptyFolder();
  writeFileSync(join(folder, "p.txt"), "from a file\n");
  assert.deepEqual(await valueOf("return {_PROMPT, _CONTEXT}", { prompt: { file: join(folder, "p.txt") }, context: "text" }), ["from a file\n", "text"]);
});

test("mcpTimeoutMs is more than 0", async () => {
  const fault = await faultOf("", { mcpTimeoutMs: 0 });
  assert.equal(fault.code, "config.invalid");
  assert.match(fault.message, /mcpTimeoutMs/);
});

test("hostHandlers are installed before the script", async () => {
  const { run, end } = start(`bus.emit("x", 1) bus.on("x", function() return "script" end) bus.serve()`, { hostHandlers: { x: () => "host" } });
  assert.equal(await run.request("x", null), "script");
  await run.stop();
  await end;
  assert.equal(await start(`return 1`, { autoServe: true, hostHandlers: { x: () => "host" } }).run.request("x", null), "host");
});

test("anyHandler is the fallback for unmatched kinds", async () => {
  const s = start(SERVE, { hostHandlers: { a: () => "a" }, anyHandler: (ev) => `any ${ev.kind}` });
  assert.deepEqual([await s.run.request("a", null), await s.run.request("b", null)], ["a", "any b"]);
  assert.deepEqual((await s.run.request("echo", 1, { id: "i" }) as { id: string }).id, "i");
  await stopped(s);
});

test("a host handler gets kind, id, payload, meta and a signal; nothing returned is null", async () => {
  const seen: unknown[] = [];
  const s = start("bus.serve()", { hostHandlers: { x: (ev) => void seen.push({ ...ev, signal: ev.signal instanceof AbortSignal }) } });
  assert.equal(await s.run.request("x", { big: 9007199254740993n }, { id: "id-1", meta: { from: "me" } }), null);
  assert.deepEqual(seen, [{ kind: "x", id: "id-1", payload: { big: 9007199254740993n }, meta: { from: "me" }, signal: true }]);
  await stopped(s);
});

test("the signal of a host handler is aborted when the time of its event is up", async () => {
  let aborted = false;
  const slow = ({ signal }: { signal: AbortSignal }): Promise<void> => new Promise((resolve) => {
    signal.addEventListener("abort", () => {
      aborted = true;
      resolve();
    });
  });
  const s = await serving("bus.serve()", { hostHandlers: { slow } });
  await assert.rejects(s.run.request("slow", null, { deadlineMs: 300 }), { code: "bus.timeout" });
  await until(() => aborted);
  await stopped(s);
});

test("a host handler that does not end in time is nacked, and the next event is handled", async () => {
  const s = await serving("bus.serve()", { hostHandlers: { slow: () => new Promise(() => undefined), next: () => 1 }, limits: { handlerMsMax: 200 } });
  await assert.rejects(s.run.request("slow", null), { code: "bus.timeout", message: "handler timeout" });
  assert.equal(await s.run.request("next", null), 1);
  await stopped(s);
});

test("autoServe needs at least one host handler", async () => {
  const fault = await faultOf("", { autoServe: true });
  assert.equal(fault.code, "config.invalid");
  assert.match(fault.message, /autoServe/);
});

test("a host tool has name, description, input_schema and group, and is called with input, signal, isle and trace", async () => {
  const calls: unknown[] = [];
  const hostTools = [{
    name: "ask", description: "asks", input_schema: { type: "object" }, group: "g",
    handler: (input: unknown, c: { signal: AbortSignal; isle: string; trace: { trace_id: string } }) => {
      calls.push([input, c.signal instanceof AbortSignal, c.isle, c.trace.trace_id]);
      return Promise.resolve({ answer: luaFloat(8) as unknown as number });
    },
  }];
  const value = await valueOf(`return {tool.schema(), math.type(tool.call("ask", {q = 1}).answer)}`, { hostTools, trace: { trace_id: "t" } });
  assert.deepEqual(value, [[{ name: "ask", description: "asks", input_schema: { type: "object" }, group: "g" }], "float"]);
  assert.deepEqual(calls, [[{ q: 1 }, true, "main", "t"]]);
});

test("what a host tool throws is an error of tool.call", async () => {
  const hostTools = [{ name: "bad", description: "", input_schema: {}, handler: () => { throw new Error("no luck"); } }];
  assert.match(String(await valueOf(`return tostring(select(2, pcall(tool.call, "bad", {})))`, { hostTools })), /no luck/);
});

for (const [name, code] of [
  ["sqlPath", `std.sql.exec("create table t(x)") return #std.sql.query("select * from t")`],
  ["kvPath", `std.kv.set("n", "k", 1) return #std.kv.list("n") - 1`], ["tsPath", `std.ts.append("s", 1) return #std.ts.query("s") - 1`],
] as const) {
  test(`${name} may be :memory:, which leaves no file and starts empty each time`, async () => {
    const s = start(code, { [name]: ":memory:" });
    assert.equal((await s.end).result?.value, 0);
    assert.equal(await valueOf(`return std.fs.exists(".atoll")`, { projectRoot: s.home }), false);
    assert.equal(await valueOf(code, { [name]: ":memory:", projectRoot: s.home }), 0);
  });
}

test("globals arrive before the script, in both isles", async () => {
  const s = start(`assert(LIMIT == 3) bus.on("g", function() LIMIT = LIMIT + 1 return LIMIT end) bus.serve()`, { globals: { LIMIT: 3 } });
  assert.equal(await s.run.request("g", null), 4);
  await stopped(s);
});

for (const name of ["bus", "mesh", "http", "sh", "tool", "log", "mcp", "std", "llm", "_PROMPT", "_SCRIPT_NAME"]) {
  test(`a global named ${name} is config.invalid`, async () => {
    const fault = await faultOf("", { globals: { [name]: 1 } });
    assert.equal(fault.code, "config.invalid");
    assert.ok(fault.message.includes(`globals.${name}`), fault.message);
  });
}

test("env is the block's whole environment: nothing of the process is seen", async () => {
  process.env["ATOLL_SPEC_LEAK"] = "1";
  const run = startBlock({ script: { source: `return {os.getenv("ATOLL_SPEC_LEAK") == nil, os.getenv("HOME") == nil, sh.exec("env").stdout}`, name: "e.lua" },
    projectRoot: emptyFolder(), env: { ONLY: "this" }, signal: AbortSignal.timeout(20_000) });
  const [leak, home, env] = (await run.result).value as [boolean, boolean, string];
  assert.deepEqual([leak, home], [true, true]);
  assert.match(env, /^ONLY=this$/m);
  assert.doesNotMatch(env, /ATOLL_SPEC_LEAK/);
  delete process.env["ATOLL_SPEC_LEAK"];
});

test("stdout is given the bytes of prints, stderr those of io.stderr", async () => {
  let err = "";
  const s = start(`print("out") io.stderr:write("err\\0\\xff")`, { stderr: (bytes) => void (err += Buffer.from(bytes).toString("latin1")) });
  await s.end;
  assert.deepEqual([s.printed(), err], ["out\n", "err\0\xff"]);
});

test("stdout \"ignore\" drops the bytes, \"inherit\" gives them to the program's own", () => {
  const source = (sink: string): string => `import { runBlock } from "@atoll-run/atoll";
    await runBlock({ script: { source: "print('hello')", name: "x.lua" }, stdout: "${sink}", projectRoot: "${emptyFolder()}" });`;
  const run = (sink: string): string => spawnSync(process.execPath, ["--input-type=module", "-e", source(sink)], { cwd: import.meta.dirname, encoding: "utf8", timeout: 20_000 }).stdout;
  assert.deepEqual([run("ignore"), run("inherit")], ["", "hello\n"]);
});

test("log hears what is logged, with script and trace", async () => {
  const s = start(`log.info("said", {n = 1})`, { trace: { trace_id: "t-1", run_id: "r-1" } });
  await s.end;
  const event = s.logs.find(({ msg }) => msg === "said");
  assert.deepEqual([event?.level, event?.target, event?.script, event?.trace?.trace_id, event?.trace?.run_id, event?.fields?.["n"]],
    ["info", "lua", "test.lua", "t-1", "r-1", 1]);
});

test("a run fails with config.invalid that lists every problem", async () => {
  const fault = await faultOf("", { globals: { bus: 1 }, limits: { busEventsMax: 0 }, autoServe: true, grants: ["what:is"], mcpTimeoutMs: -1 });
  assert.equal(fault.code, "config.invalid");
  for (const part of ["globals.bus", "limits.busEventsMax", "autoServe", "what", "mcpTimeoutMs"]) assert.ok(fault.message.includes(part), part);
});

test("runBlock is the result of startBlock", async () => {
  const result = await runBlock({ script: { source: "return 7", name: "x.lua" }, projectRoot: emptyFolder(), signal: AbortSignal.timeout(20_000) });
  assert.equal(result.value, 7);
});

test("inspectTools runs nothing and lists host tools in their order, then blocks", () => {
  const projectRoot = emptyFolder();
  for (const [name, source] of [["ledger", "-- Keeps accounts.\nerror('no')"], ["clock", "error('no')"]] as const) {
    mkdirSync(join(projectRoot, "blocks", name), { recursive: true });
    writeFileSync(join(projectRoot, "blocks", name, "init.lua"), source);
  }
  const handler = (): never => assert.fail("it runs nothing");
  const tools = inspectTools({ script: { source: "error('no')", name: "x.lua" }, projectRoot,
    hostTools: [{ name: "z", description: "Z", input_schema: {}, handler }, { name: "a", description: "A", input_schema: {}, group: "g", handler }] });
  assert.deepEqual(tools, [{ name: "z", description: "Z", input_schema: {}, source: "host" }, { name: "a", description: "A", input_schema: {}, group: "g", source: "host" },
    { name: "clock", description: "", source: "block" }, { name: "ledger", description: "Keeps accounts.", source: "block" }]);
});

// ---- run

test("ready settles when the script has begun", async () => {
  const s = start(SERVE);
  await s.run.ready;
  assert.equal(s.run.stats().phase, "running");
  s.run.cancel();
  await s.end;
});

test("ready fails when the start fails", async () => {
  const s = start("", { globals: { bus: 1 } });
  await assert.rejects(s.run.ready, { code: "config.invalid" });
  await s.end;
});

test("cancel ends a run whatever it does, with run.cancelled and the text cancelled", async () => {
  const s = start("while true do pcall(function() while true do end end) end");
  await s.run.ready;
  s.run.cancel();
  const { error } = await s.end;
  assert.deepEqual([error?.code, error?.message, error?.retry], ["run.cancelled", "cancelled", "never"]);
});

test("dispose cancels and waits for the end of the run", async () => {
  let ended = false;
  let outcome: Promise<unknown>;
  {
    await using run = startBlock({ script: { source: "while true do end", name: "x.lua" }, projectRoot: emptyFolder() });
    outcome = run.result.then(() => undefined, (error: { code: string }) => {
      ended = true;
      return error.code;
    });
    await run.ready;
  }
  assert.equal(ended, true);
  assert.equal(await outcome, "run.cancelled");
});

test("cancel after the end changes nothing", async () => {
  const s = start("return 1");
  await s.end;
  s.run.cancel();
  assert.equal((await s.run.result).value, 1);
});

test("stats tells phase, queue depth, isles and open calls", async () => {
  const s = start(`bus.on("x", function() end) bus.serve()`);
  await s.run.request("x", null);
  const stats = s.run.stats();
  assert.deepEqual([stats.phase, stats.bus_depth, stats.isles.map(({ role }) => role).sort(), stats.open_calls], ["running", 0, ["handler", "main"], 1]);
  await stopped(s);
  assert.equal(s.run.stats().phase, "ended");
});

test("stats tells the memory of each isle", async () => {
  const s = start(`local big bus.on("x", function() big = ("x"):rep(40 << 20) end, {isle = "main"}) bus.on("y", function() end) bus.serve()`);
  const bytes = (role: string): number => s.run.stats().isles.find((isle) => isle.role === role)?.bytes ?? 0;
  await s.run.request("y", null);
  const [before, handler] = [bytes("main"), bytes("handler")];
  assert.ok(before > 1 << 16 && before < 8 << 20 && handler > 1 << 16 && handler < 8 << 20, `${before} ${handler}`);
  await s.run.request("x", null);
  assert.ok(bytes("main") > 40 << 20, String(bytes("main")));
  assert.ok(bytes("handler") < 8 << 20, String(bytes("handler")));
  await stopped(s);
});

test("emit delivers an event and settles when it is in the queue", async () => {
  const s = start(`bus.on("x", function(ev) print(ev.id, ev.payload) end) bus.serve()`);
  await s.run.emit("x", "a", { id: "one" });
  await s.run.emit("x", "b", { id: "two" });
  await until(() => s.printed().includes("two"));
  assert.equal(s.printed(), "one\ta\ntwo\tb\n");
  await stopped(s);
});

test("request delivers kind, id, payload and meta, and gives the handler's value", async () => {
  const s = start(SERVE);
  assert.deepEqual(await s.run.request("echo", [1, null, luaFloat(2) as unknown as number], { id: "i", meta: { caller: "c" } }),
    { kind: "echo", id: "i", payload: [1, null, 2], meta: { caller: "c" } });
  await stopped(s);
});

test("deadlineMs bounds a request", async () => {
  const s = await serving(`bus.on("slow", function() std.time.sleep(60) end) bus.serve()`);
  await assert.rejects(s.run.request("slow", null, { deadlineMs: 60 }), { code: "bus.timeout", retry: "later" });
  await stopped(s);
});

test("the signal of a request ends the wait of its caller", async () => {
  const s = start(`bus.on("slow", function() print("in") std.time.sleep(60) end) bus.serve()`);
  const abort = new AbortController();
  const asked = s.run.request("slow", null, { signal: abort.signal });
  asked.catch(() => undefined);
  await until(() => s.printed() === "in\n");
  abort.abort();
  await assert.rejects(asked, { code: "run.cancelled" });
  s.run.cancel();
  await s.end;
});

test("stop lets bus.serve return to the script, which goes on; the outcome is stopped", async () => {
  const s = start(`bus.on("x", function() return 1 end) bus.serve() print("after") return "done"`);
  await s.run.request("x", null);
  const result = await s.run.stop();
  assert.deepEqual([result.outcome, result.value, result.exit_code, s.printed()], ["stopped", "done", 0, "after\n"]);
});

test("stop becomes a cancel after graceMs", async () => {
  const s = start(`bus.on("x", function() return 1 end) bus.serve() while true do end`, { limits: { graceMs: 100 } });
  await s.run.request("x", null);
  await assert.rejects(s.run.stop(), { code: "run.cancelled" });
});

test("stop under autoServe ends a script that does not serve", async () => {
  const s = start(`while true do std.time.sleep(0.01) end`, { autoServe: true, hostHandlers: { x: () => 1 }, limits: { graceMs: 100 } });
  await s.run.request("x", null);
  await assert.rejects(s.run.stop(), { code: "run.cancelled" });
});

test("stop of a script that serves nothing is a cancel", async () => {
  const s = start("std.time.sleep(60)");
  await s.run.ready;
  await assert.rejects(s.run.stop(), { code: "run.cancelled" });
});

test("on hears an event until its signal aborts", async () => {
  const abort = new AbortController();
  const s = start(`bus.on("x", function(ev) print(ev.payload) end) bus.serve()`);
  let heard = 0;
  s.run.on("print", () => {
    heard++;
    abort.abort();
  }, { signal: abort.signal });
  await s.run.request("x", 1);
  await s.run.request("x", 2);
  await until(() => s.printed() === "1\n2\n");
  assert.equal(heard, 1);
  await stopped(s);
});

test("a listener that throws hurts nobody, and warns", async () => {
  const s = start("print(1) return 2");
  s.run.on("print", () => { throw new Error("listener"); });
  const { result } = await s.end;
  assert.equal(result?.value, 2);
  assert.match(result.warnings.join(), /listener/);
});

test("events yields every event in order and ends with the run", async () => {
  const s = start(`print("a") log.warn("w")`);
  const names: string[] = [];
  for await (const event of s.run.events()) names.push(event.name === "log" ? `log ${event.level}` : event.name);
  assert.equal(names[0], "started");
  assert.equal(names.at(-1), "ended");
  assert.ok(names.includes("print") && names.includes("log warn"), String(names));
});

test("events is bounded: a slow reader gets lost with the count of what it missed", async () => {
  const s = start(`for i = 1, 50 do log.info("line " .. i) end`);
  const stream = s.run.events({ buffer: 4 });
  await s.end;
  const got: BlockEvent[] = [];
  for await (const event of stream) got.push(event);
  const lost = got.filter((event) => event.name === "lost").reduce((sum, event) => sum + event.count, 0);
  assert.ok(got.length <= 5 && lost >= 45, `${got.length} events, ${lost} lost`);
});

test("only the CLI installs signal handlers: a run installs none", async () => {
  const before = ["SIGINT", "SIGTERM", "SIGHUP"].map((name) => process.listenerCount(name));
  const s = await serving("bus.serve()");
  assert.deepEqual(["SIGINT", "SIGTERM", "SIGHUP"].map((name) => process.listenerCount(name)), before);
  await stopped(s);
});

// ---- events

async function heard(source: string, names: readonly string[], config: Parameters<typeof start>[1] = {}): Promise<Record<string, unknown>[]> {
  const s = start(source, config);
  const got: Record<string, unknown>[] = [];
  for (const name of names) s.run.on(name as "print", (fact) => got.push({ ...fact, name } as unknown as Record<string, unknown>));
  await s.end;
  return got;
}

test("started and ended frame a run", async () => {
  const [started, ended] = await heard("return 1", ["started", "ended"]);
  assert.deepEqual(started, { name: "started", script: "test.lua" });
  assert.equal(ended?.["outcome"], "returned");
  assert.equal(typeof ended["duration_ms"], "number");
});

test("log and print are events", async () => {
  const got = await heard(`print("p") log.error("e", {a = 1})`, ["log", "print"]);
  const print = got.find(({ name }) => name === "print");
  assert.equal(Buffer.from(print?.["bytes"] as Uint8Array).toString(), "p\n");
  assert.equal(print?.["isle"], "main");
  assert.ok(got.some(({ level, target, msg }) => level === "error" && target === "lua" && msg === "e"));
});

test("bus:received, bus:handled and bus:failed tell of each event", async () => {
  const s = start(`bus.on("ok", function() end) bus.on("bad", function() error("no", 0) end) bus.serve()`);
  const got: unknown[] = [];
  s.run.on("bus:received", ({ kind, id }) => got.push(["received", kind, id]));
  s.run.on("bus:handled", ({ kind, id, duration_ms }) => got.push(["handled", kind, id, duration_ms >= 0]));
  s.run.on("bus:failed", ({ kind, id, code, text }) => got.push(["failed", kind, id, code, text]));
  await s.run.request("ok", null, { id: "1" });
  await assert.rejects(s.run.request("bad", null, { id: "2" }));
  assert.deepEqual(got, [["received", "ok", "1"], ["handled", "ok", "1", true], ["received", "bad", "2"], ["failed", "bad", "2", "bus.handler_failed", "no"]]);
  await stopped(s);
});

test("tool:called tells of each call of a tool, also of one that failed", async () => {
  const hostTools = [{ name: "host", description: "", input_schema: {}, handler: () => 1 }];
  const got = await heard(`tool.register("mine", {}, function() error("no") end) tool.call("host", {}) pcall(tool.call, "mine", {})`, ["tool:called"], { hostTools });
  assert.deepEqual(got, [{ name: "tool:called", tool: "host", ok: true }, { name: "tool:called", tool: "mine", ok: false }]);
});

test("child:up and child:down tell of each child", async () => {
  const got = await heard(`sh.exec("true")`, ["child:up", "child:down"]);
  assert.deepEqual(got.map(({ name }) => name), ["child:up", "child:down"]);
  assert.equal(got[0]?.["pid"], got[1]?.["pid"]);
});

test("denied tells of each refusal, with its grant", async () => {
  const [denied] = await heard(`pcall(std.fs.read, "/etc/hostname")`, ["denied"], { grants: [] });
  assert.equal(denied?.["grant"], "fs.read:/etc/hostname");
  assert.match(String(denied["text"]), /^denied: /);
});

test("limit tells of a limit that was reached", async () => {
  const [limit] = await heard("while true do end", ["limit"], { limits: { cpuMsMax: 50 } });
  assert.equal(limit?.["limit"], "isle.timeout");
});

test("isle:restarted tells of a new handler isle", async () => {
  const s = start(`bus.on("die", function() local t = {} while true do t[#t + 1] = ("x"):rep(1e6) .. #t end end) bus.on("x", function() return 1 end) bus.serve()`,
    { limits: { isleBytesMax: 16 << 20 } });
  const why: string[] = [];
  s.run.on("isle:restarted", (fact) => why.push(fact.isle));
  await assert.rejects(s.run.request("die", null, { deadlineMs: 15_000 }));
  assert.equal(await s.run.request("x", null), 1);
  assert.ok(why.length <= 1);
  await stopped(s);
});

// ---- result

test("a result has value, outcome, exit code, duration, bus counts, unfinished and warnings", async () => {
  const result = await resultOf(`bus.emit("nobody", 1) return {ok = true}`);
  assert.ok(result.duration_ms > 0);
  const { duration_ms: _, ...rest } = result;
  assert.deepEqual(rest, { value: { ok: true }, outcome: "returned", exit_code: 0, bus: { emitted: 1, handled: 0, failed: 0, unserved: 1 }, unfinished: [], warnings: [] });
});

test("the outcome of os.exit is exited with its code", async () => {
  const result = await resultOf("os.exit(9)");
  assert.deepEqual([result.outcome, result.exit_code, result.value], ["exited", 9, null]);
});

test("value is the first value the script returned", async () => assert.equal(await valueOf("return 1, 2"), 1));

test("value is null and a warning when it has no JSON form", async () => {
  for (const code of ["return print", "return {1, a = 2}", "return 0/0", "return {f = function() end}"]) {
    const result = await resultOf(code);
    assert.equal(result.value, null, code);
    assert.equal(result.warnings.length, 1, code);
  }
});

test("integers beyond 2^53-1 are bigint in Json, others numbers; integral numbers become Lua integers, luaFloat(8) a float", async () => {
  assert.deepEqual(await valueOf("return {9007199254740991, 9007199254740993, math.mininteger}"), [9007199254740991, 9007199254740993n, -(2n ** 63n)]);
  assert.deepEqual(await valueOf("return {math.type(A), math.type(B), math.type(C)}", { globals: { A: 8, B: luaFloat(8) as unknown as number, C: 2n ** 60n } }),
    ["integer", "float", "integer"]);
});

test("an abort of the signal before the start cancels the run", async () => {
  const fault = await faultOf("return 1", { signal: AbortSignal.abort() });
  assert.equal(fault.code, "run.cancelled");
});
