/** Real servers on loopback, and the op that talks to them. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createServer as createTcpServer } from "node:net";
import type { TestContext } from "node:test";
import { blockLimits, type BlockLimits } from "@atoll-run/core";
import { seededIds } from "@atoll-run/testkit";
import { createHttpClient, type HttpClient, type Resolver } from "../../src/bridges/http/client.ts";
import { httpOps } from "../../src/bridges/http.ts";
import type { Ops } from "../../src/bridges/op.ts";
import type { Denied } from "../../src/grants/denied.ts";
import { clock, gateOf } from "../ops.ts";

export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly seen: IncomingMessage[];
  readonly server: Server;
}

export async function serve(
  t: TestContext, listener: RequestListener, host = "127.0.0.1",
): Promise<TestServer> {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    listener(request, response);
  });
  const port = await listen(t, server, host);
  return { url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`, port, seen, server };
}

/** A server below HTTP: what it says is not checked by anybody. */
export async function serveRaw(t: TestContext, talk: (socket: Socket) => void): Promise<{
  url: string; port: number; sockets: Set<Socket>
}> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
    talk(socket);
    // Unread bytes would hide the end of the connection.
    socket.resume();
  });
  const port = await listen(t, server as Server, "127.0.0.1", () => {
    for (const socket of sockets) socket.destroy();
  });
  return { url: `http://127.0.0.1:${port}`, port, sockets };
}

export async function listen(
  t: TestContext, server: Server, host: string, drop = (): void => server.closeAllConnections(),
): Promise<number> {
  await new Promise<void>((done) => server.listen(0, host, done));
  t.after(() => new Promise((done) => {
    server.close(done);
    drop();
  }));
  return (server.address() as AddressInfo).port;
}

export interface Web {
  readonly ops: Ops;
  readonly client: HttpClient;
  readonly denials: readonly Denied[];
}

export interface WebSetup {
  readonly grants?: readonly string[];
  readonly resolver?: Resolver;
  readonly limits?: Partial<BlockLimits>;
  readonly ca?: string;
}

export function web(t: TestContext, setup: WebSetup = {}): Web {
  const gate = gateOf(setup.grants, "/");
  const limits = blockLimits(gate.restricted, setup.limits ?? {});
  const { resolver, ca } = setup;
  const client = createHttpClient({ gate, ...(resolver ? { resolver } : {}), ...(ca ? { ca } : {}) }, limits);
  t.after(() => client[Symbol.asyncDispose]());
  return { ops: httpOps({ gate, client, clock, ids: seededIds(3) }, limits), client, denials: gate.denials };
}
