/**
 * Entries that nobody waits for, one line for each writer (spec: mob 5.10).
 *
 * takes ops; gives room; promises their order, and that each is written once while its writer may write: what a commit left in
 * doubt is looked for before it is written again; refuses nothing: a source waits while 256 of its entries are not committed; never
 * keeps a writer that has nothing to write, nor forgets an entry without telling the log and whoever waits for all of them.
 */
import { isFault, type Clock, type Commit, type Log, type StateOp } from "@atoll-run/core";
import { mobError, toFailure, type MobError } from "../errors.ts";
import type { Writer } from "./ledger.ts";

export type Append = StateOp & { readonly op: "append" };

export interface NotesParts {
  readonly clock: Clock;
  readonly log: Log;
  /** `seq` of the last entry that is known. */
  head(): number;
  commit(by: Writer, ops: readonly StateOp[]): Promise<Commit>;
  /** Whether it was written, above that `seq`. Throws as reads do. */
  isThere(op: Append, above: number): Promise<boolean>;
}

const RETRY_MS = 50;
const RETRY_MS_MAX = 5_000;

interface Line {
  readonly by: Writer;
  waiting: Append[];
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
  /** What flush has to tell. */
  #unwritten: MobError | undefined;

  constructor(parts: NotesParts, uncommittedMax: number) {
    this.#parts = parts;
    this.#uncommittedMax = uncommittedMax;
  }

  /** Resolves when its source may write the next one. */
  add(by: Writer, op: Append): Promise<void> {
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

  /**
   * Resolves when nothing waits. Throws `mob.storage_degraded` when something was noted since it was called before that could not
   * be written, unless its writer may write no more.
   */
  async flush(): Promise<void> {
    if (this.#lines.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    const unwritten = this.#unwritten;
    this.#unwritten = undefined;
    if (unwritten !== undefined) throw unwritten;
  }

  /** What cannot be written now is given up. */
  close(): void {
    this.#closed = true;
  }

  async #drain(name: string, line: Line): Promise<void> {
    // After the turn: what one turn says is one commit.
    await new Promise((resolve) => void setImmediate(resolve));
    while (line.waiting.length > 0) {
      const ops = line.waiting.splice(0, this.#uncommittedMax);
      line.flying = ops.length;
      await this.#write(line.by, ops);
      line.flying = 0;
      for (const resolve of line.room.splice(0)) resolve();
    }
    this.#lines.delete(name);
    if (this.#lines.size > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Until they are written; a batch is there whole or not at all. */
  async #write(by: Writer, ops: readonly Append[]): Promise<void> {
    const { head, isThere, commit, clock } = this.#parts;
    /** Above that they may be there already. */
    let doubt: number | undefined;
    for (let pauseMs = RETRY_MS; ; pauseMs = Math.min(RETRY_MS_MAX, pauseMs * 2)) {
      const above = head();
      try {
        if (doubt !== undefined && await isThere(ops[0] as Append, doubt)) return;
        const done = await commit(by, ops);
        if (!done.ok) this.#tell(by, ops.length, done.refusal.why);
        return;
      } catch (error) {
        if (!isFault(error) || this.#closed) return this.#lost(by, ops.length, error);
        if (error.uncertain === true) doubt ??= above;
      }
      await new Promise<void>((resolve) => void clock.after(pauseMs, resolve));
    }
  }

  #lost(by: Writer, entries: number, error: unknown): void {
    const { code, text } = toFailure(error);
    this.#tell(by, entries, code);
    this.#unwritten ??= mobError("mob.storage_degraded", `entries could not be written: ${text}`, {
      facts: { cause: code, scope: by.scope, entries }, cause: error, hint: "Look at the disk, then start again.",
    });
  }

  #tell({ scope, epoch }: Writer, entries: number, reason: string): void {
    this.#parts.log.write({
      level: "warn", target: "ledger", msg: "entries could not be written", fields: { scope, fence: epoch, entries, reason },
    });
  }
}
