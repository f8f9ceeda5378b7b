import assert from "node:assert/strict";
import { test } from "node:test";
import { startLua, runLua, valueOf } from "../support/run-script.ts";

test("log writes level, target lua, the script's name and the fields of a table", async () => {
  const { log } = await runLua(`
    log.debug("d")
    log.info("i", {n = 1, deep = {"x", true}})
    log.warn("w", "ignored", {also = 1})
    log.error("e", {"first"})
  `, { name: "talk.lua" });
  const own = log.filter((line) => line.target === "lua");
  const lines = own.map(({ level, msg, fields }) => [level, msg, fields]);
  assert.deepEqual(lines, [
    ["debug", "d", { script: "talk.lua", isle: "main" }],
    ["info", "i", { n: 1, deep: ["x", true], script: "talk.lua", isle: "main" }],
    ["warn", "w", { script: "talk.lua", isle: "main" }],
    ["error", "e", { 1: "first", script: "talk.lua", isle: "main" }],
  ]);
});

test("what is no string goes through tostring", async () => {
  const { log } = await runLua(`
    log.info(1.0) log.info(nil) log.info(true)
    log.info(setmetatable({}, {__tostring = function() return "mine" end}))
  `);
  assert.deepEqual(
    log.filter((line) => line.target === "lua").map((line) => line.msg), ["1.0", "nil", "true", "mine"],
  );
});

test("logging never raises, whatever the fields are", async () => {
  const { error, log } = await runLua(`
    local t = {} t.t = t
    log.info("round", t)
    log.info("odd", {f = print, u = io.stdout, [true] = 1, bytes = "\\255"})
  `);
  assert.equal(error, undefined);
  assert.deepEqual(log.filter((line) => line.target === "lua").map((line) => line.msg), ["round", "odd"]);
});

test("a handler logs under its own isle", async () => {
  const script = startLua(`bus.on("x", function() log.info("here") end) bus.serve()`);
  await script.run.request("x", null);
  await script.run.stop();
  assert.equal(script.log.find((line) => line.msg === "here")?.fields?.["isle"], "handler");
});

test("std.env.agent_id is the mesh id or empty, std.env.project_root an absolute path", async () => {
  const mesh = {
    id: "me", request: () => Promise.resolve(null), serve: () => ({ [Symbol.dispose]: () => undefined }),
  };
  assert.equal(await valueOf(`return std.env.agent_id()`, { mesh }), "me");
  assert.deepEqual(await valueOf(`return {std.env.agent_id(), std.env.project_root():sub(1, 1)}`), ["", "/"]);
});
