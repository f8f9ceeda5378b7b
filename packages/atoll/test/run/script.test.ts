/** Which script `atoll run` runs, and what it is given (spec: block 3, first table). */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { createRealm } from "@atoll-run/atoll/node";
import { until } from "@atoll-run/testkit";
import { atoll, place, PROGRAM, runScript, startAtoll } from "../support/cli.ts";

test("the script is named by -s, by --script, or stands alone", async (t) => {
  const at = place(t);
  const path = at.file("hello.lua", "print('hello from ' .. _SCRIPT_NAME)");
  for (const args of [["-s", path], ["--script", path], [`--script=${path}`], [path], ["hello.lua"]]) {
    const ended = await atoll(at, ["run", ...args]);
    assert.deepEqual([ended.code, ended.stderr], [0, ""], args.join(" "));
    assert.match(ended.stdout, /^hello from .*hello\.lua\n$/);
  }
});

test("a missing script gives usage on stderr that names --script, exit 2", async (t) => {
  const { code, stdout, stderr } = await atoll(place(t), ["run"]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /^atoll: config error: --script: is missing/);
  assert.match(stderr, /^Usage: atoll run /m);
});

test("the script `-` is read from standard input", async (t) => {
  const ended = await atoll(
    place(t), ["run", "-", "--", "x"],
    { stdin: "#!/usr/bin/env atoll\nprint(_SCRIPT_NAME, arg[1])\nerror('here')" });
  assert.equal(ended.stdout, "stdin\tx\n");
  assert.match(ended.stderr, /^atoll: script error: stdin:3: here/);
});

test("two scripts are refused, and arguments without -- too", async (t) => {
  const at = place(t);
  const { code, stderr } = await atoll(at, ["run", "a.lua", "b.lua"]);
  assert.equal(code, 2);
  assert.match(stderr, /b\.lua: one script at a time \(arguments of the script stand behind --\)/);
  const both = await atoll(at, ["run", "-s", "a.lua", "b.lua"]);
  assert.equal(both.code, 2);
  assert.match(both.stderr, /b\.lua: cannot be used with --script/);
});

test("C2: given `-- a b`, then `arg` holds a and b", async (t) => {
  const at = place(t);
  const { code, stdout } = await runScript(
    at, "print(#arg, arg[1], arg[2], arg[3]) print(...)", ["--", "a", "b", "-s"]);
  assert.deepEqual([code, stdout], [0, "3\ta\tb\t-s\na\tb\t-s\n"]);
});

test("--project is the folder of .env and blocks/, and where children start; the default is the working folder", async (t) => {
  const at = place(t);
  at.file("elsewhere/.env", "PET=dog\n");
  at.file("elsewhere/blocks/pet/init.lua", "return { name = function() return std.env.get('PET') end }");
  const source = "print(require('pet').name()) print(sh.exec('pwd').stdout)";
  const there = await runScript(at, source, ["-p", "elsewhere"]);
  assert.deepEqual([there.code, there.stdout], [0, `dog\n${at.path("elsewhere")}\n\n`], there.stderr);
  const here = await runScript(at, "print(std.env.get('PET'), std.env.project_root())");
  assert.equal(here.stdout, `nil\t${at.cwd}\n`);
});

test("a script is found from the working folder, whatever the project is", async (t) => {
  const at = place(t);
  at.file("other/x.lua", "print('other')");
  at.file("x.lua", "print('mine')");
  assert.equal((await atoll(at, ["run", "x.lua", "-p", "other"])).stdout, "mine\n");
});

test("--relay that is no URL exits 2; one where nobody answers exits 1 as mesh.connect_failed says it", async (t) => {
  const at = place(t);
  for (const [args, env] of [[["-r", "relay"], {}], [[], { AGENT_BLOCK_RELAY: "relay" }]] as const) {
    const { code, stderr } = await runScript(at, "print('not reached')", args, { env });
    assert.equal(code, 2);
    assert.match(stderr, /(--relay|AGENT_BLOCK_RELAY): 'relay' is not the URL of a realm/);
  }
  const { code, stdout, stderr } = await runScript(at, "print('not reached')", ["-r", "http://127.0.0.1:1"]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /mesh error: connect to http:\/\/127\.0\.0\.1:1 failed: /);
});

test("two scripts speak through a realm: mesh.on answers mesh.request, each by the id of the other", async (t) => {
  const at = place(t);
  await using realm = await createRealm({ memory: true, listen: { public: { host: "127.0.0.1", port: 0 } } });
  const url = String(realm.addresses?.url);
  at.file("answer.lua", `std.fs.write("id", mesh.agent_id())
    mesh.on(function(event)
      std.fs.write("asked", "")
      return {sum = event.payload.a + event.payload.b, from = event.meta.from}
    end)
    bus.serve()`);
  at.file("ask.lua", `local reply = mesh.request(std.fs.read("id"), {a = 1, b = 2})
    print(reply.sum, reply.from == mesh.agent_id())`);
  const answering = startAtoll(at, ["run", "answer.lua", "--relay", url]);
  await until(() => existsSync(at.path("id")), { withinMs: 30_000 });
  const asked = await atoll(at, ["run", "ask.lua", "-r", url.replace("http", "ws")]);
  assert.deepEqual([asked.code, asked.stdout], [0, "3\ttrue\n"], asked.stderr);
  assert.ok(existsSync(at.path("asked")));
  answering.child.kill("SIGTERM");
  assert.equal((await answering.end).code, 0, answering.stderr());
});

test("--secret-key takes 64 hex digits, and warns as a flag", async (t) => {
  const at = place(t);
  const key = "0123456789abcdef".repeat(4);
  const good = await runScript(at, "print(std.env.get('ATOLL_MESH_SECRET_KEY'))", ["--secret-key", key]);
  assert.deepEqual([good.code, good.stdout], [0, "nil\n"]);
  assert.match(good.stderr,
    /WARN block: --secret-key: flags are visible in process lists \(use ATOLL_MESH_SECRET_KEY\)/);
  const short = await runScript(at, "print('not reached')", ["--secret-key", "abc"]);
  assert.deepEqual([short.code, short.stdout], [1, ""]);
  assert.match(short.stderr, /^atoll: runtime error: secret-key: expected 64 hex chars, got 3$/m);
  const wrong = await runScript(
    at, "print('not reached')", [], { env: { ATOLL_MESH_SECRET_KEY: `g${key.slice(1)}` } });
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /secret-key: expected 64 hex chars, character 1 is none/);
  assert.doesNotMatch(wrong.stderr, /flags are visible/);
  assert.doesNotMatch(good.stderr + wrong.stderr, new RegExp(key.slice(1)));
});

test("--mcp-timeout-secs is an integer of at least 1: `0` tells `0 is not in 1..`, exit 2", async (t) => {
  const at = place(t);
  for (const [text, problem] of [["0", /0 is not in 1\.\./], ["1.5", /'1\.5' is not a whole number/],
    ["x", /'x' is not a whole number/]] as const) {
    const { code, stderr } = await runScript(at, "print('not reached')", ["--mcp-timeout-secs", text]);
    assert.equal(code, 2, text);
    assert.match(stderr, problem);
  }
  assert.equal((await runScript(at, "", ["--mcp-timeout-secs", "1"])).code, 0);
});

test("--prompt and --context are globals; absent is nil, and empty stays empty", async (t) => {
  const at = place(t);
  const source = "print(_PROMPT, _CONTEXT, _PROMPT == '')";
  assert.equal((await runScript(at, source)).stdout, "nil\tnil\tfalse\n");
  assert.equal((await runScript(at, source, ["--prompt", "", "-c", "two words"])).stdout,
    "\ttwo words\ttrue\n");
  const env = { AGENT_BLOCK_PROMPT: "theirs", ATOLL_CONTEXT: "" };
  assert.equal((await runScript(at, source, [], { env })).stdout, "theirs\t\tfalse\n");
  assert.equal((await runScript(at, source, ["--prompt", "mine"], { env })).stdout, "mine\t\tfalse\n");
});

test("--prompt-file and --context-file are read once, relative to the working folder", async (t) => {
  const at = place(t);
  at.file("p.txt", "from a file\n");
  at.file("c.txt", "ünïcode");
  const ended = await runScript(
    at, "print(_PROMPT .. _CONTEXT)", ["--prompt-file", "p.txt", "--context-file", "c.txt"],
    { env: { ATOLL_PROMPT: "not this" } });
  assert.equal(ended.stdout, "from a file\nünïcode\n");
});

test("inline text and file exclude each other (exit 2)", async (t) => {
  const at = place(t);
  for (const name of ["prompt", "context"]) {
    const { code, stderr } = await runScript(
      at, "print('not reached')", [`--${name}`, "x", `--${name}-file`, "y"]);
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`--${name}-file: cannot be used with --${name}`));
  }
});

test("an unreadable file tells `failed to read --prompt-file '<p>'`, exit 1", async (t) => {
  const at = place(t);
  for (const name of ["prompt", "context"]) {
    const { code, stdout, stderr } = await runScript(
      at, "print('not reached')", [`--${name}-file`, "gone.txt"]);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, new RegExp(
      `^atoll: failed to read --${name}-file 'gone\\.txt': No such file or directory`));
  }
});

test("modules are also found in `blocks/` beside the program, after those of the project", async (t) => {
  const at = place(t);
  const program = at.file("opt/start.mjs", `await import(${JSON.stringify(PROGRAM)});`);
  at.file("opt/blocks/shared.lua", "return 'of the program'");
  at.file("opt/blocks/own/init.lua", "return 'of the program'");
  at.file("blocks/own.lua", "return 'of the project'");
  const ended = await runScript(at, "print(require('shared'), (require('own')))", [], { program });
  assert.deepEqual([ended.stdout, ended.stderr], ["of the program\tof the project\n", ""]);
});
