/** The bare library as a client: what calls over WebSockets are measured against. */
import { once } from "node:events";
import { WebSocket } from "ws";

export interface RawSocket extends AsyncDisposable {
  /** Sends a body and waits until it is back; in the order of the calls. */
  echo(body: Uint8Array): Promise<void>;
}

export async function openRawSocket(address: string): Promise<RawSocket> {
  const socket = new WebSocket(address, { perMessageDeflate: false });
  const waiting: (() => void)[] = [];
  let next = 0;
  await once(socket, "open");
  socket.on("message", () => {
    waiting[next++]?.();
    if (next < waiting.length) return;
    waiting.length = 0;
    next = 0;
  });
  return {
    echo: (body) => new Promise((resolve) => {
      waiting.push(resolve);
      socket.send(body);
    }),
    [Symbol.asyncDispose]: async () => {
      socket.terminate();
      await once(socket, "close");
    },
  };
}
