/** Errors, bounds and order of the file ops. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { BlockError } from "../../src/errors.ts";
import { run, text } from "../ops.ts";
import { disk } from "./disk.ts";

test("io errors read as Lua's and carry errno and strerror", async (t) => {
  const { ops, root } = await disk(t);
  await assert.rejects(run(ops, "io.open", ["no/file", "r"]), (error: BlockError) => {
    assert.equal(error.message, "no/file: No such file or directory");
    assert.equal(error.code, "fs.not_found");
    assert.equal(error.facts["errno"], 2);
    assert.equal(error.facts["strerror"], "No such file or directory");
    return true;
  });
  await assert.rejects(
    run(ops, "io.open", ["x", "q"]), { message: "bad argument #2 to 'open' (invalid mode)" },
  );
  await assert.rejects(run(ops, "io.open", [root, "w"]), { message: `${root}: Is a directory` });
  await assert.rejects(
    run(ops, "std.fs.read", ["a\0b"]), { message: "fs.read: a\0b: Invalid argument", code: "fs.failed" },
  );
  await assert.rejects(
    run(ops, "std.fs.read", [Uint8Array.of(255)]), { message: "fs.read: argument #1 must be valid UTF-8" },
  );
});

test("JSON files are read and written as bytes under their own names", async (t) => {
  const { ops } = await disk(t);
  await run(ops, "std.json.write_file", ["x.json", "{}\n"]);
  assert.equal(text(await run(ops, "std.json.read_file", ["x.json"])), "{}\n");
  await assert.rejects(
    run(ops, "std.json.read_file", ["y.json"]), {
      message: "json.read_file: y.json: No such file or directory",
    },
  );
});

test("open files are bounded in a block, and an isle's files close with it", async (t) => {
  const { ops, handles } = await disk(t, { openMax: 2 });
  const first = await run(ops, "io.open", ["a", "w"]);
  await run(ops, "io.open", ["b", "w"], { isle: "handler" });
  await assert.rejects(run(ops, "io.open", ["c", "w"]), (error: BlockError) => {
    assert.equal(error.message, "c: Too many open files");
    assert.equal(error.facts["errno"], 24);
    assert.equal(error.code, "fs.limit");
    return true;
  });
  await assert.rejects(run(ops, "io.read", [first, 1], { isle: "handler" }), { code: "io.failed" });
  await handles.closeIsle("handler");
  assert.equal(handles.size, 1);
  await run(ops, "io.open", ["c", "w"]);
});

test("a file larger than its isle is refused before it is read, and so is an endless one", async (t) => {
  const { ops } = await disk(t, { isleBytesMax: 1_000_000 });
  await run(ops, "std.fs.write", ["big", "x".repeat(1_000_001)]);
  await assert.rejects(run(ops, "std.fs.read", ["big"]), {
    message: "fs.read: big: file too large: 1000001 bytes (max 1000000)", code: "fs.limit",
  });
  await assert.rejects(run(ops, "std.fs.read", ["/dev/zero"]), { code: "fs.limit" });
});

test("a pipe nobody writes to holds no thread and ends with a cancel", async (t) => {
  const { ops, root } = await disk(t);
  execFileSync("mkfifo", [join(root, "fifo")]);
  const reader = await run(ops, "io.open", ["fifo", "r"]);
  const writer = await run(ops, "io.open", ["fifo", "w"]);
  const stop = new AbortController();
  const waiting = run(ops, "io.read", [reader, 10], { signal: stop.signal });
  assert.equal(await run(ops, "std.fs.exists", ["fifo"]), true);
  stop.abort(new Error("task cancelled"));
  await assert.rejects(waiting, /task cancelled/);
  await run(ops, "io.write", [writer, "late"]);
  assert.equal(text(await run(ops, "io.read", [reader, 10])), "late");
});

test("operations on one file run in the order they were asked for", async (t) => {
  const { ops, root } = await disk(t);
  const id = await run(ops, "io.open", ["f", "w"]);
  await Promise.all(Array.from({ length: 50 }, (_, i) => run(ops, "io.write", [id, `${i},`])));
  await run(ops, "io.close", [id]);
  assert.equal(
    await readFile(join(root, "f"), "utf8"), Array.from({ length: 50 }, (_, i) => `${i},`).join(""),
  );
});
