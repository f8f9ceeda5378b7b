/**
 * The store worker: drains its port, lets each file commit once, answers all, and checkpoints when nobody
 * asks.
 */
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from "node:worker_threads";
import { kvTable } from "./kv-table.ts";
import { seriesTable } from "./series-table.ts";
import { StoreFile } from "./store-file.ts";
import {
  DONE, type StoreAnswer, type StoreName, type StoreRequest, type StoreWorkerData,
} from "./store-protocol.ts";

/** Without a request for so long the worker is idle. */
const IDLE_MS = 100;

class StoreWorker {
  readonly #port: MessagePort;
  readonly #files: Readonly<Record<StoreName, StoreFile>>;
  #answers: StoreAnswer[] = [];
  #timer: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #lastTurnAt = 0;
  #immediate: NodeJS.Immediate | undefined;

  constructor(port: MessagePort, data: StoreWorkerData) {
    this.#port = port;
    const answer = (one: StoreAnswer): void => void this.#answers.push(one);
    this.#files = {
      kv: new StoreFile(kvTable, data.kv, answer), ts: new StoreFile(seriesTable, data.ts, answer),
    };
    port.on("message", (batch: StoreRequest[]) => {
      this.#take(batch);
      this.#turn();
    });
  }

  #take(batch: readonly StoreRequest[]): void {
    for (const request of batch) {
      if (request[1] === "cancel") for (const file of this.#all()) file.cancel(request[0]);
      else if (request[1] === "close") {
        this.#files[request[2]].close();
        this.#answers.push([request[0], DONE, undefined]);
      } else {
        const [id, op, leftMs, args] = request;
        const file = op.startsWith("kv.") ? this.#files.kv : this.#files.ts;
        file.add({ id, op, args, deadlineAt: performance.now() + leftMs });
      }
    }
  }

  #turn(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
    this.#timer = this.#immediate = undefined;
    for (let more = receiveMessageOnPort(this.#port); more; more = receiveMessageOnPort(this.#port)) {
      this.#take(more.message as StoreRequest[]);
    }
    for (const file of this.#all()) file.turn(performance.now());
    if (this.#answers.length > 0) {
      this.#port.postMessage(this.#answers);
      this.#answers = [];
    }
    const now = performance.now();
    const waitMs = Math.min(...this.#all().map((file) => file.waitMs(now)));
    if (waitMs === 0) this.#immediate = setImmediate(() => this.#turn());
    else if (waitMs < Infinity) this.#timer = setTimeout(() => this.#turn(), waitMs);
    this.#lastTurnAt = now;
    if (this.#idle === undefined) this.#idle = setTimeout(() => this.#rest(), IDLE_MS);
  }

  /** One timer for many turns, since one for each would cost as much as a read. */
  #rest(): void {
    const left = this.#lastTurnAt + IDLE_MS - performance.now();
    this.#idle = left > 0 ? setTimeout(() => this.#rest(), left) : undefined;
    if (left <= 0) this.#all().forEach((file) => file.checkpoint());
  }

  #all(): readonly StoreFile[] {
    return [this.#files.kv, this.#files.ts];
  }
}

if (parentPort === null) throw new Error("store-worker runs as a worker thread");
export const worker = new StoreWorker(parentPort, workerData as StoreWorkerData);
