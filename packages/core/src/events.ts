/**
 * Events are a map from name to fact. A listener cannot hurt the one who emits, a slow reader cannot make it
 * grow.
 *
 * ```ts
 * interface RunEvents { started: { at_ms: number }; print: { text: string } }
 * const events = new Events<RunEvents>({ onError: (error, name) => log(error, name) });
 * events.on("print", ({ text }) => show(text), { signal });
 * events.emit("print", { text: "hello" });
 * ```
 */
import { onAbort } from "./abort.ts";
import { assert } from "./must.ts";
import { BoundedQueue } from "./queue.ts";

/** Comes in the place of `count` events that a slow reader missed. */
export type LostEvent = { readonly name: "lost"; readonly count: number };

/** A fact together with its name, as `stream` gives it. */
export type NamedEvent<M> = { [N in keyof M & string]: { readonly name: N } & M[N] }[keyof M & string];

type Hear = (fact: never) => void;

/** At most this many listeners a name: more is a leak. */
const LISTENERS_MAX = 1_000;

/** A fact is an object; `name` is taken by the name of the event. */
type Facts<M> = { readonly [N in keyof M]: object & { readonly name?: never } };

export class Events<M extends Facts<M>> {
  readonly #onError: (error: unknown, name: string) => void;
  readonly #hearers = new Map<string, Set<{ hear: Hear }>>();
  readonly #streams = new Set<Stream<NamedEvent<M>>>();
  #closed = false;

  /** `onError` hears what a listener threw. Contract: must not throw. */
  constructor(o: { readonly onError?: (error: unknown, name: string) => void } = {}) {
    this.#onError = o.onError ?? ((): void => undefined);
  }

  /** Hears each fact of that name until disposed or the signal aborts. */
  on<N extends keyof M & string>(
    name: N, hear: (fact: M[N]) => void, o: { readonly signal?: AbortSignal | undefined } = {},
  ): Disposable {
    const set = this.#hearers.get(name) ?? new Set();
    assert(set.size < LISTENERS_MAX, `too many listeners for ${name}`);
    const entry = { hear: hear as Hear };
    if (o.signal?.aborted !== true && !this.#closed) {
      this.#hearers.set(name, set);
      set.add(entry);
    }
    const listening = onAbort(o.signal, () => set.delete(entry));
    return {
      [Symbol.dispose]: () => {
        set.delete(entry);
        listening[Symbol.dispose]();
      },
    };
  }

  /** False when nobody would hear it: then a fact that is dear to make need not be made. */
  isHeard(name: keyof M & string): boolean {
    return (this.#hearers.get(name)?.size ?? 0) > 0 || this.#streams.size > 0;
  }

  /** Tells everyone, in order of arrival, before it returns. Never throws. After `close` nobody hears. */
  emit<N extends keyof M & string>(name: N, fact: M[N]): void {
    if (this.#closed) return;
    for (const { hear } of [...(this.#hearers.get(name) ?? [])]) {
      try {
        (hear as (fact: M[N]) => void)(fact);
      } catch (error) {
        this.#onError(error, name);
      }
    }
    if (this.#streams.size === 0) return;
    const named = { ...fact, name } as unknown as NamedEvent<M>;
    for (const stream of this.#streams) stream.push(named);
  }

  /**
   * Everything from now on, for one reader. At most `buffer` events wait for it (default 256); what does not
   * fit is counted and comes as `{name: "lost", count}` where it is missing. Ends on `close`, or when the
   * signal aborts.
   */
  stream(
    o: { readonly buffer?: number; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncIterableIterator<NamedEvent<M> | LostEvent> & AsyncDisposable {
    const stream: Stream<NamedEvent<M>> = new Stream(o.buffer ?? 256, () => {
      this.#streams.delete(stream);
      listening[Symbol.dispose]();
    });
    this.#streams.add(stream);
    const listening = onAbort(o.signal, () => queueMicrotask(() => stream.end()));
    if (this.#closed) stream.end();
    return stream;
  }

  /** Ends all streams, after what they hold, and forgets all listeners. */
  close(): void {
    this.#closed = true;
    this.#hearers.clear();
    for (const stream of [...this.#streams]) stream.end();
  }
}

class Stream<E> implements AsyncIterableIterator<E | LostEvent>, AsyncDisposable {
  readonly #queue: BoundedQueue<{ readonly event: E | LostEvent }>;
  readonly #onEnd: () => void;
  #lost = 0;
  #ended = false;
  #waiting: ((result: IteratorResult<E | LostEvent, undefined>) => void) | undefined;

  constructor(buffer: number, onEnd: () => void) {
    this.#queue = new BoundedQueue(buffer);
    this.#onEnd = onEnd;
  }

  push(event: E): void {
    if (this.#ended) return;
    if (this.#waiting !== undefined) {
      this.#answer({ done: false, value: event });
      return;
    }
    // After a loss both the notice and the event must fit, so that the notice stands where the gap is.
    const room = this.#queue.limit - this.#queue.size;
    if (this.#lost > 0 && room >= 2) {
      this.#queue.push({ event: { name: "lost", count: this.#lost } });
      this.#lost = 0;
    }
    if (this.#lost > 0 || !this.#queue.push({ event })) this.#lost++;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#answer({ done: true, value: undefined });
    this.#onEnd();
  }

  next(): Promise<IteratorResult<E | LostEvent, undefined>> {
    assert(this.#waiting === undefined, "an event stream has one reader");
    const item = this.#queue.shift();
    if (item !== undefined) return Promise.resolve({ done: false, value: item.event });
    if (this.#lost > 0) {
      const count = this.#lost;
      this.#lost = 0;
      return Promise.resolve({ done: false, value: { name: "lost", count } });
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => (this.#waiting = resolve));
  }

  return(): Promise<IteratorResult<E | LostEvent, undefined>> {
    this.#queue.drain();
    this.#lost = 0;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #answer(result: IteratorResult<E | LostEvent, undefined>): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(result);
  }
}
