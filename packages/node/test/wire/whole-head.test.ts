import assert from "node:assert/strict";
import { test } from "node:test";
import * as library from "ws";
import { maskWhole, MASK_BYTES, wholeHeadBytes, writeWholeHead } from "../../src/wire/websocket/ws.ts";

/** What the library writes, which types do not tell of. */
const { Sender } = library as unknown as { Sender: { frame(data: Buffer, o: object): Buffer[] } };

test("a message that is not masked begins as the library writes it", () => {
  for (const length of [0, 5, 125, 126, 255, 256, 65_535, 65_536, 1_048_576]) {
    const [expected] = Sender.frame(Buffer.alloc(length), { fin: true, rsv1: false, opcode: 2, mask: false, readOnly: true });
    const head = Buffer.alloc(wholeHeadBytes(length));
    writeWholeHead(head, length);
    assert.deepEqual(head, expected, String(length));
  }
});

test("a message is masked as the library masks it", () => {
  const mask = Buffer.from([0x81, 2, 0xf3, 4]);
  for (const length of [0, 1, 3, 5, 125, 126, 127, 65_535, 65_536]) {
    const body = Buffer.from(Array.from({ length }, (_, at) => at * 7));
    const generateMask = (into: Buffer): void => void into.set(mask);
    const expected = Sender.frame(Buffer.from(body), {
      fin: true, rsv1: false, opcode: 2, mask: true, maskBuffer: Buffer.alloc(4), generateMask, readOnly: true,
    });
    const headBytes = wholeHeadBytes(length);
    const message = Buffer.alloc(headBytes + MASK_BYTES + length);
    writeWholeHead(message, length);
    body.copy(message, headBytes + MASK_BYTES);
    maskWhole(message, headBytes, mask.readUInt32LE(0));
    assert.deepEqual(message, Buffer.concat(expected), String(length));
  }
});
