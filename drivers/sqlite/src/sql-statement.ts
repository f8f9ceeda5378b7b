/**
 * One statement on its way: waiting, running, settled. It watches its own time and signal and says when
 * either ends it.
 */
import type { Fault, SqlCall, SqlValue } from "@atoll-run/core";
import { sqlCancelled, sqlTimeout, type SqlKind } from "./sql-faults.ts";
import type { RunAnswer } from "./sql-protocol.ts";

/** Longest wait for its turn. */
export const WAIT_MS_MAX = 30_000;
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
  readonly #bornAt = performance.now();
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
    this.#arm(Math.min(this.#leftMs(), WAIT_MS_MAX));
  }

  /** Its turn has come. */
  run(): void {
    this.running = true;
    this.#arm(this.#leftMs());
  }

  resolve(answer: RunAnswer): void {
    this.#end();
    this.#settle.resolve(answer);
  }

  reject(fault: unknown): void {
    this.#end();
    this.#settle.reject(fault);
  }

  #leftMs(): number {
    const { timeoutMs = Infinity } = this.#call;
    return timeoutMs - (performance.now() - this.#bornAt);
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer);
    if (ms > TIMER_MS_MAX) return;
    this.#timer = setTimeout(() => {
      const { timeoutMs = Infinity } = this.#call;
      const boundMs = this.running ? timeoutMs : Math.min(timeoutMs, WAIT_MS_MAX);
      this.#stop(this, sqlTimeout(this.kind, boundMs, this.running));
    }, Math.max(0, ms));
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#call.signal?.removeEventListener("abort", this.#onAbort);
  }
}
