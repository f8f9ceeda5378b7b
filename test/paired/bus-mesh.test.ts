/** Lua and TypeScript side by side: events, peers, tools and logs. */
import { createLocalMesh, type Json } from "@atoll-run/atoll";
import { type Pair, pairs } from "./pairs.ts";

function peers(): { mesh: ReturnType<ReturnType<typeof createLocalMesh>["join"]> } {
  const local = createLocalMesh();
  local.join("bob").serve(async (from, payload) => ({ from, payload }) as unknown as Json);
  local.join("deaf");
  return { mesh: local.join("alice") };
}

const echo = { lua: `bus.on("echo", function(ev) return {ev.kind, ev.payload, ev.meta} end, {isle = "main"})`,
  ts: `await bus.on("echo", (ev: any) => [ev.kind, ev.payload, ev.meta]);` };

const TABLE: readonly Pair[] = [
  { title: "a handler answers what the host asks", lua: `${echo.lua} bus.serve() return "served"`, ts: `${echo.ts} await bus.serve(); export default "served"`,
    drive: async (run) => {
      const reply = await run.request("echo", { a: [1, "x"] }, { meta: { m: 1 } });
      await run.stop();
      return reply;
    } },
  { title: "events of a script are handled in order", lua: `
    bus.on("add", function(ev) print("got", ev.payload) end, {isle = "main"})
    for i = 1, 3 do bus.emit("add", i) end
    bus.serve()`, ts: `
    await bus.on("add", (ev: any) => print("got", ev.payload));
    for (let i = 1; i <= 3; i++) await bus.emit("add", i);
    await bus.serve();`,
    drive: async (run) => {
      await run.request("add", 4);
      await run.stop();
    } },
  { title: "a handler that fails nacks with its text, and the next event is handled", lua: `
    local n = 0
    bus.on("x", function() n = n + 1 if n == 1 then error("no", 0) end return n end, {isle = "main"}) bus.serve()`,
    ts: `let n = 0; await bus.on("x", () => { if (++n === 1) throw new Error("no"); return n; }); await bus.serve();`,
    drive: async (run) => {
      const first = await run.request("x", null).catch((e: { code: string; message: string }) => [e.code, e.message]);
      const second = await run.request("x", null);
      await run.stop();
      return [first, second];
    } },
  { title: "a handler may refuse with a code of its own", lua: `bus.on("x", function() error({code = "shop.sold_out", left = 0}) end, {isle = "main"}) bus.serve()`,
    ts: `await bus.on("x", () => { throw { code: "shop.sold_out", left: 0 }; }); await bus.serve();`,
    drive: async (run) => {
      const refused = await run.request("x", null).catch((e: { code: string; message: string; facts: object }) => [e.code, e.message, e.facts]);
      await run.stop();
      return refused;
    } },
  { title: "a bridge error that leaves a handler keeps its code", lua: `bus.on("x", function() std.fs.read("missing") end, {isle = "main"}) bus.serve()`,
    ts: `await bus.on("x", () => std.fs.read("missing")); await bus.serve();`,
    drive: async (run) => {
      const failed = await run.request("x", null).catch((e: { code: string }) => e.code);
      await run.stop();
      return failed;
    } },
  { title: "the fallback takes what no other handler is for", lua: `
    bus.on("a", function() return "a" end, {isle = "main"}) bus.on_any(function(ev) return "any " .. ev.kind end, {isle = "main"}) bus.serve()`,
    ts: `await bus.on("a", () => "a"); await bus.onAny((ev: any) => "any " + ev.kind); await bus.serve();`,
    drive: async (run) => {
      const replies = [await run.request("a", null), await run.request("b", null)];
      await run.stop();
      return replies;
    } },
  { title: "no handler is a nack", lua: `bus.serve()`, ts: `await bus.serve();`,
    drive: async (run) => {
      const failed = await run.request("x", null).catch((e: { code: string; message: string }) => [e.code, e.message]);
      await run.stop();
      return failed;
    } },
  { title: "a handler in the handler isle keeps its own count", lua: `local n = 0 bus.on("x", function() n = n + 1 return n end) bus.serve()`,
    ts: `await bus.onModule("x", "./count.ts"); await bus.serve();`,
    files: { "count.ts": "let n: number = 0;\nexport default () => ++n;" },
    drive: async (run) => {
      const replies = [await run.request("x", null), await run.request("x", null)];
      await run.stop();
      return replies;
    } },
  { title: "a handler that takes too long is bus.timeout", lua: `bus.on("x", function() std.task.sleep(60000) end, {isle = "main", timeout_ms = 50}) bus.serve()`,
    ts: `await bus.on("x", () => std.task.sleep(60000), { timeout_ms: 50 }); await bus.serve();`,
    drive: async (run) => {
      const failed = await run.request("x", null).catch((e: { code: string; message: string }) => [e.code, e.message]);
      await run.stop();
      return failed;
    } },
  { title: "registering after serve is refused, serving twice too", lua: `
    std.task.spawn(function() print(table.concat(try(bus.on, "y", function() end, {isle = "main"}), "|")) print(table.concat(try(bus.serve), "|")) end) bus.serve()`,
    ts: `std.task.spawn(async () => {
      await std.task.sleep(0);
      print((await attempt(() => bus.on("y", () => 1))).join("|")); print((await attempt(() => bus.serve())).join("|")); }); await bus.serve();`,
    drive: async (run) => {
      await printed(run, 2);
      await run.stop();
    } },
  { title: "a replaced handler is the last one, with a warning", lua: `
    bus.on("x", function() return 1 end, {isle = "main"}) bus.on("x", function() return 2 end, {isle = "main"}) bus.serve()`,
    ts: `await bus.on("x", () => 1); await bus.on("x", () => 2); await bus.serve();`,
    drive: async (run) => {
      const reply = await run.request("x", null);
      await run.stop();
      return reply;
    } },
  { title: "the queue without a reader refuses the event that does not fit", lua: `local e for i = 1, 65 do e = try(bus.emit, "x", i) end return e`,
    ts: `let e: unknown; for (let i = 1; i <= 65; i++) e = await attempt(() => bus.emit("x", i)); export default e` },
  { title: "a handler must be a function", lua: `return {try(bus.on, "x", 1), try(bus.on_any, {})}`,
    ts: `export default [await attempt(() => bus.on("x", 1 as any)), await attempt(() => bus.onAny({} as any))]` },
  { title: "a peer is asked and answers", lua: `local r = mesh.request("bob", {q = 1}) return {mesh.agent_id(), r.from, r.payload.q}`,
    ts: `const r = await mesh.request("bob", { q: 1 }) as any; export default [mesh.agentId(), r.from, r.payload.q]`, get config() { return peers(); } },
  { title: "a peer that is not there is mesh.rejected", lua: `return try(mesh.request, "nobody", 1)`,
    ts: `export default attempt(() => mesh.request("nobody", 1))`, get config() { return peers(); } },
  { title: "without a mesh nothing is sent", lua: `return {try(mesh.send, "bob", 1), try(mesh.request, "bob", 1)}`,
    ts: `export default [await attempt(() => mesh.send("bob", 1)), await attempt(() => mesh.request("bob", 1))]` },
  { title: "a tool is registered, listed, called and taken away", lua: `
    tool.register("zeta", {description = "d", input_schema = {type = "object"}}, function(i) return i.a + 1 end, {group = "g"})
    tool.register("alpha", {description = "e"}, function() end)
    return {tool.list(), tool.schema(), tool.call("zeta", {a = 1}), tool.unregister("zeta"), tool.unregister("zeta"), tool.list()}`,
    ts: `tool.register("zeta", { description: "d", input_schema: { type: "object" } } as any, (i: any) => i.a + 1, { group: "g" });
    tool.register("alpha", { description: "e" } as any, () => undefined);
    export default [tool.list(), tool.schema(), await tool.call("zeta", { a: 1 }), tool.unregister("zeta"), tool.unregister("zeta"), tool.list()]` },
  { title: "a tool that is not there is tool.not_found", lua: `return try(tool.call, "nope")`, ts: `export default attempt(() => tool.call("nope"))` },
  { title: "an error of a tool passes through", lua: `tool.register("t", {}, function() error("bad luck", 0) end) return try(tool.call, "t")`,
    ts: `tool.register("t", {} as any, () => { throw new Error("bad luck"); }); export default attempt(() => tool.call("t"))` },
  { title: "an error of a host tool has its code", lua: `return try(tool.call, "t", {})`, ts: `export default attempt(() => tool.call("t", {}))`,
    config: { hostTools: [{ name: "t", description: "", input_schema: {}, handler: () => {
      throw Object.assign(new Error("not now"), { code: "test.refused", facts: {}, retry: "later" });
    } }] } },
  { title: "log lines have level, text and fields", lua: `log.info("hello", {a = 1, b = "x"}) log.warn(42) log.error("bad", "ignored")`,
    ts: `log.info("hello", { a: 1, b: "x" }); log.warn(42); log.error("bad", "ignored" as any);` },
  { title: "print puts tabs between", lua: `print("a", 1, true, "é")`, ts: `print("a", 1, true, "é");` },
];
pairs(TABLE);

/** Waits until that many lines were printed. */
async function printed(run: Parameters<NonNullable<Pair["drive"]>>[0], lines: number): Promise<void> {
  let seen = 0;
  await new Promise<void>((resolve) => {
    run.on("print", ({ bytes }) => {
      seen += new TextDecoder().decode(bytes).split("\n").length - 1;
      if (seen >= lines) resolve();
    });
  });
}
