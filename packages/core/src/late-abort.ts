/**
 * Being told to stop, for work that is short and many: an AbortSignal and its listener cost more than the rest of a
 * message or a call, and most are done before anybody tells them to stop.
 */

/** What an AbortSignal tells, without one. */
export interface Stop {
  readonly aborted: boolean;
  /** Why; of the first who said so. */
  readonly reason: unknown;
  /** Calls once, at once when it has happened; must not throw. Dispose = never. */
  hear(hear: (reason: unknown) => void): Disposable;
}

/** An AbortController that makes its signal when it is asked for. */
export class LateAbort implements Stop {
  #aborted = false;
  #reason: unknown;
  #made: AbortController | undefined;
  /** One, as a rule. Whoever has disposed of it stays until the next one comes. */
  #hearing: Hearing | Hearing[] | undefined;

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  /** The same signal each time; aborted when this is. */
  get signal(): AbortSignal {
    if (this.#made === undefined) {
      this.#made = new AbortController();
      if (this.#aborted) this.#made.abort(this.#reason);
    }
    return this.#made.signal;
  }

  hear(hear: (reason: unknown) => void): Disposable {
    const hearing = new Hearing(hear);
    if (this.#aborted) hearing.tell(this.#reason);
    else if (this.#hearing === undefined) this.#hearing = hearing;
    else {
      const live = [this.#hearing].flat().filter((each) => each.hear !== undefined);
      this.#hearing = live.length === 0 ? hearing : [...live, hearing];
    }
    return hearing;
  }

  /** The first reason stays. */
  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    const hearing = this.#hearing;
    this.#hearing = undefined;
    if (hearing instanceof Hearing) hearing.tell(reason);
    else for (const each of hearing ?? []) each.tell(reason);
    this.#made?.abort(reason);
  }
}

class Hearing implements Disposable {
  hear: ((reason: unknown) => void) | undefined;

  constructor(hear: (reason: unknown) => void) {
    this.hear = hear;
  }

  tell(reason: unknown): void {
    const { hear } = this;
    this.hear = undefined;
    hear?.(reason);
  }

  [Symbol.dispose](): void {
    this.hear = undefined;
  }
}
