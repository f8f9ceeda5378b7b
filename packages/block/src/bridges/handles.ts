/**
 * Open files and pipes of a block, known to its scripts by number. takes opened things; gives numbers;
 * promises that an isle sees only its own and that all are closed with their isle; refuses more than `limit`;
 * never uses a number twice.
 */
import { systemFacts } from "../errno.ts";
import { blockError } from "../errors.ts";
import type { OpCall } from "./op.ts";

/** What can be behind a number. `close` lets go of everything and never throws. */
export interface Opened {
  close(): Promise<void>;
}

type Isle = OpCall["isle"];

/** Kinds of handles; a number of another kind is no handle. */
export type HandleKind = "file" | "pipe";

interface Entry {
  readonly isle: Isle;
  readonly kind: HandleKind;
  readonly thing: Opened;
}

export class Handles {
  readonly #limit: number;
  readonly #entries = new Map<number, Entry>();
  #opening = 0;
  #last = 0;

  /** `limit`: open at once in one block, files and pipes together. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Opens something and keeps it. Throws `fs.limit` when too much is open, or what `make` throws. */
  async open(kind: HandleKind, name: string, call: OpCall, make: () => Promise<Opened>): Promise<number> {
    if (this.#entries.size + this.#opening >= this.#limit) {
      const { errno, strerror } = systemFacts("EMFILE");
      throw blockError("fs.limit", `${name}: ${strerror}`, {
        facts: { path: name, errno, strerror, limit: this.#limit },
        hint: "Close files that are no longer needed.",
      });
    }
    this.#opening++;
    const thing = await make().finally(() => this.#opening--);
    if (call.signal.aborted) {
      await thing.close();
      throw call.signal.reason;
    }
    const id = ++this.#last;
    this.#entries.set(id, { isle: call.isle, kind, thing });
    return id;
  }

  /** The thing behind a number. Throws `io.failed` for a closed or foreign one. */
  get(kind: HandleKind, id: unknown, call: Pick<OpCall, "isle">): Opened {
    const entry = typeof id === "number" ? this.#entries.get(id) : undefined;
    if (entry === undefined || entry.kind !== kind || entry.isle !== call.isle) {
      throw blockError("io.failed", "attempt to use a closed file", { facts: { ...systemFacts("EBADF") } });
    }
    return entry.thing;
  }

  /** Forgets a number; what is behind it is the caller's to close. */
  forget(id: number): void {
    this.#entries.delete(id);
  }

  /** Closes what an isle left open. */
  async closeIsle(isle: Isle): Promise<void> {
    await this.#closeIf((entry) => entry.isle === isle);
  }

  async closeAll(): Promise<void> {
    await this.#closeIf(() => true);
  }

  async #closeIf(fits: (entry: Entry) => boolean): Promise<void> {
    const closing: Promise<void>[] = [];
    for (const [id, entry] of this.#entries) {
      if (!fits(entry)) continue;
      this.#entries.delete(id);
      closing.push(entry.thing.close());
    }
    await Promise.all(closing);
  }
}
