/** Arguments of a call: what they name, and how they stand in an entry: whole while small, else a piece and a document (spec: mob 8.10). */
import type { Json, StateOp, StateStore } from "@atoll-run/core";
import { ulidTime } from "../ids.ts";
import { MOB_SCOPE } from "../ledger/names.ts";

const SPACE = "approvals";
const RESULTS = "released";
const MADE = "made";
/** Results that are taken away with one that is put. */
const OLD_PAGE = 16;
/** Characters of JSON text: three bytes each at most, and an entry takes 64 KiB. */
const WHOLE_CHARS = 16_000;

/** Arguments that name what a call is done to; the first that is there counts. */
const NAMING = ["path", "url", "host", "program", "command", "recipient", "to"];
const OBJECT_CHARS_MAX = 1_024;

/** What a call is done to, where its caller does not say: a path, an address, a program. */
export function objectOf(args: Json): string | undefined {
  if (typeof args !== "object" || args === null || Array.isArray(args)) return undefined;
  const named = args as { readonly [key: string]: Json };
  return NAMING.map((key) => named[key]).find((value) => typeof value === "string")?.slice(0, OBJECT_CHARS_MAX);
}

export interface Shown {
  /** What stands in the entry. */
  readonly args: Json;
  /** Put into the commit of the entry. */
  readonly ops: readonly StateOp[];
}

/** What is masked in an entry stands apart too: the call may be made later. */
export function showArguments(id: string, args: Json, redact: (value: Json) => Json): Shown {
  const text = JSON.stringify(args);
  const shown = redact(args);
  const isLong = text.length > WHOLE_CHARS;
  if (!isLong && JSON.stringify(shown) === text) return { args, ops: [] };
  return {
    args: isLong ? { shortened: JSON.stringify(shown).slice(0, WHOLE_CHARS / 2), chars: text.length } : shown,
    ops: [{ op: "put", space: SPACE, key: id, value: text, if_version: null }],
  };
}

/** Undefined: they stand in the entry as they are. */
export async function wholeArguments(store: StateStore, id: string): Promise<Json | undefined> {
  const found = await store.get(MOB_SCOPE, SPACE, id);
  return found === undefined ? undefined : JSON.parse(found.value) as Json;
}

/** For the commit that closes it: only what is open is shown whole. */
export function dropArguments(id: string): StateOp {
  return { op: "put", space: SPACE, key: id, value: null, if_version: null };
}

/** What a released call gave, until its member is told. */
export function keepResult(id: string, made: Json): StateOp {
  return { op: "put", space: RESULTS, key: id, value: JSON.stringify(made), if_version: null };
}

export async function keptResult(store: StateStore, id: string): Promise<Json | undefined> {
  const found = await store.get(MOB_SCOPE, RESULTS, id);
  return found === undefined ? undefined : JSON.parse(found.value) as Json;
}

/** What an approved call has given, for a later run of its turn: the `nth` of that approval. With it some go that are too old. */
export async function keepMade(store: Pick<StateStore, "keys">, { id, nth, beforeMs }: { readonly id: string; readonly nth: number; readonly beforeMs: number }, made: Json): Promise<readonly StateOp[]> {
  const put = (key: string, value: string | null): StateOp => ({ op: "put", space: MADE, key, value, if_version: null });
  const old = await store.keys(MOB_SCOPE, MADE, { prefix: "", after: null, limit: OLD_PAGE });
  const first = `a_${ulidTime(Math.max(0, beforeMs))}`;
  return [put(`${id}/${nth}`, JSON.stringify({ made })), ...old.filter((key) => key < first).map((key) => put(key, null))];
}

export async function keptMade(store: Pick<StateStore, "get">, id: string, nth: number): Promise<{ readonly made: Json } | undefined> {
  const found = await store.get(MOB_SCOPE, MADE, `${id}/${nth}`);
  return found === undefined ? undefined : JSON.parse(found.value) as { made: Json };
}

export function dropResult(id: string): StateOp {
  return { op: "put", space: RESULTS, key: id, value: null, if_version: null };
}
