/**
 * The stream of a mob, over as many connections as it takes (spec: mob 5.7, 11.7).
 *
 * takes topics and a cursor; gives each event once, in order; promises to go on after the last cursor when a connection is lost or
 * says nothing for long; refuses to hide a gap, or a cursor that the mob does not know; never reads ahead of its reader.
 */
import { isFault, sleep, SseDecoder, type Clock, type Json, type SseEvent } from "@atoll-run/core";
import { badAnswer, readError, unreachable } from "./client-error.ts";
import type { Entry, Member, Topic } from "./generated/methods.ts";

export interface StreamOptions {
  /** Default: `entries`, all of it. */
  readonly topics?: readonly Topic[];
  /** A cursor: what comes after it. Default: only what is new; `"0"` is from the oldest on. With `roster`: rows that have changed since. */
  readonly after?: string;
  /** With `roster`: all rows first. Default: when there is no `after`. */
  readonly snapshot?: boolean;
  readonly signal?: AbortSignal;
}

export type StreamEvent =
  | { readonly event: "entry"; readonly cursor: string; readonly data: Entry }
  /** Retention has taken what lay between. */
  | { readonly event: "gap"; readonly cursor: string; readonly data: { readonly from: number; readonly to: number; readonly reason: string } }
  /** Of `roster`: a member as it is now; null: it is not there any more. `data.cursor`: of the entry that has changed it. */
  | { readonly event: "row"; readonly cursor?: string; readonly data: { readonly cursor: string; readonly member: string; readonly row: Member | null } }
  /** Rows of all that there are follow; whatever rows one has count no more when they are complete. */
  | { readonly event: "snapshot_started"; readonly data: { readonly topic: "roster"; readonly cursor: string } }
  | { readonly event: "snapshot_complete"; readonly cursor: string; readonly data: { readonly topic: "roster"; readonly cursor: string; readonly rows: number } }
  /**
   * What is not stored, how much of it was left out, and a text that is being written as far as it has come: of a `live` text that
   * comes after it, what is below its end is there already (`offset`).
   */
  | { readonly event: "live" | "live_dropped" | "partial"; readonly data: Json }
  /** The mob stops serving: the last event. */
  | { readonly event: "bye"; readonly data: { readonly reason: string } };

export interface StreamParts {
  readonly url: string;
  readonly headers: () => Promise<Readonly<Record<string, string>>>;
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Clock;
}

const EVENT_BYTES_MAX = 4_194_304;
/** Three comments of the mob that did not come. */
const SILENT_MS = 45_000;
/** Before another connection, doubled while nobody answers. */
const AGAIN_MS = 100;
const AGAIN_MS_MAX = 15_000;

/** Ends when the signal aborts, or the mob says bye. Throws when the first connection fails, or the mob refuses to go on. */
export async function* readStream(parts: StreamParts, { topics = ["entries"], after, snapshot, signal }: StreamOptions): AsyncGenerator<StreamEvent, void, void> {
  /** Of the last event that has one. */
  let last: string | undefined;
  let opened = false;
  let againMs = AGAIN_MS;
  while (!isOver(signal)) {
    try {
      for await (const event of connection(parts, { topics, ...last === undefined ? { after, snapshot } : { last }, signal })) {
        [opened, againMs] = [true, AGAIN_MS];
        if (event === undefined) continue;
        if ("cursor" in event) last = event.cursor;
        yield event;
        if (event.event === "bye") return;
      }
    } catch (error) {
      if (isOver(signal)) return;
      if (!opened || !isFault(error) || error.retry !== "later") throw error;
    }
    await sleep(againMs, { clock: parts.clock, ...signal === undefined ? {} : { signal } }).catch(() => undefined);
    againMs = Math.min(AGAIN_MS_MAX, againMs * 2);
  }
}

function isOver(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

interface Connecting {
  readonly topics: readonly Topic[];
  readonly after?: string | undefined;
  readonly snapshot?: boolean | undefined;
  /** It goes on there. */
  readonly last?: string;
  readonly signal: AbortSignal | undefined;
}

/** Undefined when it stands. */
async function* connection(parts: StreamParts, { topics, after, snapshot, last, signal }: Connecting): AsyncGenerator<StreamEvent | undefined, void, void> {
  using lease = leaseOf(parts.clock, signal);
  const query = new URLSearchParams({
    topics: topics.join(","), ...after === undefined ? {} : { after }, ...snapshot === undefined ? {} : { snapshot: String(snapshot) },
  });
  const { url } = parts;
  const response = await open(parts, { path: `${url}/v1/stream?${query.toString()}`, last, signal: lease.signal });
  yield undefined;
  const decoder = new SseDecoder(EVENT_BYTES_MAX);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      lease.renew();
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw unreachable(url, error, false);
      });
      if (done) return;
      for (const event of decoder.push(value)) {
        const read = toEvent(event);
        if (read !== undefined) yield read;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function open(
  { fetch, headers, url }: StreamParts, { path, last, signal }: { readonly path: string; readonly last: string | undefined; readonly signal: AbortSignal },
): Promise<Response> {
  const response = await fetch(path, {
    headers: { ...await headers(), accept: "text/event-stream", ...last === undefined ? {} : { "last-event-id": last } }, signal,
  }).catch((error: unknown) => {
    throw unreachable(url, error, false);
  });
  if (response.ok && response.body !== null) return response;
  const { error } = await response.json().catch(() => ({})) as { readonly error?: unknown };
  throw readError(error) ?? badAnswer(url, response.status);
}

/** Aborts with `signal`, or when it is not renewed for too long. */
function leaseOf(clock: Clock, signal: AbortSignal | undefined): Disposable & { readonly signal: AbortSignal; renew(): void } {
  const silent = new AbortController();
  let timer: Disposable | undefined;
  const renew = (): void => {
    timer?.[Symbol.dispose]();
    timer = clock.after(SILENT_MS, () => silent.abort(new Error("the stream has been silent for too long")));
  };
  renew();
  return {
    signal: signal === undefined ? silent.signal : AbortSignal.any([signal, silent.signal]), renew, [Symbol.dispose]: () => timer?.[Symbol.dispose](),
  };
}

/** Undefined for events of later versions. */
function toEvent({ event, id = "", data }: SseEvent): StreamEvent | undefined {
  switch (event) {
    case "entry": return { event, cursor: id, data: JSON.parse(data) as Entry };
    case "gap": return { event, cursor: id, data: JSON.parse(data) as { from: number; to: number; reason: string } };
    case "row": return { event, ...id === "" ? {} : { cursor: id }, data: JSON.parse(data) as { cursor: string; member: string; row: Member | null } };
    case "snapshot_started": return { event, data: JSON.parse(data) as { topic: "roster"; cursor: string } };
    case "snapshot_complete": return { event, cursor: id, data: JSON.parse(data) as { topic: "roster"; cursor: string; rows: number } };
    case "live":
    case "live_dropped":
    case "partial": return { event, data: JSON.parse(data) as Json };
    case "bye": return { event, data: JSON.parse(data) as { reason: string } };
    default: return undefined;
  }
}
