/** The handshake of who dials (spec: wire 6.2, 6.3; node 6.4). */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Socket as RawSocket } from "node:net";
import { isFault, nodeError, type DialOptions } from "@atoll-run/core";
import type { Begun, Greetings } from "../../identity/hello.ts";
import type { Came } from "./accept.ts";
import type { Attempt } from "./attempt.ts";
import { helloHeader, readHelloHeader, shownHeaders } from "./headers.ts";
import { checkAddress, type PlainRule } from "./places.ts";
import { fromResponse } from "./refusal.ts";
import { connect, type Socket, type SocketLimits } from "./ws.ts";

export interface DialParts {
  readonly greetings: Greetings;
  readonly plain: PlainRule;
  readonly ca: readonly string[] | undefined;
  readonly sockets: SocketLimits;
}

/**
 * Gives a paused socket to the peer that was meant. Throws what {@link DialOptions} promises, and why the attempt was
 * given up; nothing stays open.
 */
export async function dial(parts: DialParts, o: DialOptions, attempt: Attempt): Promise<Came> {
  const { url, onLoopback } = checkAddress(o.address, parts.plain);
  const begun = parts.greetings.begin(o.id);
  const socket = begin(parts, url, begun);
  using _hearing = attempt.hear(() => socket.terminate());
  try {
    const { raw, headers } = await upgraded(socket);
    attempt.throwIfAborted();
    const came = { socket, raw, remote_address: raw.remoteAddress, early: [] };
    const hello = readHelloHeader(headers);
    if (hello === undefined) {
      return { ...came, peer: parts.greetings.unproved(o.id, { node_key: o.node_key, onLoopback }), opening: undefined };
    }
    const { proof, peer, opening } = await parts.greetings.finish(begun, hello, { id: o.id, node_key: o.node_key, attempt });
    attempt.throwIfAborted();
    if (socket.readyState !== socket.OPEN) throw nodeError("node.unavailable", "the peer ended the connection");
    // What waits for this link leaves with the proof: one write here, one turn there.
    raw.cork();
    process.nextTick(() => raw.uncork());
    socket.send(proof);
    return { ...came, peer, opening };
  } catch (error) {
    socket.terminate();
    attempt.throwIfAborted();
    throw error;
  }
}

function begin(parts: DialParts, url: URL, { session, hello_c }: Begun): Socket {
  const headers = { ...shownHeaders(session), ...hello_c === undefined ? {} : { "X-Atoll-Hello": helloHeader(hello_c) } };
  return connect(url, { ...parts.sockets, headers, ca: parts.ca });
}

interface Upgraded {
  readonly raw: RawSocket;
  readonly headers: IncomingHttpHeaders;
}

async function upgraded(socket: Socket): Promise<Upgraded> {
  const { promise, resolve, reject } = Promise.withResolvers<Upgraded>();
  let answer: IncomingMessage | undefined;
  const failed = (error: Error): void => reject(unreachable(error));
  socket.once("upgrade", (response) => {
    answer = response;
  });
  socket.once("open", () => {
    // Nothing is read before the peer is proved.
    socket.pause();
    if (answer !== undefined) resolve({ raw: answer.socket, headers: answer.headers });
  });
  socket.once("unexpected-response", (request, response) => {
    reject(fromResponse(response.statusCode ?? 0, response.headers));
    response.resume();
    request.destroy();
    socket.terminate();
  });
  socket.once("error", failed);
  try {
    return await promise;
  } finally {
    socket.removeListener("error", failed);
  }
}

function unreachable(error: Error): Error {
  if (isFault(error)) return error;
  return nodeError("node.unavailable", `the peer cannot be reached: ${error.message}`, { cause: error });
}
