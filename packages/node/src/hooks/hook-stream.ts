/**
 * The one ordered stream of a node's events (spec: node 5.1 to 5.3).
 *
 * takes what the rooms report; gives it, in order, to the hooks of the workload, then to observers and readers;
 * promises that one hook runs at a time, each within its limit; refuses nothing but errors beyond all bounds, which
 * it counts; never holds up whoever reports, never reports the failure of a hook that was told of an error.
 */
import {
  assert, isFault, nodeError, toFaultData, toPlain, withDeadline, type Clock, type Fault, type HookEvent, type Json,
  type Log,
} from "@atoll-run/core";
import type { LimitsOf } from "../limits.ts";
import type { Histogram } from "../observe/histogram.ts";
import { EventQueue, type Waiting } from "./event-queue.ts";
import { EventReaders } from "./event-readers.ts";
import type { NodeEventMap, NodeEventName, Report } from "./report.ts";

/** Runs one hook of the workload. The signal aborts when its time is over. */
export type RunHook = (
  event: HookEvent, o: { readonly signal: AbortSignal; readonly limitMs: number },
) => Promise<void> | undefined;

/** What an observer may hear: a function for each event, by its name in the map. */
export type Observer = {
  readonly [N in NodeEventName]?: (
    fact: NodeEventMap[N], event: HookEvent, o: { readonly signal: AbortSignal },
  ) => void | Promise<void>;
};

export type Lifecycle = "start" | "ready" | "stop";

/** How the workload's hook for a phase ended. */
export type HookEnd =
  | { readonly is: "done" }
  | { readonly is: "failed"; readonly fault: Fault; readonly late: boolean };

export interface HookStreamParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Seconds that hooks run; absent: nobody asks. */
  readonly times?: Histogram;
  /** Hears each event when it is reported, before it waits. Contract: never throws. */
  readonly first?: Report;
}

export interface HookStreamStats {
  readonly waiting: number;
  readonly runs: number;
  readonly failures: number;
  readonly late: number;
  readonly collapsed: number;
  readonly dropped: number;
}

export interface HookStream extends AsyncDisposable {
  readonly report: Report;
  /** Lets hooks run: what was raised before comes first. Without `run` only observers and readers hear. */
  open(run: RunHook | undefined): void;
  /**
   * Raises a phase and waits until it was told. A failed `start` is given back only; the others are reported. After
   * `stop` the workload hears nothing any more.
   */
  lifecycle(phase: Lifecycle, o?: { readonly limitMs?: number }): Promise<HookEnd>;
  /**
   * Hears, after the workload, each event from now on: none that was reported before, however long it waits.
   * Throws `node.overloaded` beyond `hearersMax`, as `events` does.
   */
  observe(observer: Observer): Disposable;
  /** Every event from now on, each with `seq` and `at_ms`. */
  events(o?: { readonly signal?: AbortSignal | undefined }): AsyncIterableIterator<HookEvent, undefined> & AsyncDisposable;
  stats(): HookStreamStats;
  /** Takes no more; resolves when everything was told, or at once when the signal aborts: then the rest is dropped. */
  close(o?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
}

export function createHookStream(parts: HookStreamParts, limits: LimitsOf<"hooks">): HookStream {
  return new Stream(parts, limits);
}

interface Entry extends Waiting {
  readonly limitMs: number;
  /** Hears how the workload's hook ended. */
  readonly told: ((end: HookEnd) => void) | undefined;
}

class Stream implements HookStream {
  readonly #parts: HookStreamParts;
  readonly #limits: LimitsOf<"hooks">;
  readonly #queue: EventQueue<Entry>;
  readonly #readers: EventReaders;
  /** With the number of the last event before each. */
  readonly #observers = new Map<Observer, number>();
  readonly #closing = new AbortController();
  #opened = false;
  #closed = false;
  #run: RunHook | undefined;
  #pumping: Promise<void> | undefined;
  #seq = 0;
  #runs = 0;
  #failures = 0;
  #late = 0;

  constructor(parts: HookStreamParts, limits: LimitsOf<"hooks">) {
    this.#parts = parts;
    this.#limits = limits;
    this.#queue = new EventQueue(limits);
    this.#readers = new EventReaders(limits);
  }

  readonly report: Report = (name, fact) => {
    this.#parts.first?.(name, fact);
    if (this.#isForNobody(name)) this.#seq++;
    else this.#push(name, fact, this.#limits.hookMsMax, undefined);
  };

  open(run: RunHook | undefined): void {
    assert(!this.#opened, "a hook stream is opened once");
    this.#opened = true;
    this.#run = run;
    this.#pump();
  }

  lifecycle(phase: Lifecycle, o: { readonly limitMs?: number } = {}): Promise<HookEnd> {
    const usual = phase === "stop" ? this.#limits.hookMsMax : this.#limits.lifecycleMsMax;
    return new Promise((resolve) => this.#push(phase, {}, o.limitMs ?? usual, resolve));
  }

  observe(observer: Observer): Disposable {
    if (this.#observers.size >= this.#limits.hearersMax) throw nodeError("node.overloaded", "too many observers");
    // A copy: one object may be given twice, and each time it is another observer.
    const own = { ...observer };
    this.#observers.set(own, this.#seq);
    return { [Symbol.dispose]: () => this.#observers.delete(own) };
  }

  events(o: { readonly signal?: AbortSignal | undefined } = {}): ReturnType<HookStream["events"]> {
    return this.#readers.open(this.#seq, o.signal);
  }

  stats(): HookStreamStats {
    const { size: waiting, collapsed, dropped } = this.#queue;
    return { waiting, runs: this.#runs, failures: this.#failures, late: this.#late, collapsed, dropped };
  }

  async close(o: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#closed = true;
    if (!this.#opened) this.open(undefined);
    const stop = (): void => this.#closing.abort(o.signal?.reason);
    o.signal?.addEventListener("abort", stop, { once: true });
    if (o.signal?.aborted) stop();
    try {
      await this.#pumping;
    } finally {
      o.signal?.removeEventListener("abort", stop);
      this.#readers.close();
      this.#observers.clear();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Whoever comes later hears of it that there was one: its place in the order is taken. */
  #isForNobody(name: NodeEventName): boolean {
    if (!this.#opened || this.#closed || this.#run !== undefined || this.#readers.size > 0) return false;
    for (const observer of this.#observers.keys()) if (observer[name] !== undefined) return false;
    return true;
  }

  #push(name: NodeEventName, fact: object, limitMs: number, told: Entry["told"]): void {
    if (this.#closed) {
      told?.({ is: "done" });
      return;
    }
    const event = { seq: ++this.#seq, at_ms: this.#parts.clock.now(), name: `on_${name}`, fact: toFact(fact) };
    this.#queue.push({ event, name, fact, group: groupOf(name, fact), limitMs, told });
    this.#pump();
  }

  #pump(): void {
    if (!this.#opened) return;
    this.#pumping ??= this.#deliverAll().finally(() => (this.#pumping = undefined));
  }

  async #deliverAll(): Promise<void> {
    // Not in the turn of whoever reports.
    await Promise.resolve();
    for (let entry = this.#queue.shift(); entry !== undefined; entry = this.#queue.shift()) await this.#deliver(entry);
  }

  async #deliver(entry: Entry): Promise<void> {
    const { event, name, limitMs, fact } = entry;
    const run = this.#run;
    const own = run === undefined ? undefined
      : await this.#guard(event, limitMs, (signal) => run(event, { signal, limitMs }));
    if (name === "stop") this.#run = undefined;
    entry.told?.(own ?? { is: "done" });
    if (own !== undefined && name !== "start") this.#tell(own, name, event);
    for (const [observer, since] of this.#observers) {
      const hear = observer[name] as ((...args: unknown[]) => void | Promise<void>) | undefined;
      if (hear === undefined || event.seq <= since) continue;
      this.#tell(await this.#guard(event, this.#limits.hookMsMax, (signal) => hear(fact, event, { signal })), name, event);
    }
    this.#readers.push(entry);
  }

  async #guard(
    event: HookEvent, limitMs: number, run: (signal: AbortSignal) => void | Promise<void> | undefined,
  ): Promise<HookEnd> {
    const { clock } = this.#parts;
    const began = clock.monotonic();
    let late = false;
    let runs = false;
    try {
      if (this.#closing.signal.aborted) return { is: "done" };
      await withDeadline(async (signal) => {
        signal.addEventListener("abort", () => (late = true), { once: true });
        const running = run(signal);
        runs = running !== undefined;
        await running;
      }, { clock, ms: limitMs, signal: this.#closing.signal, what: `hook ${event.name}` });
      return { is: "done" };
    } catch (error) {
      return { is: "failed", late, fault: late
        ? nodeError("node.timed_out", `hook ${event.name} took longer than ${limitMs} ms`, { uncertain: true })
        : toHookFault(event.name, error) };
    } finally {
      if (runs) {
        this.#runs++;
        this.#parts.times?.observe((clock.monotonic() - began) / 1_000);
      }
    }
  }

  /** Says that a hook failed, once: not to hooks when it was told of an error itself. */
  #tell(end: HookEnd, name: NodeEventName, event: HookEvent): void {
    if (end.is === "done") return;
    this.#failures++;
    if (end.late) this.#late++;
    const { code, message } = end.fault;
    this.#parts.log.write({
      level: "error", target: "node", msg: `hook ${event.name} failed`, fields: { code, message, seq: event.seq },
    });
    if (name !== "error") this.report("error", { error: end.fault, category: "hook_failure", context: event.name });
  }
}

function toHookFault(name: string, error: unknown): Fault {
  if (isFault(error)) return error;
  const text = error instanceof Error ? error.message : String(error);
  return nodeError("node.internal", `hook ${name}: ${text}`, { cause: error });
}

/** Connection events of one peer may take each other's place; all others are kept. */
function groupOf(name: NodeEventName, fact: object): string | undefined {
  if (name.startsWith("signaling_")) return "signaling";
  if (!name.startsWith("websocket_") && !name.startsWith("webrtc_")) return undefined;
  const { peer } = fact as { readonly peer: string };
  return `${name.slice(0, name.indexOf("_"))} ${peer}`;
}

function toFact(fact: object): Readonly<Record<string, Json>> {
  const error = "error" in fact && isFault(fact.error) ? { error: toFaultData(fact.error) } : {};
  return toPlain({ ...fact, ...error }) as Readonly<Record<string, Json>>;
}
