/**
 * The mob among other nodes (spec: mob 3.3, 10.1): the one node of it that stands in a realm.
 *
 * takes a way to a realm and rules for who may come; gives an address; promises that a peer reaches members by it and nothing
 * else, and that turns which end while the mob closes are answered; refuses everybody whom no rule allows; never is a second
 * place for what a mob knows.
 */
import { formatNodeId, type Log, type StateStore } from "@atoll-run/core";
import { createNode, type Health, type NodeHandle, type NodeOptions, type NodeParts } from "@atoll-run/node";
import { createDoor, type DoorParts } from "./door.ts";
import { typeOfMob, typeTextOfMob } from "./address.ts";

/** What a mob is given to stand among others. */
export interface Surroundings extends Pick<NodeOptions, "rules"> {
  /** What it keeps, its identity, it keeps there. */
  network(store: StateStore): NonNullable<NodeParts["network"]>;
}

export interface OutsideParts extends Omit<DoorParts, "over" | "ledger"> {
  readonly ledger: DoorParts["ledger"] & { readonly store: StateStore };
  readonly node: Omit<NodeParts, "network">;
  readonly log: Log;
  readonly mob: string;
}

export interface Outside {
  /** Text of the node's id. */
  readonly id: string;
  /** `atoll:mob.<id>:1.0.0`: what peers look for. */
  readonly type: string;
  health(): Health;
}

export interface OpenOutside extends Outside {
  /** Lets nobody in from now on. Calls that wait are answered while turns still end; resolves when the node has ended. */
  close(o: { readonly drainMs: number; readonly over: Promise<unknown> }): Promise<void>;
}

/** Local name of the node; no member has it: theirs are hashes. */
export const OUTSIDE_NODE = "mob-node";

/** For all that a node does at its end besides waiting for turns: telling its realm, its peers. */
const CLOSE_MS = 5_000;

/** Throws the fault of the start of a node. */
export async function openOutside(parts: OutsideParts, surroundings: Surroundings): Promise<OpenOutside> {
  const { node, ledger, log, mob } = parts;
  const { rules } = surroundings;
  const over = new AbortController();
  const closed = { asked: false };
  const assembled = await createNode({ ...node, store: ledger.store, network: surroundings.network(ledger.store) }, {
    name: OUTSIDE_NODE, type: typeOfMob(mob), durability: ledger.store.supports.durable ? "full" : "memory", ...rules === undefined ? {} : { rules },
  }).attach(createDoor({ ...parts, over: over.signal }));
  const handle = await assembled.start();
  void handle.closed.then(() => {
    if (!closed.asked) log.write({ level: "error", target: "mob", msg: "the node of the mob has ended: nobody outside reaches its members", fields: { mob } });
  });
  return {
    id: idOf(handle), type: typeTextOfMob(mob), health: () => handle.health(),
    close: async ({ drainMs, over: ended }) => {
      closed.asked = true;
      const closing = handle.close({ deadlineMs: drainMs + CLOSE_MS });
      await ended.catch(() => undefined);
      over.abort();
      await closing;
    },
  };
}

function idOf({ id, name }: NodeHandle): string {
  return id === undefined ? name : formatNodeId(id);
}
