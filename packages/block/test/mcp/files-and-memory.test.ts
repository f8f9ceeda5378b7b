/** Two more servers from the registry, and what `mcp` tells servers of its caller. */
import assert from "node:assert/strict";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { value } from "./support.ts";

async function folder(): Promise<AsyncDisposable & { path: string }> {
  const path = await realpath(await mkdtemp(join(tmpdir(), "atoll-mcp-")));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

test("server-filesystem writes and reads a file in the folder it was given", async () => {
  await using dir = await folder();
  assert.deepEqual(await value(`
    mcp.connect("fs", NODE, {FILES, DIR})
    local path = DIR .. "/note.txt"
    local wrote = mcp.call("fs", "write_file", {path = path, content = "héllo"})
    local read = mcp.call("fs", "read_text_file", {path = path})
    local outside = mcp.call("fs", "read_text_file", {path = "/etc/passwd"})
    return {wrote.ok, texts(read), std.fs.read(path), outside.is_error}`, { globals: { DIR: dir.path } }),
  [true, "héllo", "héllo", true]);
});

test("server-filesystem takes its folders from the roots handler", async () => {
  await using dir = await folder();
  const text = await value(`
    mcp.set_roots_handler("fs", function() return {{uri = "file://" .. DIR, name = "given"}} end)
    mcp.connect("fs", NODE, {FILES})
    local seen
    until_true(function() seen = texts(mcp.call("fs", "list_allowed_directories", {})) return seen:find(DIR, 1, true) end)
    return seen`, { globals: { DIR: dir.path } });
  assert.ok(String(text).includes(dir.path));
});

test("server-memory keeps what it is told, with a file named in opts.env", async () => {
  await using dir = await folder();
  const graph = await value(`
    local opts = {env = {MEMORY_FILE_PATH = DIR .. "/graph.jsonl"}}
    mcp.connect("m", NODE, {MEMORY}, opts)
    mcp.call("m", "create_entities", {entities = {{name = "Ada", entityType = "person", observations = {"counts"}}}})
    mcp.disconnect("m")
    mcp.connect("m", NODE, {MEMORY}, opts)
    return mcp.call("m", "read_graph", {}).structured_content`, { globals: { DIR: dir.path } }) as { entities: object[] };
  assert.deepEqual(graph.entities, [{ name: "Ada", entityType: "person", observations: ["counts"] }]);
});

describe("what servers are told of the caller", () => {
  const trace = { trace_id: "0af7651916cd43dd8448eb211c80319c", run_id: "r1", agent_id: "a1", agent_name: "n1" };

  test("with trace_context arguments carry __ab_obs and _meta a traceparent", async () => {
    const [args, meta] = await value(`
      mcp.connect("r", NODE, {RAW}, {trace_context = true})
      return {std.json.decode(texts(mcp.call("r", "echo", {x = 1}))), std.json.decode(texts(mcp.call("r", "meta", {})))}`,
    { trace }) as [object, { traceparent: string }];
    assert.deepEqual(args, { x: 1, __ab_obs: trace });
    assert.match(meta.traceparent, new RegExp(`^00-${trace.trace_id}-[0-9a-f]{16}-01$`));
  });

  test("without it they carry neither", async () => {
    const [args, meta] = await value(`
      raw("r")
      return {std.json.decode(texts(mcp.call("r", "echo", {x = 1}))), std.json.decode(texts(mcp.call("r", "meta", {})))}`,
    { trace }) as [object, object];
    assert.deepEqual(args, { x: 1 });
    assert.deepEqual(Object.keys(meta), []);
  });

  test("a call asks for progress while somebody listens for it", async () => {
    const [heard, other] = await value(`
      raw("r")
      local function keys() return std.json.decode(texts(mcp.call("r", "meta", {}))) end
      mcp.on_progress("r", function() end)
      local heard = keys()
      mcp.on_progress("r", nil)
      mcp.on_progress("another", function() end)
      return {heard, keys()}`) as [object, object];
    assert.deepEqual(Object.keys(heard), ["progressToken"]);
    assert.deepEqual(Object.keys(other), []);
  });
});
