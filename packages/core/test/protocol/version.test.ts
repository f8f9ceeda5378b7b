import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { PROTOCOL_VERSION } from "@atoll-run/core/internal";
import { readVectors } from "../codec/vectors.ts";

const SCHEMAS = new URL("../../src/protocol/schema/", import.meta.url);
const PAGE = new URL("../../../../docs/protocol.md", import.meta.url);

/** What the schemas say, without what they say to people. */
function hashSchemas(): string {
  const hash = createHash("sha256");
  const files = readdirSync(SCHEMAS, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/")).filter((file) => file.endsWith(".proto")).sort();
  for (const file of files) {
    const text = readFileSync(new URL(file, SCHEMAS), "utf8").replace(/\/\/.*$/gm, "").replace(/\s+/g, " ");
    hash.update(`${file}\n${text.trim()}\n`);
  }
  return hash.digest("hex");
}

test("the schemas are those of the protocol version: a change needs a new one, with history and hash", () => {
  assert.partialDeepStrictEqual(readVectors("version"),
    { protocol_version: PROTOCOL_VERSION, schemas_sha256: hashSchemas() });
});

test("docs/protocol.md tells the history up to the protocol version", () => {
  const versions = [...readFileSync(PAGE, "utf8").matchAll(/^\| (\d+) \| \d{4}-\d{2}-\d{2} \|/gm)]
    .map(([, version]) => Number(version));
  assert.deepEqual(versions, Array.from({ length: PROTOCOL_VERSION }, (_, index) => index + 1));
});
