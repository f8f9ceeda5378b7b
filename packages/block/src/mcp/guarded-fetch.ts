/**
 * `fetch` for the HTTP transports of the SDK, over the block's own HTTP client: takes what the SDK asks;
 * promises that grants are asked for every request, that no answer grows without bound, and that a request is
 * let go of with its call; refuses nothing by itself and follows no redirect.
 */
import { isFault, SseDecoder } from "@atoll-run/core";
import type { HeaderList, HttpClient, HttpReply } from "../bridges/http/client.ts";
import { headerOf } from "../bridges/http/decode.ts";
import type { GrantGate } from "../grants/gate.ts";
import type { Wire } from "./wire.ts";

export interface FetchParts {
  readonly gate: Pick<GrantGate, "url">;
  readonly client: () => Promise<HttpClient>;
  readonly wire: Wire;
  /** Bytes of one message. */
  readonly messageBytesMax: number;
  /** Hears why a request failed, in our own words: the SDK wraps errors. */
  readonly failed: (error: unknown) => void;
  /** The one stream that carries all answers has ended: the older SSE transport. */
  readonly streamEnded: () => void;
  /** True when answers come only by the stream of a GET. */
  readonly oneStream: boolean;
}

export type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

const EMPTY_STATUS: ReadonlySet<number> = new Set([101, 204, 205, 304]);

/** How often the SDK tries to take up a stream that broke. */
export const RECONNECTS = 2;

export function guardedFetch(parts: FetchParts): Fetch {
  const broken = new Broken(parts.wire);
  return async (input, init = {}) => {
    const url = new URL(input);
    const method = init.method ?? "GET";
    const body = typeof init.body === "string" ? init.body : undefined;
    const headers = new Headers(init.headers);
    const last = headers.get("last-event-id");
    const id = body === undefined ? broken.of(last) : requestId(body);
    const own = id === undefined ? undefined : parts.wire.signalOf(id);
    try {
      parts.gate.url(url);
      const client = await parts.client();
      const signal = AbortSignal.any([init.signal, own].filter((one) => one !== undefined && one !== null));
      const list = [...headers] as HeaderList;
      const reply = await client.send({ method, url, headers: list, body }, { signal });
      broken.tried(last, reply.status);
      return toResponse(parts, reply, { id, method, broken });
    } catch (error) {
      broken.tried(last, 0);
      if (isFault(error) || own?.aborted !== true) parts.failed(error);
      throw error;
    }
  };
}

/** The id of a request as the SDK writes it: the last key. */
function requestId(body: string): number | undefined {
  const id = /"jsonrpc":"2\.0","id":(\d+)\}$/.exec(body)?.[1];
  return id === undefined ? undefined : Number(id);
}

interface Asked {
  /** Request whose answer the stream brings. */
  readonly id: number | undefined;
  readonly method: string;
  readonly broken: Broken;
}

/** Streams that ended before the answer, by their last event: the SDK asks for the rest of them. */
class Broken {
  readonly #wire: Wire;
  readonly #all = new Map<string, { readonly id: number; tries: number }>();

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  add(lastEvent: string, id: number): void {
    for (const [key, one] of this.#all) if (!this.#wire.isOpen(one.id)) this.#all.delete(key);
    this.#all.set(lastEvent, { id, tries: 0 });
  }

  of(lastEvent: string | null): number | undefined {
    return lastEvent === null ? undefined : this.#all.get(lastEvent)?.id;
  }

  /** How a try ended: the status, or 0 where none came. The last try that fails ends the wait. */
  tried(lastEvent: string | null, status: number): void {
    const one = lastEvent === null ? undefined : this.#all.get(lastEvent);
    if (one === undefined) return;
    const done = status >= 200 && status < 300;
    if (!done && status !== 405 && ++one.tries < RECONNECTS) return;
    this.#all.delete(lastEvent as string);
    if (!done) this.#wire.fail(one.id, "the connection was lost and could not be taken up again");
  }
}

function toResponse(parts: FetchParts, reply: HttpReply, asked: Asked): Response {
  const { status } = reply;
  const headers = new Headers(reply.headers.map(([name, value]) => [name, value] as [string, string]));
  if (EMPTY_STATUS.has(status) || status < 200) {
    reply.close();
    return new Response(null, { status: Math.max(200, status), headers });
  }
  const isStream = /^\s*text\/event-stream\b/i.test(headerOf(reply.headers, "content-type") ?? "");
  const body = isStream ? events(parts, reply, asked) : whole(parts, reply);
  return new Response(readable(body, () => reply.close()), { status, headers });
}

/** `ReadableStream.from` would not let go of a body that is cancelled before its first piece was read. */
function readable(pieces: AsyncGenerator<Uint8Array>, close: () => void): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(to) {
      const { done, value } = await pieces.next();
      if (done === true) to.close();
      else to.enqueue(value);
    },
    async cancel() {
      close();
      await pieces.return(undefined);
    },
  });
}

/** A body of one piece: the text is heard before the SDK reads it. */
async function* whole(parts: FetchParts, reply: HttpReply): AsyncGenerator<Uint8Array> {
  try {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of reply.body) {
      bytes += chunk.length;
      if (bytes > parts.messageBytesMax) {
        throw new Error(`message too large: ${bytes} bytes (max ${parts.messageBytesMax})`);
      }
      chunks.push(chunk);
    }
    const all = Buffer.concat(chunks);
    parts.wire.heardText(all.toString());
    yield new Uint8Array(all);
  } finally {
    reply.close();
  }
}

/** A stream of events passes through as it is, but not further than an event that is too large. */
async function* events(
  parts: FetchParts, reply: HttpReply, { id, method, broken }: Asked,
): AsyncGenerator<Uint8Array> {
  const decoder = new SseDecoder(parts.messageBytesMax);
  let why = "the connection ended before the answer";
  let answered = false;
  let lastEvent: string | undefined;
  try {
    for await (const chunk of reply.body) {
      for (const event of decoder.push(chunk)) {
        parts.wire.heardText(event.data);
        lastEvent = event.id ?? lastEvent;
        answered ||= id !== undefined && new RegExp(`"id":\\s*${id}\\b`).test(event.data);
      }
      yield Uint8Array.from(chunk);
    }
  } catch (error) {
    why = error instanceof Error ? error.message : String(error);
    throw error;
  } finally {
    reply.close();
    if (id !== undefined && !answered) {
      if (lastEvent === undefined) parts.wire.fail(id, why);
      else broken.add(lastEvent, id);
    }
    if (method === "GET" && parts.oneStream) parts.streamEnded();
  }
}
