/** Bad input: a clear text with the place, the documented exit code, and nothing already stored is lost. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { atoll, place, PROGRAM, runScript } from "../support/cli.ts";

test("an unreadable script: its path and the reason, exit 1", async (t) => {
  const at = place(t);
  at.file("folder/x", "");
  for (const [name, reason] of [["gone.lua", "No such file or directory"], ["folder", "Is a directory"],
    ["folder/x/y.lua", "Not a directory"]]) {
    const { code, stdout, stderr } = await atoll(at, ["run", name as string]);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, new RegExp(`^atoll: script error: ${name}: ${reason}$`, "m"));
  }
});

test("a syntax error: file, line and what is wrong, exit 1", async (t) => {
  const { code, stdout, stderr } = await runScript(place(t), "print('not reached')\nlocal = 5\n");
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /^atoll: script error: .*script\.lua:2: .* near '='/m);
});

test("bad flags: every one is named, with what was meant, exit 2", async (t) => {
  const { code, stdout, stderr } = await runScript(
    place(t), "print('not reached')", ["--promt", "x", "--restricted=yes", "-z", "--log-to"]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /--promt: there is no such flag \(did you mean --prompt\?\)/);
  assert.match(stderr, /--restricted: takes no value/);
  assert.match(stderr, /-z: there is no such flag/);
  assert.match(stderr, /--log-to: needs a value: --log-to WHERE/);
});

test("a bad value of a variable: its name and what is wrong, exit 2", async (t) => {
  const env = { ATOLL_ISLE_MIB_MAX: "lots", AGENT_BLOCK_LOG: "=,", ATOLL_SQL_JOURNAL_MODE: "fast",
    ATOLL_LOG_FORMAT: "xml" };
  const { code, stdout, stderr } = await runScript(place(t), "print('not reached')", [], { env });
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /ATOLL_ISLE_MIB_MAX: 'lots' is not a whole number/);
  assert.match(stderr, /AGENT_BLOCK_LOG: '=' is neither a level nor target=level/);
  assert.match(stderr, /ATOLL_SQL_JOURNAL_MODE: 'fast' is not one of WAL, DELETE/);
  assert.match(stderr, /ATOLL_LOG_FORMAT: 'xml' is not one of pretty, json/);
});

test("a bad line of .env: file and line in a warning, the others count, and the run goes on", async (t) => {
  const at = place(t);
  at.file(".env", "GOOD=1\nthis is no setting\nALSO=2\n");
  const { code, stdout, stderr } = await runScript(at, "print(std.env.get('GOOD'), std.env.get('ALSO'))");
  assert.deepEqual([code, stdout], [0, "1\t2\n"]);
  assert.match(stderr, /WARN block: .*\.env:2: not NAME=value; the line is passed over/);
});

test("a broken SQLite file: the store's error names it, exit 1, and the file stays as it is", async (t) => {
  const at = place(t);
  const text = "this is no database, ".repeat(200);
  for (const [variable, call] of [
    ["ATOLL_KV_PATH", "std.kv.get('n', 'k')"], ["ATOLL_SQL_PATH", "std.sql.query('select * from t')"],
    ["ATOLL_TS_PATH", "std.ts.last('s')"],
  ] as const) {
    const path = at.file("broken.sqlite", text);
    const { code, stderr } = await runScript(at, call, [], { env: { [variable]: path } });
    assert.equal(code, 1, call);
    assert.match(stderr, /not a (SQLite )?database/, call);
    assert.equal(readFileSync(path, "utf8"), text);
  }
});

test("a project that is no folder: its path and the reason, exit 2", async (t) => {
  const at = place(t);
  at.file("file", "");
  for (const [name, reason] of [["gone", "No such file or directory"], ["file", "Not a directory"]] as const) {
    for (const args of [["run", at.file("x.lua", "print('not reached')"), "--project", name], ["mcp", name]]) {
      const { code, stdout, stderr } = await atoll(at, args);
      assert.deepEqual([code, stdout], [2, ""], args.join(" "));
      assert.match(stderr, new RegExp(`^atoll: config error: (--project|DIR): '${name}': ${reason}\n`));
    }
  }
});

test("a full disk for the prints: standard output and the reason, exit 1", {
  skip: process.platform === "linux" ? false : "needs /dev/full",
}, async (t) => {
  const at = place(t);
  const script = at.file("x.lua", "for i = 1, 1e9 do print(i) end");
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, "run", script], {
    cwd: at.cwd, env: { HOME: at.home }, stdio: ["ignore", openSync("/dev/full", "w"), "pipe"], encoding: "utf8", timeout: 60_000,
  });
  assert.deepEqual([status, stderr], [1, "atoll: I/O error: standard output: No space left on device\n"]);
});

test("capacity 0: the variable is named, exit 2", async (t) => {
  const { code, stderr } = await runScript(place(t), "", [], { env: { ATOLL_BUS_CAPACITY: "0" } });
  assert.equal(code, 2);
  assert.match(stderr, /^atoll: config error: ATOLL_BUS_CAPACITY: 0 is not in 1\.\./);
});

test("an unknown command, and none: what there is, exit 2", async (t) => {
  const at = place(t);
  const wrong = await atoll(at, ["rnu", "x.lua"]);
  assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
  assert.match(wrong.stderr, /^atoll: there is no command 'rnu'; did you mean run\?/);
  const none = await atoll(at, []);
  assert.deepEqual([none.code, none.stdout], [2, ""]);
  assert.match(none.stderr, /^atoll: no command\nUsage: atoll COMMAND/);
});
