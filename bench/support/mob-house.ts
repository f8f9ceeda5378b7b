/** What a mob stands on, over a real file, without the mob: for benches of its rooms. */
import { randomBytes } from "node:crypto";
import type { StateStore } from "@atoll-run/core";
import type { Ledger, NewEntry, Writer } from "@atoll-run/mob";
import { mobDoor, mobInternal } from "./built-mob.ts";
import { CLOCK } from "./keyed-node.ts";

export const SILENT = { write: () => undefined };
export const newId = mobInternal.createIds({ clock: CLOCK, bytes: (count) => new Uint8Array(randomBytes(count)) });

export async function openBenchLedger(store: StateStore): Promise<{ readonly ledger: Ledger; readonly writer: Writer }> {
  const { MOB_SCOPE: scope, openLedger } = mobInternal;
  const ledger = await openLedger({ store, clock: CLOCK, newId, log: SILENT }, { mob: "bench", limits: mobDoor.MOB_LIMITS });
  const commit = await ledger.store.commit({ scope, epoch: null, at_ms: Date.now(), ops: [{ op: "attach" }] });
  if (!commit.ok) throw new Error(commit.refusal.why);
  return { ledger, writer: { scope, epoch: commit.values[0] as number } };
}

/** One that is stored in that many bytes, its envelope included. */
export async function entryOf(bytes: number, { ledger, writer }: { readonly ledger: Ledger; readonly writer: Writer }): Promise<{ readonly entry: NewEntry; readonly text: string }> {
  const toEntry = (text: string): NewEntry => ({ kind: "note", source: "bench", member: "m", data: { text } });
  const toText = async (entry: NewEntry): Promise<string> => {
    const [{ seq: _, ...stored } = { seq: 0 }] = await ledger.append(writer, [entry]);
    return JSON.stringify(stored);
  };
  const entry = toEntry("x".repeat(Math.max(0, bytes - (await toText(toEntry(""))).length)));
  return { entry, text: await toText(entry) };
}
