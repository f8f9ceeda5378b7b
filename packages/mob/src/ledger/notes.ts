/**
 * Entries that nobody waits for, one line for each writer (spec: mob 5.10).
 *
 * takes ops; gives room; promises their order, and that none is dropped while its writer may write; refuses nothing:
 * a source waits while 256 of its entries are not committed; never keeps a writer that has nothing to write.
 */
import { isFault, type Clock, type Commit, type Log, type StateOp } from "@atoll-run/core";
import type { Writer } from "./ledger.ts";

export interface NotesParts {
  readonly clock: Clock;
  readonly log: Log;
  commit(by: Writer, ops: readonly StateOp[]): Promise<Commit>;
}

const RETRY_MS = 50;
const RETRY_MS_MAX = 5_000;

interface Line {
  readonly by: Writer;
  waiting: StateOp[];
  flying: number;
  /** Sources that wait for room. */
  readonly room: (() => void)[];
}

export class Notes {
  readonly #parts: NotesParts;
  readonly #uncommittedMax: number;
  readonly #lines = new Map<string, Line>();
  readonly #idle: (() => void)[] = [];
  #closed = false;

  constructor(parts: NotesParts, uncommittedMax: number) {
    this.#parts = parts;
    this.#uncommittedMax = uncommittedMax;
  }

  /** Resolves when its source may write the next one. */
  add(by: Writer, op: StateOp): Promise<void> {
    const name = `${by.scope} ${by.epoch}`;
    let line = this.#lines.get(name);
    if (line === undefined) {
      line = { by, waiting: [], flying: 0, room: [] };
      this.#lines.set(name, line);
      line.waiting.push(op);
      void this.#drain(name, line);
    } else line.waiting.push(op);
    if (line.waiting.length + line.flying < this.#uncommittedMax) return Promise.resolve();
    return new Promise((resolve) => line.room.push(resolve));
  }

  /** Resolves when nothing waits. */
  flush(): Promise<void> {
    if (this.#lines.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** What cannot be written now is given up. */
  close(): void {
    this.#closed = true;
  }

  async #drain(name: string, line: Line): Promise<void> {
    // After the turn: what one turn says is one commit.
    await new Promise((resolve) => void setImmediate(resolve));
    let pauseMs = RETRY_MS;
    while (line.waiting.length > 0) {
      const ops = line.waiting.splice(0, this.#uncommittedMax);
      line.flying = ops.length;
      const again = await this.#write(line.by, ops);
      line.flying = 0;
      if (again && !this.#closed) {
        line.waiting.unshift(...ops);
        await new Promise<void>((resolve) => void this.#parts.clock.after(pauseMs, resolve));
        pauseMs = Math.min(RETRY_MS_MAX, pauseMs * 2);
        continue;
      }
      pauseMs = RETRY_MS;
      for (const resolve of line.room.splice(0)) resolve();
    }
    this.#lines.delete(name);
    if (this.#lines.size > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** True: to be tried again. */
  async #write(by: Writer, ops: readonly StateOp[]): Promise<boolean> {
    try {
      const commit = await this.#parts.commit(by, ops);
      if (!commit.ok) this.#lost(by, ops.length, commit.refusal.why);
      return false;
    } catch (error) {
      // `uncertain`: doing it twice would put entries there twice.
      if (isFault(error) && error.retry === "later" && error.uncertain !== true) return true;
      this.#lost(by, ops.length, isFault(error) ? error.code : String(error));
      return false;
    }
  }

  #lost({ scope, epoch }: Writer, entries: number, reason: string): void {
    this.#parts.log.write({
      level: "warn", target: "ledger", msg: "entries could not be written", fields: { scope, fence: epoch, entries, reason },
    });
  }
}
