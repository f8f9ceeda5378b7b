/** The powers of a hook or a stream reader: as a handler's, but no message is finished by what they record. */
import {
  Deadline, nodeError, type Ask, type Clock, type DiscoverAsk, type DispatchContext, type Speaker, type StateStore,
  type StreamAsk, type TellAsk, type Write,
} from "@atoll-run/core";
import type { SideSpan } from "../observe/side-spans.ts";
import { HANDLER_SPACE } from "../dispatch/context.ts";
import type { Outbound } from "../gate/outbound.ts";

export interface SideParts {
  readonly clock: Clock;
  readonly store: Pick<StateStore, "get">;
  /** Of the node in the store. */
  readonly scope: string;
  readonly self: () => string;
  readonly outbound: () => Outbound;
  /** One commit. Throws the fault of the store; `node.internal` when what was read has moved. */
  readonly apply: (writes: readonly Write[]) => Promise<void>;
}

export interface SideScope {
  /** Milliseconds; `Infinity` = none. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
  /** Names it in faults: `hook on_start`. */
  readonly what: string;
  /** As what it is told where spans are taken. */
  readonly span: SideSpan;
  readonly traceparent?: string;
  readonly tracestate?: string;
}

/** Runs `run`, if it does; when it is done well, what it recorded is done in one commit. */
export function withSideContext<T>(
  parts: SideParts, o: SideScope, run: (context: DispatchContext) => Promise<T> | undefined,
): Promise<T> | undefined {
  const context = new SideContext(parts, o);
  const running = run(context);
  if (running === undefined) {
    context.end();
    return undefined;
  }
  return finish(parts, context, running);
}

async function finish<T>(parts: SideParts, context: SideContext, running: Promise<T>): Promise<T> {
  try {
    const value = await running;
    const writes = context.end();
    if (writes.length > 0) await parts.apply(writes);
    return value;
  } finally {
    context.end();
  }
}

class SideContext implements DispatchContext {
  readonly #parts: SideParts;
  readonly #o: SideScope;
  readonly #deadline: Deadline;
  readonly deadlineAtMs: number;
  declare readonly traceparent?: string;
  declare readonly tracestate?: string;
  #writes: Write[] = [];
  #ended = false;
  #speaker: Speaker | undefined;

  constructor(parts: SideParts, o: SideScope) {
    this.#parts = parts;
    this.#o = o;
    this.#deadline = new Deadline(parts.clock, o.limitMs, o.what);
    this.deadlineAtMs = parts.clock.now() + o.limitMs;
    if (o.traceparent !== undefined) this.traceparent = o.traceparent;
    if (o.tracestate !== undefined) this.tracestate = o.tracestate;
  }

  get self(): string {
    return this.#parts.self();
  }

  get signal(): AbortSignal {
    return this.#o.signal;
  }

  remainingMs(): number {
    return this.#deadline.leftMs();
  }

  record(writes: readonly Write[]): void {
    if (this.#ended) throw nodeError("node.wrong_state", `${this.#o.what} is over: nothing can be recorded any more`);
    this.#writes.push(...writes);
  }

  /** What was recorded; nothing can be from now on. */
  end(): readonly Write[] {
    this.#ended = true;
    return this.#writes.splice(0);
  }

  async read(space: string, key: string): Promise<{ readonly value: string | null; readonly version: number }> {
    const { store, scope } = this.#parts;
    const found = await store.get(scope, HANDLER_SPACE + space, key, { signal: this.signal });
    const own = this.#writes.findLast((write) =>
      (write.write === "set" || write.write === "delete") && write.space === space && write.key === key);
    const value = own === undefined ? found?.value ?? null : own.write === "set" ? own.value : null;
    return { value, version: found?.version ?? 0 };
  }

  call(ask: Ask): ReturnType<Speaker["call"]> {
    return this.#speak().call(ask);
  }

  tell(ask: TellAsk): ReturnType<Speaker["tell"]> {
    return this.#speak().tell(ask);
  }

  discover(type: string, o?: DiscoverAsk): ReturnType<Speaker["discover"]> {
    return this.#speak().discover(type, o);
  }

  openStream(to: string, name: string, o?: StreamAsk): ReturnType<Speaker["openStream"]> {
    return this.#speak().openStream(to, name, o);
  }

  #speak(): Speaker {
    const { signal, traceparent, tracestate } = this.#o;
    return this.#speaker ??= this.#parts.outbound().within({
      depth: 0, deadline: this.#deadline, signal, ...traceparent === undefined ? {} : { traceparent },
      ...tracestate === undefined ? {} : { tracestate },
    });
  }
}
