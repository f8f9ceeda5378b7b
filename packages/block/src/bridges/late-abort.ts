/** An AbortController that makes its signal when it is asked for: most calls end before anybody listens. */
import type { Stop } from "./op.ts";

export class LateAbort implements Stop {
  #made: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #hearing: Set<Hearing> | undefined;

  get signal(): AbortSignal {
    this.#made ??= new AbortController();
    if (this.#aborted !== undefined) this.#made.abort(this.#aborted.reason);
    return this.#made.signal;
  }

  get aborted(): boolean {
    return this.#aborted !== undefined;
  }

  get reason(): unknown {
    return this.#aborted?.reason;
  }

  hear(hear: (reason: unknown) => void): Disposable {
    this.#hearing ??= new Set();
    const hearing = new Hearing(this.#hearing, hear);
    if (this.#aborted === undefined) this.#hearing.add(hearing);
    else hear(this.#aborted.reason);
    return hearing;
  }

  /** The first reason stays. */
  abort(reason: unknown): void {
    const first = this.#aborted === undefined;
    this.#aborted ??= { reason };
    this.#made?.abort(reason);
    if (!first || this.#hearing === undefined) return;
    const all = [...this.#hearing];
    this.#hearing.clear();
    for (const { hear } of all) hear(reason);
  }
}

class Hearing implements Disposable {
  readonly #of: Set<Hearing>;
  readonly hear: (reason: unknown) => void;

  constructor(of: Set<Hearing>, hear: (reason: unknown) => void) {
    this.#of = of;
    this.hear = hear;
  }

  [Symbol.dispose](): void {
    this.#of.delete(this);
  }
}
