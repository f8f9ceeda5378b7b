/** Callbacks, handlers and arguments of `mcp`, against a server in raw JSON lines. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PLACES, run, start, value } from "./support.ts";

describe("listings and callbacks", () => {
  test("list_tools gives all pages, with _meta", async () => {
    const tools = await value(`raw("r") return mcp.list_tools("r").tools`) as { name: string; _meta: object }[];
    assert.deepEqual(tools.map(({ name }) => name), ["t0", "t1", "t2", "t3", "t4"]);
    assert.deepEqual(tools[0]?._meta, { group: "g" });
  });

  test("progress without total or message has no such fields, and a token that is text", async () => {
    assert.deepEqual(await value(`
      local heard = {}
      mcp.on_progress("r", function(e) heard[#heard + 1] = e end)
      raw("r")
      local id
      mcp.call("r", "progress", {}, {on_id = function(n) id = n end})
      until_true(function() return #heard == 3 and id end)
      for _, e in ipairs(heard) do e.token = e.token == tostring(id) end
      return heard`), [
      { type: "progress", server: "r", token: true, progress: 1, total: 2 },
      { type: "progress", server: "r", token: true, progress: 2, total: 2 },
      { type: "progress", server: "r", token: true, progress: 2.5, message: "more" },
    ]);
  });

  test("levels of MCP become debug, info, warning and error, for on_log and without it", async () => {
    const { result, log } = await run(`
      raw("quiet")
      mcp.call("quiet", "log", {})
      local levels = {}
      mcp.on_log("r", function(e) levels[#levels + 1] = e.level .. e.logger .. e.data end)
      raw("r")
      mcp.call("r", "log", {})
      until_true(function() return #levels == 4 end)
      return levels`);
    assert.deepEqual(result?.value, [
      'debugraw{"level":"debug"}', 'inforaw{"level":"notice"}', 'warningraw{"level":"warning"}', 'errorraw{"level":"alert"}',
    ]);
    const lines = log.filter(({ fields }) => fields?.["server"] === "quiet" && fields["logger"] === "raw");
    assert.deepEqual(lines.map(({ level, target }) => `${target} ${level}`), ["lua debug", "lua info", "lua warn", "lua error"]);
  });

  test("list changes are heard; nil in place of the function ends that", async () => {
    assert.deepEqual(await value(`
      local heard = {}
      for _, what in ipairs{"resources", "tools", "prompts"} do
        mcp["on_" .. what .. "_list_changed"](function(e) heard[#heard + 1] = e.type .. " " .. e.server end)
      end
      raw("r")
      mcp.call("r", "changed", {})
      until_true(function() return #heard == 3 end)
      mcp.on_tools_list_changed(nil)
      mcp.call("r", "changed", {})
      until_true(function() return #heard == 5 end)
      return heard`), [
      "resources_list_changed r", "tools_list_changed r", "prompts_list_changed r", "resources_list_changed r", "prompts_list_changed r",
    ]);
  });

  test("a callback that fails warns, and the next one is heard", async () => {
    const { result, log } = await run(`
      local n = 0
      mcp.on_tools_list_changed(function() n = n + 1 if n == 1 then error("oops", 0) end end)
      raw("r")
      mcp.call("r", "changed", {}) mcp.call("r", "changed", {})
      until_true(function() return n == 2 end)
      return n`);
    assert.equal(result?.value, 2);
    assert.ok(log.some(({ level, msg }) => level === "warn" && msg === "mcp.on_tools_list_changed: callback failed: oops"));
  });

  test("a callback may call the server it hears of", async () => {
    assert.equal(await value(`
      local got
      mcp.on_tools_list_changed(function(e) got = texts(mcp.call(e.server, "echo", {deep = true})) end)
      raw("r")
      mcp.call("r", "changed", {})
      until_true(function() return got end)
      return got`), '{"deep":true}');
  });

  test("callbacks run in the isle that registered them: those of a bus handler see its captures", async () => {
    const { run: block, end } = start(`
      bus.on("go", function(ev)
        local got = {}
        mcp.on_tools_list_changed("h", function(e) std.time.sleep(0.001) got[#got + 1] = e.server end)
        mcp.connect("h", ev.payload.node, {ev.payload.raw})
        mcp.call("h", "changed", {})
        for _ = 1, 2000 do if #got > 0 then break end std.time.sleep(0.01) end
        mcp.disconnect("h")
        return got
      end)
      bus.serve()`);
    await block.ready;
    const reply = await block.request("go", { node: PLACES.NODE, raw: PLACES.RAW });
    void block.stop();
    await end;
    assert.deepEqual(reply, ["h"]);
  });
});

describe("handlers of what servers ask", () => {
  const ask = (method: string, params = "{}"): string =>
    `return std.json.decode(texts(mcp.call("r", "ask", {method = "${method}", params = ${params}})))`;
  const notFound = { error: { code: -32_601, message: "Method not found" }, method: "" };

  test("without handlers sampling and roots are not found, and a form is declined", async () => {
    assert.deepEqual(await value(`raw("r") ${ask("sampling/createMessage")}`), notFound);
    assert.deepEqual(await value(`raw("r") ${ask("roots/list")}`), notFound);
    assert.deepEqual(await value(`raw("r") ${ask("elicitation/create", `{message = "?", requestedSchema = {type = "object"}}`)}`),
      { method: "", result: { action: "decline" } });
    assert.deepEqual(await value(`raw("r") ${ask("something/else")}`), notFound);
  });

  test("a handler that gives nil is as none", async () => {
    assert.deepEqual(await value(`mcp.set_roots_handler(function() end) raw("r") ${ask("roots/list")}`), notFound);
  });

  test("accept without content and a handler that fails are internal errors", async () => {
    const form = `{message = "?", requestedSchema = {type = "object"}}`;
    const set = (body: string): string => `mcp.set_elicitation_handler(function() ${body} end) raw("r") ${ask("elicitation/create", form)}`;
    const error = (message: string): object => ({ method: "", error: { code: -32_603, message } });
    assert.deepEqual(await value(set(`return {action = "accept"}`)), error("the elicitation handler must return content with accept"));
    assert.deepEqual(await value(set(`error("broken", 0)`)), error("broken"));
    assert.deepEqual(await value(set(`return {action = "cancel", content = {a = 1}}`)), { method: "", result: { action: "cancel" } });
  });

  test("a form by URL is declined without asking the handler", async () => {
    assert.deepEqual(await value(`
      mcp.set_elicitation_handler(function() error("asked") end) raw("r")
      ${ask("elicitation/create", `{mode = "url", url = "https://example.com", message = "?", elicitationId = "1"}`)}`),
    { method: "", result: { action: "decline" } });
  });

  test("the handler of one server goes before that for all", async () => {
    assert.deepEqual(await value(`
      mcp.set_roots_handler(function(server) return {{uri = "file:///all"}} end)
      mcp.set_roots_handler("r", function(server) return {{uri = "file:///" .. server, name = "one"}} end)
      raw("r") ${ask("roots/list")}`), { method: "", result: { roots: [{ uri: "file:///r", name: "one" }] } });
  });
});

describe("arguments", () => {
  test("arguments of a tool that are no object are refused with their kind", async () => {
    const kinds = await value(`
      raw("r")
      local errors = {}
      for _, args in ipairs{{1}, "text", 5, true} do errors[#errors + 1] = mcp.call("r", "echo", args).error end
      return errors`) as string[];
    const text = (kind: string): string => `MCP error: call_tool 'echo' on 'r': arguments must be a JSON object (got ${kind})`;
    assert.deepEqual(kinds, ["array", "string", "number", "boolean"].map(text));
  });

  test("wrong types raise, and name function and place", async () => {
    assert.deepEqual(await value(`
      local function try(fn, ...) return tostring(select(2, pcall(fn, ...))) end
      return {try(mcp.call, {}), try(mcp.on_log, "r", 5), try(mcp.connect, "r", "x", {}, {timeout_ms = -1}),
        try(mcp.connect_http, "r", "http://x", {transport = "pigeon"})}`), [
      "mcp.call: argument #1 must be a string, got table", "mcp.on_log: argument #2 must be a function, got number",
      "mcp.connect: opts.timeout_ms must be a positive number, got number",
      `mcp.connect_http: opts.transport must be a "http" or "sse", got string`,
    ]);
  });

  test("cancel and notify_roots_list_changed give nil and warn about what is unknown", async () => {
    const { result, log } = await run(`
      local a = mcp.cancel("none", 1)
      local b = mcp.notify_roots_list_changed("none")
      raw("r")
      return {a == nil, b == nil, mcp.cancel("r", 77) == nil}`);
    assert.deepEqual(result?.value, [true, true, true]);
    const warnings = log.filter(({ level, target }) => level === "warn" && target === "mcp").map(({ msg }) => msg);
    assert.deepEqual(warnings, [
      "mcp cancel on unknown server", "mcp notify_roots_list_changed on unknown server",
      "mcp cancel: no request 77 is under way on 'r'",
    ]);
  });
});
