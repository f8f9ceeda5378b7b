/**
 * The mob among other nodes (spec: mob 3.3, 10.1): the one node of it that stands in a realm.
 *
 * takes a way to a realm and rules for who may come; gives an address; promises that a peer reaches members by it and nothing
 * else, that turns which end while the mob closes are answered, and that it comes back by itself when its store has failed for a while;
 * refuses everybody whom no rule allows; never is a second place for what a mob knows.
 */
import { formatNodeId, type Clock, type Log, type StateStore } from "@atoll-run/core";
import { createNode, type Health, type NodeHandle, type NodeOptions, type NodeParts } from "@atoll-run/node";
import { createDoor, type DoorParts } from "./door.ts";
import { mobError } from "../errors.ts";
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

/** Between two tries to start it again. */
const AGAIN_MS = 1_000;

/** Throws the fault of the start of a node. */
export async function openOutside(parts: OutsideParts, surroundings: Surroundings): Promise<OpenOutside> {
  const { node, ledger, mob } = parts;
  const { rules } = surroundings;
  const over = new AbortController();
  const standing = new Standing({ clock: node.clock, log: parts.log, mob, start: async () => {
    const assembled = await createNode({ ...node, store: ledger.store, network: surroundings.network(ledger.store) }, {
      name: OUTSIDE_NODE, type: typeOfMob(mob), durability: ledger.store.supports.durable ? "full" : "memory", ...rules === undefined ? {} : { rules },
    }).attach(createDoor({ ...parts, over: over.signal }));
    return await assembled.start();
  } });
  const id = idOf(await standing.begin());
  return {
    id, type: typeTextOfMob(mob), health: () => standing.now.health(),
    close: async ({ drainMs, over: ended }) => {
      const closing = standing.close({ deadlineMs: drainMs + CLOSE_MS });
      await ended.catch(() => undefined);
      over.abort();
      await closing;
    },
  };
}

interface StandingParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly mob: string;
  readonly start: () => Promise<NodeHandle>;
}

/** The node as long as the mob wants it: one that has ended with its store is followed by the next. */
class Standing {
  readonly #parts: StandingParts;
  #now: NodeHandle | undefined;
  #timer: Disposable | undefined;
  /** The next one, while it starts. */
  #coming: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(parts: StandingParts) {
    this.#parts = parts;
  }

  /** The newest that has started. */
  get now(): NodeHandle {
    if (this.#now === undefined) throw mobError("mob.internal", "the node of the mob has not started");
    return this.#now;
  }

  async begin(): Promise<NodeHandle> {
    const handle = this.#now = await this.#parts.start();
    void handle.closed.then(() => this.#ended(handle));
    return handle;
  }

  async close(o: { readonly deadlineMs: number }): Promise<void> {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
    await this.#coming;
    await this.now.close(o);
  }

  #ended({ lost }: NodeHandle): void {
    if (this.#closed) return;
    const { log, mob } = this.#parts;
    const comesBack = lost?.code === "state.broken";
    log.write({ level: "error", target: "mob", msg: `the node of the mob has ended: nobody outside reaches its members${comesBack ? " until its store is well again" : ""}`, fields: { mob } });
    if (comesBack) this.#again();
  }

  #again(): void {
    this.#timer = this.#parts.clock.after(AGAIN_MS, () => {
      this.#coming = this.begin().then(() => this.#parts.log.write({ level: "info", target: "mob", msg: "the node of the mob is there again", fields: { mob: this.#parts.mob } }),
        () => void (this.#closed || this.#again()));
    });
  }
}

function idOf({ id, name }: NodeHandle): string {
  return id === undefined ? name : formatNodeId(id);
}
