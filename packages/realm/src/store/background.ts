/** Work that nobody waits for has an owner here: it is counted, its failure is told, and closing waits for it. */
import type { Log } from "@atoll-run/core";

export class Background {
  readonly #log: Log;
  readonly #running = new Set<Promise<void>>();
  readonly #max: number;
  dropped = 0;

  constructor(log: Log, max = 1_024) {
    this.#log = log;
    this.#max = max;
  }

  /** Starts it, or drops it when too much is under way: only for work that comes again. */
  run(what: string, work: () => Promise<void>): void {
    if (this.#running.size >= this.#max) {
      this.dropped++;
      return;
    }
    const done = work().catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.write({ level: "warn", target: "realm", msg: `${what} failed`, fields: { reason } });
    }).finally(() => this.#running.delete(done));
    this.#running.add(done);
  }

  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
