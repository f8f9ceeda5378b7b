/** The bytes of section 11 of the wire specification, written and read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatNodeId, parseNodeId } from "@atoll-run/core";
import {
  IdentityClaimsSchema, MessageCutter, MessageJoiner, readChunk, readEnvelope, readFrame, readMessage,
  readNodeId, writeChunk, writeEnvelope, writeFrame, writeMessage, writeNodeId, type Chunk, type Envelope,
  type Lane,
} from "@atoll-run/core/internal";
import { fromHex, readVectors, toHex, withBytes } from "./vectors.ts";

interface Golden {
  readonly ids: readonly { text: string; bytes: string }[];
  readonly claims: readonly { actor_id: string; realm_id: number; expires_at: string; bytes: string }[];
  readonly envelopes: readonly { title: string; envelope: object; bytes: string }[];
  readonly frames: readonly { title: string; lane: Lane; body: string; bytes: string }[];
  readonly parts: readonly { title: string; message_id: number; body: string; bytes: string }[];
  readonly chunks: readonly { title: string; chunk: { sequence: string }; bytes: string }[];
}

const golden = readVectors<Golden>("golden");
const plain = (hex: string): string => hex.replaceAll(" ", "");

for (const { text, bytes } of golden.ids) {
  test(`the id ${text} has the golden bytes`, () => {
    const id = parseNodeId(text);
    assert.ok(id);
    assert.equal(toHex(writeNodeId(id)), plain(bytes));
    const read = readNodeId(fromHex(bytes));
    assert.ok(read.ok);
    assert.equal(formatNodeId(read.value), text);
  });
}

for (const { bytes, actor_id, realm_id, expires_at } of golden.claims) {
  test(`the claims of ${actor_id} have the golden bytes`, () => {
    const claims = { actorId: actor_id, realmId: realm_id, expiresAt: BigInt(expires_at) };
    assert.equal(toHex(writeMessage(IdentityClaimsSchema, claims)), plain(bytes));
    const read = readMessage(IdentityClaimsSchema, fromHex(bytes));
    assert.ok(read.ok);
    assert.partialDeepStrictEqual(read.value, claims);
  });
}

for (const { title, envelope, bytes } of golden.envelopes) {
  test(`${title} has the golden bytes`, () => {
    const value = { metadata: [], ...withBytes(envelope) as object } as unknown as Envelope;
    assert.equal(toHex(writeEnvelope(value, { extensions: true })), plain(bytes));
    assert.deepEqual(readEnvelope(fromHex(bytes)), { ok: true, value });
  });
}

for (const { title, lane, body, bytes } of golden.frames) {
  test(`${title} has the golden bytes`, () => {
    assert.equal(toHex(writeFrame({ lane, body: fromHex(body) })), plain(bytes));
    assert.deepEqual(readFrame(fromHex(bytes), 1_000), { ok: true, value: { lane, body: fromHex(body) } });
  });
}

for (const { title, message_id, body, bytes } of golden.parts) {
  test(`${title} has the golden bytes`, () => {
    const [part, ...more] = new MessageCutter(undefined, message_id).cut(fromHex(body));
    assert.ok(part && more.length === 0);
    assert.equal(toHex(part), plain(bytes));
    const limits = { messageBytesMax: 1_000, openMessagesMax: 1, ageMsMax: 1, lossy: false };
    const joiner = new MessageJoiner(limits, { bytesMax: 1_000, used: 0 });
    assert.deepEqual(joiner.push(part, 0), fromHex(body));
  });
}

for (const { title, chunk, bytes } of golden.chunks) {
  test(`a chunk of ${title} has the golden bytes`, () => {
    const value = {
      metadata: [], ...withBytes(chunk) as object, sequence: BigInt(chunk.sequence),
    } as unknown as Chunk;
    assert.equal(toHex(writeChunk(value, { extensions: true })), plain(bytes));
    assert.deepEqual(readChunk(fromHex(bytes)), { ok: true, value });
  });
}
