/** What a handler gets: its powers inside the budget of its message (spec: node 2.7, 2.10, 4.12). */
import {
  Deadline, LateAbort, nodeError, type Ask, type CallReply, type Candidate, type Clock, type DiscoverAsk, type DispatchContext,
  type OutStream, type Speaker, type StateReader, type StreamAsk, type TellAsk, type Told, type Write,
} from "@atoll-run/core";
import type { CallScope } from "../gate/outbound.ts";
import type { Message } from "../mailbox/message.ts";
import { NODE_LIMITS } from "../limits.ts";

export interface ContextParts {
  readonly self: () => string;
  readonly scope: string;
  readonly clock: Clock;
  readonly now: () => number;
  readonly store: Pick<StateReader, "get">;
  speaker(scope: CallScope): Speaker;
  /** 16 bytes: the message begins a chain. */
  newChain(message: Message): Uint8Array;
  /** The handler waits for a call of its own until disposed. */
  awaiting(message: Message): Disposable;
  /** Its time has another end. */
  moved(message: Message): void;
}

/** Documents of handlers stand apart from those of the node. */
export const HANDLER_SPACE = "kv:";

const { writesMax } = NODE_LIMITS.dispatch;

/** Aborted when the handler is to stop; what it still gives is dropped by whoever stopped it. */
export class HandlerContext extends LateAbort implements DispatchContext {
  readonly #parts: ContextParts;
  readonly #message: Message;
  deadlineAtMs = Infinity;
  #speaker: Speaker | undefined;
  #deadline: Deadline | undefined;
  #ended = false;
  readonly writes: Write[] = [];

  constructor(parts: ContextParts, message: Message) {
    super();
    this.#parts = parts;
    this.#message = message;
  }

  get self(): string {
    return this.#parts.self();
  }

  get ended(): boolean {
    return this.#ended;
  }

  remainingMs(): number {
    return Math.max(0, this.deadlineAtMs - this.#parts.now());
  }

  /** Nothing can be recorded any more. */
  end(): void {
    this.#ended = true;
    this.#deadline?.[Symbol.dispose]();
  }

  record(writes: readonly Write[]): void {
    if (this.#ended || this.aborted) {
      throw nodeError("node.wrong_state", "the message is finished: nothing can be recorded any more");
    }
    if (this.writes.length + writes.length > writesMax) {
      throw nodeError("node.too_large", `a handler records at most ${writesMax} writes`);
    }
    this.writes.push(...writes);
  }

  expireAt(atMs: number): void {
    if (this.#ended) return;
    this.#message.expiresAtMs = atMs;
    this.#message.row?.expire();
    this.#parts.moved(this.#message);
    this.deadlineAtMs = Math.min(atMs, this.#message.limitAtMs);
  }

  async read(space: string, key: string): Promise<{ readonly value: string | null; readonly version: number }> {
    const { store, scope } = this.#parts;
    const found = await store.get(scope, HANDLER_SPACE + space, key, { signal: this.signal });
    const own = this.writes.findLast((write) =>
      (write.write === "set" || write.write === "delete") && write.space === space && write.key === key);
    const value = own === undefined ? found?.value ?? null : own.write === "set" ? own.value : null;
    return { value, version: found?.version ?? 0 };
  }

  call(ask: Ask): Promise<CallReply> {
    return this.#speak().call(ask);
  }

  tell(ask: TellAsk): Promise<Told> {
    return this.#speak().tell(ask);
  }

  discover(type: string, o?: DiscoverAsk): Promise<readonly Candidate[]> {
    return this.#speak().discover(type, o);
  }

  openStream(to: string, name: string, o?: StreamAsk): Promise<OutStream> {
    return this.#speak().openStream(to, name, o);
  }

  #speak(): Speaker {
    return this.#speaker ??= this.#parts.speaker(this.#scope());
  }

  #scope(): CallScope {
    const { clock, awaiting, newChain } = this.#parts;
    const message = this.#message;
    const { envelope } = message;
    this.#deadline = new Deadline(clock, this.remainingMs(), `the ${message.kind} of ${message.route}`);
    return {
      chain_id: envelope?.chain_id ?? newChain(message), depth: envelope?.depth ?? 0,
      deadline: this.#deadline, signal: this.signal,
      ...message.traceparent === undefined ? {} : { traceparent: message.traceparent },
      ...envelope?.tracestate === undefined ? {} : { tracestate: envelope.tracestate },
      awaiting: () => awaiting(message),
    };
  }
}
