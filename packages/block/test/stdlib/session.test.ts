import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryKv } from "@atoll-run/testkit";
import { project } from "../require/project.ts";
import { startLua, valueOf } from "../support/run-script.ts";
import { model } from "./loop.ts";

test("a saved session is loaded by its id in a later run, one that nobody saved is empty", async () => {
  const kv = memoryKv();
  // the runs close their view of the store, not the store
  const stores = { kv: () => ({ ...kv, [Symbol.asyncDispose]: async () => undefined }) };
  await valueOf(`
    require("session").save("chat-1", {
      {role = "user", content = "hi"}, {role = "assistant", content = {{type = "text", text = "hello"}}},
    })
  `, { stores });
  assert.deepEqual(await valueOf(`
    local session = require("session")
    return {session.load("chat-1"), #session.load("chat-2"), session.NS, std.kv.list(session.NS)}
  `, { stores }), [
    [{ role: "user", content: "hi" }, { role: "assistant", content: [{ type: "text", text: "hello" }] }],
    0, "_agent_block_session", ["chat-1"],
  ]);
});

test("clear says whether there was a session, and forgets it", async () => {
  assert.deepEqual(await valueOf(`
    local session = require("session")
    session.save("a", {})
    return {session.clear("a"), session.clear("a"), #session.load("a")}
  `, { stores: { kv: memoryKv } }), [true, false, 0]);
});

test("agent.run with a session and the block session share one place, also an empty one", async (t) => {
  const { url } = await model(t, ["Noted."]);
  assert.deepEqual(await valueOf(`
    local session = require("session")
    session.save("a", {})
    local answer = require("agent").run{
      session = "a", prompt = "Bread.", provider = "openai", base_url = "${url}", api_key = "k",
    }
    local kept = session.load("a")
    return {answer.content, answer.error, #kept, kept[1].content, kept[2].role}
  `, { stores: { kv: memoryKv } }), ["Noted.", null, 2, "Bread.", "assistant"]);
});

test("a session needs an id and messages, and says which is wrong", async () => {
  const id = "session: id must be a non-empty string";
  const messages = "session: save: messages must be a table";
  assert.deepEqual(await valueOf(`
    local session = require("session")
    local function why(fn, ...) return select(2, pcall(session[fn], ...)) end
    return {why("load"), why("load", ""), why("save", 7, {}), why("clear", {}), why("save", "a"), why("save", "a", "x")}
  `, { stores: { kv: memoryKv } }), [id, id, id, id, messages, messages]);
});

test("a project replaces a standard block, as a whole, with its own file", async (t) => {
  const projectRoot = await project(t, {
    "blocks/session.lua": "return {mine = true}", "blocks/lshape/init.lua": "return 'my own'",
    "blocks/compile_loop.lua": "return {make = 1}", "blocks/coding_agent/init.lua": "return {run = 2}",
  });
  assert.deepEqual(await valueOf(`
    return {require("session").mine, require("session").load == nil, (require("lshape")),
      require("compile_loop").make, require("coding_agent").run}
  `, { projectRoot }), [true, true, "my own", 1, 2]);
});

test("a standard block is required in the handler isle too", async () => {
  const kv = memoryKv();
  const { run, end } = startLua(`
    local session = require("session")
    bus.on("remember", function(ev)
      session.save(ev.id, {{role = "user", content = ev.payload}})
      return session.load(ev.id)
    end)
    bus.serve()
  `, { stores: { kv: () => kv } });
  await run.ready;
  assert.deepEqual(await run.request("remember", "bread", { id: "list" }), [{ role: "user", content: "bread" }]);
  await run.stop();
  await end;
});
