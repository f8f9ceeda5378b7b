/** `node:http` in front of plain handlers: the one adapter between sockets and the realm. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Deadline, type Clock, type Log } from "@atoll-run/core";
import { bindFailed, invalidRealm } from "../errors.ts";
import type { RealmLimits } from "../limits.ts";
import { isLoopbackAddress, toOrigin } from "../rate/limiter.ts";
import { refuse, type Refusal } from "../refusal.ts";
import type { UpgradeAsk } from "../signaling/handshakes.ts";
import type { Upgrade } from "../signaling/signaling.ts";
import { refusedAnswer, retryHeaders, type HttpAnswer, type HttpAsk } from "./message.ts";
import { createWebSockets, type WebSockets } from "./web-socket.ts";

export interface Bind {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** PEM. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Plain text beyond this machine must be asked for. */
  readonly plain?: "allow" | "loopback";
}

export interface ServerParts {
  readonly handle: (ask: HttpAsk) => Promise<HttpAnswer>;
  /** Takes upgrades of this path; without it there are none. */
  readonly upgrade?: { readonly path: string; readonly take: (ask: UpgradeAsk) => Promise<Upgrade> };
  readonly clock: Clock;
  readonly log: Log;
}

export interface Listening {
  readonly host: string;
  readonly port: number;
  /** `http://…` or `https://…`, without a slash at the end. */
  readonly url: string;
  close(): Promise<void>;
}

/** Throws `realm.bind_failed`, `realm.invalid_argument`. */
export async function listen(bind: Bind, parts: ServerParts, limits: RealmLimits): Promise<Listening> {
  if (bind.tls === undefined && bind.plain !== "allow" && bind.host !== "localhost" && !isLoopbackAddress(bind.host)) {
    throw invalidRealm([`plain http on ${bind.host} must be allowed, or needs a certificate`]);
  }
  const { requestMsMax, headersMsMax, connectionsMax } = limits.http;
  const options = { requestTimeout: requestMsMax, headersTimeout: headersMsMax };
  const room = new BodyRoom(limits.http);
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    void answer(request, response, { ...parts, room });
  };
  const server = bind.tls === undefined ? createServer(options, onRequest)
    : createTlsServer({ ...options, ...bind.tls, minVersion: "TLSv1.2" }, onRequest);
  server.maxConnections = connectionsMax;
  const sockets = createWebSockets(limits.signaling.frameBytesMax);
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    void upgrade({ request, socket, head }, parts, sockets);
  });
  server.on("clientError", (_error, socket) => socket.destroy());
  // The server of Node forgets a socket when an upgrade begins, and would wait for it without end.
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  const port = await bound(server, bind);
  const host = bind.host.includes(":") ? `[${bind.host}]` : bind.host;
  return {
    host: bind.host, port, url: `${bind.tls === undefined ? "http" : "https"}://${host}:${port}`,
    close: async () => {
      using deadline = new Deadline(parts.clock, limits.http.closeMsMax, "closing the realm");
      const done = closed(server);
      await sockets.close(deadline.signal);
      for (const socket of open) socket.destroy();
      await done;
    },
  };
}

function bound(server: Server, { host, port }: Bind): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once("error", (error) => reject(bindFailed(host, port, error)));
  server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  return promise;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** What all bodies together may take: a limit of one request would still let a thousand fill the memory. */
class BodyRoom {
  readonly bytesMax: number;
  readonly #allMax: number;
  #taken = 0;

  constructor({ bodyBytesMax, bodiesBytesMax }: RealmLimits["http"]) {
    this.bytesMax = bodyBytesMax;
    this.#allMax = bodiesBytesMax;
  }

  /** Undefined: there is none now. */
  enter(bytes: number): Disposable | undefined {
    if (this.#taken + bytes > this.#allMax) return undefined;
    this.#taken += bytes;
    return { [Symbol.dispose]: () => void (this.#taken -= bytes) };
  }
}

async function answer(
  request: IncomingMessage, response: ServerResponse, parts: ServerParts & { readonly room: BodyRoom },
): Promise<void> {
  try {
    const given = await readAndHandle(request, parts);
    response.writeHead(given.status, { ...given.headers, "content-length": String(given.body.length) });
    response.end(given.body);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    parts.log.write({ level: "error", target: "realm", msg: "a request failed", fields: { reason } });
    if (!response.headersSent) response.writeHead(500);
    response.end();
  }
}

async function readAndHandle(
  request: IncomingMessage, { room, handle }: Pick<ServerParts, "handle"> & { readonly room: BodyRoom },
): Promise<HttpAnswer> {
  const hasBody = request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined;
  const announced = hasBody ? Number(request.headers["content-length"] ?? room.bytesMax) : 0;
  const tooLarge = refusedAnswer(refuse(413, `a body has at most ${room.bytesMax} bytes`), { connection: "close" });
  // What is announced as too large is not read at all.
  if (announced > room.bytesMax) return tooLarge;
  using place = room.enter(announced);
  if (place === undefined) {
    return refusedAnswer(refuse(503, "too many requests at once", { retry_after_ms: 1_000 }), { connection: "close" });
  }
  const body = await readBody(request, room.bytesMax);
  return body === undefined ? tooLarge : handle({ ...toAsk(request), method: request.method ?? "GET", body });
}

function toAsk(request: IncomingMessage): UpgradeAsk & { readonly path: string } {
  const url = URL.parse(`http://realm${request.url ?? "/"}`);
  const headers = Object.fromEntries(Object.entries(request.headers)
    .map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : value]));
  return {
    path: url?.pathname ?? "/", query: url?.searchParams ?? new URLSearchParams(), headers,
    origin: toOrigin(request.socket.remoteAddress),
  };
}

/** Undefined: too large. */
async function readBody(request: IncomingMessage, bytesMax: number): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bytesMax) return undefined;
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

interface Raw {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

async function upgrade(raw: Raw, parts: ServerParts, sockets: WebSockets): Promise<void> {
  const { request, socket } = raw;
  const ask = toAsk(request);
  // For good: a client that resets a socket while it is being refused must not end the process.
  socket.on("error", () => void socket.destroy());
  try {
    if (parts.upgrade === undefined || ask.path !== parts.upgrade.path) {
      return refuseSocket(socket, refuse(404, "there is no such endpoint"));
    }
    const upgraded = await parts.upgrade.take(ask);
    if (!upgraded.ok) return refuseSocket(socket, upgraded);
    if (socket.destroyed) return upgraded.abandon();
    const isOpen = sockets.upgrade({ ...raw, headers: upgraded.headers, open: (out) => upgraded.open(out) });
    if (!isOpen) upgraded.abandon();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    parts.log.write({ level: "error", target: "realm", msg: "an upgrade failed", fields: { reason } });
    socket.destroy();
  }
}

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests",
  500: "Internal Server Error", 503: "Service Unavailable",
};

/** The socket is not a response yet, so the few lines are written by hand. */
function refuseSocket(socket: Duplex, refusal: Refusal): void {
  const headers = {
    ...retryHeaders(refusal), "x-atoll-error": refusal.why ?? String(refusal.code), "content-length": "0",
    connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  // A client that never closes its side would keep the socket.
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${refusal.code} ${STATUS_TEXTS[refusal.code] ?? "Refused"}\r\n${lines}\r\n`);
}
