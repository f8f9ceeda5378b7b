/**
 * Which message is next (spec: node 4.10 to 4.12, 4.14). No clock, no store, no promise: a structure of lines.
 *
 * takes messages in the order of their arrival; gives the next that may start; promises one at a time and that order
 * for a key, turns between senders, one normal message in eight, and that what has waited long counts as high; refuses
 * nothing: its owner bounds it; never starts a stranger on a key that is held.
 */
import { PassingMap } from "@atoll-run/core";
import { leave, Line, type Place } from "./lines.ts";

export interface Job {
  readonly sender: string;
  /** Null = no order. */
  readonly key: string | null;
  readonly high: boolean;
  /** When it came; what has waited long counts as high. */
  readonly sinceMs: number;
  /** Runs only when nothing else does. */
  readonly alone: boolean;
  /** Names of the chain by which it may enter. */
  readonly chains: readonly string[];
  /** Names under which its chain may come back while it waits for a call. */
  readonly awaited: readonly string[];
}

export interface ScheduleLimits {
  readonly runningMax: number;
  readonly normalEvery: number;
  readonly agedMs: number;
  readonly suspectPatienceMs: number;
}

/** Behind = others of its key are before it. Away = it waits for a time. */
type SlotState = "behind" | "ready" | "running" | "away";

interface Slot<J> {
  readonly job: J;
  state: SlotState;
  /** In the line of its key. */
  keyPlace: Place<Slot<J>> | undefined;
  readonly keyLine: KeyLine<J> | undefined;
  /** In the line of its sender, and among the normal ones by age. */
  turn: Place<Slot<J>> | undefined;
  age: Place<Slot<J>> | undefined;
  /** It entered while its chain waits: it has taken no place of the budget. */
  nested: boolean;
  /** Calls of its own that it waits for. */
  awaiting: number;
}

interface KeyLine<J> {
  readonly slots: Line<Slot<J>>;
  /** Nearly always one. */
  readonly holders: Slot<J>[];
}

export class Schedule<J extends Job> {
  readonly #limits: ScheduleLimits;
  readonly #slots = new PassingMap<J, Slot<J>>();
  readonly #keys = new PassingMap<string, KeyLine<J>>();
  readonly #high = new Turns<J>();
  readonly #normal = new Turns<J>();
  readonly #byAge = new Line<Slot<J>>();
  readonly #suspects = new Line<Slot<J>>();
  readonly #entering = new Line<Slot<J>>();
  /** Running jobs that wait for a call, by the names of their chain. */
  readonly #awaiting = new Map<string, Set<Slot<J>>>();
  #running = 0;
  #alone: Slot<J> | undefined;
  #picks = 0;

  constructor(limits: ScheduleLimits) {
    this.#limits = limits;
  }

  /** Waiting and running. */
  get size(): number {
    return this.#slots.size;
  }

  /** Places of the budget that are taken. */
  get running(): number {
    return this.#running;
  }

  /** Those that may start when there is a place for them. */
  get ready(): number {
    return this.#high.size + this.#normal.size + this.#suspects.size + this.#entering.size;
  }

  /**
   * It runs from now on, without a look at the lines: nothing else may start, it has no order, and there is a place. False:
   * nothing was done, it is to be added.
   */
  begin(job: J): boolean {
    if (job.key !== null || job.alone || this.#alone !== undefined || this.#awaiting.size > 0) return false;
    if (this.#running >= this.#limits.runningMax || this.ready > 0) return false;
    this.#slots.set(job, newSlot(job, "running", undefined));
    this.#running += 1;
    this.#picks += 1;
    return true;
  }

  /** To the end of its key. `away`: not before {@link wake}. */
  add(job: J, o: { readonly away?: boolean } = {}): void {
    const keyLine = job.key === null ? undefined : this.#keyLine(job.key);
    const slot = newSlot(job, o.away === true ? "away" : "behind", keyLine);
    slot.keyPlace = keyLine?.slots.join(slot);
    this.#slots.set(job, slot);
    if (slot.state !== "away") this.#offer(slot);
  }

  /** The next that may start; it is running from now on. */
  next(nowMs: number): J | undefined {
    const slot = this.#entering.shift() ?? this.#pick(nowMs);
    if (slot === undefined) return undefined;
    this.#start(slot);
    return slot.job;
  }

  /** Back into the line, not before {@link wake}; it keeps the place in its key. */
  away(job: J): void {
    const slot = this.#slots.get(job);
    if (slot === undefined) return;
    if (slot.state === "running") this.#stop(slot);
    else this.#withdraw(slot);
    slot.state = "away";
  }

  /** Its time has come. */
  wake(job: J): void {
    const slot = this.#slots.get(job);
    if (slot?.state !== "away") return;
    slot.state = "behind";
    this.#offer(slot);
  }

  /** It is over, whatever it was doing. */
  remove(job: J): void {
    const slot = this.#slots.get(job);
    if (slot === undefined) return;
    this.#slots.delete(job);
    if (slot.state === "running") this.#stop(slot);
    else this.#withdraw(slot);
    leave(slot.keyPlace);
    const { keyLine } = slot;
    if (keyLine === undefined) return;
    if (keyLine.slots.size === 0) this.#keys.delete(job.key as string);
    else this.#offerFirst(keyLine);
  }

  /** A running job waits for a call of its own until disposed: its chain may enter meanwhile. */
  awaiting(job: J): Disposable {
    const slot = this.#slots.get(job);
    if (slot?.state !== "running") return { [Symbol.dispose]: () => undefined };
    slot.awaiting += 1;
    for (const chain of job.awaited) {
      const holders = this.#awaiting.get(chain) ?? new Set();
      this.#awaiting.set(chain, holders.add(slot));
    }
    let over = false;
    return { [Symbol.dispose]: () => {
      if (over) return;
      over = true;
      if (--slot.awaiting === 0) this.#waitsNoMore(slot);
    } };
  }

  /** It holds a key for which others wait. */
  blocks(job: J): boolean {
    const line = this.isRunning(job) ? this.#slots.get(job)?.keyLine : undefined;
    return line !== undefined && line.slots.size > line.holders.length;
  }

  isRunning(job: J): boolean {
    return this.#slots.get(job)?.state === "running";
  }

  #keyLine(key: string): KeyLine<J> {
    const line = this.#keys.get(key) ?? { slots: new Line(), holders: [] };
    this.#keys.set(key, line);
    return line;
  }

  /** Into the line of those who may start, when nothing stands before it. */
  #offer(slot: Slot<J>): void {
    const { job, keyLine } = slot;
    const first = keyLine === undefined || keyLine.slots.first === slot && keyLine.holders.length === 0;
    if (this.#mayEnter(slot)) {
      slot.nested = true;
      slot.turn = this.#entering.join(slot);
    } else if (!first) return;
    else if (job.alone) slot.turn = this.#suspects.join(slot);
    else if (job.high) slot.turn = this.#high.join(slot);
    else {
      slot.turn = this.#normal.join(slot);
      slot.age = this.#byAge.join(slot);
    }
    slot.state = "ready";
  }

  #offerFirst({ slots, holders }: KeyLine<J>): void {
    const { first } = slots;
    if (first?.state === "behind" && holders.length === 0) this.#offer(first);
  }

  /** Its key is free or held by its own chain, and somebody of that chain waits for it. */
  #mayEnter({ job, keyLine }: Slot<J>): boolean {
    if (this.#awaiting.size === 0) return false;
    for (const chain of job.chains) {
      const waiting = this.#awaiting.get(chain);
      if (waiting === undefined) continue;
      if (keyLine === undefined || keyLine.slots.size === 1) return true;
      for (const holder of keyLine.holders) if (waiting.has(holder)) return true;
    }
    return false;
  }

  #pick(nowMs: number): Slot<J> | undefined {
    if (this.#alone !== undefined || this.#running >= this.#limits.runningMax) return undefined;
    const suspect = this.#suspects.first;
    const patient = suspect === undefined
      || nowMs - suspect.job.sinceMs < this.#limits.suspectPatienceMs && this.#high.size + this.#normal.size > 0;
    if (!patient) return this.#running === 0 ? this.#suspects.shift() : undefined;
    this.#promote(nowMs);
    const normalFirst = (this.#picks + 1) % this.#limits.normalEvery === 0;
    const slot = normalFirst ? this.#normal.shift() ?? this.#high.shift() : this.#high.shift() ?? this.#normal.shift();
    if (slot !== undefined) this.#picks += 1;
    return slot;
  }

  /** Those that have waited long. */
  #promote(nowMs: number): void {
    for (;;) {
      const oldest = this.#byAge.first;
      if (oldest === undefined || nowMs - oldest.job.sinceMs < this.#limits.agedMs) return;
      this.#withdraw(oldest);
      oldest.turn = this.#high.join(oldest);
    }
  }

  #start(slot: Slot<J>): void {
    this.#withdraw(slot);
    slot.state = "running";
    slot.keyLine?.holders.push(slot);
    if (slot.nested) return;
    this.#running += 1;
    if (slot.job.alone) this.#alone = slot;
  }

  #stop(slot: Slot<J>): void {
    if (!slot.nested) this.#running -= 1;
    slot.nested = false;
    if (this.#alone === slot) this.#alone = undefined;
    slot.keyLine?.holders.splice(slot.keyLine.holders.indexOf(slot), 1);
    if (slot.awaiting > 0) this.#waitsNoMore(slot);
    slot.awaiting = 0;
  }

  #waitsNoMore(slot: Slot<J>): void {
    for (const chain of slot.job.awaited) {
      const waiting = this.#awaiting.get(chain);
      waiting?.delete(slot);
      if (waiting?.size === 0) this.#awaiting.delete(chain);
    }
  }

  /** Out of the lines of those who may start. */
  #withdraw(slot: Slot<J>): void {
    if (slot.turn === undefined) return;
    this.#high.leave(slot);
    this.#normal.leave(slot);
    leave(slot.turn);
    leave(slot.age);
    slot.turn = slot.age = undefined;
  }
}

function newSlot<J>(job: J, state: SlotState, keyLine: KeyLine<J> | undefined): Slot<J> {
  return { job, state, keyLine, keyPlace: undefined, turn: undefined, age: undefined, nested: false, awaiting: 0 };
}

/** Senders in turn, each with its own in order. */
class Turns<J extends Job> {
  readonly #senders = new PassingMap<string, Line<Slot<J>>>();
  size = 0;

  join(slot: Slot<J>): Place<Slot<J>> {
    const { sender } = slot.job;
    const line = this.#senders.get(sender) ?? new Line<Slot<J>>();
    this.#senders.set(sender, line);
    this.size += 1;
    return line.join(slot);
  }

  shift(): Slot<J> | undefined {
    const [entry] = this.#senders;
    if (entry === undefined) return undefined;
    const [sender, line] = entry;
    const slot = line.shift();
    this.size -= 1;
    // A map keeps the order in which keys were added: whoever has had a turn goes to the end.
    if (line.size > 0 && this.#senders.size === 1) return slot;
    this.#senders.delete(sender);
    if (line.size > 0) this.#senders.set(sender, line);
    return slot;
  }

  /** When it stands here. */
  leave(slot: Slot<J>): void {
    const line = this.#senders.get(slot.job.sender);
    if (line === undefined || slot.turn?.line !== line) return;
    leave(slot.turn);
    this.size -= 1;
    if (line.size === 0) this.#senders.delete(slot.job.sender);
  }
}
