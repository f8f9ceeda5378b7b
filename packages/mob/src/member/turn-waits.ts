/** Who waits for the end of a turn (spec: mob 3.9). */
import { PassingMap, type Clock } from "@atoll-run/core";
import { mobError, type MobError } from "../errors.ts";
import type { Turn } from "./turn.ts";

const WAIT_MS_MAX = 2_147_483_647;

export class TurnWaits {
  readonly #clock: Clock;
  readonly #waiting = new PassingMap<string, Set<Pick<PromiseWithResolvers<Turn>, "resolve" | "reject">>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws `mob.deadline`, the reason of the signal, or what {@link giveUp} is told. */
  next(turnId: string, { signal, waitMs = WAIT_MS_MAX }: { readonly signal?: AbortSignal; readonly waitMs?: number }): Promise<Turn> {
    const { promise, resolve, reject } = Promise.withResolvers<Turn>();
    const waiter = { resolve, reject };
    const waiters = this.#waiting.get(turnId) ?? new Set();
    this.#waiting.set(turnId, waiters.add(waiter));
    const late = (): void => reject(mobError("mob.deadline", `${turnId} has not ended within ${waitMs} ms`, { facts: { turn_id: turnId } }));
    const timer = this.#clock.after(waitMs, late);
    const abort = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted === true) abort();
    return promise.finally(() => {
      waiters.delete(waiter);
      if (waiters.size === 0 && this.#waiting.get(turnId) === waiters) this.#waiting.delete(turnId);
      timer[Symbol.dispose]();
      signal?.removeEventListener("abort", abort);
    });
  }

  ended(turn: Turn): void {
    const waiters = this.#waiting.get(turn.turn_id);
    if (waiters === undefined) return;
    this.#waiting.delete(turn.turn_id);
    for (const { resolve } of waiters) resolve(turn);
  }

  /** What they wait for does not come in this process. */
  giveUp(why: MobError): void {
    for (const [, waiters] of [...this.#waiting]) for (const { reject } of waiters) reject(why);
  }
}
