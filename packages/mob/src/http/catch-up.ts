/**
 * A reader that is behind, up to the head of the ledger (spec: mob 5.8, 11.7).
 *
 * takes a place; gives what comes after it, as the reader takes it; promises each entry once, and rows so that whoever is cut off anywhere
 * and comes again with the last cursor has missed none; refuses nothing; never holds more of the ledger than one page, and none while the
 * reader takes nothing.
 */
import type { Entry, Gap } from "../ledger/entry.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";
import { entryEvent, gapEvent, rowEvent, snapshotComplete, snapshotStarted } from "./events.ts";
import type { Pipe } from "./pipe.ts";
import type { Reading } from "./reading.ts";
import type { RowPages } from "./row-pages.ts";
import type { Rows } from "./rows.ts";

export interface CatchUpParts {
  readonly ledger: Ledger;
  readonly pages: RowPages;
  readonly limits: Pick<MobLimits, "sliceEntries" | "tailEntries">;
}

/** To the head, unless the rules change on the way, or all rows are to be told anew. Throws what {@link Pipe.drained} throws. */
export async function catchUp(parts: CatchUpParts, pipe: Pipe, reading: Reading, signal: AbortSignal = reading.signal): Promise<void> {
  const { ledger } = parts;
  while (!signal.aborted && reading.holds) {
    if (reading.anew || isFar(parts, reading)) {
      await tellAnew(parts, pipe, reading, signal);
      continue;
    }
    // Nothing of it is for him.
    if (reading.hearing.noEntries && reading.hearing.rows === undefined) reading.seat.at = ledger.head;
    if (reading.at >= ledger.head) return;
    await read(parts, pipe, reading, signal);
    // While he takes nothing, nothing of the ledger is held for him.
    await pipe.drained(signal);
  }
}

/** Rows are told faster than all is read that has changed them. */
function isFar({ ledger, limits }: CatchUpParts, { hearing, at }: Reading): boolean {
  return hearing.rows !== undefined && hearing.noEntries && (at < ledger.head - limits.tailEntries || at < ledger.pruned);
}

/** All rows. Cut off before they are complete, he comes again with a cursor that is before what made this needed. */
async function tellAnew(parts: CatchUpParts, pipe: Pipe, reading: Reading, signal: AbortSignal): Promise<void> {
  // An entry that changes rules or profiles is there just before they count.
  await others();
  const { seat, hearing: { rows } } = reading;
  if (!reading.holds || rows === undefined) return;
  const { ledger, pages } = parts;
  if (isFar(parts, reading)) seat.at = ledger.head;
  const asOf = rows.seq;
  reading.begin(asOf);
  const cursor = ledger.cursor(seat.at);
  pipe.write(snapshotStarted(cursor));
  let told = 0;
  for (let after: string | undefined; ;) {
    const { bytes, count, next } = pages.page(rows, { after, asOf });
    if (count > 0) pipe.write(bytes);
    told += count;
    after = next;
    if (after === undefined) break;
    if (pipe.full) await pipe.drained(signal);
    else await others();
    if (signal.aborted || !reading.holds) {
      reading.anew = true;
      return;
    }
  }
  pipe.write(snapshotComplete(cursor, told));
  await pipe.drained(signal);
}

/** A socket may take a lot at once: whoever else is there has his turn between. */
function others(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** From his place on, as much as he takes at once, over what has nothing for him. */
async function read({ ledger, limits }: CatchUpParts, pipe: Pipe, reading: Reading, signal: AbortSignal): Promise<void> {
  const { seat, hearing } = reading;
  const passOver = ledger.passOver(hearing.narrow, signal);
  seat.at = await passOver(seat.at);
  while (seat.at < ledger.head) {
    let looked = 0;
    for await (const one of ledger.subscribe({}, { after: seat.at, signal })) {
      if (!reading.holds) return;
      // Whoever is behind is told how many he has missed.
      if ("live" in one) continue;
      if (hearing.rows !== undefined && renews(one, reading, hearing.rows)) {
        reading.anew = true;
        return;
      }
      if ("gap" in one) {
        seat.at = one.gap.to;
        pipe.write(gapEvent(one, ledger));
      } else tell(one, { ledger, pipe, reading });
      looked += 1;
      if (pipe.full || seat.at >= ledger.head) return;
      if (looked % limits.sliceEntries > 0) continue;
      // What follows may be passed over, too.
      const next = await passOver(seat.at);
      if (next === seat.at) continue;
      seat.at = next;
      break;
    }
    if (signal.aborted) return;
  }
}

/** What it has changed is not known one by one; all that is told anew afterwards is as of later. */
function renews(one: Entry | Gap, { covered }: Reading, rows: Rows): boolean {
  return "gap" in one ? one.gap.to > covered : one.seq > covered && rows.renews(one);
}

/** The rows first: with the cursor he has all of it. */
function tell(entry: Entry, { ledger, pipe, reading }: { readonly ledger: Ledger; readonly pipe: Pipe; readonly reading: Reading }): void {
  const { seat, hearing: { rows, entry: hears } } = reading;
  const { seq } = entry;
  const [cursor, heard] = [ledger.cursor(seq), hears(entry)];
  if (rows !== undefined) {
    const now = rows.seq;
    const touched = rows.touched(entry).filter((member) => reading.wants(member, { seq, now })).map((member) => rows.of(member)).filter((row) => row !== undefined);
    for (const [n, row] of touched.entries()) pipe.write(rowEvent(row, { cursor, moves: !heard && n === touched.length - 1 }));
  }
  seat.at = seq;
  if (heard) pipe.write(entryEvent(entry, ledger));
}
