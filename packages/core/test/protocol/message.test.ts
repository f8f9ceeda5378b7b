/**
 * Goal: messages with generated types are read strictly. Invariant: what is valid reads as the protobuf
 * runtime reads it; anything else is a fault, never a crash. Method: random messages of every schema, whole,
 * cut, mutated, and garbage.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import * as wire from "@atoll-run/core/internal";
import type { DescMessage } from "@atoll-run/core/internal";
import { arbitraryMessage } from "./arbitrary-message.ts";

const { create, readMessage, writeMessage } = wire;
const SCHEMAS = (Object.values(wire) as unknown[]).filter((one): one is DescMessage =>
  typeof one === "object" && one !== null && (one as { kind?: unknown }).kind === "message");
const RUNS = { numRuns: 40 };

test("the schemas of the wire are all exported", () => {
  assert.ok(SCHEMAS.length >= 60, String(SCHEMAS.length));
});

for (const schema of SCHEMAS) {
  test(`${schema.typeName} reads what was written, as the protobuf runtime does`, () => {
    fc.assert(fc.property(arbitraryMessage(schema), (init) => {
      const bytes = writeMessage(schema, init);
      const read = readMessage(schema, bytes);
      assert.ok(read.ok, read.ok ? "" : read.fault.message);
      assert.deepEqual(read.value, create(schema, init));
      assert.deepEqual(toBinary(schema, read.value), bytes);
      // The runtime drops a byte order mark at the beginning of a text.
      if (!Buffer.from(bytes).includes("\ufeff")) {
        assert.deepEqual(read.value, fromBinary(schema, bytes, { readUnknownFields: false }));
      }
    }), RUNS);
  });

  test(`${schema.typeName} that is cut or changed is read or refused, and never more than that`, () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.nat() });
    fc.assert(fc.property(arbitraryMessage(schema), change, (init, { at, byte, cut }) => {
      const bytes = writeMessage(schema, init);
      const changed = bytes.slice(0, bytes.length - cut % (bytes.length + 1));
      if (changed.length > 0) changed[at % changed.length] = byte;
      const read = readMessage(schema, changed);
      if (!read.ok) return assert.equal(read.fault.code, "codec.malformed");
      // What was accepted is canonical once it is written again.
      assert.deepEqual(readMessage(schema, toBinary(schema, read.value)), read);
      return undefined;
    }), RUNS);
  });
}

test("garbage is refused with a typed fault, by every schema", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    for (const schema of SCHEMAS) {
      const read = readMessage(schema, bytes);
      if (!read.ok) assert.equal(read.fault.code, "codec.malformed");
    }
  }), { numRuns: 200 });
});

test("a message over its limit is refused before it is read", () => {
  const read = readMessage(wire.PongSchema, new Uint8Array(11), 10);
  assert.ok(!read.ok);
  assert.deepEqual([read.fault.code, read.fault.facts], ["codec.too_large", { bytes: 11, limit: 10 }]);
});

test("a message that misses a required field is not written", () => {
  assert.throws(() => writeMessage(wire.PongSchema, {}));
});
