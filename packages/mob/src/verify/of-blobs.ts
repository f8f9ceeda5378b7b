/** Whether what entries refer to is there: a folder may have been copied without its blobs. */
import { isFault, type JournalEntry } from "@atoll-run/core";
import type { Blobs } from "../blobs/blobs.ts";
import { isRef } from "../blobs/ref.ts";
import { readEntry } from "../ledger/body.ts";
import type { Finding } from "./finding.ts";

/** Of the output of a turn. `asked`: blobs that were looked for already. */
export async function ofOutput(row: JournalEntry, blobs: Pick<Blobs, "stat">, asked: Set<string>): Promise<readonly Finding[]> {
  // Few refer to one, and most need not be read to see that.
  if (!row.body.includes('"type":"ref"')) return [];
  const { kind, turn_id = "", data: { output } } = readEntry(row);
  if (kind !== "turn_done" || !isRef(output) || asked.has(output.blob_id)) return [];
  asked.add(output.blob_id);
  try {
    await blobs.stat(output.blob_id);
    return [];
  } catch (error) {
    if (!isFault(error)) throw error;
    return [{ severity: "warning", code: "blob_missing", path: `turns/${turn_id}/${output.blob_id}`, hint: "Put back the folder blobs of a copy; the turn itself stays what it was." }];
  }
}
