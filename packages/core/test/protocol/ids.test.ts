import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  formatNodeId, formatType, formatUri, isName, isOwnName, isOwnType, isPackageKeyId, packageKeyId,
  parseNodeId, parseRoute, parseType, parseUri, type Ids,
} from "@atoll-run/core";
import {
  ActrIdSchema, create, envelopeIds, fromActrId, newRequestId, newStreamId, readNodeId, toActrId, writeNodeId,
} from "@atoll-run/core/internal";
import { readVectors } from "../codec/vectors.ts";

interface Accepted { readonly text: string; readonly own?: boolean; readonly [part: string]: unknown }
interface Group { readonly accepted: readonly Accepted[]; readonly refused: readonly string[] }
const vectors = readVectors<Record<"names" | "types" | "node_ids" | "uris" | "routes", Group>>("ids");

/** What a reader gave, without the text and the mark of the vector. */
function parts(vector: Accepted): object {
  return Object.fromEntries(Object.entries(vector).filter(([key]) => key !== "text" && key !== "own"));
}

const shown = (text: string): string => JSON.stringify(text);

for (const { text, own } of vectors.names.accepted) {
  test(`${shown(text)} is a name${own ? "" : " that we would not create"}`, () => {
    assert.deepEqual([isName(text), isOwnName(text)], [true, own]);
  });
}

for (const text of vectors.names.refused) {
  test(`${shown(text)} is no name`, () => assert.deepEqual([isName(text), isOwnName(text)], [false, false]));
}

for (const one of vectors.types.accepted) {
  test(`${shown(one.text)} is a type${one.own ? "" : " that we would not create"}`, () => {
    const type = parseType(one.text);
    assert.ok(type);
    assert.deepEqual(type, parts(one));
    assert.equal(formatType(type), one.text);
    assert.equal(isOwnType(type), one.own);
  });
}

for (const one of vectors.node_ids.accepted) {
  test(`${shown(one.text)} is an id, as text, as bytes and in a message`, () => {
    const id = parseNodeId(one.text);
    assert.ok(id);
    assert.deepEqual({ serial: String(id.serial), realm: id.realm, ...id.type }, parts(one));
    assert.equal(formatNodeId(id), one.text);
    assert.deepEqual(readNodeId(writeNodeId(id)), { ok: true, value: id });
    assert.deepEqual(fromActrId(create(ActrIdSchema, toActrId(id))), id);
  });
}

for (const one of vectors.uris.accepted) {
  test(`${shown(one.text)} is a URI`, () => {
    const uri = parseUri(one.text);
    assert.ok(uri);
    assert.deepEqual({ realm: uri.realm, ...uri.type }, parts(one));
    assert.equal(formatUri(uri), one.text);
  });
}

for (const one of vectors.routes.accepted) {
  test(`${shown(one.text)} is a route`, () => assert.deepEqual(parseRoute(one.text), parts(one)));
}

for (const [what, group, parse] of [
  ["type", vectors.types, parseType], ["id", vectors.node_ids, parseNodeId], ["URI", vectors.uris, parseUri],
  ["route", vectors.routes, parseRoute],
] as const) {
  for (const text of group.refused) {
    test(`${shown(text)} is no ${what}`, () => assert.equal(parse(text), undefined));
  }
}

test("any text is read as an id that is written the same, or refused", () => {
  const piece = fc.constantFrom("1a", "0", "@", "101", "/", "a:b:c", ":", "é", "\n", "4294967296");
  fc.assert(fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
    const id = parseNodeId(pieces.join(""));
    if (id !== undefined) assert.equal(formatNodeId(id), pieces.join(""));
  }), { numRuns: 2_000 });
});

test("an id as bytes must have names and ranges too", () => {
  const type = { manufacturer: "a", name: "b", version: "c" };
  for (const wrong of [
    { realm: 1, serial: 1n << 54n, type }, { realm: 1, serial: 1n, type: { ...type, name: "" } },
    { realm: 1, serial: 1n, type: { ...type, version: "1:2" } },
  ]) {
    assert.equal(readNodeId(writeNodeId(wrong)).ok, false);
    assert.equal(fromActrId(create(ActrIdSchema, toActrId(wrong))), undefined);
  }
  assert.equal(fromActrId(create(ActrIdSchema)), undefined);
});

test("the id of a package key is the beginning of its hash", () => {
  const id = packageKeyId(Uint8Array.from({ length: 32 }, (_, index) => index));
  assert.equal(id, "mfr-0001020304050607");
  assert.ok(isPackageKeyId(id));
  assert.ok(!isPackageKeyId(`${id}0`) && !isPackageKeyId("mfr-000102030405060G"));
});

test("requests and streams have time-ordered ids, envelopes count", () => {
  const ids: Ids = { uuid4: () => "4", uuid7: () => "7" };
  const next = envelopeIds();
  assert.deepEqual([newRequestId(ids), newStreamId(ids, "audit"), next(), next()],
    ["7", "audit/7", "env-1", "env-2"]);
});
