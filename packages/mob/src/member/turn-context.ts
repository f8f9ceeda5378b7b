/**
 * What a member's own code gets for a turn: the powers of the message, and a record of its own that counts only when the
 * turn ends well (spec: mob 3.8).
 */
import {
  nodeError, type Ask, type CallReply, type Candidate, type DiscoverAsk, type DispatchContext, type OutStream, type StreamAsk,
  type TellAsk, type Told, type Write,
} from "@atoll-run/core";

export class TurnContext implements DispatchContext {
  readonly writes: Write[] = [];
  readonly signal: AbortSignal;
  readonly #outer: DispatchContext;
  readonly #now: () => number;
  readonly #cut = new AbortController();
  #deadlineAtMs = Infinity;
  #over = false;

  constructor(outer: DispatchContext, now: () => number) {
    this.#outer = outer;
    this.#now = now;
    this.signal = AbortSignal.any([outer.signal, this.#cut.signal]);
  }

  get self(): string {
    return this.#outer.self;
  }

  /** That of its message, or its own where that has none: it has waited for an approval. */
  get deadlineAtMs(): number {
    return Math.min(this.#deadlineAtMs, this.#outer.deadlineAtMs);
  }

  set deadlineAtMs(atMs: number) {
    this.#deadlineAtMs = atMs;
  }

  /** Tells the code to stop. */
  stop(reason: unknown): void {
    this.#cut.abort(reason);
  }

  /** Nothing can be recorded any more. */
  end(): void {
    this.#over = true;
  }

  remainingMs(): number {
    return Math.min(this.#outer.remainingMs(), Math.max(0, this.#deadlineAtMs - this.#now()));
  }

  record(writes: readonly Write[]): void {
    if (this.#over || this.signal.aborted) throw nodeError("node.wrong_state", "the turn is over: nothing can be recorded any more");
    this.writes.push(...writes);
  }

  async read(space: string, key: string): Promise<{ readonly value: string | null; readonly version: number }> {
    const found = await this.#outer.read(space, key);
    const own = this.writes.findLast((write) =>
      (write.write === "set" || write.write === "delete") && write.space === space && write.key === key);
    return own === undefined ? found : { value: own.write === "set" ? own.value : null, version: found.version };
  }

  call(ask: Ask): Promise<CallReply> {
    return this.#outer.call(ask);
  }

  tell(ask: TellAsk): Promise<Told> {
    return this.#outer.tell(ask);
  }

  discover(type: string, o?: DiscoverAsk): Promise<readonly Candidate[]> {
    return this.#outer.discover(type, o);
  }

  openStream(to: string, name: string, o?: StreamAsk): Promise<OutStream> {
    return this.#outer.openStream(to, name, o);
  }
}
