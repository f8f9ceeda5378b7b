/**
 * What is too large to stand in an entry: a document, put in the commit of the entry, which says how large it is and how
 * it begins (spec: mob 5.1, 5.4).
 *
 * takes values of turns; gives what is written of them; promises that entry and document are there together; refuses nothing; never
 * keeps a document longer than entries are kept: whoever puts one takes some of those away that are past it.
 */
import type { Json, StateReader, Write } from "@atoll-run/core";
import { memberScope, ulidTime } from "../ids.ts";

/** What an entry says of it. */
export interface Stored {
  readonly bytes: number;
  readonly preview: string;
}

/** Whose it is. */
export interface StoredName {
  readonly member: string;
  readonly turn_id: string;
}

const SPACE = "turns";
/** Documents that are taken away with one that is put. */
const OLD_PAGE = 16;

/** For the commit of the entry that shows `stored`. */
export function toStored({ turn_id }: Pick<StoredName, "turn_id">, text: string, previewBytes: number): { readonly stored: Stored; readonly write: Write } {
  return {
    stored: { bytes: Buffer.byteLength(text), preview: preview(text, previewBytes) },
    write: { write: "put", space: SPACE, key: turn_id, value: text },
  };
}

/** Undefined: it was too old. */
export async function readStored(store: Pick<StateReader, "get">, { member, turn_id }: StoredName): Promise<Json | undefined> {
  const found = await store.get(memberScope(member), SPACE, turn_id);
  return found === undefined ? undefined : JSON.parse(found.value) as Json;
}

/** With its output, where the entry has only its beginning; one that was too old stays as it is. */
export async function wholeTurn<T extends StoredName & { readonly stored?: Stored }>(store: Pick<StateReader, "get">, turn: T): Promise<T> {
  if (turn.stored === undefined) return turn;
  const output = await readStored(store, turn);
  if (output === undefined) return turn;
  const { stored: _, ...rest } = turn;
  return { ...rest, output } as unknown as T;
}

/** Takes away the oldest of a scope, of turns that were sent before that. */
export async function dropOld(store: Pick<StateReader, "keys">, scope: string, beforeMs: number): Promise<readonly Write[]> {
  const keys = await store.keys(scope, SPACE, { prefix: "", after: null, limit: OLD_PAGE });
  const first = `t_${ulidTime(Math.max(0, beforeMs))}`;
  return keys.filter((key) => key < first).map((key) => ({ write: "put", space: SPACE, key, value: null }));
}

/** The first so many bytes, cut between characters. */
export function preview(text: string, bytes: number): string {
  // A UTF-16 unit is at most three bytes.
  if (text.length * 3 <= bytes || Buffer.byteLength(text) <= bytes) return text;
  const cut = new TextDecoder().decode(Buffer.from(text.slice(0, bytes)).subarray(0, bytes - 3), { stream: true });
  return `${cut}…`;
}
