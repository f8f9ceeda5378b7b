/**
 * `node:http` in front of the method table (spec: mob 11): the one adapter between sockets and the mob.
 *
 * takes requests; gives answers and streams; promises that nobody but a known principal gets further than `/healthz`;
 * refuses what is too large, too much or for another host; never lets a reader hold up the mob.
 */
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { withDeadline } from "@atoll-run/core";
import { mobError } from "../errors.ts";
import { Front, LOOPBACK, type FrontParts } from "./front.ts";

export interface HttpParts extends FrontParts {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** 0 = any free one. */
  readonly port: number;
}

export interface HttpServer {
  readonly url: string;
  readonly port: number;
  /** Streams that are open. */
  readonly streams: number;
  /** Address of the console that signs in whoever opens it first, as who has the token of this machine; for ten minutes. */
  link(): string;
  /** Streams are told `bye`. */
  close(): Promise<void>;
}

const CLOSE_MS = 2_000;

/** Throws `mob.unavailable` when the port cannot be had, `mob.invalid_params` for a host beyond this machine. */
export async function serveHttp(parts: HttpParts): Promise<HttpServer> {
  const { host = "127.0.0.1", port } = parts;
  if (!LOOPBACK.includes(host)) {
    throw mobError("mob.invalid_params", `tokens of this machine are not served on ${host}`, { facts: { path: "http.host" }, hint: "Listen on 127.0.0.1, behind a proxy that asks who comes." });
  }
  const front = new Front(parts);
  const { headerBytesMax, requestMs } = parts.served.limits;
  const server = createServer({ maxHeaderSize: headerBytesMax, requestTimeout: requestMs, headersTimeout: requestMs }, (request, response) => {
    void front.answer(request, response);
  });
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("clientError", (_, socket) => socket.destroy());
  const bound = await listen(server, { host, port });
  return {
    port: bound, url: `http://${host}:${bound}`,
    get streams() {
      return front.streams;
    },
    link: () => `http://${host}:${bound}/console/#ticket=${front.newLinkTicket()}`,
    close: async () => {
      front.close();
      const closed = once(server, "close");
      server.close();
      server.closeIdleConnections();
      await withDeadline(() => closed, { clock: parts.served.clock, ms: CLOSE_MS, what: "closing http" }).catch(() => undefined);
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function listen(server: Server, at: { readonly host: string; readonly port: number }): Promise<number> {
  server.listen(at.port, at.host.replace(/^\[|\]$/g, ""));
  try {
    await once(server, "listening");
  } catch (error) {
    throw mobError("mob.unavailable", `port ${at.port} cannot be had: ${error instanceof Error ? error.message : String(error)}`, { cause: error, facts: { what: "port", port: at.port } });
  }
  return (server.address() as AddressInfo).port;
}
