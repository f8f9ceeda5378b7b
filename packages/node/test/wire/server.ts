/** A node that listens, and strangers who knock at it with a client of their own. */
import type { IncomingMessage } from "node:http";
import { WebSocket, type ClientOptions } from "ws";
import type { Fault, Lane, Link, LinkEnd } from "@atoll-run/core";
import {
  helloClientTranscript, HelloProofSchema, toActrId, writeHelloC, writeMessage, writeNodeId,
  type SigningKey,
} from "@atoll-run/core/internal";
import {
  NODE_LIMITS, openWebSocketWire, type LimitsOf, type Session, type WebSocketOptions, type WebSocketWire,
} from "@atoll-run/node/internal";
import { realClock } from "./clock.ts";
import { bytes, newSession, sourceOf, type TestRealm } from "./realm.ts";

export interface TestServer extends AsyncDisposable {
  readonly session: Session;
  readonly wire: WebSocketWire;
  readonly address: string;
  readonly links: Link[];
  readonly ends: LinkEnd[];
  readonly got: { readonly lane: Lane; readonly body: Uint8Array }[];
  readonly refused: Fault[];
}

export async function testServer(
  realm: TestRealm, o: WebSocketOptions & { readonly session?: Session; readonly limits?: Partial<LimitsOf<"wire">> } = {},
): Promise<TestServer> {
  const session = o.session ?? await newSession(realm);
  const [links, ends, got, refused]: [Link[], LinkEnd[], TestServer["got"], Fault[]] = [[], [], [], []];
  const wire = await openWebSocketWire({
    clock: realClock, bytes, session: sourceOf(session), verifier: realm.verifier, events: {
      accepted: (link) => {
        links.push(link);
        void link.ended.then((end) => ends.push(end));
        return (lane, body) => got.push({ lane, body });
      },
      refused: (fault) => refused.push(fault),
    },
  }, { listen: { host: "127.0.0.1", port: 0 }, ...o }, { ...NODE_LIMITS.wire, ...o.limits });
  wire.open();
  return {
    session, wire, address: wire.addresses[0] ?? "", links, ends, got, refused,
    [Symbol.asyncDispose]: () => wire[Symbol.asyncDispose](),
  };
}

/** What a stranger gets to see. */
export interface Answer {
  /** 101 when it was let in so far. */
  readonly status: number;
  readonly error: string | undefined;
  readonly retry_after: string | undefined;
  readonly hello: Uint8Array | undefined;
  readonly socket: WebSocket;
  readonly messages: Uint8Array[];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

export async function knock(
  address: string, headers: Record<string, string>, o: ClientOptions & { readonly protocols?: readonly string[] } = {},
): Promise<Answer> {
  const socket = new WebSocket(address, [...o.protocols ?? []], { headers, perMessageDeflate: false, ...o });
  const messages: Uint8Array[] = [];
  socket.on("message", (data) => messages.push(new Uint8Array(data as Buffer)));
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  const answer = (response: IncomingMessage): Answer => {
    const hello = response.headers["x-atoll-hello"];
    return {
      status: response.statusCode ?? 0, error: response.headers["x-atoll-error"] as string | undefined,
      retry_after: response.headers["retry-after"], socket, messages, closed,
      hello: hello === undefined ? undefined : new Uint8Array(Buffer.from(String(hello), "base64url")),
    };
  };
  return new Promise((resolve, reject) => {
    let upgraded: Answer | undefined;
    socket.on("upgrade", (response) => {
      upgraded = answer(response);
    });
    socket.on("open", () => resolve(upgraded as Answer));
    socket.on("unexpected-response", (request, response) => {
      resolve(answer(response));
      request.destroy();
    });
    socket.on("error", reject);
  });
}

export function shown(session: Pick<Session, "id" | "credential_bytes">): Record<string, string> {
  return {
    "X-Actr-Source-ID": Buffer.from(writeNodeId(session.id)).toString("hex"),
    "X-Actr-Credential": Buffer.from(session.credential_bytes).toString("base64"),
  };
}

export interface HelloOptions {
  readonly target?: Session["id"];
  readonly at_ms?: number;
  readonly nonce?: Uint8Array;
  readonly features?: readonly string[];
}

export function hello(server: TestServer, o: HelloOptions = {}): Uint8Array {
  return writeHelloC({
    nonce: o.nonce ?? bytes(32), target: toActrId(o.target ?? server.session.id), sentAtMs: BigInt(o.at_ms ?? Date.now()),
    features: [...o.features ?? ["rpc1", "stream1", "refresh1"]],
  });
}

export function withHello(session: Session, helloC: Uint8Array): Record<string, string> {
  return { ...shown(session), "X-Atoll-Hello": Buffer.from(helloC).toString("base64url") };
}

export async function proofOf(
  key: Pick<SigningKey, "sign">, o: { readonly hello_c: Uint8Array; readonly hello_s: Uint8Array; readonly credential: Uint8Array },
): Promise<Uint8Array> {
  return writeMessage(HelloProofSchema, { proof: await key.sign(await helloClientTranscript(o, o.credential)) });
}

/** A client of another make that does everything right, in the header form. */
export async function enter(server: TestServer, session: Session, o: HelloOptions = {}): Promise<Answer & { readonly proof: Uint8Array }> {
  const helloC = hello(server, o);
  const answer = await knock(server.address, withHello(session, helloC));
  if (answer.hello === undefined || session.key === undefined) throw new Error(`refused with ${answer.status} ${answer.error}`);
  const proof = await proofOf(session.key, { hello_c: helloC, hello_s: answer.hello, credential: session.credential_bytes });
  answer.socket.send(proof);
  return { ...answer, proof };
}


/** A message of the direct WebSocket with any header. */
export function frame(type: number, length: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head[0] = type;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, body]);
}
