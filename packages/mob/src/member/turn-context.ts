/**
 * What a member's own code gets for a turn: the powers of the message, and a record of its own that counts only when the
 * turn ends well (spec: mob 3.8).
 */
import {
  nodeError, onAbort, type Ask, type CallReply, type Candidate, type Clock, type DiscoverAsk, type DispatchContext, type OutStream, type StreamAsk,
  type TellAsk, type Told, type Write,
} from "@atoll-run/core";
import { mobError } from "../errors.ts";

/** What an incarnation that is over is refused. */
export type FencedWhat = "tool" | "wire" | "mailbox" | "ledger";

export class TurnContext implements DispatchContext {
  readonly writes: Write[] = [];
  readonly #outer: DispatchContext;
  readonly #clock: Pick<Clock, "now" | "monotonic">;
  /** Not `AbortSignal.any`: minor collections take its weak references for strong ones. */
  readonly #cut = new AbortController();
  readonly #hearing: Disposable;
  #deadlineAtMs = Infinity;
  /** The same by the monotonic clock: the wall clock may be set while it runs. */
  #endsMs = Infinity;
  /** Its time stands still, with so much of it left. */
  #heldMs: number | undefined;
  readonly #refused: (what: FencedWhat) => void;
  #over = false;
  #stale = false;

  constructor(outer: DispatchContext, { clock, refused }: { readonly clock: Pick<Clock, "now" | "monotonic">; readonly refused: (what: FencedWhat) => void }) {
    this.#outer = outer;
    this.#clock = clock;
    this.#refused = refused;
    this.#hearing = onAbort(outer.signal, (reason) => this.stop(reason));
  }

  get signal(): AbortSignal {
    return this.#cut.signal;
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
    this.#endsMs = this.#clock.monotonic() + atMs - this.#clock.now();
  }

  /** It waits for a decision meanwhile. */
  get movable(): boolean {
    return true;
  }

  /** Its time does not run from now on. Gives what is left of it, milliseconds. */
  hold(): number {
    this.#heldMs ??= this.remainingMs();
    this.deadlineAtMs = Infinity;
    this.#outer.expireAt?.(Infinity);
    return this.#heldMs;
  }

  /** It runs again, until then. */
  goOn(deadlineAtMs: number): void {
    this.#heldMs = undefined;
    this.deadlineAtMs = deadlineAtMs;
  }

  /** Tells the code to stop. */
  stop(reason: unknown): void {
    this.#cut.abort(reason);
  }

  /** Its code goes on without it: it belongs to an incarnation that is over, and nothing it does counts. */
  cutOff(): void {
    this.#stale = true;
  }

  /** Throws `mob.stale_fence` for the code of an incarnation that is over, and tells of it: where a tool or the wire is entered. */
  check(what: FencedWhat): void {
    if (!this.#stale) return;
    this.#refused(what);
    throw mobError("mob.stale_fence", `a newer incarnation has begun: no ${what} for this one`, {
      facts: { what }, hint: "This one is over; nothing of it counts any more.",
    });
  }

  /** Nothing can be recorded any more. */
  end(): void {
    this.#over = true;
    this.#hearing[Symbol.dispose]();
  }

  remainingMs(): number {
    if (this.#heldMs !== undefined) return this.#heldMs;
    return Math.min(this.#outer.remainingMs(), Math.max(0, this.#endsMs - this.#clock.monotonic()));
  }

  record(writes: readonly Write[]): void {
    this.check("mailbox");
    if (this.#over || this.signal.aborted) throw nodeError("node.wrong_state", "the turn is over: nothing can be recorded any more");
    this.writes.push(...writes);
  }

  async read(space: string, key: string): Promise<{ readonly value: string | null; readonly version: number }> {
    const found = await this.#outer.read(space, key);
    const own = this.writes.findLast((write) =>
      (write.write === "set" || write.write === "delete") && write.space === space && write.key === key);
    return own === undefined ? found : { value: own.write === "set" ? own.value : null, version: found.version };
  }

  async call(ask: Ask): Promise<CallReply> {
    this.check("wire");
    return await this.#outer.call(ask);
  }

  async tell(ask: TellAsk): Promise<Told> {
    this.check("wire");
    return await this.#outer.tell(ask);
  }

  async discover(type: string, o?: DiscoverAsk): Promise<readonly Candidate[]> {
    this.check("wire");
    return await this.#outer.discover(type, o);
  }

  async openStream(to: string, name: string, o?: StreamAsk): Promise<OutStream> {
    this.check("wire");
    return await this.#outer.openStream(to, name, o);
  }
}
