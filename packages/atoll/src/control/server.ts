/**
 * The control socket of a running node.
 * takes requests of whoever may open the socket, which is this user alone (mode 0600); gives what the method gives;
 * promises that closing it waits for what runs; refuses unknown methods and requests that are too large; never listens
 * on the network.
 */
import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isFault, type Json, nodeError, toFaultData } from "@atoll-run/core";
import { CONTROL_LIMITS, type ControlMethods, type ControlReply } from "./protocol.ts";

const MODE = 0o600;
const REQUEST_MS = 10_000;

/** Rejects with `node.bind_failed`. A socket that a dead process left is replaced: the folder's lock is held. */
export async function serveControl(path: string, methods: ControlMethods): Promise<AsyncDisposable> {
  const closing = new AbortController();
  const server = createServer((request, response) => void answer(request, response, { methods, signal: closing.signal }));
  server.maxConnections = CONTROL_LIMITS.openMax;
  server.requestTimeout = REQUEST_MS;
  rmSync(path, { force: true });
  await listen(server, path);
  chmodSync(path, MODE);
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      closing.abort(nodeError("node.draining", "the node is closing"));
      server.closeIdleConnections();
      await closed;
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(nodeError("node.bind_failed", `the control socket ${path} cannot be made: ${error.message}`, {
      cause: error, hint: "Sockets have paths of about 100 characters: name a shorter one as listen.control.",
    })));
    server.listen({ path }, resolve);
  });
}

async function answer(
  request: IncomingMessage, response: ServerResponse, o: { readonly methods: ControlMethods; readonly signal: AbortSignal },
): Promise<void> {
  const reply = await run(request, o);
  const body = JSON.stringify(reply);
  response.writeHead(200, { "content-type": "application/json", "connection": "close" });
  response.end(body);
}

async function run(
  request: IncomingMessage, { methods, signal }: { readonly methods: ControlMethods; readonly signal: AbortSignal },
): Promise<ControlReply> {
  try {
    const name = /^\/v1\/([a-z_.]+)$/.exec(request.url ?? "")?.[1] ?? "";
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (method === undefined || request.method !== "POST") throw nodeError("node.not_implemented", `this node has no '${name}'`);
    const args = JSON.parse(await read(request)) as Readonly<Record<string, Json>>;
    return { ok: true, value: await method(args, { signal }) };
  } catch (error) {
    const fault = isFault(error) ? error : nodeError("node.internal", String(error), { cause: error });
    return { ok: false, fault: toFaultData(fault) };
  }
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > CONTROL_LIMITS.requestBytesMax) throw nodeError("node.too_large", "the request is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
