/** The ledger in the words of server-sent events (spec: mob 11.7). Pure. */
import type { Entry, Gap, Live } from "../ledger/entry.ts";
import type { Figures } from "./metrics.ts";
import type { ToldRow } from "./rows.ts";

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

/** `moves`: with it, everything up to its entry is told; only the last event of an entry may say so. */
export function rowEvent(row: ToldRow, { cursor, moves }: { readonly cursor: string; readonly moves: boolean }): string {
  return `${moves ? `id: ${cursor}\n` : ""}event: row\ndata: ${JSON.stringify({ cursor, ...row })}\n\n`;
}

/** Rows of all that there are follow. Whoever loses the stream before they are complete has none of them. */
export function snapshotStarted(cursor: string): string {
  return `event: snapshot_started\ndata: ${JSON.stringify({ topic: "roster", cursor })}\n\n`;
}

/** `rows`: how many there were. */
export function snapshotComplete(cursor: string, rows: number): string {
  return `id: ${cursor}\nevent: snapshot_complete\ndata: ${JSON.stringify({ topic: "roster", cursor, rows })}\n\n`;
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

export function figuresEvent(data: Figures, after_seq: number): string {
  return liveEvent({ live: "metrics", after_seq, data });
}

export function byeEvent(reason: string): string {
  return `event: bye\ndata: ${JSON.stringify({ reason })}\n\n`;
}
