/**
 * One in each turn of the event loop. Signatures are checked in this thread: where the messages of many handshakes are there
 * at once, those of the peers that are connected come in between.
 */
export class OnePerTurn {
  #taken = false;
  readonly #waiting: (() => void)[] = [];

  /** Resolves when it is its turn; undefined when nobody else has this one: then there is nothing to wait for. */
  take(): Promise<void> | undefined {
    if (!this.#taken) {
      this.#taken = true;
      setImmediate(this.#over);
      return undefined;
    }
    return new Promise((go) => this.#waiting.push(go));
  }

  readonly #over = (): void => {
    const next = this.#waiting.shift();
    this.#taken = next !== undefined;
    if (next === undefined) return;
    setImmediate(this.#over);
    next();
  };
}
