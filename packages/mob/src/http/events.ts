/** The ledger in the words of server-sent events (spec: mob 11.7). Pure. */
import type { Entry, Gap, Live } from "../ledger/entry.ts";

export const RETRY = "retry: 1000\n\n";
/** Something is said at least that often, so that nobody in between takes a quiet stream for a dead one. */
export const KEEP_ALIVE_MS = 15_000;
export const COMMENT = ":\n\n";

interface Cursors {
  cursor(seq: number): string;
}

export function entryEvent(entry: Entry, ledger: Cursors): string {
  return `id: ${ledger.cursor(entry.seq)}\nevent: entry\ndata: ${JSON.stringify(entry)}\n\n`;
}

/** With the cursor before the oldest entry that is there. */
export function gapEvent({ gap }: Gap, ledger: Cursors): string {
  return `id: ${ledger.cursor(gap.to)}\nevent: gap\ndata: ${JSON.stringify(gap)}\n\n`;
}

/** Live signals that are events of their own. */
const OWN: ReadonlySet<string> = new Set(["live_dropped", "partial"]);

export function liveEvent(live: Live): string {
  return `event: ${OWN.has(live.live) ? live.live : "live"}\ndata: ${JSON.stringify(live)}\n\n`;
}

export function byeEvent(reason: string): string {
  return `event: bye\ndata: ${JSON.stringify({ reason })}\n\n`;
}
