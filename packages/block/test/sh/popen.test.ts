/** `os.execute` and `io.popen`, on the same real shells. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "@atoll-run/testkit";
import { run, text } from "../ops.ts";
import { isGone, pidIn, shell } from "./shell.ts";

test("os.execute passes the output on and gives ok, kind and code as Lua does", async (t) => {
  const { ops, printed } = await shell(t);
  assert.deepEqual(
    await run(ops, "os.execute", ["echo out; echo err >&2; exit 4"]), { ok: false, kind: "exit", code: 4 },
  );
  assert.deepEqual(printed, { stdout: "out\n", stderr: "err\n" });
  assert.deepEqual(await run(ops, "os.execute", ["true"]), { ok: true, kind: "exit", code: 0 });
  assert.deepEqual(await run(ops, "os.execute", ["kill -15 $$"]), { ok: false, kind: "signal", code: 15 });
  assert.equal(await run(ops, "os.execute", [undefined]), true);
});

test("os.execute does not wait for what the command leaves running", async (t) => {
  const { ops, root } = await shell(t);
  await run(ops, "os.execute", ["sleep 600 & echo $! > sleeper"]);
  assert.equal(await isGone(await pidIn(join(root, "sleeper"))), false);
});

test("io.popen reads piece by piece while the child waits for its reader", async (t) => {
  const { ops } = await shell(t);
  const id = await run(ops, "io.popen.open", ["printf abcdef; exit 7", "r"]);
  let all = "";
  for (;;) {
    const piece = await run(ops, "io.popen.read", [id, 4]);
    if (piece === undefined) break;
    assert.ok(piece.length <= 4);
    all += text(piece);
  }
  assert.equal(all, "abcdef");
  assert.deepEqual(await run(ops, "io.popen.close", [id]), { ok: false, kind: "exit", code: 7 });
  await assert.rejects(
    run(ops, "io.popen.read", [id, 1]), { message: "attempt to use a closed file", code: "io.failed" },
  );
});

test("io.popen gives what a child said that ended before anyone read", async (t) => {
  const { ops, runner } = await shell(t);
  const id = await run(ops, "io.popen.open", ["printf abc", "r"]);
  await until(() => runner.live === 0, { what: "the end of the child" });
  // One more turn for what Node does with streams of a child that ended.
  await new Promise((done) => setImmediate(done));
  assert.equal(text(await run(ops, "io.popen.read", [id, 10])), "abc");
  assert.equal(await run(ops, "io.popen.read", [id, 10]), undefined);
  assert.deepEqual(await run(ops, "io.popen.close", [id]), { ok: true, kind: "exit", code: 0 });
});

test("io.popen writes to the child, whose output goes where the block prints", async (t) => {
  const { ops, printed } = await shell(t);
  const id = await run(ops, "io.popen.open", ["cat", "w"]);
  await run(ops, "io.popen.write", [id, "one "]);
  await run(ops, "io.popen.write", [id, "two"]);
  assert.deepEqual(await run(ops, "io.popen.close", [id]), { ok: true, kind: "exit", code: 0 });
  assert.equal(printed.stdout, "one two");
});

test("a cancelled read of io.popen loses nothing", async (t) => {
  const { ops, root } = await shell(t);
  const id = await run(ops, "io.popen.open", ["while [ ! -f go ]; do sleep 0.02; done; echo late", "r"]);
  const stop = new AbortController();
  const reading = run(ops, "io.popen.read", [id, 100], { signal: stop.signal });
  stop.abort(new Error("task cancelled"));
  await assert.rejects(reading, /task cancelled/);
  await writeFile(join(root, "go"), "");
  assert.equal(text(await run(ops, "io.popen.read", [id, 100])), "late\n");
  await run(ops, "io.popen.close", [id]);
});

test("a pipe belongs to the isle that opened it and ends with it", async (t) => {
  const { ops, handles, root } = await shell(t);
  const id = await run(ops, "io.popen.open", ["echo $$ > leader; sleep 600", "r"], { isle: "handler" });
  await assert.rejects(run(ops, "io.popen.read", [id, 1], { isle: "main" }), { code: "io.failed" });
  const pid = await pidIn(join(root, "leader"));
  await handles.closeIsle("handler");
  await until(() => isGone(pid), { what: "the child gone" });
});
