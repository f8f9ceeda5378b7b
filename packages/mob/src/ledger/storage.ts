/**
 * A store that takes nothing for a while (spec: mob 12): its disk is full, or fails.
 *
 * takes a store; gives the same one; promises that from the first such fault on all that is to be written is refused at once, that it
 * is tried again every 5 s, and that it ends by itself, with an entry of how it began and one of how it ended; refuses what comes meanwhile; never tries
 * again what it refused: whoever wrote it knows whether it still counts.
 */
import { isFault, type Clock, type Fault, type Log, type StateStore } from "@atoll-run/core";
import { mobError, type MobError } from "../errors.ts";
import type { NewEntry } from "./entry.ts";
import { withCommit } from "./watched-store.ts";

export interface Degraded {
  readonly since_at_ms: number;
  /** Code of the fault it began with: `state.full`, `state.broken`. */
  readonly cause: string;
  /** A sentence for a person, without the path of the file. */
  readonly text: string;
  /** Batches that were not written since. */
  readonly refused: number;
}

export interface StorageParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly probeMs: number;
}

/** What is told whoever wants to write meanwhile. */
export function storageDegraded({ cause, since_at_ms }: Degraded, error?: unknown): MobError {
  return mobError("mob.storage_degraded", "the store takes nothing at present", {
    facts: { cause, since_at_ms }, hint: "Look at the disk; what was accepted is kept, and goes on by itself.", ...error === undefined ? {} : { cause: error },
  });
}

/** Writes them, or throws. */
export type Attempt = (entries: readonly NewEntry[]) => Promise<unknown>;

/** Of the disk, and not of whoever asks. */
const OF_THE_DISK: ReadonlySet<string> = new Set(["state.full", "state.broken"]);

/** Whether it failed for that in the end. What is damaged is no such thing. */
export function isOfTheDisk(error: unknown): boolean {
  return isFault(error) && (OF_THE_DISK.has(error.code) || isOfTheDisk(error.cause));
}

export class Storage implements Disposable {
  readonly #parts: StorageParts;
  #attempt: Attempt | undefined;
  #fault: Fault | undefined;
  #sinceMs = 0;
  #refused = 0;
  #timer: Disposable | undefined;
  /** What is written in this moment is the attempt. */
  #trying = false;
  #told: (() => void) | undefined;

  constructor(parts: StorageParts) {
    this.#parts = parts;
  }

  get degraded(): Degraded | undefined {
    return this.#fault === undefined ? undefined : { since_at_ms: this.#sinceMs, cause: this.#fault.code, text: textOf(this.#fault), refused: this.#refused };
  }

  guard(store: StateStore): StateStore {
    return withCommit(store, (batch, call) => {
      if (this.#fault !== undefined && !this.#trying) {
        this.#refused += 1;
        return Promise.reject(this.#fault);
      }
      const committing = store.commit(batch, call);
      committing.catch((error: unknown) => this.#failed(error));
      return committing;
    });
  }

  /** From now on it is tried. `told`: it has begun; must not throw. */
  tend(attempt: Attempt, told: () => void): Disposable {
    this.#attempt = attempt;
    this.#told = told;
    return this;
  }

  [Symbol.dispose](): void {
    this.#attempt = undefined;
    this.#fault = undefined;
    this.#timer?.[Symbol.dispose]();
  }

  #failed(error: unknown): void {
    if (this.#attempt === undefined || !isFault(error) || !OF_THE_DISK.has(error.code)) return;
    this.#refused += 1;
    if (this.#fault !== undefined) return;
    const { clock, log } = this.#parts;
    this.#fault = error;
    this.#sinceMs = clock.now();
    this.#refused = 1;
    log.write({ level: "error", target: "ledger", msg: `nothing can be written: ${error.message}`, fields: { code: error.code, hint: error.hint ?? "" } });
    this.#again();
    this.#told?.();
  }

  #again(): void {
    const { clock, probeMs } = this.#parts;
    this.#timer = clock.after(probeMs, () => void this.#try());
  }

  async #try(): Promise<void> {
    const { degraded } = this;
    if (degraded === undefined || this.#attempt === undefined) return;
    const { since_at_ms, cause, refused } = degraded;
    const took_ms = Math.max(0, this.#parts.clock.now() - since_at_ms);
    try {
      await this.#through([
        { kind: "storage_degraded", source: "mob", data: { since_at_ms, cause } },
        { kind: "storage_recovered", source: "mob", data: { since_at_ms, took_ms, refused } },
      ]);
    } catch (error) {
      // Of another kind: the disk has written, or said no for a reason of its own.
      if (isFault(error) && error.code === "mob.storage_degraded") return this.#again();
    }
    this.#fault = undefined;
    this.#parts.log.write({ level: "info", target: "ledger", msg: "the store takes what is written again", fields: { took_ms, refused } });
  }

  /** `commit` is called before the first wait of an attempt. */
  #through(entries: readonly NewEntry[]): Promise<unknown> {
    this.#trying = true;
    try {
      return this.#attempt?.(entries) ?? Promise.resolve();
    } finally {
      this.#trying = false;
    }
  }
}

function textOf({ code, facts }: Fault): string {
  if (code === "state.full") return "its disk is full; it is tried again every few seconds";
  const { reason = "its disk fails" } = facts as { readonly reason?: string };
  return `${reason}; its file is opened anew every few seconds. If that does not help, stop the mob, look at the disk, and ask atoll mob verify what can be read`;
}
