/**
 * Bytes through `io`.
 * goal: no byte is lost, changed or doubled on its way through read-ahead and write buffers.
 * method: random files, read and written in random pieces by one script, compared byte for byte by the test.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { folder } from "../ops.ts";
import { runLua } from "../support/run-script.ts";

const FILES = 40;

/** Mostly small files with many line ends, and some that need more than one read. */
const content = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.array(fc.constantFrom(10, 13, 0, 97, 255), { maxLength: 300 }).map(
      (bytes) => Uint8Array.from(bytes),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.integer({ min: 60_000, max: 200_000 }), fc.integer({ min: 1, max: 70_000 })).map(
      ([size, every]) => Uint8Array.from({ length: size }, (_, i) => (i % every === 0 ? 10 : i % 251)),
    ),
  },
);

for (const [how, read] of Object.entries({
  "lines": `for line in io.lines(name, "L") do out:write(line) end`,
  "pieces of random size": `
    local f = io.open(name, "rb")
    for piece in function() return f:read(math.random(1, 40000)) end do out:write(piece) end
    f:close()`,
  "turns of one line and some bytes": `
    local f = io.open(name)
    while true do
      local line, some = f:read("L"), f:read(math.random(0, 20))
      if not line and not some then break end
      out:write(line or "", some or "")
    end
    f:close()`,
  "everything, written byte by byte": `
    local all = io.open(name):read("a")
    for i = 1, #all do out:write(all:sub(i, i)) end`,
})) {
  test(`a file copied by ${how} is the same`, async (t) => {
    const root = await folder(t);
    const files = fc.sample(content, FILES);
    files.forEach((bytes, i) => writeFileSync(join(root, `in${i}`), bytes));
    const { error } = await runLua(`
      for i = 0, ${FILES - 1} do
        local name = "in" .. i
        local out = io.open("out" .. i, "wb")
        ${read}
        if i % 2 == 0 then out:close() end
      end
    `, { projectRoot: root });
    assert.equal(error, undefined);
    for (const [i, bytes] of files.entries()) {
      assert.ok(
        Buffer.compare(bytes, readFileSync(join(root, `out${i}`))) === 0,
        `file ${i} of ${bytes.length} bytes`,
      );
    }
  });
}
