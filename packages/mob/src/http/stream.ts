/**
 * The ledger as server-sent events (spec: mob 5.8, 11.7).
 *
 * takes topics and a cursor; gives entries, gaps and live signals; promises each entry once and in order from the cursor on,
 * or a gap; refuses a cursor that is not of this history before anything is sent; never holds what its reader does not take:
 * it waits for the socket, and a socket that takes nothing for a minute is closed.
 */
import type { ServerResponse } from "node:http";
import { sleep, type Clock } from "@atoll-run/core";
import type { Entry, Gap, Live } from "../ledger/entry.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";

export interface StreamParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly limits: Pick<MobLimits, "stalledMs">;
  readonly wants: (entry: Entry) => boolean;
  /** Live signals stand beside entries that are wanted all. */
  readonly lives: boolean;
}

/** What Node keeps of an answer before it says that the socket is behind. */
const BUFFERED_BYTES_MAX = 65_536;
const COMMENT_MS = 15_000;

/** Until the signal aborts or the reader is gone. `entries`: as `ledger.subscribe` gave them. */
export async function tellEntries(
  response: ServerResponse, entries: AsyncIterable<Entry | Gap | Live>, parts: StreamParts & { readonly signal: AbortSignal },
): Promise<void> {
  const { clock, ledger, wants, lives, signal } = parts;
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store", "x-accel-buffering": "no", connection: "close" });
  response.write("retry: 1000\n\n");
  let beat: Disposable | undefined;
  const breathe = (): void => {
    beat = clock.after(COMMENT_MS, () => {
      if (!response.writableNeedDrain) response.write(":\n\n");
      breathe();
    });
  };
  breathe();
  try {
    for await (const one of entries) {
      const text = toEvent(one, { ledger, wants, lives });
      if (text === undefined) continue;
      response.write(text);
      if (response.writableLength > BUFFERED_BYTES_MAX) await drained(response, parts);
    }
    response.end(`event: bye\ndata: ${JSON.stringify({ reason: reasonOf(signal) })}\n\n`);
  } catch {
    // A reader that stalls, or has gone.
    response.destroy();
  } finally {
    beat?.[Symbol.dispose]();
  }
}

function toEvent(one: Entry | Gap | Live, { ledger, wants, lives }: Pick<StreamParts, "ledger" | "wants" | "lives">): string | undefined {
  // With the cursor before the oldest entry that is there.
  if ("gap" in one) return `id: ${ledger.cursor(one.gap.to)}\nevent: gap\ndata: ${JSON.stringify(one.gap)}\n\n`;
  if ("live" in one) return !lives ? undefined : `event: ${one.live === "live_dropped" ? "live_dropped" : "live"}\ndata: ${JSON.stringify(one)}\n\n`;
  return wants(one) ? `id: ${ledger.cursor(one.seq)}\nevent: entry\ndata: ${JSON.stringify(one)}\n\n` : undefined;
}

/** Throws when the socket takes nothing for too long, or the stream is over. */
async function drained(response: ServerResponse, { clock, limits, signal }: StreamParts & { readonly signal: AbortSignal }): Promise<void> {
  const free = new AbortController();
  const end = (): void => free.abort();
  response.once("drain", end);
  try {
    await sleep(limits.stalledMs, { clock, signal: AbortSignal.any([signal, free.signal]) });
  } catch {
    if (free.signal.aborted) return;
    throw signal.reason;
  } finally {
    response.off("drain", end);
  }
  throw new Error("slow_consumer");
}

function reasonOf({ reason }: AbortSignal): string {
  return typeof reason === "string" ? reason : "closed";
}
