/**
 * The view as documents, so that a start need not fold the whole ledger (spec: mob 5.11).
 *
 * takes what a view keeps; gives it back; promises that a snapshot is there whole or not at all, whenever its writer dies:
 * parts go into the set that is not in use, then one document says which set counts; refuses a newer layout.
 */
import type { Json, StateOp, StateStore } from "@atoll-run/core";
import { mobError } from "../errors.ts";
import { MOB_SCOPE } from "../ledger/names.ts";
import type { Writer } from "../ledger/ledger.ts";
import type { Kept } from "./kept.ts";

/** `fold`: the newest, where a start begins. `base`: as it was after the last entry that was pruned, where history begins. */
export type SnapshotOf = "fold" | "base";

const HEAD = "head";
const LAYOUT = 1;
const PART_BYTES = 512 * 1_024;
const KEYS_PAGE = 1_000;
/** What stands in parts; the rest stands in the head. */
const LISTS = ["members", "edges", "turns", "approvals", "runs", "labels", "desired", "applied", "mob", "graves"] as const;

interface Head {
  readonly layout: number;
  readonly set: "a" | "b";
  readonly parts: number;
  readonly seq: number;
  readonly revision: number;
}

export interface SnapshotParts {
  readonly store: StateStore;
  readonly writer: Writer;
  readonly now: () => number;
  readonly of: SnapshotOf;
}

/** Undefined: there is none. Throws the fault of the store, `mob.storage_degraded` for what cannot be read. */
export async function loadSnapshot(store: StateStore, of: SnapshotOf): Promise<Kept | undefined> {
  for (let before: Head | undefined; ;) {
    const head = await readHead(store, of);
    if (head === undefined) return undefined;
    const kept = await readParts(store, of, head);
    if (kept !== undefined) return kept;
    // One that is written meanwhile takes the parts of the one before away.
    if (before?.seq === head.seq && before.set === head.set) throw damaged("one of its parts is missing");
    before = head;
  }
}

async function readParts(store: StateStore, of: SnapshotOf, head: Head): Promise<Kept | undefined> {
  const lists: Record<typeof LISTS[number], Json[]> = { members: [], edges: [], turns: [], approvals: [], runs: [], labels: [], desired: [], applied: [], mob: [], graves: [] };
  for (let at = 0; at < head.parts; at++) {
    const part = await store.get(MOB_SCOPE, of, keyOf(head.set, at));
    if (part === undefined) return undefined;
    for (const [name, rows] of Object.entries(JSON.parse(part.value) as Record<string, Json[]>)) {
      for (const row of rows) lists[name as typeof LISTS[number]].push(row);
    }
  }
  return { seq: head.seq, revision: head.revision, ...lists } as unknown as Kept;
}

/** Throws `mob.stale_fence` when somebody else is the mob now, or the fault of the store: the older snapshot counts. */
export async function saveSnapshot(kept: Kept, parts: SnapshotParts): Promise<void> {
  const { of } = parts;
  const before = await readHead(parts.store, of);
  const set = before?.set === "a" ? "b" : "a";
  let count = 0;
  for (const text of cut(kept)) await put(parts, [{ op: "put", space: of, key: keyOf(set, count++), value: text, if_version: null }]);
  const head: Head = { layout: LAYOUT, set, parts: count, seq: kept.seq, revision: kept.revision };
  await put(parts, [{ op: "put", space: of, key: HEAD, value: JSON.stringify(head), if_version: null }]);
  if (before !== undefined) await drop(before.set, parts);
}

async function readHead(store: StateStore, of: SnapshotOf): Promise<Head | undefined> {
  const found = await store.get(MOB_SCOPE, of, HEAD);
  if (found === undefined) return undefined;
  const head = JSON.parse(found.value) as Head;
  if (head.layout !== LAYOUT) throw damaged(`its layout is ${head.layout}, this program reads ${LAYOUT}`);
  return head;
}

/** Parts of about half a MiB, made one at a time: others have the thread in between. */
function* cut(kept: Kept): Generator<string> {
  for (const name of LISTS) {
    let rows: string[] = [];
    let bytes = 0;
    for (const row of kept[name]) {
      const text = JSON.stringify(row);
      rows.push(text);
      bytes += text.length;
      if (bytes < PART_BYTES) continue;
      yield `{"${name}":[${rows.join(",")}]}`;
      rows = [];
      bytes = 0;
    }
    if (rows.length > 0) yield `{"${name}":[${rows.join(",")}]}`;
  }
}

async function drop(set: string, parts: SnapshotParts): Promise<void> {
  for (;;) {
    const keys = await parts.store.keys(MOB_SCOPE, parts.of, { prefix: `${set}/`, after: null, limit: KEYS_PAGE });
    for (const key of keys) await put(parts, [{ op: "put", space: parts.of, key, value: null, if_version: null }]);
    if (keys.length < KEYS_PAGE) return;
  }
}

async function put({ store, writer, now }: SnapshotParts, ops: readonly StateOp[]): Promise<void> {
  const commit = await store.commit({ scope: writer.scope, epoch: writer.epoch, at_ms: now(), ops });
  if (commit.ok) return;
  throw mobError("mob.stale_fence", "another process is the mob now", { facts: { scope: writer.scope, fence: writer.epoch } });
}

function keyOf(set: string, at: number): string {
  return `${set}/${String(at).padStart(6, "0")}`;
}

function damaged(text: string): ReturnType<typeof mobError> {
  return mobError("mob.storage_degraded", `the snapshot of the roster cannot be read: ${text}`, {
    retry: "never", hint: "Run `atoll mob verify`; the ledger has all of it, unless retention has taken some.",
  });
}
