/** Where one stream is, and what it is to hear, by the rules that count. */
import type { Clock } from "@atoll-run/core";
import { stranger, type Principal } from "./access.ts";
import type { Broadcast } from "./broadcast.ts";
import type { Hearing } from "./hearing.ts";
import type { Rights } from "./rights.ts";
import type { Seat } from "./seat.ts";

export interface ReadingParts {
  readonly clock: Clock;
  readonly rights: Pick<Rights, "version">;
}

export interface ReadingAsk {
  readonly who: Principal;
  /** As the rules are when it is asked. Throws `mob.denied` for who may hear nothing. */
  readonly hearing: () => Hearing;
  /** The reader has gone, or the server ends. */
  readonly signal: AbortSignal;
  /** `seq` of the last entry that he has. */
  readonly at: number;
  /** He has no rows yet. */
  readonly anew: boolean;
}

/** Of members, remembered while he catches up. */
const ROWS_MAX = 256;

export class Reading implements Disposable {
  readonly signal: AbortSignal;
  readonly #parts: ReadingParts;
  readonly #broadcast: Broadcast;
  readonly #ask: ReadingAsk;
  /** Member → `seq` of the entry that the row he was told is as of. */
  readonly #rows = new Map<string, number>();
  #version: number;
  #covered: number;
  hearing: Hearing;
  seat: Seat;
  /** It has not been told of texts that have begun before. */
  joins = true;
  /** It is to be told all rows before anything else. */
  anew: boolean;

  /** Throws `mob.denied`. */
  constructor(parts: ReadingParts, broadcast: Broadcast, ask: ReadingAsk) {
    [this.#parts, this.#broadcast, this.#ask, this.signal, this.#covered] = [parts, broadcast, ask, ask.signal, ask.at];
    this.#version = parts.rights.version;
    this.hearing = ask.hearing();
    this.anew = ask.anew && this.hearing.rows !== undefined;
    this.seat = broadcast.join(this.hearing, ask.at);
  }

  get at(): number {
    return this.seat.at;
  }

  /** False: other rules count by now, or he is a stranger again. */
  get holds(): boolean {
    return this.#version === this.#parts.rights.version && !this.over;
  }

  /** His time is over. */
  get over(): boolean {
    return this.#parts.clock.now() >= (this.#ask.who.until_ms ?? Infinity);
  }

  /** All rows that he has are as of that entry, or later. */
  get covered(): number {
    return this.#covered;
  }

  /** From here on by the rules that count. Throws `mob.denied`, `mob.unauthenticated`. */
  renew(): void {
    if (this.holds) return;
    if (this.over) throw stranger("expired");
    this.#version = this.#parts.rights.version;
    const { seat: { at, missed } } = this;
    this.joins = true;
    this.seat[Symbol.dispose]();
    this.hearing = this.#ask.hearing();
    this.anew = this.hearing.rows !== undefined;
    this.seat = this.#broadcast.join(this.hearing, at);
    this.seat.missed = missed;
  }

  /** He is about to be told all rows, each as of that entry or later. */
  begin(covered: number): void {
    this.anew = false;
    this.#covered = covered;
    this.#rows.clear();
  }

  /** Whether he has to be told the row that was touched by the entry `seq`; `now`: of which entry it would be. */
  wants(member: string, { seq, now }: { readonly seq: number; readonly now: number }): boolean {
    if (seq <= this.#covered || seq <= (this.#rows.get(member) ?? 0)) return false;
    // What is forgotten is told twice.
    if (this.#rows.size >= ROWS_MAX) this.#rows.clear();
    this.#rows.set(member, now);
    return true;
  }

  [Symbol.dispose](): void {
    this.seat[Symbol.dispose]();
  }
}
