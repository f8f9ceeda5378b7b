/** `StateStore` on SQLite: one file, one thread that writes it. */
import { resolve } from "node:path";
import { batchBytes, type Commit, type Log, type StateStore, type StoreCall } from "@atoll-run/core";
import type { Durability } from "./protocol.ts";
import { StateClient } from "./state-client.ts";
import type { ReadName } from "./state-reads.ts";

export interface StateOptions {
  /** Folder of `state.sqlite` and `lock`, made when missing. Null = all in memory, lost at the end. */
  readonly dir: string | null;
  /** `full` (default) syncs each commit; `normal` may lose the newest commits when the power fails. */
  readonly durability?: "full" | "normal";
  /** How long a commit waits for a program that writes to the file in spite of the lock, milliseconds. */
  readonly busyTimeoutMs?: number;
  /**
   * A file that has failed is opened anew by what is asked of it then, at most once in so many milliseconds; a commit that had failed may be
   * there. Default: it stays `state.broken`.
   */
  readonly reopenMs?: number;
  readonly log?: Log;
}

const BUSY_TIMEOUT_MS = 1_000;
/** Arguments of each read before its `call`. */
const PARAMETERS: Readonly<Record<ReadName, number>> = {
  ready: 2, mail: 2, rows: 2, expired: 3, parked: 3, find: 2, outbox: 3, outboxTo: 3, letters: 2, get: 3, keys: 3,
  journal: 2, journalBack: 2, usage: 1, size: 0, wakes: 2,
};

/**
 * Takes the folder for this process until the store is closed, and opens or makes the file. Rejects with a
 * `StateFault`: `state.locked`, `state.newer`, `state.broken`, `state.full`. At most 4,096 requests or 64 MiB wait.
 */
export async function openState(o: StateOptions): Promise<StateStore> {
  const durability: Durability = o.dir === null ? "memory" : o.durability ?? "full";
  const client = new StateClient({
    dir: o.dir === null ? null : resolve(o.dir), durability, busyTimeoutMs: o.busyTimeoutMs ?? BUSY_TIMEOUT_MS,
    reopenMs: o.dir === null ? Infinity : o.reopenMs ?? Infinity,
  }, o.log);
  try {
    await client.ask(["open"], 0);
  } catch (error) {
    await client.close();
    throw error;
  }
  const reads = Object.fromEntries((Object.keys(PARAMETERS) as ReadName[]).map((name) =>
    [name, (...given: readonly unknown[]) => {
      const call = given[PARAMETERS[name]] as StoreCall | undefined;
      return client.ask(["read", name, given.slice(0, PARAMETERS[name])], 0, call);
    }])) as unknown as Pick<StateStore, ReadName>;
  return {
    ...reads,
    supports: { durable: durability !== "memory", shared: false },
    commit: async (batch, call) => {
      const bytes = batchBytes(batch);
      return await client.ask(["commit", batch, bytes], bytes, call) as Commit;
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}
