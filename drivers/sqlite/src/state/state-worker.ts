/**
 * The thread that owns the state file: takes what waits, commits it at once, answers all of it, and checkpoints when
 * nobody asks. There is no timer between a batch and its commit.
 */
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from "node:worker_threads";
import { isFault, stateBroken, toFaultData, type Fault } from "@atoll-run/core";
import { StateFile } from "./state-file.ts";
import { packAnswers, unpackCommits } from "./packing.ts";
import type {
  AnswerMessage, CommitRequest, OtherRequest, RequestMessage, StateAnswer, StateRequest, StateWorkerData,
} from "./protocol.ts";

/** Without a request for so long the thread is idle. */
const IDLE_MS = 100;
/** One group commit ends at these. */
const GROUP_OPS_MAX = 512;
const GROUP_BYTES_MAX = 1_024 * 1_024;

class StateWorker {
  readonly #port: MessagePort;
  readonly #data: StateWorkerData;
  #file: StateFile | undefined;
  #queue: StateRequest[] = [];
  #idle: NodeJS.Timeout | undefined;
  #lastTurnAt = 0;

  constructor(port: MessagePort, data: StateWorkerData) {
    this.#port = port;
    this.#data = data;
    port.on("message", (message: RequestMessage) => {
      this.#take(message);
      while (this.#queue.length > 0) this.#turn();
      this.#lastTurnAt = performance.now();
      this.#idle ??= setTimeout(() => this.#rest(), IDLE_MS);
    });
  }

  #take({ commits, others }: RequestMessage): void {
    if (commits !== null) this.#queue.push(...unpackCommits(commits));
    if (others.length === 0) return;
    this.#queue.push(...others);
    this.#queue.sort(([a], [b]) => a - b);
  }

  #turn(): void {
    for (let more = receiveMessageOnPort(this.#port); more; more = receiveMessageOnPort(this.#port)) {
      this.#take(more.message as RequestMessage);
    }
    const { group, others, taken } = takeGroup(this.#queue);
    this.#queue = this.#queue.slice(taken);
    const done = group.length === 0 ? { commits: null, others: [] } : this.#commit(group);
    this.#port.postMessage({ commits: done.commits, others: [...done.others, ...others.map((one) => this.#answer(one))] });
  }

  #commit(group: readonly CommitRequest[]): AnswerMessage {
    try {
      const commits = this.#open().commitAll(group.map(([, , batch]) => batch));
      return { commits: packAnswers(group, commits), others: [] };
    } catch (error) {
      const fault = toFaultData(faultOf(error));
      return { commits: null, others: group.map(([id]) => [id, true, fault]) };
    }
  }

  #answer(request: OtherRequest): StateAnswer {
    const [id, kind, name, args] = request;
    try {
      if (kind === "read") return [id, false, this.#open().read(name, args)];
      if (kind === "open") this.#file ??= new StateFile(this.#data);
      else this.#close();
      return [id, false, undefined];
    } catch (error) {
      return [id, true, toFaultData(faultOf(error))];
    }
  }

  #open(): StateFile {
    if (this.#file === undefined) throw new Error("the file is not open");
    return this.#file;
  }

  #close(): void {
    clearTimeout(this.#idle);
    const file = this.#file;
    this.#file = undefined;
    file?.close();
  }

  /** One timer for many turns, since one for each would cost as much as a read. */
  #rest(): void {
    const left = this.#lastTurnAt + IDLE_MS - performance.now();
    this.#idle = left > 0 ? setTimeout(() => this.#rest(), left) : undefined;
    if (left <= 0) this.#file?.checkpoint();
  }
}

interface Group {
  readonly group: readonly CommitRequest[];
  /** What stood between them in the queue: answered after the commit, so that it sees what was asked before it. */
  readonly others: readonly OtherRequest[];
  readonly taken: number;
}

function takeGroup(queue: readonly StateRequest[]): Group {
  const group: CommitRequest[] = [];
  const others: OtherRequest[] = [];
  let ops = 0;
  let bytes = 0;
  for (const request of queue) {
    if (!isCommit(request)) {
      others.push(request);
      // A file that is opened or closed takes nothing that comes later.
      if (request[1] !== "read") break;
      continue;
    }
    const [, , batch, size] = request;
    ops += batch.ops.length;
    bytes += size;
    if (group.length > 0 && (ops > GROUP_OPS_MAX || bytes > GROUP_BYTES_MAX)) break;
    group.push(request);
  }
  return { group, others, taken: group.length + others.length };
}

function isCommit(request: StateRequest): request is CommitRequest {
  return request[1] === "commit";
}

function faultOf(error: unknown): Fault {
  return isFault(error) ? error : stateBroken("state.sqlite", error instanceof Error ? error.message : String(error));
}

if (parentPort === null) throw new Error("state-worker runs as a worker thread");
export const worker = new StateWorker(parentPort, workerData as StateWorkerData);
