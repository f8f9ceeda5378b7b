// Block 8: grants as scripts and hosts see them. The tables of addresses, names and paths are proven in packages/block/test/grants.
import assert from "node:assert/strict";
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, test } from "node:test";
import { createLocalMesh } from "@atoll-run/atoll/block";
import type { Json } from "@atoll-run/core";
import { type Config, emptyFolder, faultOf, serving, start, stopped, valueOf } from "./support.ts";

const server = createServer((_, response) => response.end("ok"));
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as { port: number };
after(() => {
  server.closeAllConnections();
  server.close();
});

const root = realpathSync(emptyFolder());
mkdirSync(join(root, "data"));
mkdirSync(join(root, "out"));
writeFileSync(join(root, "data", "a.json"), "1");
writeFileSync(join(root, "top.txt"), "top");
symlinkSync("/etc/hosts", join(root, "data", "away"));

const mesh = createLocalMesh();
mesh.join("friend").serve(async () => "hello");
let nextPeer = 0;

/** What a call gives: `true`, or the text of its refusal. */
async function outcome(code: string, grants: readonly string[], config: Config = {}): Promise<unknown> {
  return await valueOf(`local ok, e = pcall(function() ${code} end)
    if ok then return true end
    return type(e) == "table" and e.code == "grant.denied" and tostring(e) or "?" .. tostring(e)`,
  { projectRoot: root, grants, mesh: mesh.join(`me${nextPeer++}`), ...config });
}

test("grants are \"all\" by default", async () => {
  assert.equal(await valueOf(`return sh.exec("echo hi").stdout .. std.fs.read("top.txt")`, { projectRoot: root }), "hi\ntop");
});

test("a list restricts: what is not named is denied", async () => {
  assert.match(String(await outcome(`std.fs.read("top.txt")`, [])), /^denied: /);
});

// ---- 8.2 and 8.4: what each grant covers, and the exact text without it
const COVERED: readonly (readonly [code: string, grant: string, denied: string])[] = [
  [`std.fs.read("data/a.json")`, "fs.read:data", `denied: fs.read ${root}/data/a.json (outside the granted paths); needs grant fs.read:${root}/data/a.json`],
  [`std.json.read_file("data/a.json")`, "fs.read:data", `denied: fs.read ${root}/data/a.json (`],
  [`assert(io.open("data/a.json"))`, "fs.read:data", `denied: fs.read ${root}/data/a.json (`],
  [`for l in io.lines("data/a.json") do end`, "fs.read:data", `denied: fs.read ${root}/data/a.json (`],
  [`std.fs.list("data")`, "fs.read:data", `denied: fs.read ${root}/data (`],
  [`std.fs.write("out/x", "1")`, "fs.write:out", `denied: fs.write ${root}/out/x (`],
  [`std.json.write_file("out/y", 1)`, "fs.write:out", `denied: fs.write ${root}/out/y (`],
  [`std.fs.mkdir("out/d")`, "fs.write:out", `denied: fs.write ${root}/out/d (`],
  [`assert(io.open("out/z", "w"))`, "fs.write:out", `denied: fs.write ${root}/out/z (`],
  [`assert(os.rename("out/x", "out/w"))`, "fs.write:out", `denied: fs.write ${root}/out/x (`],
  [`assert(os.remove("out/w"))`, "fs.write:out", `denied: fs.write ${root}/out/w (`],
  [`assert(sh.exec("true").ok, "x")`, "run:sh", ""],
  [`os.execute("true")`, "run:sh", "denied: run shell text ("],
  [`io.popen("true"):close()`, "run:sh", "denied: run shell text ("],
  [`http.request("http://127.0.0.1:${port}/")`, `net:127.0.0.1:${port}`, `denied: net connect to 127.0.0.1:${port} (loopback address); needs grant net:127.0.0.1:${port}`],
  [`http.request("http://127.0.0.1:${port}/")`, "net:private", `denied: net connect to 127.0.0.1:${port} (`],
  [`mesh.request("friend", 1)`, "mesh:friend", "denied: mesh send to friend ("],
  [`mesh.send("friend", 1)`, "mesh:*", "denied: mesh send to friend ("],
];
for (const [code, grant, denied] of COVERED) {
  test(`${grant} covers ${code}`, async () => assert.equal(await outcome(code, [grant]), true));
  if (denied === "") continue;
  test(`without ${grant}, ${code} is ${denied.slice(0, 60).replace(root, "…")}…`, async () => {
    const text = String(await outcome(code, ["env:NOTHING"]));
    assert.ok(text.startsWith(denied), text);
    assert.match(text, /\); needs grant [a-z.]+:\S+$/);
  });
}

test("write implies read", async () => assert.equal(await outcome(`std.fs.read("data/a.json")`, ["fs.write:data"]), true));
test("a verb alone is everything", async () => assert.equal(await outcome(`std.fs.read("/etc/hosts")`, ["fs.read"]), true));
test("a program of its own is run by name, with args", async () => {
  assert.equal(await outcome(`assert(sh.exec("echo", {args = {"x"}}).ok)`, ["run:echo"]), true);
});
test("run: of one program does not grant shell text", async () => {
  assert.match(String(await valueOf(`return sh.exec("echo x").error`, { grants: ["run:echo"] })), /^denied: run shell text \(.*needs grant run:sh$/);
});

test("detach needs run:detach besides", async () => {
  assert.match(String(await valueOf(`return sh.exec("true", {detach = true}).error`, { grants: ["run:sh"] })), /^denied: .*needs grant run:detach$/);
});

test("sh.exec returns a refusal as error and code", async () => {
  assert.deepEqual(await valueOf(`local r = sh.exec("true") return {r.ok, r.code}`, { grants: [] }), [false, "grant.denied"]);
});

test("a variable that is not granted reads as nil, and is logged once", async () => {
  const s = start(`return {os.getenv("HIDDEN"), std.env.get("HIDDEN"), std.env.get("SHOWN")}`, { grants: ["env:SHOWN"], env: { HIDDEN: "h", SHOWN: "s" } });
  assert.deepEqual((await s.end).result?.value, [null, null, "s"]);
  assert.equal(s.logs.filter(({ msg }) => msg.includes("HIDDEN")).length, 1);
});

test("a variable the script set itself is always seen", async () => {
  assert.equal(await valueOf(`std.env.set("MINE", "x") return os.getenv("MINE")`, { grants: [] }), "x");
});

test("always allowed: bus, tool, log, json, string, time, task, validate, the own stores and modules", async () => {
  writeFileSync(join(root, "own.lua"), "return 'own'");
  assert.equal(await outcome(`
    bus.emit("x", 1) tool.register("t", {}, function() end) tool.call("t") log.info("l") std.json.decode("1") std.string.trim("") std.time.now()
    std.task.spawn(function() end):join() std.validate.check({}, {}) std.kv.set("n", "k", 1) std.sql.exec("create table if not exists t(x)") std.ts.append("s", 1)
    assert(require("own") == "own")`, []), true);
});

test("a path is its real path: a link does not lead out", async () => {
  assert.match(String(await outcome(`std.fs.read("data/away")`, ["fs.read:data"])), /^denied: /);
});

test("paths are compared by segment", async () => {
  mkdirSync(join(root, "data-2"), { recursive: true });
  writeFileSync(join(root, "data-2", "x"), "x");
  assert.match(String(await outcome(`std.fs.read("data-2/x")`, ["fs.read:data"])), /^denied: /);
});

test("a granted child is not confined by fs grants", async () => {
  assert.equal(await valueOf(`return sh.exec("cat top.txt").stdout`, { grants: ["run:sh"], projectRoot: root }), "top");
});

test("restricted isles refuse binary chunks in load, load of text goes on", async () => {
  assert.deepEqual(await valueOf(`return {load(string.dump(function() end)) == nil, load("return 5")()}`, { grants: [] }), [true, 5]);
});

for (const sql of ["ATTACH 'x.db' AS x", "VACUUM INTO 'x.db'", "SELECT load_extension('x')", "PRAGMA writable_schema = ON", "PRAGMA journal_mode = DELETE"]) {
  test(`restricted SQL: ${sql} is denied`, async () => {
    const text = String(await outcome(`std.sql.exec("${sql}")`, []));
    assert.match(text, /^denied: /);
  });
}
for (const sql of ["ATTACH '' AS x", "ATTACH ':memory:' AS x", "VACUUM"]) {
  test(`restricted SQL: ${sql} goes on`, async () => assert.equal(await outcome(`std.sql.exec("${sql}")`, []), true));
}

test("only http: and https:, in restricted mode and without", async () => {
  assert.match(String(await outcome(`http.request("ftp://example.com/")`, ["net"])), /^denied: net connect to ftp:\/\/example\.com \(neither http nor https\); no grant allows it$/);
});

test("ports below 1024 other than 80 and 443 need an explicit port", async () => {
  assert.match(String(await outcome(`http.request("http://example.com:25/")`, ["net:example.com"], { parts: { resolver: () => Promise.resolve(["93.184.215.14"]) } })),
    /a port below 1024 must be named/);
});

for (const address of ["127.0.0.1", "10.0.0.5", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "fd00:ec2::254", "100.100.100.200", "::1", "fe80::1", "fc00::1", "224.0.0.1", "0.0.0.0", "::ffff:10.0.0.5"]) {
  test(`a granted name that resolves to ${address} is denied`, async () => {
    assert.match(String(await outcome(`http.request("http://granted.example/")`, ["net:granted.example"], { parts: { resolver: () => Promise.resolve([address]) } })), /^denied: net connect to /);
  });
}

test("every refusal is an event denied, with the text and the grant", async () => {
  const s = start(`pcall(std.fs.read, "/etc/hosts") sh.exec("true") pcall(mesh.send, "x", 1)`, { grants: [], mesh: mesh.join("teller") });
  const grants: string[] = [];
  s.run.on("denied", ({ grant }) => grants.push(grant));
  await s.end;
  assert.deepEqual(grants, ["fs.read:/etc/hosts", "run:sh", "mesh:x"]);
});

test("tasks and callbacks are under the same grants", async () => {
  assert.deepEqual(await valueOf(`
    tool.register("t", {}, function() return (pcall(std.fs.read, "/etc/hosts")) end)
    return {std.task.spawn(function() return (pcall(std.fs.read, "/etc/hosts")) end):join(), tool.call("t"), coroutine.wrap(function() return (pcall(std.fs.read, "/etc/hosts")) end)()}`,
  { grants: [] }), [false, false, false]);
});

// ---- guard

test("the guard is asked after the grants: what they deny never reaches it", async () => {
  const asked: string[] = [];
  const guard = async (call: { grant: string }): Promise<"allow"> => {
    asked.push(call.grant);
    return "allow";
  };
  await valueOf(`pcall(std.fs.read, "/etc/hosts") std.fs.read("top.txt")`, { projectRoot: root, grants: ["fs.read:."], guard });
  assert.deepEqual(asked, [`fs.read:${root}/top.txt`]);
});

test("the guard sees grant, tool, arguments and a signal", async () => {
  const seen: unknown[] = [];
  const guard = async (call: { grant: string; tool?: string; args: Json; signal: AbortSignal }): Promise<"allow"> => {
    seen.push([call.grant, call.tool ?? null, call.args, call.signal instanceof AbortSignal]);
    return "allow";
  };
  await valueOf(`sh.exec("true") tool.call("h", {a = 1})`, { guard, hostTools: [{ name: "h", description: "", input_schema: {}, handler: () => 1 }] });
  assert.deepEqual(seen, [["run:sh", null, ["true"], true], ["tool:h", "h", ["h", `{"a":1}`], true]]);
});

for (const [verdict, code, text] of [
  [{ deny: "not on Sundays" }, "grant.denied", /not on Sundays/], [{ park: "tomorrow" }, "grant.denied", /waits for tomorrow/],
] as const) {
  test(`a guard may ${Object.keys(verdict)[0]}`, async () => {
    const value = await valueOf(`local ok, e = pcall(std.fs.read, "top.txt") return {e.code, tostring(e)}`, { projectRoot: root, guard: () => Promise.resolve(verdict) }) as string[];
    assert.equal(value[0], code);
    assert.match(value[1] as string, text);
  });
}

test("a guard's refusal of sh.exec is its result", async () => {
  assert.deepEqual(await valueOf(`local r = sh.exec("true") return {r.ok, r.code}`, { guard: () => Promise.resolve({ deny: "no" }) }), [false, "grant.denied"]);
});

test("the guard is asked for both paths of a copy, and for the program that runs", async () => {
  const asked: string[] = [];
  const guard = async (call: { grant: string }): Promise<"allow"> => {
    asked.push(call.grant);
    return "allow";
  };
  await valueOf(`std.fs.copy("top.txt", "out/copy") sh.exec("echo", {args = {"x"}})`, { projectRoot: root, guard });
  assert.deepEqual(asked, [`fs.read:${root}/top.txt`, `fs.write:${root}/out/copy`, "run:echo"]);
});

test("a guard may answer the call itself", async () => {
  assert.equal(await valueOf(`return std.fs.read("none")`, { guard: () => Promise.resolve({ answer: "from the guard" }) }), "from the guard");
});

// ---- 8.4 secrets

for (const [name, inherits] of [
  ["MY_API_KEY", false], ["PET_TOKEN", false], ["APP_SECRET_X", false], ["DB_PASSWORD", false], ["DB_PASSWD", false], ["SSH_PRIVATE_KEY", false],
  ["AWS_ACCESS_KEY_ID", false], ["GIT_CREDENTIALS", false], ["MAX_TOKENS", true], ["PLAIN", true],
] as const) {
  test(`children ${inherits ? "inherit" : "never inherit"} ${name}, from the environment or .env`, async () => {
    const projectRoot = emptyFolder();
    writeFileSync(join(projectRoot, ".env"), `FILE_${name}=file-value\n`);
    const code = `local function has(text) return text:find("${name}=plain-value", 1, true) ~= nil and text:find("FILE_${name}=file-value", 1, true) ~= nil end
      local p = io.popen("env") local text = p:read("a") p:close()
      os.execute("env > out")
      return {has(sh.exec("env").stdout), has(text), has(std.fs.read("out"))}`;
    assert.deepEqual(await valueOf(code, { projectRoot, env: { [name]: "plain-value" } }), [inherits, inherits, inherits]);
  });
}

test("a secret passes to a child by grant secret:, by config or in opts.env", async () => {
  const code = `return sh.exec("echo $PET_TOKEN", OPTS).stdout`;
  const env = { PET_TOKEN: "cat-cat" };
  assert.equal(await valueOf(code, { env, grants: ["run:sh", "secret:PET_TOKEN"] }), "cat-cat\n");
  assert.equal(await valueOf(code, { env, secrets: ["PET_TOKEN"] }), "cat-cat\n");
  assert.equal(await valueOf(code, { env, globals: { OPTS: { env: { PET_TOKEN: "given" } } } }), "given\n");
});

test("values of secrets are masked in logs, events, warnings and errors", async () => {
  const env = { PET_TOKEN: "s3cr3t-value" };
  const s = start(`log.info("it is " .. os.getenv("PET_TOKEN"), {token = "x s3cr3t-value"}) error("failed with s3cr3t-value")`, { env });
  const heard: string[] = [];
  s.run.on("log", (event) => heard.push(JSON.stringify(event)));
  const { error } = await s.end;
  assert.match(error?.message ?? "", /failed with \[REDACTED\]/);
  const all = JSON.stringify([s.logs, heard, error?.facts]);
  assert.doesNotMatch(all, /s3cr3t/);
  assert.match(all, /it is \[REDACTED\]/);
});

test("values of secrets are masked in what a request fails with", async () => {
  const s = await serving(`bus.on("x", function() error("my " .. os.getenv("PET_TOKEN"), 0) end) bus.serve()`, { env: { PET_TOKEN: "s3cr3t-value" } });
  const texts: string[] = [];
  s.run.on("bus:failed", ({ text }) => texts.push(text));
  await assert.rejects(s.run.request("x", null), { message: "my [REDACTED]" });
  assert.deepEqual(texts, ["my [REDACTED]"]);
  await stopped(s);
});

test("what the script prints stays byte for byte", async () => {
  const s = start(`print(os.getenv("PET_TOKEN"))`, { env: { PET_TOKEN: "s3cr3t-value" } });
  await s.end;
  assert.equal(s.printed(), "s3cr3t-value\n");
});

test("a wrong grant is config.invalid, with every problem", async () => {
  const fault = await faultOf("", { grants: ["fs.fly:/", "run:a b", "net:"] });
  assert.equal(fault.code, "config.invalid");
  for (const part of ["fs.fly", "run:a b", "net:"]) assert.ok(fault.message.includes(part), fault.message);
});
