/** Where nodes and realms of a process keep things: one folder, one database, or nothing at all. */
import { statfs } from "node:fs/promises";
import { resolve } from "node:path";
import { type BlobStore, type Clock, type Ids, type Log, nodeError, type NodeErrorInit, type StateStore } from "@atoll-run/core";
import { isFault } from "@atoll-run/core";
import { type Durability } from "@atoll-run/node";
import { createProcessRoom, loadNodeKey, newNodeKey, type NodeKey, type ProcessRoom } from "@atoll-run/node/internal";
import { openState, type StateOptions } from "@atoll-run/sqlite";
import { systemClock } from "./clock.ts";
import { systemIds } from "./ids.ts";
import { randomOf } from "./random.ts";

/** What a program may bring itself; the rest is that of this machine. */
export interface Env {
  readonly clock?: Clock;
  readonly ids?: Ids;
  /** 0 ≤ x < 1; for back-offs and choices. */
  readonly random?: () => number;
  /** Unpredictable ones: keys and nonces are made of them. */
  readonly bytes?: (count: number) => Uint8Array;
  readonly log?: Log;
  /** Instead of the one of the folder; stays open. */
  readonly store?: StateStore;
  /** Of a mob, instead of the folder; stays open. */
  readonly blobs?: BlobStore;
}

export interface PlaceOptions {
  /** Folder of the state; default `./.atoll`. It is this process's while it is in use. */
  readonly dir?: string;
  /** Keeps nothing: what was accepted is lost with the process. */
  readonly memory?: boolean;
  /** `full` (default): every commit is on the disk before it counts; `normal`: the last may be lost with the power. */
  readonly durability?: "full" | "normal";
  readonly env?: Env;
}

export interface Place {
  readonly store: StateStore;
  readonly durability: Durability;
  /** Null: nothing is kept. */
  readonly dir: string | null;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: () => number;
  readonly bytes: (count: number) => Uint8Array;
  readonly log: Log;
  readonly room: ProcessRoom;
  /** Absent: there is no disk. */
  readonly freeBytes?: () => Promise<number>;
  /** The key of a node: the same at each start, or a new one where nothing is kept. */
  key(node: string): Promise<NodeKey>;
  close(): Promise<void>;
}

const SILENT: Log = { write: () => undefined };

/** `reopenMs`: see `StateOptions`. Throws `node.locked` when another process has the folder, `node.unavailable` for other faults of the store. */
export async function openPlace(o: PlaceOptions, { reopenMs }: Pick<StateOptions, "reopenMs"> = {}): Promise<Place> {
  const { clock = systemClock, random = Math.random, bytes = randomOf, log = SILENT, store: given } = o.env ?? {};
  const dir = o.memory === true ? null : resolve(o.dir ?? ".atoll");
  const { durability = "full" } = o;
  const store = given ?? await openState({ dir, durability, log, ...reopenMs === undefined ? {} : { reopenMs } }).catch((error: unknown) => {
    throw toNodeFault(error);
  });
  return {
    store, clock, random, bytes, log, dir, durability: dir === null ? "memory" : durability, ids: o.env?.ids ?? systemIds(clock),
    room: createProcessRoom(), ...dir === null ? {} : { freeBytes: () => freeBytes(dir) },
    key: (node) => dir === null ? newNodeKey(bytes) : loadNodeKey({ dir, node, bytes }),
    close: async () => {
      if (given === undefined) await store[Symbol.asyncDispose]();
    },
  };
}

async function freeBytes(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}

function toNodeFault(error: unknown): unknown {
  if (!isFault(error) || !error.code.startsWith("state.")) return error;
  const init: NodeErrorInit = { cause: error, facts: error.facts, ...error.hint === undefined ? {} : { hint: error.hint } };
  return error.code === "state.locked" ? nodeError("node.locked", error.message, init) : nodeError("node.unavailable", error.message, init);
}
