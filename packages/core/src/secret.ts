/** A value that must not be shown: every way of printing it gives `***`. `reveal` is the only way in. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for the one place that sends it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "***";
  }

  toJSON(): string {
    return "***";
  }

  [Symbol.toPrimitive](): string {
    return "***";
  }

  /** What console.log and util.inspect of Node show. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "***";
  }
}
