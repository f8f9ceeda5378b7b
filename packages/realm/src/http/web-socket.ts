/** The one door to the WebSocket library: a server that takes upgrades it is given. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { onAbort } from "@atoll-run/core";
import { HELLO_SUBPROTOCOL } from "@atoll-run/core/internal";
import { WebSocketServer, type RawData, type WebSocket } from "ws";
import type { SignalingOut } from "../signaling/connection.ts";
import type { SignalingIn } from "../signaling/session.ts";

export interface UpgradeParts {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  /** For the 101. */
  readonly headers: Readonly<Record<string, string>>;
  readonly open: (out: SignalingOut) => SignalingIn;
}

export interface WebSockets {
  /** False when the request was no WebSocket: it was answered and `open` is never called. */
  upgrade(parts: UpgradeParts): boolean;
  /** Waits until all are closed, then ends those that are not. */
  close(signal: AbortSignal): Promise<void>;
}

export function createWebSockets(frameBytesMax: number): WebSockets {
  const server = new WebSocketServer({
    noServer: true, maxPayload: frameBytesMax, perMessageDeflate: false,
    handleProtocols: (offered) => offered.has(HELLO_SUBPROTOCOL) ? HELLO_SUBPROTOCOL : false,
  });
  return {
    upgrade({ request, socket, head, headers, open }) {
      // The library emits `headers` before it writes them; the subprotocol it writes by itself.
      const own = Object.entries(headers).filter(([name]) => name !== "sec-websocket-protocol");
      const add = (lines: string[], of: IncomingMessage): void => {
        if (of === request) lines.push(...own.map(([name, value]) => `${name}: ${value}`));
      };
      server.on("headers", add);
      let isOpen = false;
      server.handleUpgrade(request, socket, head, (ws) => {
        isOpen = true;
        carry(ws, open);
      });
      server.off("headers", add);
      return isOpen;
    },
    close: async (signal) => {
      const closed = [...server.clients].map((ws) => new Promise((resolve) => {
        ws.once("close", resolve);
      }));
      using _ = onAbort(signal, () => {
        for (const ws of server.clients) ws.terminate();
      });
      await Promise.all(closed);
    },
  };
}

function carry(ws: WebSocket, open: (out: SignalingOut) => SignalingIn): void {
  const incoming = open({
    send: (frame) => {
      if (ws.readyState === ws.OPEN) ws.send(frame);
    },
    close: (code, reason) => ws.close(code, reason.slice(0, 100)),
    buffered: () => ws.bufferedAmount,
  });
  ws.on("message", (data: RawData, isBinary: boolean) => {
    if (isBinary) incoming.frame(toBytes(data));
    else incoming.wrong();
  });
  ws.on("close", () => incoming.closed());
  // A close follows each error; without a listener it would end the process.
  ws.on("error", () => undefined);
}

function toBytes(data: RawData): Uint8Array {
  if (Array.isArray(data)) return new Uint8Array(Buffer.concat(data));
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.length);
}
