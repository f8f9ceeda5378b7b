import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findBuf, generate, GENERATED } from "../proto.ts";

function read(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return Object.fromEntries(files.filter((file) => file.endsWith(".ts")).sort().map((file) => [file, readFileSync(join(folder, file), "utf8")]));
}

test("the generated code is what the schemas give (npm run proto writes it)", async (t) => {
  const buf = findBuf();
  if (buf === undefined) return t.skip("buf has no build for this machine");
  const out = mkdtempSync(join(tmpdir(), "atoll-proto-"));
  t.after(() => rmSync(out, { recursive: true }));
  await generate(buf, out);
  assert.deepEqual(read(out), read(GENERATED));
});
