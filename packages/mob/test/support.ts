/** A real ledger on each store, for tests of the rooms around it. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { memoryBlobs, type Clock, type Log, type StateStore } from "@atoll-run/core";
import { MOB_LIMITS, type Blobs, type Ledger, type MobLimits, type NewEntry, type Writer } from "@atoll-run/mob";
import { createBlobs, createIds, MOB_SCOPE, openLedger, openRoster, timeCommits, type CommitFigures, type NewId, type Roster } from "@atoll-run/mob/internal";
import { openState } from "@atoll-run/sqlite";
import { memoryState } from "@atoll-run/testkit";

export const realClock: Clock = {
  now: () => Date.now(), monotonic: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
export const silent: Log = { write: () => undefined };

export const STORES = ["memory", "sqlite"] as const;
export type StoreName = typeof STORES[number];

export interface HouseOptions {
  readonly clock?: Clock;
  readonly limits?: Partial<MobLimits>;
  readonly profileOf?: Parameters<typeof openRoster>[0]["profileOf"];
  readonly wrap?: (store: StateStore) => StateStore;
}

/** What a mob stands on. `again`: as after `kill -9` and a new start, on the same store. */
export interface House {
  readonly store: StateStore;
  readonly ledger: Ledger;
  readonly blobs: Blobs;
  readonly commits: CommitFigures;
  readonly roster: Roster;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly limits: MobLimits;
  readonly log: Log;
  append(...entries: readonly NewEntry[]): ReturnType<Ledger["append"]>;
  again(): Promise<House>;
}

export async function house(t: TestContext, name: StoreName, o: HouseOptions = {}): Promise<House> {
  const store = name === "memory" ? memoryState() : await onDisk(t);
  t.after(() => store[Symbol.asyncDispose]());
  return furnish(store, o);
}

async function onDisk(t: TestContext): Promise<StateStore> {
  const dir = mkdtempSync(join(tmpdir(), "atoll-mob-"));
  t.after(() => rmSync(dir, { recursive: true }));
  return openState({ dir });
}

export async function furnish(store: StateStore, o: HouseOptions): Promise<House> {
  const { clock = realClock } = o;
  const limits = { ...MOB_LIMITS, ...o.limits };
  const newId = createIds({ clock, bytes: (count) => randomBytes(count) });
  const timed = timeCommits(o.wrap?.(store) ?? store, clock);
  const ledger = await openLedger({ store: timed.store, clock, newId, log: silent }, { mob: "m", limits });
  const writer = await attach(ledger, MOB_SCOPE, clock);
  const roster = await openRoster({ ledger, writer, clock, log: silent, limits, ...o.profileOf === undefined ? {} : { profileOf: o.profileOf } });
  return {
    store, ledger, blobs: createBlobs({ store: memoryBlobs(), limits }), commits: timed.commits, roster, writer, clock, newId, limits, log: silent,
    append: (...entries) => ledger.append(writer, entries), again: () => furnish(store, o),
  };
}

export async function attach(ledger: Ledger, scope: string, clock: Clock = realClock): Promise<Writer> {
  const commit = await ledger.store.commit({ scope, epoch: null, at_ms: clock.now(), ops: [{ op: "attach" }] });
  if (!commit.ok) throw new Error(`not attached: ${commit.refusal.why}`);
  return { scope, epoch: commit.values[0] as number };
}

/** A member that is there and sleeps. */
export function spawned(id: string, more: { readonly profile?: string; readonly labels?: Record<string, string> } = {}): NewEntry {
  const { profile = "p", labels } = more;
  return {
    kind: "member_spawned", source: "test", member: id,
    data: { spec: { id, profile, ...labels === undefined ? {} : { labels } }, state: "dormant", generation: 1, origin: "definition" },
  };
}
