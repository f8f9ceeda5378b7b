/** A stream as events of a block: open, data …, end or reset. What the handler of one returns is its acknowledgement. */
import { type InStream, isFault, type Json } from "@atoll-run/core";

/** Gives one event to the block. `raw` stands in the payload as `data`. */
export type Hand = (payload: Json, raw?: Uint8Array) => Promise<Json>;

/** Ends when the stream has ended; throws what a handler raised, which resets the stream. */
export async function feed(stream: InStream, hand: Hand): Promise<void> {
  const { headers, content_type = null } = stream;
  let seq = 0;
  await hand({ event: "open", seq, headers: Object.fromEntries(headers.map(({ key, value }) => [key, value])), content_type });
  const items = stream[Symbol.asyncIterator]();
  for (;;) {
    const next = await nextOf(items);
    if ("reset" in next) {
      await hand({ event: "reset", seq: ++seq, code: next.reset });
      throw next.error;
    }
    if (next.done) break;
    try {
      await hand({ event: "data", seq: ++seq }, next.value);
    } catch (error) {
      await items.return?.();
      throw error;
    }
  }
  await hand({ event: "end", seq: ++seq, dropped: stream.dropped });
}

type Next =
  | { readonly done: false; readonly value: Uint8Array }
  | { readonly done: true }
  | { readonly reset: string; readonly error: unknown };

async function nextOf(items: AsyncIterator<Uint8Array>): Promise<Next> {
  try {
    const { done, value } = await items.next();
    return done === true ? { done } : { done: false, value };
  } catch (error) {
    return { reset: isFault(error) ? error.code : "node.internal", error };
  }
}
