import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { folder, text } from "../ops.ts";
import { runLua, valueOf } from "../support/run-script.ts";

test("numbers are written as Lua 5.4 writes them, and write gives the file", async () => {
  const { stdout } = await runLua(`io.write(1, " ", 1.5, " ", 2^53, " ", -0.0, "\\n"):write("more\\n")`);
  assert.equal(stdout, "1 1.5 9.007199254741e+15 -0\nmore\n");
});

test("io.write, io.stdout and print come in one order; io.stderr goes to the block's stderr", async () => {
  const errors: Uint8Array[] = [];
  const { stdout } = await runLua(`
    print("a") io.write("b\\n") io.stdout:write("c", 1, "\\n") io.stderr:write("oops ", 2, "\\n") print("d")
  `, { stderr: (bytes) => void errors.push(bytes) });
  assert.equal(stdout, "a\nb\nc1\nd\n");
  assert.equal(text(Buffer.concat(errors)), "oops 2\n");
});

test("a block in a library has no standard input: io.read gives nil", async () => {
  assert.deepEqual(
    await valueOf(`return {io.read() == nil, io.read("a"), io.read("n") == nil, io.lines()() == nil}`),
    [true, "", true, true],
  );
});

test("io.input and io.output change what io.read and io.write use", async (t) => {
  const root = await folder(t);
  writeFileSync(join(root, "in"), "one\ntwo\n");
  assert.deepEqual(await valueOf(`
    io.input("in")
    io.output("out")
    io.write(io.read("L"))
    for line in io.lines() do io.write(line, "!") end
    io.close()
    local closed = select(2, pcall(io.write, "x"))
    io.output(io.stdout)
    return {closed, io.open("out"):read("a"), io.type(io.input())}
  `, { projectRoot: root }), ["default output file is closed", "one\ntwo!", "file"]);
});

test("io.popen reads and writes, and its close gives how the command ended", async (t) => {
  const root = await folder(t);
  assert.deepEqual(await valueOf(`
    local p = io.popen("printf 'a\\\\nb\\\\n'; exit 3")
    local lines = {}
    for line in p:lines() do lines[#lines + 1] = line end
    local ended = table.pack(p:close())
    local w = io.popen("cat > out", "w")
    w:write("to ", "it")
    local fine = {w:close()}
    local killed = table.pack(io.popen("kill -9 $$"):close())
    return {lines, ended[1] == nil, ended[2], ended[3], fine, killed[1] == nil, killed[2], killed[3],
      io.open("out"):read("a"), (select(2, io.popen("true"):write("x")))}
  `, { projectRoot: root }), [
    ["a", "b"], true, "exit", 3, [true, "exit", 0], true, "signal", 9, "to it", "Bad file descriptor",
  ]);
});
