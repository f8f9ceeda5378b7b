/**
 * One statement on its way: waiting, running, settled. It watches its own time and signal and says when
 * either ends it.
 */
import { type Fault, LIMITS, type SqlCall, type SqlValue } from "@atoll-run/core";
import { sqlCancelled, sqlTimeout, type SqlKind } from "./sql-faults.ts";
import type { RunAnswer } from "./sql-protocol.ts";

/** Longer timers fire at once in Node. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class Statement {
  readonly kind: SqlKind;
  readonly sql: string;
  readonly params: readonly SqlValue[];
  readonly owner: string;
  readonly answer: Promise<RunAnswer>;
  readonly #settle: { resolve(answer: RunAnswer): void; reject(fault: unknown): void };
  readonly #call: SqlCall;
  readonly #stop: (statement: Statement, fault: Fault) => void;
  readonly #onAbort = (): void => this.#stop(this, sqlCancelled(this.kind, this.running));
  #timer: NodeJS.Timeout | undefined;
  running = false;
  /** Why it is being ended while it runs; the first cause counts. */
  stopped: Fault | undefined;

  /**
   * `stop` is called at most once for its time and once for its signal; it must take the statement out or
   * kill it.
   */
  constructor(
    text: { readonly kind: SqlKind; readonly sql: string; readonly params: readonly SqlValue[] },
    call: SqlCall, stop: (statement: Statement, fault: Fault) => void,
  ) {
    ({ kind: this.kind, sql: this.sql, params: this.params } = text);
    this.owner = call.owner;
    this.#call = call;
    this.#stop = stop;
    ({ promise: this.answer, ...this.#settle } = Promise.withResolvers<RunAnswer>());
  }

  /** Begins to wait for its turn. */
  wait(): void {
    this.#call.signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#arm(this.#call.queueMs ?? LIMITS.sqlQueueMsMax.default);
  }

  /** Its turn has come: only now does its own time run. */
  run(): void {
    this.running = true;
    this.#arm(this.#call.timeoutMs ?? Infinity);
  }

  resolve(answer: RunAnswer): void {
    this.#end();
    this.#settle.resolve(answer);
  }

  reject(fault: unknown): void {
    this.#end();
    this.#settle.reject(fault);
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer);
    if (ms > TIMER_MS_MAX) return;
    this.#timer = setTimeout(() => this.#stop(this, sqlTimeout(this.kind, ms, this.running)), ms);
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#call.signal?.removeEventListener("abort", this.#onAbort);
  }
}
