/**
 * What signals mean to `atoll run` (spec: block 3). The first is a graceful stop while the script serves,
 * else a cancel; the second ends the program at once, its children with it.
 */
import type { StartedBlock } from "../../src/compose/run-block.ts";
import { EXIT } from "../exit.ts";
import { hearSignals, type SignalFact } from "../signals.ts";

export class RunSignals implements Disposable {
  readonly #killNow: () => void;
  readonly #hearing: Disposable;
  #block: StartedBlock | undefined;
  /** Number of the first signal: when the run ends cancelled, by that one, at once or after its grace. */
  first: number | undefined;
  /** Number of the signal that cancelled the run at once, when one did. */
  cancelledBy: number | undefined;

  constructor(killNow: () => void) {
    this.#killNow = killNow;
    this.#hearing = hearSignals((fact) => this.#hear(fact));
  }

  /** The block that signals are meant for; one that comes earlier ends the program. */
  guide(block: StartedBlock): void {
    this.#block = block;
  }

  #hear({ count, number, name }: SignalFact): void {
    if (count > 1 || this.#block === undefined) {
      this.#killNow();
      process.exit(EXIT.signal + number);
    }
    this.first = number;
    if (this.#block.serving) {
      this.#block.stop(name).catch(() => undefined);
      return;
    }
    this.cancelledBy = number;
    this.#block.cancel(name);
  }

  [Symbol.dispose](): void {
    this.#hearing[Symbol.dispose]();
  }
}
