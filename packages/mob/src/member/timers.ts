/** The few things a member waits for, one of each at a time; memory only for those that are set. */
import type { Clock } from "@atoll-run/core";

/** `again`: the next try of a start or of a move. `mend`: a repair by itself. `renew`: the end of the wait for turns that run. */
export type TimerName = "again" | "idle" | "drain" | "mend" | "renew";

export class Timers {
  readonly #clock: Clock;
  readonly #set: { [name in TimerName]?: Disposable | undefined } = {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  has(name: TimerName): boolean {
    return this.#set[name] !== undefined;
  }

  get none(): boolean {
    return Object.values(this.#set).every((timer) => timer === undefined);
  }

  /** In place of the one of that name. */
  start(name: TimerName, ms: number, then: () => void): void {
    this.stop(name);
    this.#set[name] = this.#clock.after(ms, () => {
      this.#set[name] = undefined;
      then();
    });
  }

  stop(...names: readonly TimerName[]): void {
    for (const name of names) {
      this.#set[name]?.[Symbol.dispose]();
      this.#set[name] = undefined;
    }
  }

  stopAll(): void {
    this.stop(...Object.keys(this.#set) as TimerName[]);
  }
}
