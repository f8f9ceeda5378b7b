/**
 * Where printed bytes go. takes the sinks of a host; promises that a sink which throws hurts nobody and that
 * what it has not written yet is waited for at the end; refuses nothing; never holds bytes itself.
 */
import type { OutputSource, Sink } from "../config.ts";

type Stream = "stdout" | "stderr";
type Write = (bytes: Uint8Array, from: OutputSource) => void | Promise<void>;

export class Sinks {
  readonly stdout: Write;
  readonly stderr: Write;
  readonly #open = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  /** `inherit` writes to the program's own streams. */
  constructor(given: { stdout: Sink | undefined; stderr: Sink | undefined }, inherit: (stream: Stream, bytes: Uint8Array) => void | Promise<void>) {
    const toWrite = (stream: Stream): Write => {
      const sink = given[stream];
      if (sink === undefined || sink === "inherit") return this.#guarded((bytes) => inherit(stream, bytes));
      return sink === "ignore" ? () => undefined : this.#guarded(sink);
    };
    this.stdout = toWrite("stdout");
    this.stderr = toWrite("stderr");
  }

  #guarded(write: Write): Write {
    return (bytes, from) => {
      let written: void | Promise<void>;
      try {
        written = write(bytes, from);
      } catch (error) {
        this.#failure ??= { error };
        return undefined;
      }
      if (!(written instanceof Promise)) return undefined;
      const done = written.catch((error: unknown) => {
        this.#failure ??= { error };
      }).finally(() => this.#open.delete(done));
      this.#open.add(done);
      return done;
    };
  }

  /** Settles when everything is written; rejects with the first failure of a sink. */
  async flush(): Promise<void> {
    await Promise.all(this.#open);
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
