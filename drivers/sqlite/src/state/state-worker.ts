/**
 * The thread that owns the state file: takes what waits, commits it at once, answers all of it, and checkpoints when
 * nobody asks. There is no timer between a batch and its commit. A file that has failed is opened anew when it is to be.
 */
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from "node:worker_threads";
import { isFault, stateBroken, toFaultData, type Batch, type Fault } from "@atoll-run/core";
import { lockDirectory } from "./directory-lock.ts";
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
  #lock: Disposable | undefined;
  #file: StateFile | undefined;
  /** When it was last tried to open it, by the monotonic clock. */
  #openedMs = 0;
  #queue: StateRequest[] = [];
  #closed = false;

  constructor(port: MessagePort, data: StateWorkerData) {
    this.#port = port;
    this.#data = data;
  }

  /**
   * Until it is closed. The thread has nothing but this to do, so it sleeps on the bell and not in its event loop, which
   * would take longer to wake up than SQLite needs for a row.
   */
  run(): void {
    const { bell } = this.#data;
    let idle = false;
    while (!this.#closed) {
      const rung = Atomics.load(bell, 0);
      this.#receive();
      if (this.#queue.length > 0) {
        this.#turn();
        idle = false;
      } else if (idle) Atomics.wait(bell, 0, rung);
      else if (Atomics.wait(bell, 0, rung, IDLE_MS) === "timed-out") {
        idle = true;
        this.#file?.checkpoint();
      }
    }
  }

  #receive(): void {
    for (let next = receiveMessageOnPort(this.#port); next; next = receiveMessageOnPort(this.#port)) {
      const { commits, others } = next.message as RequestMessage;
      if (commits !== null) this.#queue.push(...unpackCommits(commits));
      if (others.length === 0) continue;
      this.#queue.push(...others);
      this.#queue.sort(([a], [b]) => a - b);
    }
  }

  #turn(): void {
    const { answer, count } = this.#commit();
    const others = takeOthers(this.#queue, count);
    this.#queue = this.#queue.slice(count + others.length);
    this.#port.postMessage({ commits: answer.commits, others: [...answer.others, ...others.map((one) => this.#answer(one))] });
  }

  /** `count`: of how many of the first commits of the queue. */
  #commit(): { readonly answer: AnswerMessage; readonly count: number } {
    const group = new Group(this.#queue, () => this.#receive());
    if (!group.begins) return { answer: { commits: null, others: [] }, count: 0 };
    try {
      const commits = this.#open().commitAll(() => group.next());
      return { answer: { commits: packAnswers(group.taken, commits), others: [] }, count: commits.length };
    } catch (error) {
      const fault = toFaultData(faultOf(error));
      // The whole group, also when it failed before the first was asked for.
      while (group.next() !== undefined);
      return { answer: { commits: null, others: group.taken.map(([id]) => [id, true, fault]) }, count: group.taken.length };
    }
  }

  #answer(request: OtherRequest): StateAnswer {
    const [id, kind, name, args] = request;
    try {
      if (kind === "read") return [id, false, this.#open().read(name, args)];
      if (kind === "open") this.#begin();
      else this.#close();
      return [id, false, undefined];
    } catch (error) {
      return [id, true, toFaultData(faultOf(error))];
    }
  }

  #open(): StateFile {
    if (this.#file === undefined) throw new Error("the file is not open");
    if (this.#file.isBroken && performance.now() - this.#openedMs >= this.#data.reopenMs) this.#reopen(this.#file);
    return this.#file;
  }

  /** Throws a `StateFault` and leaves nothing open. */
  #begin(): void {
    const { dir } = this.#data;
    this.#lock = dir === null ? undefined : lockDirectory(dir);
    try {
      this.#file = new StateFile(this.#data);
      this.#openedMs = performance.now();
    } catch (error) {
      this.#lock?.[Symbol.dispose]();
      throw error;
    }
  }

  /** The folder stays this process's. While it cannot be opened, the one that has failed answers. */
  #reopen(failed: StateFile): void {
    this.#openedMs = performance.now();
    let made: StateFile | undefined;
    try {
      failed.close();
      made = new StateFile(this.#data, { isThere: true });
      made.settle();
      this.#file = made;
    } catch {
      made?.close();
    }
  }

  #close(): void {
    this.#closed = true;
    const file = this.#file;
    this.#file = undefined;
    try {
      file?.close();
    } finally {
      this.#lock?.[Symbol.dispose]();
    }
  }
}

/** The first commits of the queue, as many as make one group. */
class Group {
  readonly #queue: readonly StateRequest[];
  readonly #receive: () => void;
  readonly taken: CommitRequest[] = [];
  #at = 0;
  #ops = 0;
  #bytes = 0;
  #full = false;

  /** `receive` puts what has arrived to the end of the queue. */
  constructor(queue: readonly StateRequest[], receive: () => void) {
    this.#queue = queue;
    this.#receive = receive;
  }

  /** There is one. */
  get begins(): boolean {
    const first = this.#queue.find(([, kind]) => kind !== "read");
    return first !== undefined && isCommit(first);
  }

  next(): Batch | undefined {
    while (!this.#full) {
      if (this.#at === this.#queue.length) this.#receive();
      const request = this.#queue[this.#at];
      if (request === undefined) return undefined;
      // A file that is opened or closed takes nothing that comes later.
      if (isCommit(request)) return this.#take(request);
      if (request[1] === "read") this.#at += 1;
      else this.#full = true;
    }
    return undefined;
  }

  #take(request: CommitRequest): Batch | undefined {
    const [, , batch, bytes] = request;
    this.#ops += batch.ops.length;
    this.#bytes += bytes;
    this.#full = this.taken.length > 0 && (this.#ops > GROUP_OPS_MAX || this.#bytes > GROUP_BYTES_MAX);
    if (this.#full) return undefined;
    this.#at += 1;
    this.taken.push(request);
    return batch;
  }
}

/** What stands before and between so many commits, and right after them: it sees what was asked before it. */
function takeOthers(queue: readonly StateRequest[], commits: number): OtherRequest[] {
  const others: OtherRequest[] = [];
  let left = commits;
  for (const request of queue) {
    if (!isCommit(request)) {
      others.push(request);
      if (request[1] !== "read") break;
    } else if (--left < 0) break;
  }
  return others;
}

function isCommit(request: StateRequest): request is CommitRequest {
  return request[1] === "commit";
}

function faultOf(error: unknown): Fault {
  return isFault(error) ? error : stateBroken("state.sqlite", error instanceof Error ? error.message : String(error));
}

if (parentPort === null) throw new Error("state-worker runs as a worker thread");
new StateWorker(parentPort, workerData as StateWorkerData).run();
