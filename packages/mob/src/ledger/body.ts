/** An entry as it is stored: JSON text with all but its `seq`. */
import { stringifyJson, type Json, type JournalEntry } from "@atoll-run/core";
import { mobError } from "../errors.ts";
import { KINDS, type Entry, type EntryLabels, type NewEntry } from "./entry.ts";
import { hideSecrets } from "./redaction.ts";

export type Unplaced = Omit<Entry, "seq" | "session"> & Pick<NewEntry, "session">;

export interface BodyParts {
  readonly mob: string;
  readonly epoch: string;
  readonly dataBytesMax: number;
  readonly id: () => string;
  readonly now: () => number;
  readonly labelsOf: (entry: NewEntry) => EntryLabels | undefined;
  /** Masks registered secrets. */
  readonly redact: (value: Json) => Json;
}

/** Throws `mob.too_large` when `data` is more than its limit as JSON. */
export function toUnplaced(entry: NewEntry, o: BodyParts): Unplaced {
  const data = redactValue(entry.data, o) as Entry["data"];
  const labels = o.labelsOf(entry);
  return { ...entry, ...labels === undefined ? {} : { labels }, data, v: 1, class: KINDS[entry.kind], epoch: o.epoch, id: o.id(), ts_ms: o.now(), mob: o.mob };
}

export function toBody(entry: Unplaced, { dataBytesMax }: BodyParts): string {
  const text = JSON.stringify(entry);
  // Cheap where it is plain that it fits: a UTF-16 unit is at most three bytes.
  if (text.length * 3 > dataBytesMax) {
    const written = stringifyJson(entry.data);
    const size = Buffer.byteLength(written.ok ? written.text : text);
    if (size > dataBytesMax) {
      throw mobError("mob.too_large", `data of the entry ${entry.kind} has ${size} bytes, more than ${dataBytesMax}`, {
        facts: { size, limit: dataBytesMax }, hint: "Put it into a blob and name it in the entry.",
      });
    }
  }
  return text;
}

export function readEntry({ seq, body }: Pick<JournalEntry, "seq" | "body">): Entry {
  return place(seq, JSON.parse(body) as Unplaced);
}

export function place(seq: number, entry: Unplaced): Entry {
  const { session } = entry;
  const placed = { seq, ...entry };
  if (session !== undefined) placed.session = { id: session.id, seq } as Entry["session"] & object;
  return placed as Entry;
}

/** As it is stored: secrets are masked. */
export function redactValue(value: Json, { redact }: Pick<BodyParts, "redact">): Json {
  return redact(hideSecrets(value));
}
