/** Our end of the thread that owns the state file. What is asked in one turn of the event loop travels together. */
import { Worker } from "node:worker_threads";
import {
  PassingMap, stateBroken, stateCancelled, stateClosed, stateOverloaded, stateTimedOut, toFault, type Log, type StoreCall,
} from "@atoll-run/core";
import { threadFlags } from "../thread-flags.ts";
import { packCommits, unpackAnswers } from "./packing.ts";
import type {
  AnswerMessage, CommitRequest, OtherRequest, RequestMessage, StateAnswer, StateRequest, StateWorkerData,
} from "./protocol.ts";

/** Requests without an answer. */
export const WAITING_MAX = 4_096;
/** Bytes of batches without an answer; one batch alone may be larger. */
export const WAITING_BYTES_MAX = 64 * 1_024 * 1_024;
/** Ops that do not wait for the end of the turn: the thread begins with them while others are still asked for. */
const OPS_AT_ONCE = 32;
/**
 * Ops whose answers are told in one turn. Who is told asks for more, and the thread gets that before the others are told:
 * else it would sleep while all of them work, and they while it does.
 */
const TOLD_AT_ONCE = 64;
/** What the thread may take to commit what waits, and to let go of the file. */
const CLOSE_MS = 10_000;

interface Waiting {
  readonly writes: boolean;
  /** A read counts as one. */
  readonly ops: number;
  readonly bytes: number;
  readonly end: (() => void) | undefined;
  resolve(value: unknown): void;
  reject(fault: unknown): void;
}

/** A request without its number. */
type Ask = StateRequest extends infer One ? One extends readonly [number, ...infer Rest] ? Rest : never : never;

export class StateClient {
  readonly #worker: Worker;
  readonly #bell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #log: Log | undefined;
  readonly #waiting = new PassingMap<number, Waiting>();
  #outbox: StateRequest[] = [];
  #outboxOps = 0;
  /** Answers that nobody was told yet. */
  #answers: StateAnswer[] = [];
  #telling: NodeJS.Immediate | undefined;
  #bytes = 0;
  #lastId = 0;
  #overloaded = false;
  #ended: unknown;
  #closing: Promise<void> | undefined;

  constructor(data: Omit<StateWorkerData, "bell">, log: Log | undefined) {
    this.#log = log;
    const ext = import.meta.url.slice(import.meta.url.lastIndexOf("."));
    this.#worker = new Worker(new URL(`./state-worker${ext}`, import.meta.url), {
      name: "atoll-state", workerData: { ...data, bell: this.#bell } satisfies StateWorkerData, env: {}, ...threadFlags(),
    });
    let reason = "its thread exited";
    this.#worker.on("message", ({ commits, others }: AnswerMessage) => {
      if (commits !== null) unpackAnswers(commits, (id, commit) => this.#answers.push([id, false, commit]));
      this.#answers.push(...others);
      if (this.#telling === undefined) this.#tell(TOLD_AT_ONCE);
    });
    this.#worker.on("error", (error: Error) => reason = error.message);
    this.#worker.on("exit", () => {
      this.#tell(Infinity);
      this.#ended ??= stateBroken(data.dir ?? ":memory:", reason, { uncertain: true });
      for (const id of this.#waiting.keys()) this.#take(id)?.reject(this.#ended);
    });
    // It keeps the process alive only while somebody waits.
    this.#worker.unref();
  }

  /** `bytes`: of what is sent along. Rejects with a `StateFault`. */
  ask(ask: Ask, bytes: number, { timeoutMs, signal }: StoreCall = {}): Promise<unknown> {
    const refused = this.#refuse(bytes, signal);
    if (refused !== undefined) return Promise.reject(refused);
    const writes = ask[0] === "commit";
    const ops = writes ? ask[1].ops.length : 1;
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const end = timeoutMs === undefined && signal === undefined ? undefined
      : this.#watch(id, timeoutMs, signal, writes);
    this.#waiting.set(id, { writes, ops, bytes, end, resolve, reject });
    this.#bytes += bytes;
    this.#send([id, ...ask] as StateRequest);
    return promise;
  }

  /** What was asked before is still answered. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    const closed = this.#ended === undefined ? this.ask(["close"], 0, { timeoutMs: CLOSE_MS }) : undefined;
    this.#ended ??= stateClosed();
    // Too late or broken: the file is whole in any case, and the thread ends below.
    await closed?.catch(() => undefined);
    this.#tell(Infinity);
    for (const id of this.#waiting.keys()) this.#take(id)?.reject(stateClosed());
    await this.#worker.terminate();
  }

  #refuse(bytes: number, signal: AbortSignal | undefined): unknown {
    if (this.#ended !== undefined) return this.#ended;
    if (signal?.aborted) return stateCancelled(false);
    const { size } = this.#waiting;
    if (size < WAITING_MAX && (this.#bytes === 0 || this.#bytes + bytes <= WAITING_BYTES_MAX)) return undefined;
    this.#reportEdge(true);
    return stateOverloaded(size, WAITING_MAX);
  }

  #watch(id: number, timeoutMs: number | undefined, signal: AbortSignal | undefined, writes: boolean): () => void {
    const onAbort = (): void => this.#take(id)?.reject(stateCancelled(writes));
    const timer = timeoutMs === undefined || timeoutMs === Infinity ? undefined
      : setTimeout(() => this.#take(id)?.reject(stateTimedOut(timeoutMs, writes)), timeoutMs);
    signal?.addEventListener("abort", onAbort, { once: true });
    return () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
  }

  #send(request: StateRequest): void {
    if (this.#outbox.length === 0) queueMicrotask(() => this.#flush());
    this.#outbox.push(request);
    if (this.#waiting.size === 1) this.#worker.ref();
    if (request[1] !== "commit") return;
    this.#outboxOps += request[2].ops.length;
    if (this.#outboxOps >= OPS_AT_ONCE) this.#flush();
  }

  #flush(): void {
    if (this.#outbox.length === 0) return;
    const commits: CommitRequest[] = [];
    const others: OtherRequest[] = [];
    for (const request of this.#outbox) {
      if (request[1] === "commit") commits.push(request);
      else others.push(request);
    }
    this.#outbox = [];
    this.#outboxOps = 0;
    const packed = commits.length === 0 ? null : packCommits(commits);
    const message: RequestMessage = { commits: packed, others };
    this.#worker.postMessage(message, packed === null ? [] : [packed.bodies.buffer]);
    Atomics.add(this.#bell, 0, 1);
    Atomics.notify(this.#bell, 0);
  }

  /** In the order in which they came; those for which no room is left are told in the next turn. */
  #tell(opsMax: number): void {
    this.#telling = undefined;
    let told = 0;
    for (let ops = 0; told < this.#answers.length && ops < opsMax; told++) ops += this.#hear(this.#answers[told] as StateAnswer);
    this.#answers = this.#answers.slice(told);
    if (this.#answers.length > 0) this.#telling = setImmediate(() => this.#tell(TOLD_AT_ONCE));
  }

  /** Of how many ops. */
  #hear(answer: StateAnswer): number {
    const waiting = this.#take(answer[0]);
    if (answer[1]) waiting?.reject(toFault(answer[2]));
    else waiting?.resolve(answer[2]);
    return waiting?.ops ?? 0;
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(id);
    this.#bytes -= waiting.bytes;
    waiting.end?.();
    if (this.#waiting.size === 0) this.#worker.unref();
    if (this.#waiting.size <= WAITING_MAX / 2) this.#reportEdge(false);
    return waiting;
  }

  #reportEdge(rising: boolean): void {
    if (this.#overloaded === rising) return;
    this.#overloaded = rising;
    this.#log?.write(rising
      ? { level: "warn", target: "store", msg: "state queue is full", fields: { limit: WAITING_MAX } }
      : { level: "info", target: "store", msg: "state queue has room again" });
  }
}
