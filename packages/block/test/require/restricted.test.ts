import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startLua, valueOf } from "../support/run-script.ts";
import { project } from "./project.ts";

const BYTECODE = `string.dump(function() return 1 end)`;

test("restricted: bytecode is refused by load, loadfile and require", async (t) => {
  const root = await project(t, {});
  await valueOf(
    `local f = io.open("code.lua", "wb") f:write(${BYTECODE}) f:close() return load(${BYTECODE})()`,
    { projectRoot: root },
  );
  const binary = "attempt to load a binary chunk (mode is 't')";
  assert.deepEqual(await valueOf(`
    local function why(...) return select(2, ...) end
    return {why(load(${BYTECODE})), why(load(${BYTECODE}, "x", "b")), why(load("return 1", "x", "b")),
      why(loadfile("code.lua")), why(pcall(dofile, "code.lua")), why(pcall(require, "code")),
      load("return ...", "x", "bt")(7), load(function() return nil end)() == nil,
      pcall(load("return y", "x", "t", {y = 8})), why(load("x =", "=name"))}
  `, { projectRoot: root, grants: [] }), [
    binary, binary, "attempt to load a text chunk (mode is 'b')", binary, binary,
    `error loading module 'code' from file '${root}/code.lua':\n\t${binary}`, 7, true, true,
    "name:1: unexpected symbol near <eof>",
  ]);
});

test("restricted: the script's own modules need no grant", async (t) => {
  const root = await project(t, {
    "beside.lua": "return 'a'", "blocks/block/init.lua": "return dofile('blocks/block/part.lua')",
    "blocks/block/part.lua": "return 'b'",
  });
  assert.equal(
    await valueOf(`return require("beside") .. require("block")`, { projectRoot: root, grants: [] }), "ab",
  );
});

test("restricted: what is no module of the script is not there, and the host hears of it", async (t) => {
  const root = await project(t, {
    "p/blocks/own.lua": "return 1", "out/secret.lua": "return 'secret'", "p/data.txt": "return 'data'",
  });
  symlinkSync(join(root, "out/secret.lua"), join(root, "p/blocks/linked.lua"));
  symlinkSync(join(root, "out"), join(root, "p/blocks/folder"));
  const script = startLua(`
    package.path = package.path .. ";../out/?.lua;./?.txt"
    local out = {}
    for i, name in ipairs{"linked", "folder.secret", "secret", "data", "nowhere"} do
      local ok, why = pcall(require, name)
      out[i] = ok or why:match("^module '(.-)' not found") or why
    end
    out[6] = package.searchpath("passwd", "/etc/?") == nil
    return out
  `, { projectRoot: join(root, "p"), grants: [] });
  const denied: string[] = [];
  script.run.on("denied", (fact) => denied.push(fact.grant));
  const { result } = await script.end;
  assert.deepEqual(result?.value, ["linked", "folder.secret", "secret", "data", "nowhere", true]);
  assert.deepEqual(denied, [
    `fs.read:${root}/p/blocks/linked.lua`, `fs.read:${root}/p/blocks/folder/secret.lua`,
    `fs.read:${root}/out/secret.lua`, `fs.read:${root}/p/data.txt`, "fs.read:/etc/passwd",
  ]);
});

test("restricted: loadfile and dofile of a file that is not granted raise the refusal", async (t) => {
  const root = await project(t, { "p/x.lua": "", "out.lua": "return 1" });
  const refusals = await valueOf(`
    local function why(...) local ok, e = pcall(...) return {tostring(e), e.code} end
    return {why(loadfile, "../out.lua"), why(dofile, "../out.lua")}
  `, { projectRoot: join(root, "p"), grants: [] });
  const denied = [
    `denied: fs.read ${root}/out.lua (outside the granted paths); needs grant fs.read:${root}/out.lua`,
    "grant.denied",
  ];
  assert.deepEqual(refusals, [denied, denied]);
});

test("restricted: a grant for a folder opens its modules", async (t) => {
  const root = await project(t, { "p/x.lua": "", "out/m.lua": "return 'granted'" });
  const value = await valueOf(`package.path = "../out/?.lua" return (require("m"))`, {
    projectRoot: join(root, "p"), grants: ["fs.read:../out"],
  });
  assert.equal(value, "granted");
});
