/**
 * Our end of the store worker. What is asked in one turn of the event loop travels in one message. One
 * timer watches all deadlines, because a timer for each would cost more than a read.
 */
import { Worker } from "node:worker_threads";
import type { Log, StoreCall } from "@atoll-run/core";
import {
  storeCancelled, storeClosed, storeCrashed, storeFailed, storeOverloaded, storeTimeout,
} from "./store-faults.ts";
import {
  DONE, FAILED, type StoreAnswer, type StoreName, type StoreOp, type StoreRequest, type StoreWorkerData,
} from "./store-protocol.ts";
import { threadFlags } from "./thread-flags.ts";

/** Requests without an answer. */
export const PENDING_MAX = 4_096;
/** What the worker may take to commit and let go of a file. */
const CLOSE_MS = 5_000;
/** Longer timers fire at once in Node. */
const TIMER_MS_MAX = 2 ** 31 - 1;

interface Pending {
  readonly op: StoreOp;
  readonly timeoutMs: number;
  readonly deadlineAt: number;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: (() => void) | undefined;
  resolve(value: unknown): void;
  reject(fault: unknown): void;
}

export class StoreClient {
  readonly #data: StoreWorkerData;
  readonly #log: Log | undefined;
  readonly #pending = new Map<number, Pending>();
  readonly #closing = new Map<StoreName, Promise<void>>();
  readonly #closes = new Map<number, () => void>();
  readonly #used = new Set<StoreName>();
  #worker: Worker | undefined;
  #outbox: StoreRequest[] = [];
  #lastId = 0;
  #overloaded = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;

  constructor(data: StoreWorkerData, log: Log | undefined) {
    this.#data = data;
    this.#log = log;
  }

  /** No request is under way, and none was refused for good. */
  get isQuiet(): boolean {
    return this.#pending.size === 0 && this.#closing.size === 0;
  }

  /** Rejects with a fault of `std.kv` or `std.ts`. */
  call(op: StoreOp, args: readonly unknown[], { timeoutMs = Infinity, signal }: StoreCall): Promise<unknown> {
    if (this.#closing.has(fileOf(op))) return Promise.reject(storeClosed(op));
    if (signal?.aborted) return Promise.reject(storeCancelled(op, false));
    if (this.#pending.size >= PENDING_MAX) {
      this.#reportEdge(true);
      return Promise.reject(storeOverloaded(op, PENDING_MAX));
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const id = ++this.#lastId;
    const onAbort = signal === undefined ? undefined : (): void => this.#giveUp(id, storeCancelled(op, true));
    const deadlineAt = timeoutMs === Infinity ? Infinity : performance.now() + timeoutMs;
    this.#pending.set(id, { op, timeoutMs, deadlineAt, signal, onAbort, resolve, reject });
    if (onAbort !== undefined) signal?.addEventListener("abort", onAbort, { once: true });
    if (deadlineAt < this.#timerAt) this.#arm(deadlineAt);
    this.#used.add(fileOf(op));
    this.#send([id, op, timeoutMs, args]);
    return promise;
  }

  /** What was asked before is still answered; then the file is let go. The worker ends with the last file in use. */
  close(file: StoreName): Promise<void> {
    const closing = this.#closing.get(file) ?? this.#close(file);
    this.#closing.set(file, closing);
    return closing;
  }

  async #close(file: StoreName): Promise<void> {
    this.#flush();
    const worker = this.#worker;
    if (worker !== undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const id = ++this.#lastId;
      const timer = setTimeout(resolve, CLOSE_MS);
      this.#closes.set(id, resolve);
      this.#send([id, "close", file]);
      await promise;
      clearTimeout(timer);
      this.#closes.delete(id);
    }
    for (const [id, { op }] of this.#pending) if (fileOf(op) === file) this.#giveUp(id, storeClosed(op));
    // `close` has noted this file before the next line runs.
    await Promise.resolve();
    const busy = this.#pending.size > 0 || this.#closes.size > 0;
    if (busy || [...this.#used].some((used) => !this.#closing.has(used))) return;
    clearTimeout(this.#timer);
    this.#timerAt = Infinity;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #send(request: StoreRequest): void {
    if (this.#outbox.length === 0) queueMicrotask(() => this.#flush());
    this.#outbox.push(request);
  }

  #flush(): void {
    const batch = this.#outbox;
    if (batch.length === 0) return;
    this.#outbox = [];
    if (this.#worker === undefined && batch.every(([, op]) => op === "cancel")) return;
    this.#worker ??= this.#start();
    this.#worker.postMessage(batch);
  }

  #start(): Worker {
    const ext = import.meta.url.slice(import.meta.url.lastIndexOf("."));
    const worker = new Worker(new URL(`./store-worker${ext}`, import.meta.url), {
      name: "atoll-stores", workerData: this.#data, env: {}, ...threadFlags(),
    });
    let reason = "it exited";
    worker.on("message", (answers: readonly StoreAnswer[]) => {
      for (const answer of answers) this.#hear(answer);
    });
    worker.on("error", (error: Error) => reason = error.message);
    worker.on("exit", () => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      for (const [id, { op }] of this.#pending) this.#take(id)?.reject(storeCrashed(op, reason));
      for (const closed of this.#closes.values()) closed();
    });
    return worker;
  }

  #hear(answer: StoreAnswer): void {
    const [id, status] = answer;
    const pending = this.#take(id);
    if (pending === undefined) return this.#closes.get(id)?.();
    if (status === DONE) pending.resolve(answer[2]);
    else if (answer[1] === FAILED) pending.reject(storeFailed(pending.op, answer[2]));
    else pending.reject(storeTimeout(pending.op, pending.timeoutMs));
  }

  /** The caller hears the fault; the worker stops what it can. */
  #giveUp(id: number, fault: unknown): void {
    this.#take(id)?.reject(fault);
    this.#send([id, "cancel"]);
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    if (pending.onAbort !== undefined) pending.signal?.removeEventListener("abort", pending.onAbort);
    if (this.#pending.size <= PENDING_MAX / 2) this.#reportEdge(false);
    return pending;
  }

  #arm(at: number): void {
    clearTimeout(this.#timer);
    this.#timerAt = at;
    const ms = Math.min(TIMER_MS_MAX, Math.max(1, at - performance.now()));
    this.#timer = setTimeout(() => this.#expire(), ms);
    // It stays when all is answered, for the next request to find; the worker is what keeps the process
    // alive.
    this.#timer.unref();
  }

  #expire(): void {
    const now = performance.now();
    this.#timerAt = Infinity;
    let next = Infinity;
    for (const [id, { op, timeoutMs, deadlineAt }] of this.#pending) {
      if (deadlineAt <= now) this.#giveUp(id, storeTimeout(op, timeoutMs));
      else next = Math.min(next, deadlineAt);
    }
    if (next < Infinity) this.#arm(next);
  }

  #reportEdge(rising: boolean): void {
    if (this.#overloaded === rising) return;
    this.#overloaded = rising;
    this.#log?.write(rising
      ? { level: "warn", target: "store", msg: "store queue is full", fields: { limit: PENDING_MAX } }
      : { level: "info", target: "store", msg: "store queue has room again" });
  }
}

function fileOf(op: StoreOp): StoreName {
  return op.startsWith("kv.") ? "kv" : "ts";
}
