/**
 * Goal: the decoder follows the standard for server-sent events, with the one deviation that `end` delivers.
 * Invariant: the events do not depend on where the bytes are cut. Method: tables, then random cuts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Bug, SseDecoder, type SseEvent } from "@atoll-run/core";
import fc from "fast-check";

const MIB = 1_048_576;
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function decode(
  bytes: Uint8Array, cuts: readonly number[] = [], limit = MIB,
): { events: SseEvent[]; fault?: string } {
  const decoder = new SseDecoder(limit);
  const events: SseEvent[] = [];
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b);
  try {
    let start = 0;
    for (const end of [...ends, bytes.length]) {
      events.push(...decoder.push(bytes.subarray(start, end)));
      start = end;
    }
    events.push(...decoder.end());
  } catch (error) {
    return { events, fault: (error as { code: string }).code };
  }
  return { events };
}

const CASES: readonly (readonly [string, string, readonly SseEvent[]])[] = [
  ["data lines of one event are joined by LF", "data: a\ndata:b\ndata:  c\n\n", [{ data: "a\nb\n c" }]],
  ["lines end in LF, CRLF or CR, mixed", "data: a\r\n\r\ndata: b\r\rdata: c\n\r\n",
    [{ data: "a" }, { data: "b" }, { data: "c" }]],
  ["a byte order mark at the beginning is skipped, elsewhere it is text", "\ufeffdata: \ufeffa\n\n",
    [{ data: "\ufeffa" }]],
  ["comments and unknown fields are ignored", ": hi\nfoo: bar\nfoo\ndata: a\n: there\n\n:\n\n",
    [{ data: "a" }]],
  ["event, id and retry come with the event", "event: tick\nid: 7\nretry: 1500\ndata: a\n\n",
    [{ data: "a", event: "tick", id: "7", retry: 1500 }]],
  ["the id stays for later events, type and retry do not",
    "event: t\nid: 7\nretry: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
    [{ data: "a", event: "t", id: "7", retry: 1 }, { data: "b", id: "7" }, { data: "c", id: "" }]],
  ["an id with NUL and a retry that is no number are ignored", "id: a\0b\nretry: 1s\nretry: -1\ndata: x\n\n",
    [{ data: "x" }]],
  ["without a data line there is no event, and the type is forgotten", "event: t\n\nid: 3\n\ndata: a\n\n",
    [{ data: "a", id: "3" }]],
  ["an empty data line is an event", "data\n\ndata:\ndata:\n\n", [{ data: "" }, { data: "\n" }]],
  ["a pending event at a clean end is delivered", "data: a\n\ndata: b\nevent: last",
    [{ data: "a" }, { data: "b", event: "last" }]],
  ["an end within a line delivers the line", "data: a", [{ data: "a" }]],
  ["nothing pending, nothing delivered", "data: a\n\n: bye", [{ data: "a" }]],
  ["[DONE] is data like any other", "data: [DONE]\n\n", [{ data: "[DONE]" }]],
  ["characters of several bytes survive", "data: é😀\n\n", [{ data: "é😀" }]],
  ["no bytes, no events", "", []],
];

for (const [title, text, events] of CASES) {
  test(title, () => {
    const bytes = utf8(text);
    assert.deepEqual(decode(bytes), { events });
    assert.deepEqual(decode(bytes, [...bytes.keys()]), { events });
  });
}

test("bytes that are not UTF-8 become replacement characters", () => {
  const bytes = Uint8Array.of(...utf8("data: a"), 0xff, 0xe2, 0x82, ...utf8("\n\n"));
  assert.deepEqual(decode(bytes), { events: [{ data: "a\ufffd\ufffd" }] });
  assert.deepEqual(decode(bytes, [...bytes.keys()]), { events: [{ data: "a\ufffd\ufffd" }] });
});

const line = fc.oneof(
  fc.constantFrom("", "data: x", "data:", "data", "event: e", "id: 1", "id", "retry: 12", ": c", "datax: 1",
    "data: é😀ｱ"),
  fc.string({ maxLength: 12 }).map((s) => s.replace(/[\r\n]/g, "")),
);
const stream = fc.array(fc.tuple(line, fc.constantFrom("\n", "\r\n", "\r")), { maxLength: 20 })
  .map((lines) => utf8(lines.flat().join("")));

test("cutting the bytes anywhere gives the same events", () => {
  fc.assert(fc.property(stream, fc.array(fc.nat(400), { maxLength: 12 }), (bytes, cuts) => {
    assert.deepEqual(decode(bytes, cuts), decode(bytes));
  }), { numRuns: 500 });
});

test("cutting the bytes anywhere gives the same events before the same fault", () => {
  fc.assert(fc.property(stream, fc.array(fc.nat(400), { maxLength: 12 }), fc.integer({ min: 1, max: 30 }),
    (bytes, cuts, limit) => {
    assert.deepEqual(decode(bytes, cuts, limit), decode(bytes, [], limit));
  }), { numRuns: 500 });
});

test("an event over the limit is refused, after the events before it, and the decoder is dead", () => {
  const decoder = new SseDecoder(16);
  assert.deepEqual(decoder.push(utf8("data: 0123456789\n\ndata: 0123456789a\n\ndata: b\n\n")),
    [{ data: "0123456789" }]);
  const tooLarge = { code: "codec.too_large", facts: { bytes: 17, limit: 16 } };
  assert.throws(() => decoder.push(utf8("data: c\n\n")), tooLarge);
  assert.throws(() => decoder.end(), tooLarge);
  assert.equal(decoder.pending, 0);
});

test("an endless line, an endless event and endless ids are refused", () => {
  for (const piece of ["data: aaaa", "data: a\n", "id: aaaa\n", "event: aaa\n", ":aaaaaa"]) {
    const decoder = new SseDecoder(1_000);
    assert.throws(() => {
      for (let i = 0; i < 1_001; i++) decoder.push(utf8(piece));
    }, { code: "codec.too_large" }, piece);
  }
});

test("comment lines do not count once they are complete", () => {
  const decoder = new SseDecoder(100);
  for (let i = 0; i < 1_000; i++) assert.deepEqual(decoder.push(utf8(": keep-alive\n")), []);
  assert.equal(decoder.pending, 0);
});

test("what waits for the rest of its event is visible", () => {
  const decoder = new SseDecoder(100);
  decoder.push(utf8("data: abc"));
  assert.equal(decoder.pending, 9);
  decoder.push(utf8("d\nda"));
  assert.equal(decoder.pending, 12);
  decoder.push(utf8("ta: x\n\n"));
  assert.equal(decoder.pending, 0);
});

test("the chunk may be overwritten after push", () => {
  const decoder = new SseDecoder(100);
  const chunk = utf8("data: abc");
  decoder.push(chunk);
  chunk.fill(0);
  assert.deepEqual(decoder.push(utf8("\n\n")), [{ data: "abc" }]);
});

test("bytes after the end are our own bug", () => {
  const decoder = new SseDecoder(100);
  decoder.end();
  assert.deepEqual(decoder.end(), []);
  assert.throws(() => decoder.push(utf8("x")), Bug);
});
