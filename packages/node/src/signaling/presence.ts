/** Who of a type comes and goes (spec: node 5.16). Legacy realms tell no end: there it is looked for. */
import { nodeError, onAbort, parseType, type ActorType, type Clock } from "@atoll-run/core";
import type { LimitsOf } from "../limits.ts";
import type { Ask, Told } from "./questions.ts";

export interface PresenceEvent {
  readonly is: "up" | "down";
  /** Text of the node id. */
  readonly id: string;
}

export interface PresenceParts {
  readonly clock: Clock;
  ask(payload: Ask): Promise<Told>;
  /** Ids of those that are there now. */
  list(type: string): Promise<readonly string[]>;
}

interface Followed {
  readonly type: ActorType;
  readonly watches: Set<Watch>;
  /** Texts of ids that are up. */
  up: Set<string>;
  timer: Disposable | undefined;
  looking: Promise<void> | undefined;
  lookAgain: boolean;
}

type Result = IteratorResult<PresenceEvent, undefined>;

export class Presence {
  readonly #parts: PresenceParts;
  readonly #limits: LimitsOf<"discovery">;
  readonly #types = new Map<string, Followed>();
  readonly #leaving = new Set<Promise<unknown>>();
  #watches = 0;
  #closed = false;

  constructor(parts: PresenceParts, limits: LimitsOf<"discovery">) {
    this.#parts = parts;
    this.#limits = limits;
  }

  get watches(): number {
    return this.#watches;
  }

  watch(text: string, signal: AbortSignal | undefined): Watch {
    const type = parseType(text);
    if (type === undefined || this.#closed) throw nodeError("node.wrong_state", "nothing can be watched now");
    if (this.#watches >= this.#limits.watchesMax) throw nodeError("node.overloaded", "too many watches");
    const known = this.#types.get(text);
    const followed = known ?? { type, watches: new Set(), up: new Set(), timer: undefined, looking: undefined, lookAgain: false };
    this.#types.set(text, followed);
    const watch: Watch = new Watch(this.#limits.presenceMax, () => {
      listening[Symbol.dispose]();
      this.#leave(text, followed, watch);
    });
    this.#watches++;
    followed.watches.add(watch);
    for (const id of followed.up) watch.push({ is: "up", id });
    const listening = onAbort(signal, () => queueMicrotask(() => watch.end()));
    if (known === undefined) this.#look(text, followed);
    return watch;
  }

  /** Signaling is there (again): what the realm knew of our wishes is gone, and so may be nodes. */
  connected(): void {
    for (const [text, followed] of this.#types) this.#look(text, followed);
  }

  /** A node of that type did not answer. */
  doubt(text: string): void {
    const followed = this.#types.get(text);
    if (followed !== undefined) this.#look(text, followed);
  }

  heard(text: string, id: string, is: PresenceEvent["is"]): void {
    const followed = this.#types.get(text);
    if (followed === undefined) return;
    if (is === "up") followed.up.add(id);
    else if (!followed.up.delete(id)) return;
    for (const watch of followed.watches) watch.push({ is, id });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const followed = [...this.#types.values()];
    for (const { watches } of followed) for (const watch of watches) watch.end();
    await Promise.all([...this.#leaving, ...followed.map(({ looking }) => looking)]);
  }

  /** Asks for the events of the type and compares who is there; again after a while. One at a time. */
  #look(text: string, followed: Followed): void {
    if (this.#closed) return;
    followed.lookAgain = followed.looking !== undefined;
    if (followed.looking !== undefined) return;
    followed.timer?.[Symbol.dispose]();
    followed.looking = this.#compare(text, followed).finally(() => {
      followed.looking = undefined;
      if (this.#closed || followed.watches.size === 0) return;
      if (followed.lookAgain) this.#look(text, followed);
      else followed.timer = this.#parts.clock.after(this.#limits.refreshMs, () => this.#look(text, followed));
    });
  }

  /** Never throws: while the realm is away, what was up counts as up. */
  async #compare(text: string, followed: Followed): Promise<void> {
    try {
      await this.#parts.ask({ case: "subscribeActrUpRequest", value: { targetType: followed.type } });
      const now = new Set(await this.#parts.list(text));
      for (const id of followed.up) if (!now.has(id)) this.heard(text, id, "down");
      for (const id of now) if (!followed.up.has(id)) this.heard(text, id, "up");
    } catch {
      // The next look asks again.
    }
  }

  #leave(text: string, followed: Followed, watch: Watch): void {
    if (!followed.watches.delete(watch)) return;
    this.#watches--;
    if (followed.watches.size > 0) return;
    followed.timer?.[Symbol.dispose]();
    this.#types.delete(text);
    if (this.#closed) return;
    const value = { targetType: followed.type };
    const leaving = this.#parts.ask({ case: "unsubscribeActrUpRequest", value }).catch(() => undefined)
      .finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }
}

/** One reader. What waits for it is the newest of each node. */
export class Watch implements AsyncIterableIterator<PresenceEvent, undefined>, AsyncDisposable {
  readonly #waiting = new Map<string, PresenceEvent>();
  readonly #max: number;
  readonly #onEnd: () => void;
  #asking: ((result: Result) => void) | undefined;
  #ended = false;

  constructor(max: number, onEnd: () => void) {
    this.#max = max;
    this.#onEnd = onEnd;
  }

  push(event: PresenceEvent): void {
    if (this.#ended) return;
    if (this.#asking !== undefined) {
      this.#answer({ done: false, value: event });
      return;
    }
    this.#waiting.delete(event.id);
    this.#waiting.set(event.id, event);
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size > this.#max && oldest !== undefined) this.#waiting.delete(oldest);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#answer({ done: true, value: undefined });
    this.#onEnd();
  }

  next(): Promise<Result> {
    for (const [id, event] of this.#waiting) {
      this.#waiting.delete(id);
      return Promise.resolve({ done: false, value: event });
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => (this.#asking = resolve));
  }

  return(): Promise<Result> {
    this.#waiting.clear();
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #answer(result: Result): void {
    const ask = this.#asking;
    this.#asking = undefined;
    ask?.(result);
  }
}
