/** A tap on a WebSocket: a relay of bytes between two programs that keeps the binary messages it sees. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface Tap extends AsyncDisposable {
  readonly port: number;
  /** Binary messages, in order, without what WebSocket puts around them. */
  readonly passed: { readonly way: "in" | "out"; readonly bytes: Uint8Array }[];
}

export async function openTap(targetPort: () => number): Promise<Tap> {
  const passed: Tap["passed"] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const target = connect(targetPort(), "127.0.0.1");
    for (const [from, to, way] of [[socket, target, "in"], [target, socket, "out"]] as const) {
      sockets.add(from);
      const cut = cutMessages((bytes) => void passed.push({ way, bytes }));
      from.on("data", (bytes: Buffer) => {
        cut(bytes);
        to.write(bytes);
      });
      from.on("close", () => to.destroy());
      from.on("error", () => to.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port, passed,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** RFC 6455, without fragments and extensions: what our wire sends. */
function cutMessages(tell: (message: Uint8Array) => void): (bytes: Buffer) => void {
  let [held, upgraded] = [Buffer.alloc(0), false];
  return (bytes) => {
    held = Buffer.concat([held, bytes]);
    if (!upgraded) {
      const end = held.indexOf("\r\n\r\n");
      if (end === -1) return;
      upgraded = true;
      held = held.subarray(end + 4);
    }
    for (let frame = readOne(held); frame !== undefined; frame = readOne(held)) {
      if (frame.opcode === 2) tell(new Uint8Array(frame.payload));
      held = held.subarray(frame.length);
    }
  };
}

function readOne(bytes: Buffer): { readonly opcode: number; readonly payload: Buffer; readonly length: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1) & 127;
  const wide = short === 126 ? 2 : short === 127 ? 8 : 0;
  const masked = (bytes.readUInt8(1) & 128) !== 0;
  const head = 2 + wide + (masked ? 4 : 0);
  if (bytes.length < head) return undefined;
  const size = wide === 0 ? short : wide === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < head + size) return undefined;
  const payload = Buffer.from(bytes.subarray(head, head + size));
  if (masked) for (let at = 0; at < size; at++) payload[at] = payload.readUInt8(at) ^ bytes.readUInt8(head - 4 + at % 4);
  return { opcode: bytes.readUInt8(0) & 15, payload, length: head + size };
}
