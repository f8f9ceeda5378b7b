// The acceptance lines G and T4 of block.md section 12, through Lua and the composed library.
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { emptyFolder, runLua, valueOf } from "./support.ts";

test("G1 given restricted mode and a symlink out of its root, when opened, then denied", async () => {
  const projectRoot = emptyFolder();
  const outside = emptyFolder();
  writeFileSync(join(outside, "secret.txt"), "secret");
  mkdirSync(join(projectRoot, "data"));
  symlinkSync(join(outside, "secret.txt"), join(projectRoot, "data", "link"));
  writeFileSync(join(projectRoot, "data", "own.txt"), "own");
  const value = await valueOf(`
    local out = {std.fs.read("data/own.txt")}
    for _, f in ipairs{std.fs.read, io.open, std.json.read_file} do
      local ok, e = pcall(f, "data/link")
      out[#out + 1] = ok and "opened" or e.code
    end
    return out`, { projectRoot, grants: ["fs.read:data"] });
  assert.deepEqual(value, ["own", "grant.denied", "grant.denied", "grant.denied"]);
});

test("G1 sh.exec, io.popen and os.execute without run: give the same text", async () => {
  const value = await valueOf(`
    return {sh.exec("id").error, tostring(select(2, pcall(io.popen, "id"))), tostring(select(2, pcall(os.execute, "id")))}`, { grants: [] }) as string[];
  assert.match(value[0] as string, /^denied: run .*needs grant run:sh$/);
  assert.deepEqual(value, [value[0], value[0], value[0]]);
});

test("G2 given a granted name that resolves to a metadata address, then denied", async () => {
  const { stdout } = await runLua(`local ok, e = pcall(http.request, "http://meta.example/") print(ok, e.code, e)`, {
    grants: ["net:meta.example"], parts: { resolver: async () => ["169.254.169.254"] },
  });
  assert.match(stdout, /^false\tgrant\.denied\tdenied: net connect to 169\.254\.169\.254:80/);
});

test("G2 given a granted name that redirects to an ungranted host, then denied at that hop", async () => {
  const server = createServer((_, response) => response.writeHead(302, { location: "http://elsewhere.example/" }).end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const { stdout } = await runLua(`local ok, e = pcall(http.request, "http://127.0.0.1:${port}/") print(ok, e.code, e)`, {
    grants: [`net:127.0.0.1:${port}`],
  });
  server.close();
  assert.match(stdout, /^false\tgrant\.denied\tdenied: net connect to elsewhere\.example/);
});

test("restricted mode leaves bus, tool, log, json, string, time, task, validate and the own stores", async () => {
  const value = await valueOf(`
    tool.register("t", {description = "t", input_schema = {}}, function() return 1 end)
    log.info("hello")
    std.kv.set("n", "k", 1)
    std.sql.exec("CREATE TABLE t (x)")
    std.ts.append("s", 1)
    std.task.spawn(function() std.task.sleep(1) end):join()
    return {tool.call("t"), std.kv.get("n", "k"), std.json.encode({}), std.string.trim(" a "), std.validate.check({a = 1}, {a = "number"})}`, { grants: [] });
  assert.deepEqual(value, [1, 1, "{}", "a", true]);
});

test("G4 given restricted mode, SQL cannot leave its database, and plain VACUUM works", async () => {
  const { stdout } = await runLua(`
    for _, sql in ipairs{"ATTACH 'elsewhere.db' AS e", "VACUUM INTO 'copy.db'", "SELECT load_extension('x')", "PRAGMA writable_schema = ON"} do
      local ok, e = pcall(std.sql.exec, sql)
      print(ok, e.code, tostring(e):sub(1, 8))
    end
    print(pcall(std.sql.exec, "VACUUM"))`, { grants: [] });
  const lines = stdout.trimEnd().split("\n");
  for (const line of lines.slice(0, 4)) assert.equal(line, "false\tgrant.denied\tdenied: ");
  assert.match(lines[4] as string, /^true/);
});

test("other variables read as nil in restricted mode, and a granted prefix is seen", async () => {
  const value = await valueOf(`return {std.env.get("APP_A"), os.getenv("APP_A"), std.env.get("OTHER") == nil, os.getenv("OTHER") == nil}`,
    { grants: ["env:APP_*"], env: { APP_A: "1", OTHER: "2" } });
  assert.deepEqual(value, ["1", "1", true, true]);
});

test("T4 given PET_TOKEN set, when a child lists its environment, then it is absent; with the grant it is present", async () => {
  const script = `return sh.exec("env").stdout:find("PET_TOKEN=cat", 1, true) ~= nil`;
  const env = { PET_TOKEN: "cat" };
  assert.equal(await valueOf(script, { env }), false);
  assert.equal(await valueOf(script, { env, secrets: ["PET_TOKEN"] }), true);
});

test("bytecode is refused by load in restricted mode only", async () => {
  const script = `local f, e = load(string.dump(function() return 7 end)) return {f and f() or false, e}`;
  assert.deepEqual(await valueOf(script), [7]);
  const [loaded, why] = await valueOf(script, { grants: [] }) as [boolean, string];
  assert.equal(loaded, false);
  assert.match(why, /attempt to load a binary chunk/);
});
