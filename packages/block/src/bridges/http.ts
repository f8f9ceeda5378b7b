/**
 * Host half of `http.request` (spec: block 5.4). takes a URL and options; gives status, headers and exact
 * bytes, or calls back with each event; promises that time, size and redirects are bounded and that the gate
 * is asked before every hop and every connection; refuses with the texts of the specification; never reads
 * more than its reader takes.
 */
import {
  type BlockLimits, type Clock, type Ids, isFault, maskUrl, onAbort, SseDecoder, type SseEvent, withDeadline,
} from "@atoll-run/core";
import { type BlockCode, blockError } from "../errors.ts";
import type { GrantGate } from "../grants/gate.ts";
import type { HeaderList, HttpClient, HttpReply } from "./http/client.ts";
import { isConnectError } from "./http/client.ts";
import { decoded, headerOf } from "./http/decode.ts";
import { exchange } from "./http/exchange.ts";
import { type HttpOptions, readHttpOptions } from "./http/options.ts";
import type { OpCall, Ops, Value } from "./op.ts";

export interface HttpParts {
  readonly gate: Pick<GrantGate, "url" | "restricted">;
  /** Asks a gate of its own before it connects. */
  readonly client: HttpClient;
  readonly clock: Clock;
  readonly ids: Ids;
}

/**
 * Defaults of `max_body`, `timeout` and `redirect`; bytes of one event. A restricted script cannot raise
 * `max_body`.
 */
export type HttpLimits = Pick<
  BlockLimits, "httpBodyBytesMax" | "httpMs" | "httpRedirectsMax" | "sseEventBytesMax"
>;

/**
 * `http.request(url, opts)`. In stream mode `opts.on_data` is the number of a callback: for
 * `text/event-stream`, or no content type, it gets `(data, {event?, id?, retry?})` of each event; for any
 * other type each piece of the body as it comes, with an empty table.
 */
export function httpOps(parts: HttpParts, limits: HttpLimits): Ops {
  return {
    "http.request": async ([url, opts], call) => {
      const o = readHttpOptions(
        url, opts, { limits, capped: parts.gate.restricted, trace: call.trace, ids: parts.ids },
      );
      tell(o, call, "http_request", {});
      return o.onData === undefined ? await whole(parts, o, call) : await streamed(parts, limits, o, call);
    },
  };
}

/** Which part of a request failed; decides code and text. */
type Stage = "request" | "body" | "stream";

const STAGES: Readonly<Record<Stage, readonly [BlockCode, string]>> = {
  request: ["http.request", "http request error"],
  body: ["http.body", "http read body error"],
  stream: ["http.body", "http stream read error"],
};

async function whole(parts: HttpParts, o: HttpOptions, call: OpCall): Promise<Value> {
  let stage: Stage = "request";
  try {
    return await withDeadline(async (signal) => {
      const reply = await begin(parts, o, signal);
      stage = "body";
      tell(o, call, "http_response", { status: reply.status });
      return { ...resultOf(reply), body: await readBody(reply, o) };
    }, { clock: parts.clock, ms: o.timeoutMs, signal: call.signal });
  } catch (error) {
    throw faultOf(error, stage, o, call);
  }
}

function tell(o: HttpOptions, call: OpCall, event: "http_request" | "http_response", more: Record<string, unknown>): void {
  const { method, url } = o.send;
  call.log("info", "lua", event, { prefix: "ab.obs", event, component: "http", method, url: url.href, ...more });
}

async function begin(parts: HttpParts, o: HttpOptions, signal: AbortSignal): Promise<HttpReply> {
  const reply = await exchange(parts, o.send, { redirects: o.redirects, signal });
  return o.decompress ? decoded(reply, o.send.method) : reply;
}

async function streamed(parts: HttpParts, limits: HttpLimits, o: HttpOptions, call: OpCall): Promise<Value> {
  let stage: Stage = "request";
  const bound = { clock: parts.clock, ms: o.timeoutMs, signal: call.signal };
  let reply: HttpReply | undefined;
  // The deadline of the headers must not end a body that comes later: the life of the request has a signal of
  // its own.
  const life = new AbortController();
  using _ = onAbort(call.signal, (reason) => life.abort(reason));
  try {
    reply = await withDeadline((signal) => {
      signal.addEventListener("abort", () => life.abort(signal.reason), { once: true });
      return begin(parts, o, life.signal);
    }, bound);
    stage = "stream";
    tell(o, call, "http_response", { status: reply.status });
    const pieces = reply.body[Symbol.asyncIterator]();
    const unpack = unpacker(reply, limits.sseEventBytesMax);
    for (let ended = false; !ended;) {
      const piece = await withDeadline(() => pieces.next(), bound);
      ended = piece.done === true;
      for (const item of unpack(piece.done === true ? undefined : piece.value)) {
        if (item.data === "[DONE]" || await deliver(item, o, call) === false) return resultOf(reply);
      }
    }
    return resultOf(reply);
  } catch (error) {
    throw faultOf(error, stage, o, call);
  } finally {
    reply?.close();
    life.abort(new Error("the request is over"));
  }
}

interface Item {
  readonly data: string | Uint8Array;
  readonly ev: Readonly<Record<string, Value>>;
}

/** Turns pieces (undefined = the end) into what the callback gets. */
function unpacker(
  reply: HttpReply, eventBytesMax: number,
): (piece: Uint8Array | undefined) => Iterable<Item> {
  const type = headerOf(reply.headers, "content-type");
  if (type !== undefined && !/^\s*text\/event-stream\s*(?:;|$)/i.test(type)) {
    return (piece = new Uint8Array()) => piece.length === 0 ? [] : [{ data: Uint8Array.from(piece), ev: {} }];
  }
  const decoder = new SseDecoder(eventBytesMax);
  const item = ({ data, ...ev }: SseEvent): Item => ({ data, ev });
  return function* (piece) {
    yield* (piece === undefined ? decoder.end() : decoder.push(piece)).map(item);
    // An event that is too large is told after those before it: by the next call, which may be far off.
    if (piece !== undefined) yield* decoder.push(new Uint8Array()).map(item);
  };
}

/** Errors of the callback are the script's own and pass unchanged. */
class CallbackError {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

async function deliver({ data, ev }: Item, { onData }: HttpOptions, call: OpCall): Promise<Value> {
  try {
    return await call.callback(onData ?? 0, [data, ev]);
  } catch (error) {
    throw new CallbackError(error);
  }
}

async function readBody(reply: HttpReply, o: HttpOptions): Promise<Uint8Array> {
  const declared = Number(headerOf(reply.headers, "content-length"));
  try {
    if (o.send.method !== "HEAD" && declared > o.maxBody) throw tooLarge(declared, o.maxBody);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of reply.body) {
      bytes += chunk.length;
      if (bytes > o.maxBody) throw tooLarge(bytes, o.maxBody);
      chunks.push(chunk);
    }
    return Uint8Array.from(Buffer.concat(chunks, bytes));
  } finally {
    reply.close();
  }
}

function tooLarge(bytes: number, limit: number): Error {
  return blockError("http.too_large", `response body too large: ${bytes} bytes (max ${limit})`, {
    facts: { bytes, limit }, hint: "Raise max_body, or use stream.",
  });
}

/** Header names in lower case: the last value, and all of them. */
function resultOf({ status, headers }: HttpReply): { status: number; headers: Value; headers_all: Value } {
  const all: Record<string, string[]> = {};
  for (const [name, value] of headers as HeaderList) (all[name] ??= []).push(headerText(value));
  const last = Object.fromEntries(Object.entries(all).map(([name, values]) => [name, values.at(-1) ?? ""]));
  return { status, headers: last, headers_all: all };
}

const STRICT = new TextDecoder("utf-8", { fatal: true });

/** Header bytes are UTF-8 where they read as such, else Latin-1. */
function headerText(value: string): string {
  if (/^[\x00-\x7f]*$/.test(value)) return value;
  try {
    return STRICT.decode(Buffer.from(value, "latin1"));
  } catch {
    return value;
  }
}

function faultOf(error: unknown, stage: Stage, o: HttpOptions, call: OpCall): unknown {
  if (error instanceof CallbackError) return error.error;
  if (call.signal.aborted) return call.signal.reason;
  if (isFault(error)) {
    const { code, facts } = error;
    if (code === "core.timed_out") {
      const seconds = `${o.timeoutMs / 1_000}s`;
      const what = `${o.send.method} ${maskUrl(o.send.url.href)}`;
      return blockError("http.timeout", `http timeout after ${seconds}: ${what}`, {
        facts: { ms: o.timeoutMs }, cause: error,
      });
    }
    if (code === "codec.too_large") {
      const sizes = `${String(facts["bytes"])} bytes (max ${String(facts["limit"])})`;
      const text = `http stream read error: event too large: ${sizes}`;
      return blockError("http.too_large", text, { facts, cause: error });
    }
    if (code !== "core.overloaded") return error;
  }
  const reason = reasonOf(error);
  const [code, front] = isConnectError(error)
    ? ["http.connect", "http connection error"] as const : STAGES[stage];
  return blockError(code, `${front}: ${reason}`, { facts: { reason }, cause: error });
}

/** Words of a network error; of several attempts the first one's. */
function reasonOf(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] ?? error : error;
  const { message, code } = first as { message?: string; code?: string };
  return message !== undefined && message !== "" ? message : code ?? String(first);
}
