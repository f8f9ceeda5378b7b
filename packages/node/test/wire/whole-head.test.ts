import assert from "node:assert/strict";
import { test } from "node:test";
import * as library from "ws";
import { wholeHeadBytes, writeWholeHead } from "../../src/wire/websocket/ws.ts";

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
