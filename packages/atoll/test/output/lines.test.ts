import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LineMerger } from "../../bin/output/lines.ts";

type From = "a" | "b" | "log";

function merged(pieces: readonly (readonly [From, string])[]): string {
  const out: Uint8Array[] = [];
  const merger = new LineMerger<From>((bytes) => void out.push(Uint8Array.from(bytes)));
  for (const [from, text] of pieces) void merger.put(Buffer.from(text), from);
  void merger.end();
  return Buffer.concat(out).toString("utf8");
}

const piece = fc.tuple(fc.constantFrom<From>("a", "b", "log"), fc.string({ unit: fc.constantFrom("x", "é", "\n", " ") }));

test("every line of every writer comes out whole and in its order, whatever the pieces are", () => {
  fc.assert(fc.property(fc.array(piece), (pieces) => {
    // Each writer's lines carry its name, so that they can be told apart in the result.
    const named = pieces.map(([from, text]) => [from, text.replaceAll("\n", `<${from}>\n`)] as const);
    const lines = merged(named).split("\n");
    for (const from of ["a", "b", "log"] as const) {
      const given = named.filter(([one]) => one === from).map(([, text]) => text).join("").split("\n").slice(0, -1);
      assert.deepEqual(lines.filter((line) => line.endsWith(`<${from}>`)), given);
    }
  }));
});

test("no byte is lost: one writer's output is what it wrote", () => {
  fc.assert(fc.property(fc.array(fc.string()), (texts) => {
    assert.equal(merged(texts.map((text) => ["a", text])), texts.join(""));
  }));
});

test("a line that never ends is let through after 64 KiB, and the next writer begins a line of its own", () => {
  const long = "x".repeat(70_000);
  assert.equal(merged([["a", long], ["log", "told\n"]]), `${long}\ntold\n`);
  assert.equal(merged([["a", long], ["a", "y\n"], ["log", "told\n"]]), `${long}y\ntold\n`);
});

test("what the writer below cannot take at once holds the writer back", async () => {
  let free: () => void = () => undefined;
  const merger = new LineMerger<From>(() => new Promise<void>((resolve) => (free = resolve)));
  assert.equal(merger.put(Buffer.from("half"), "a"), undefined);
  const waiting = merger.put(Buffer.from(" line\n"), "a");
  assert.ok(waiting instanceof Promise);
  free();
  await waiting;
});
