/** Events that wait for somebody: bounded, in order, the dear ones kept (spec: node 5.3). */
import type { HookEvent } from "@atoll-run/core";
import type { NodeEventName } from "./report.ts";

export interface Waiting {
  readonly event: HookEvent;
  readonly name: NodeEventName;
  /** As it was reported, for observers. */
  readonly fact: object;
  /** Whose connection it is of; undefined = always kept. */
  readonly group: string | undefined;
}

export interface EventQueueLimits {
  readonly eventsMax: number;
  readonly keptEventsMax: number;
}

/** Somebody waits until these were told: there is one of each. */
const LIFECYCLE: readonly NodeEventName[] = ["start", "ready", "stop"];

/** When full, the waiting connection events of one peer collapse into the newest. */
export class EventQueue<W extends Waiting> {
  readonly #limits: EventQueueLimits;
  #items: W[] = [];
  /** Connection events that a newer one of their peer took the place of, or that had no room. */
  collapsed = 0;
  /** Errors beyond what is kept at all. */
  dropped = 0;

  constructor(limits: EventQueueLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#items.length;
  }

  /** Always takes it, but an error that is beyond all bounds. */
  push(item: W): void {
    if (this.size >= this.#limits.eventsMax) this.#collapse(item.group);
    if (this.size >= this.#limits.eventsMax) this.#dropOldest(({ group }) => group !== undefined);
    if (this.size >= this.#limits.keptEventsMax) {
      this.dropped++;
      if (item.name === "error") return;
      const dropped = this.#dropOldest(({ name }) => name === "error");
      if (!dropped) this.#dropOldest(({ name }) => !LIFECYCLE.includes(name));
    } else if (this.size >= this.#limits.eventsMax && item.group !== undefined) {
      this.collapsed++;
      return;
    }
    this.#items.push(item);
  }

  shift(): W | undefined {
    return this.#items.shift();
  }

  /** Leaves the newest of each peer, and none of the one that comes. */
  #collapse(coming: string | undefined): void {
    const seen = new Set(coming === undefined ? [] : [coming]);
    const before = this.size;
    const left = this.#items.toReversed().filter(({ group }) => {
      if (group === undefined) return true;
      if (seen.has(group)) return false;
      seen.add(group);
      return true;
    });
    this.#items = left.reverse();
    this.collapsed += before - this.size;
  }

  #dropOldest(is: (item: W) => boolean): boolean {
    const at = this.#items.findIndex(is);
    if (at < 0) return false;
    const [gone] = this.#items.splice(at, 1);
    if (gone?.group !== undefined) this.collapsed++;
    return true;
  }
}
