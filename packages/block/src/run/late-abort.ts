/** An AbortController that makes its signal when it is asked for: most calls end before anybody listens. */
export class LateAbort {
  #made: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;

  get signal(): AbortSignal {
    this.#made ??= new AbortController();
    if (this.#aborted !== undefined) this.#made.abort(this.#aborted.reason);
    return this.#made.signal;
  }

  /** The first reason stays. */
  abort(reason: unknown): void {
    this.#aborted ??= { reason };
    this.#made?.abort(reason);
  }
}
