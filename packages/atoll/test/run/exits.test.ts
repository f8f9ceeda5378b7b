/** Exit codes, and the result as JSON (spec: block 3, Exit codes). */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { until } from "@atoll-run/testkit";
import { atoll, isAlive, place, PROGRAM, runScript, startAtoll } from "../support/cli.ts";

test("0 = returned, also for `return false`", async (t) => {
  const at = place(t);
  for (const source of ["", "return false", "return nil, 'error'", "return 7"]) assert.equal(
    (await runScript(at, source)).code, 0, source);
});

test("N from os.exit(N), which runs the end-of-run order", async (t) => {
  const at = place(t);
  const source = "std.task.spawn(function() std.task.sleep(60000) end) io.write('printed') os.exit(7) print('not reached')";
  const { code, stdout } = await runScript(at, source);
  assert.deepEqual([code, stdout], [7, "printed"]);
});

test("C2: given `os.exit(9)` with a live child, then exit 9 and the child is gone", async (t) => {
  const at = place(t);
  const source = `
    std.task.spawn(function() sh.exec("echo $$ > pid; exec sleep 1000") end)
    while not std.fs.exists("pid") or std.fs.read("pid") == "" do std.task.sleep(5) end
    os.exit(9)`;
  const { code } = await runScript(at, source);
  assert.equal(code, 9);
  const pid = Number(readFileSync(at.path("pid"), "utf8"));
  assert.ok(pid > 1);
  await until(() => !isAlive(pid), { what: "the end of the child" });
});

test("1 = script or run error", async (t) => {
  const at = place(t);
  assert.equal((await runScript(at, "error('x')")).code, 1);
  assert.equal((await runScript(at, "local = 1")).code, 1);
  assert.equal((await atoll(at, ["run", "gone.lua"])).code, 1);
});

test("2 = usage or config", async (t) => {
  const at = place(t);
  assert.equal((await runScript(at, "", ["--no-such-flag"])).code, 2);
  assert.equal((await runScript(at, "", ["--grant", "fly"])).code, 2);
  assert.equal((await runScript(at, "", [], { env: { ATOLL_SQL_JOURNAL_MODE: "horse" } })).code, 2);
});

test("70 = isle crash", async (t) => {
  const at = place(t);
  // ends the thread of the isle as a bug of the engine would, when its script is sent
  const program = at.file("crash.mjs", `
    import { Worker } from "node:worker_threads";
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (message, ...rest) {
      if (message.t === "run") this.terminate();
      else postMessage.call(this, message, ...rest);
    };
    await import(${JSON.stringify(PROGRAM)});`);
  const { code, stderr } = await runScript(at, "print('not reached')", [], { program });
  assert.deepEqual([code, stderr], [70, "atoll: runtime error: isle crashed: the isle thread ended\n"]);
});

test("--result writes `BlockResult` as JSON: to a file, or behind the prints with `-`", async (t) => {
  const at = place(t);
  const { code, stdout } = await runScript(
    at, "print('first') return {big = 9223372036854775807, list = {1, 2}, f = 7.5}", ["--result", "-"]);
  assert.equal(code, 0);
  assert.match(stdout, /^first\n\{.*"value":\{"big":9223372036854775807,"f":7\.5,"list":\[1,2\]\}.*\}\n$/);
  at.file("out.json", "something old that is longer than what comes, so that it must be cut: "
    + "x".repeat(2_000));
  assert.equal((await runScript(at, "return true", ["--result", "out.json"])).stdout, "");
  const { duration_ms, ...rest } = JSON.parse(readFileSync(at.path("out.json"), "utf8")) as {
    duration_ms: number };
  assert.ok(duration_ms > 0);
  assert.deepEqual(rest, {
    value: true, outcome: "returned", exit_code: 0, bus: { emitted: 0, handled: 0, failed: 0, unserved: 0 },
    unfinished: [], warnings: [],
  });
});

test("--result tells of a failed run too, and an os.exit", async (t) => {
  const at = place(t);
  await runScript(at, "error('it broke')", ["--result", "out.json"]);
  const failed = JSON.parse(readFileSync(at.path("out.json"), "utf8")) as {
    outcome: string; exit_code: number; error: { code: string; text: string } };
  assert.deepEqual([failed.outcome, failed.exit_code, failed.error.code], ["failed", 1, "script.failed"]);
  assert.match(failed.error.text, /script\.lua:1: it broke/);
  await runScript(at, "os.exit(3)", ["--result", "out.json"]);
  const exited = JSON.parse(readFileSync(at.path("out.json"), "utf8")) as {
    outcome: string; exit_code: number };
  assert.deepEqual([exited.outcome, exited.exit_code], ["exited", 3]);
});

test("a result file that cannot be written ends the run before it starts", async (t) => {
  const at = place(t);
  const { code, stderr } = await runScript(at, "std.fs.write('touched', 'x')", ["--result", "gone/out.json"]);
  assert.equal(code, 1);
  assert.match(stderr, /^atoll: I\/O error: --result 'gone\/out\.json': No such file or directory/);
  assert.ok(!existsSync(at.path("touched")));
});

test("a reader that goes away ends the run quietly, exit 141", async (t) => {
  const at = place(t);
  const started = startAtoll(at, ["run", at.file("flood.lua", "while true do print('line') end")]);
  await until(() => started.stdout().length > 0);
  started.child.stdout.destroy();
  const { code, stderr } = await started.end;
  assert.deepEqual([code, stderr], [141, ""]);
});
