/**
 * How a lasting command ends (STYLE B.2): the first signal begins an orderly end, the second leaves each step a second,
 * the third ends the process. It hears from the first moment on: a signal while it starts is not lost.
 */
import { nodeError } from "@atoll-run/core";
import { EXIT } from "../exit.ts";
import { hearSignals } from "../signals.ts";

export interface EndOptions {
  /** 1 at the first signal, 2 at the second. */
  readonly count: number;
}

export class Ending implements Disposable {
  readonly #starting = new AbortController();
  readonly #over = Promise.withResolvers<unknown>();
  readonly #hearing: Disposable;
  #end: ((o: EndOptions) => Promise<unknown>) | undefined;
  #count = 0;
  #number = 0;

  constructor() {
    this.#hearing = hearSignals(({ count, number }) => {
      if (count > 2) process.exit(EXIT.signal + number);
      this.#count = count;
      this.#number = number;
      if (this.#end === undefined) this.#starting.abort(nodeError("node.cancelled", "a signal has ended the start"));
      else this.#run();
    });
  }

  /** Aborts when a signal comes before it is up. */
  get starting(): AbortSignal {
    return this.#starting.signal;
  }

  /** Of the last signal; 0: none came. */
  get number(): number {
    return this.#number;
  }

  /** 0 after an orderly end, 128+n when it was hurried, or never came up. */
  get code(): number {
    const orderly = this.#count === 0 || this.#count === 1 && this.#end !== undefined;
    return orderly ? EXIT.ok : EXIT.signal + this.#number;
  }

  /** Resolves when it has ended, with the exit code. */
  async until(end: (o: EndOptions) => Promise<unknown>, ended: Promise<unknown> = new Promise(() => undefined)): Promise<number> {
    this.#end = end;
    if (this.#count > 0) this.#run();
    await Promise.race([this.#over.promise, ended]);
    return this.code;
  }

  [Symbol.dispose](): void {
    this.#hearing[Symbol.dispose]();
  }

  #run(): void {
    this.#end?.({ count: this.#count }).then(this.#over.resolve, this.#over.reject);
  }
}
