/**
 * The way to a realm over the network: HTTP to its identity service, a WebSocket to signaling (spec: node 5.13, 6.4).
 *
 * takes addresses and requests; gives answers as they came; promises that plain connections leave this machine by
 * setting only, and that a silent socket ends; refuses answers over a bound; never follows a redirect.
 */
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { isFault, nodeError, onAbort, type Clock, type NodeError } from "@atoll-run/core";
import { fromStatus } from "../identity/realm-errors.ts";
import type { RealmAnswer, RealmAsk, RealmDoor, SignalingDial, SignalingPipe } from "../identity/realm-door.ts";
import type { LimitsOf } from "../limits.ts";
import { checkAddress, isLoopback, type PlainRule } from "../wire/websocket/places.ts";
import { connect, type Socket } from "../wire/websocket/ws.ts";

export interface HttpDoorOptions {
  /** Of the identity service: `https://realm.example/ais`. */
  readonly ais_url: string;
  /** `wss://realm.example/signaling/ws`. */
  readonly signaling_url: string;
  readonly plain?: PlainRule;
  /** Certificates of authorities to trust instead of those of the platform. */
  readonly ca?: readonly string[];
}

export interface HttpDoorLimits {
  readonly identity: LimitsOf<"identity">;
  readonly signaling: LimitsOf<"signaling">;
}

const CLOSE_MS_MAX = 1_000;
const FRAGMENTS_MAX = 1_024;
const REASON_BYTES_MAX = 100;

/** Throws `node.invalid_argument` for what is no address, `node.permission_denied` where plain HTTP may not go. */
export function createHttpDoor(
  parts: { readonly clock: Clock }, options: HttpDoorOptions, limits: HttpDoorLimits,
): RealmDoor {
  const { plain = "loopback", ca } = options;
  const base = checkBase(options.ais_url, plain);
  checkAddress(options.signaling_url, plain);
  return {
    remote: ![base, options.signaling_url].every((url) => isLoopback(new URL(url).hostname)),
    ask: (request, { signal }) => ask(request, { base, ca, signal, bytesMax: limits.identity.answerBytesMax }),
    dial: (o) => dial(o, { url: options.signaling_url, ca, clock: parts.clock, limits: limits.signaling }),
  };
}

interface Asking {
  readonly base: string;
  readonly ca: readonly string[] | undefined;
  readonly signal: AbortSignal;
  readonly bytesMax: number;
}

function ask({ method, path, headers, body }: RealmAsk, { base, ca, signal, bytesMax }: Asking): Promise<RealmAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<RealmAnswer>();
  const url = `${base}/${path}`;
  const length = body === undefined ? {} : { "content-length": String(body.length) };
  const make = url.startsWith("https:") ? httpsRequest : httpRequest;
  // No agent: a kept connection would outlive the node.
  const request = make(url, {
    method, headers: { ...headers, ...length }, agent: false, signal, minVersion: "TLSv1.2",
    ...ca === undefined ? {} : { ca: [...ca] },
  });
  request.on("response", (response) => {
    readBody(response, bytesMax).then((bytes) => {
      resolve({ status: response.statusCode ?? 0, headers: plainHeaders(response.headers), body: bytes });
    }, (error: unknown) => {
      request.destroy();
      reject(unreachable(error));
    });
  });
  request.on("error", (error) => reject(signal.aborted ? signal.reason : unreachable(error)));
  request.end(body);
  return promise;
}

async function readBody(response: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > bytesMax) throw nodeError("node.decode_failure", `the answer of the realm is larger than ${bytesMax} bytes`);
    parts.push(part);
  }
  return Uint8Array.from(Buffer.concat(parts));
}

interface Dialling {
  readonly url: string;
  readonly ca: readonly string[] | undefined;
  readonly clock: Clock;
  readonly limits: LimitsOf<"signaling">;
}

function dial(o: SignalingDial, { url, ca, clock, limits }: Dialling): Promise<SignalingPipe> {
  o.signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<SignalingPipe>();
  const address = new URL(url);
  for (const [name, value] of Object.entries(o.query)) address.searchParams.set(name, value);
  const socket = connect(address, {
    headers: o.headers, ca, handshakeMsMax: limits.connectMsMax, payloadMax: limits.frameBytesMax,
    fragmentsMax: FRAGMENTS_MAX, closeMsMax: CLOSE_MS_MAX,
  });
  const listening = onAbort(o.signal, (reason) => {
    socket.terminate();
    reject(reason);
  });
  let answer: IncomingHttpHeaders = {};
  socket.once("upgrade", (response) => (answer = response.headers));
  socket.once("open", () => {
    listening[Symbol.dispose]();
    resolve(toPipe(socket, plainHeaders(answer), { hear: o.hear, clock, limits }));
  });
  socket.once("unexpected-response", (request, response) => {
    readBody(response, limits.frameBytesMax).catch(() => new Uint8Array()).then((body) => {
      reject(fromStatus({ status: response.statusCode ?? 0, headers: plainHeaders(response.headers), body }, "signaling"));
      request.destroy();
      socket.terminate();
    });
  });
  socket.once("error", (error) => reject(unreachable(error)));
  return promise.finally(() => listening[Symbol.dispose]());
}

interface Carrying {
  readonly hear: SignalingDial["hear"];
  readonly clock: Clock;
  readonly limits: LimitsOf<"signaling">;
}

/** A socket that has been silent for too long is dead, whatever the system says of it. */
function toPipe(socket: Socket, headers: RealmAnswer["headers"], { hear, clock, limits }: Carrying): SignalingPipe {
  let heardAtMs = clock.monotonic();
  let ended = false;
  let timer: Disposable | undefined;
  const end = (code: number, reason: string): void => {
    if (ended) return;
    ended = true;
    timer?.[Symbol.dispose]();
    hear.ended(code, reason);
  };
  const look = (): void => {
    const leftMs = heardAtMs + limits.deadMs - clock.monotonic();
    if (leftMs <= 0) {
      socket.terminate();
      end(1_006, `silent for ${limits.deadMs} ms`);
      return;
    }
    socket.ping();
    timer = clock.after(Math.min(limits.pingMs, leftMs), look);
  };
  timer = clock.after(limits.pingMs, look);
  socket.on("pong", () => (heardAtMs = clock.monotonic()));
  socket.on("message", (data, isBinary) => {
    heardAtMs = clock.monotonic();
    if (!ended && isBinary && data instanceof Buffer) hear.frame(new Uint8Array(data.buffer, data.byteOffset, data.length));
  });
  socket.on("close", (code, reason) => end(code, reason.toString()));
  return {
    headers,
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    send: (frame) => {
      if (!ended) socket.send(frame);
    },
    close: (code, reason) => {
      if (ended) return;
      socket.close(code, reason.slice(0, REASON_BYTES_MAX));
      end(code, reason);
    },
  };
}

function checkBase(text: string, plain: PlainRule): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:") || url.username !== "" || url.search !== "") {
    throw nodeError("node.invalid_argument", `${text} is no address of an identity service`);
  }
  if (url.protocol === "http:" && plain !== "allow" && !isLoopback(url.hostname)) {
    throw nodeError("node.permission_denied", `plain HTTP may go to this machine only, not to ${url.host}`, {
      hint: 'Use https, or set listen.plain = "allow" where the network is your own.',
    });
  }
  return url.href.replace(/\/+$/, "");
}

function plainHeaders(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]]));
}

function unreachable(error: unknown): NodeError | Error {
  if (isFault(error)) return error;
  const why = error instanceof Error ? error.message : String(error);
  return nodeError("node.unavailable", `the realm cannot be reached: ${why}`, { cause: error });
}
