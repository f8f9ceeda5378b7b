/** The one door to the WebSocket library: no compression, every bound said. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer, type ClientOptions, type RawData } from "ws";
import { HELLO_SUBPROTOCOL } from "@atoll-run/core/internal";

export type { RawData } from "ws";

/** What the library would say → what we say (spec: wire 6.5). */
const CLOSE_CODES: Readonly<Record<number, number>> = { 1002: 4400, 1003: 4400, 1007: 4400, 1008: 4400, 1009: 4413 };

/** A goodbye without a code (RFC 6455, 7.4.1). */
const NO_CODE = 1005;
const NO_REASON = Buffer.alloc(0);

/** Errors are told by the close that follows; who needs one listens too. */
const IGNORE = (): void => undefined;

/** Who hears a socket. One object instead of a closure for each event: there may be ten thousand sockets. */
export interface Ears {
  message(data: RawData, isBinary: boolean): void;
  ping(): void;
  pong(): void;
  /** The peer has said goodbye: nothing comes behind it. {@link closed} follows. */
  leaving(code: number, reason: Buffer): void;
  closed(code: number, reason: Buffer): void;
}

export class Socket extends WebSocket {
  #ears: Ears | undefined;

  /** From now on, instead of who heard it before. */
  hearBy(ears: Ears): void {
    const first = this.#ears === undefined;
    this.#ears = ears;
    if (!first) return;
    this.on("message", Socket.#message);
    this.on("ping", Socket.#ping);
    this.on("pong", Socket.#pong);
    this.on("close", Socket.#closed);
  }

  static #message(this: WebSocket, data: RawData, isBinary: boolean): void {
    (this as Socket).#ears?.message(data, isBinary);
  }

  static #ping(this: WebSocket): void {
    (this as Socket).#ears?.ping();
  }

  static #pong(this: WebSocket): void {
    (this as Socket).#ears?.pong();
  }

  static #closed(this: WebSocket, code: number, reason: Buffer): void {
    (this as Socket).#ears?.closed(code, reason);
  }

  /**
   * The library gives no reason when it ends a connection because of what came in, and answers a goodbye of the peer with
   * its own bytes.
   */
  override close(code?: number, reason?: string | Buffer): void {
    if (code !== undefined && reason === undefined) {
      super.close(CLOSE_CODES[code] ?? code, CLOSE_CODES[code] === 4413 ? "too large" : "protocol");
      return;
    }
    super.close(code, reason);
    if (typeof reason !== "string") this.#ears?.leaving(code ?? NO_CODE, reason ?? NO_REASON);
  }
}

/** Bytes before an unmasked message of that length (RFC 6455, 5.2). */
export function wholeHeadBytes(length: number): 2 | 4 | 10 {
  if (length < 126) return 2;
  return length < 65_536 ? 4 : 10;
}

/** Who has dialled masks each message (RFC 6455, 5.3). */
export const MASK_BYTES = 4;
const MASKED = 0x80;

/** A whole binary message begins: final, not compressed. */
export function writeWholeHead(into: Buffer, length: number): void {
  into[0] = 0x82;
  if (length < 126) into[1] = length;
  else if (length < 65_536) {
    into[1] = 126;
    into.writeUInt16BE(length, 2);
  } else {
    into[1] = 127;
    into.writeUInt32BE(0, 2);
    into.writeUInt32BE(length, 6);
  }
}

/** Masks a message whose head has `headBytes`, and behind it room for the mask: 32 bits that nobody could guess. */
export function maskWhole(message: Buffer, headBytes: number, mask: number): void {
  message[1] = (message[1] as number) | MASKED;
  message.writeUInt32LE(mask, headBytes);
  const [one, two, three, four] = [mask & 0xff, mask >>> 8 & 0xff, mask >>> 16 & 0xff, mask >>> 24];
  let at = headBytes + MASK_BYTES;
  for (const end = message.length - 3; at < end; at += 4) {
    message[at] = (message[at] as number) ^ one;
    message[at + 1] = (message[at + 1] as number) ^ two;
    message[at + 2] = (message[at + 2] as number) ^ three;
    message[at + 3] = (message[at + 3] as number) ^ four;
  }
  for (let bits = mask; at < message.length; at++, bits >>>= 8) message[at] = (message[at] as number) ^ bits;
}

export interface SocketLimits {
  /** Bytes of one message. */
  readonly payloadMax: number;
  readonly fragmentsMax: number;
  readonly closeMsMax: number;
}

function options({ payloadMax, fragmentsMax, closeMsMax }: SocketLimits) {
  return {
    perMessageDeflate: false, maxPayload: payloadMax, maxFragments: fragmentsMax, maxBufferedChunks: fragmentsMax * 4,
    closeTimeout: closeMsMax,
  } satisfies ClientOptions & Record<string, unknown>;
}

export interface Upgrader {
  /** Takes a connection that asked for it; `headers` go into the answer, and the in-band protocol if it is chosen. */
  take(
    upgrade: { readonly request: IncomingMessage; readonly socket: Duplex; readonly head: Buffer },
    o: { readonly headers: readonly string[]; readonly inBand: boolean }, then: (socket: Socket) => void,
  ): void;
}

export function createUpgrader(limits: SocketLimits): Upgrader {
  const chosen = new WeakMap<IncomingMessage, { readonly headers: readonly string[]; readonly inBand: boolean }>();
  const server = new WebSocketServer({
    ...options(limits), noServer: true, clientTracking: false, WebSocket: Socket,
    handleProtocols: (_offered, request) => chosen.get(request)?.inBand === true && HELLO_SUBPROTOCOL,
  });
  server.on("headers", (headers, request) => headers.push(...chosen.get(request)?.headers ?? []));
  return {
    take: ({ request, socket, head }, o, then) => {
      chosen.set(request, o);
      server.handleUpgrade(request, socket, head, (one) => then(quiet(one as Socket)));
    },
  };
}

export interface Dialled extends SocketLimits {
  /** Absent: who calls ends it when it takes too long. */
  readonly handshakeMsMax?: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Certificates of authorities to trust instead of those of the platform. */
  readonly ca: readonly string[] | undefined;
}

/** Begins to connect. */
export function connect(address: URL, { headers, ca, handshakeMsMax, ...limits }: Dialled): Socket {
  return quiet(new Socket(address, [], {
    ...options(limits), headers, followRedirects: false, minVersion: "TLSv1.2", handshakeTimeout: handshakeMsMax,
    ...ca === undefined ? {} : { ca: [...ca] },
  }));
}

function quiet(socket: Socket): Socket {
  return socket.on("error", IGNORE);
}
