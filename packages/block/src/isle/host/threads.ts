/**
 * Worker threads that carry isles, seen from the host.
 * takes setups; gives handles of isles; promises that an isle that does not end by itself is ended with its
 * thread; refuses when closed; never starts a thread nobody asked for.
 */
import { getCompileCacheDir } from "node:module";
import { dirname, extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { TimeLimit } from "../lua/vm-errors.ts";
import { BELL, CONTROL, type FromThread, type IsleSetup, type ThreadData,
  type ToThread } from "../thread/protocol.ts";
import { StuckWatch } from "./stuck-watch.ts";

/** An isle has this long to end by itself before its thread is ended, in milliseconds. */
const KILL_MS = 250;
/** The same where others are on the thread, which goes on: a busy machine must not cost them their lives. */
const KILL_BESIDE_MS = 5_000;
/** CPU milliseconds that a thread may burn without a beat while it should end an isle. */
const STUCK_MS = 100;
const entry = new URL(`../thread/entry${extname(import.meta.url)}`, import.meta.url);

type Died = FromThread & { t: "died" };

export interface IsleHandle {
  /** Posts to the isle. */
  send(message: ToThread): void;
  readonly id: number;
  /** Asks the handler of an event to stop, even while the isle is busy. */
  abortEvent(seq: number): void;
  /** Ends the isle; settles when it is gone. */
  kill(): Promise<void>;
  /** Lets go of an isle that has nothing more to do. */
  close(): Promise<void>;
  /** The host has worked off that many bytes of the isle's output and notes. */
  outputWritten(bytes: number): void;
  /** Bytes of its memory, what the host holds for it included. */
  readonly bytes: number;
  readonly thread: IsleCarrier;
}

/** A thread as those see it who place isles on it. */
export interface IsleCarrier {
  /** Isles on it now. */
  readonly load: number;
  readonly ended: boolean;
  open(id: number, setup: IsleSetup, hear: (message: FromThread) => void): IsleHandle;
  /** Ends the thread and every isle on it. */
  terminate(): Promise<void>;
}

/** An isle on the thread. */
interface Carried {
  readonly handle: IsleHandle;
  readonly setup: IsleSetup;
  readonly openedAt: number;
  /** It has been asked to end. */
  ending: boolean;
  /** The handler of one of its events has been asked to end, at some time. */
  aborting: boolean;
  hear(message: FromThread): void;
  gone(): void;
}

export class IsleThread implements IsleCarrier {
  readonly #worker: Worker;
  readonly #bell: Int32Array;
  /** Isles whose kill ended, or will end, the thread; the others are only beside them. */
  readonly #killed = new Set<number>();
  readonly #isles = new Map<number, Carried>();
  readonly #watch: StuckWatch;
  #ended = false;
  #exit: Promise<number> | undefined;
  /** Taken when the first isle is opened: until then a starting thread and the compiler work side by side. */
  #module: (() => WebAssembly.Module) | undefined;

  constructor(module: () => WebAssembly.Module, o: { readonly saveCode?: string | undefined } = {}) {
    this.#module = module;
    const bell = new SharedArrayBuffer(BELL.words * 4);
    this.#bell = new Int32Array(bell);
    const cache = getCompileCacheDir();
    const data: ThreadData = {
      bell, ...(cache === undefined ? {} : { codeCache: dirname(cache) }),
      ...(o.saveCode === undefined ? {} : { saveCode: o.saveCode }),
    };
    // an empty environment: nothing of the host's is in reach of the thread
    this.#worker = new Worker(entry, { workerData: data, env: {}, execArgv: [], trackUnmanagedFds: false });
    this.#watch = new StuckWatch({
      bell: this.#bell, still: (isle, cpuMs) => this.#still(isle, cpuMs),
      cpuMs: () => this.#worker.cpuUsage().then(({ user, system }) => (user + system) / 1000),
    });
    this.#worker.on("message", (message: FromThread | readonly FromThread[]) => {
      if (Array.isArray(message)) for (const one of message as readonly FromThread[]) this.#isles.get(one.isle)?.hear(one);
      else this.#isles.get((message as FromThread).isle)?.hear(message as FromThread);
    });
    this.#worker.on("error", (error) => this.#lost(`${error.name}: ${error.message}`));
    this.#worker.on("exit", () => this.#lost("the isle thread ended"));
  }

  get load(): number {
    return this.#isles.size;
  }

  get ended(): boolean {
    return this.#ended;
  }

  post(message: ToThread): void {
    if (this.#ended) return;
    this.#worker.postMessage(message);
    Atomics.add(this.#bell, BELL.rings, 1);
    if (Atomics.load(this.#bell, BELL.waiting) !== 0) Atomics.notify(this.#bell, BELL.rings);
  }

  open(id: number, setup: IsleSetup, hear: (message: FromThread) => void): IsleHandle {
    if (this.#module !== undefined) this.post({ t: "module", module: this.#module() });
    this.#module = undefined;
    const control = new Int32Array(setup.control);
    let settle: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const leave = (): void => {
      this.#isles.delete(id);
      if (![...this.#isles.values()].some(isBounded)) this.#watch.stop();
      settle();
    };
    let timer: NodeJS.Timeout | undefined;
    gone.then(() => clearTimeout(timer), () => undefined);
    const endThread = (ms: number): void => {
      carried.ending = true;
      this.#watch.start();
      clearTimeout(timer);
      timer = setTimeout(() => {
        const alone = [...this.#isles.values()].every(({ ending }) => ending);
        if (!alone && ms < KILL_BESIDE_MS) endThread(KILL_BESIDE_MS);
        else this.#end(id);
      }, ms);
    };
    const handle: IsleHandle = {
      id, thread: this, get bytes() {
        return Atomics.load(control, CONTROL.bytes) >>> 0;
      },
      send: (message) => this.post(message),
      abortEvent: (seq) => {
        Atomics.store(control, CONTROL.abortEvent, seq);
        carried.aborting = true;
        this.#watch.start();
        this.post({ t: "abortEvent", isle: id, seq });
      },
      kill: () => {
        Atomics.store(control, CONTROL.kill, 1);
        this.post({ t: "kill", isle: id });
        this.post({ t: "close", isle: id });
        if (this.#isles.has(id)) endThread(KILL_MS);
        return gone;
      },
      close: () => {
        this.post({ t: "close", isle: id });
        if (this.#isles.has(id)) endThread(KILL_MS);
        return gone;
      },
      outputWritten: (bytes) => {
        Atomics.add(control, CONTROL.outputAcked, bytes);
        if (Atomics.exchange(control, CONTROL.outputWaits, 0) !== 0) this.post({ t: "room", isle: id });
      },
    };
    const carried: Carried = {
      handle, setup, gone: leave, openedAt: performance.now(), ending: false, aborting: false,
      hear: (message) => {
        hear(message);
        if (message.t === "closed") leave();
      },
    };
    this.#isles.set(id, carried);
    if (isBounded(carried)) this.#watch.start();
    this.post({ t: "open", isle: id, setup });
    return handle;
  }

  /** Ends the thread and every isle on it. */
  async terminate(): Promise<void> {
    this.#exit ??= this.#worker.terminate();
    await this.#exit;
  }

  /** Ends the thread because of this isle. */
  #end(isle: number): void {
    this.#killed.add(isle);
    void this.terminate();
  }

  /** An isle goes on without a beat: is something due that needs one? */
  #still(isle: number, cpuMs: number): boolean {
    const carried = this.#isles.get(isle);
    const kills = [...this.#isles].filter(([, { ending }]) => ending);
    if (kills.length > 0 && cpuMs >= STUCK_MS) for (const [killed] of kills) this.#end(killed);
    else if (carried === undefined || overdue(carried, cpuMs) === undefined) return false;
    if (carried?.ending === false) {
      const text = `limit error: ${Math.round(cpuMs)} ms of CPU without a look at the limits`;
      const limit = overdue(carried, cpuMs);
      carried.hear({ t: "died", isle, why: "timeout", text, ...(limit === undefined || limit === "taskAbortMsMax" ? {} : { limit }) });
      this.#end(isle);
    }
    return true;
  }

  #lost(text: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#watch.stop();
    for (const [isle, { hear, gone }] of [...this.#isles]) {
      const beside = this.#killed.size > 0 && !this.#killed.has(isle);
      const died: Died = { t: "died", isle, why: beside ? "cotenant" : "crashed", text };
      hear(died);
      gone();
    }
  }
}

/** May this isle run into its end without being asked for one? */
function isBounded({ setup: { limits, shared }, ending, aborting }: Carried): boolean {
  return ending || aborting || shared || Math.min(limits.sliceMsMax, limits.cpuMsMax, limits.wallMsMax) < Infinity;
}

/** The limit that is over and that the isle itself has not seen for so much CPU time. */
function overdue({ setup: { limits, shared, spent }, aborting, openedAt }: Carried, cpuMs: number): TimeLimit | "taskAbortMsMax" | undefined {
  const late = cpuMs - STUCK_MS;
  const spentMs = Number(Atomics.load(new BigInt64Array(spent), 0)) / 1000;
  if (late >= Math.max(0, limits.cpuMsMax - spentMs)) return "cpuMsMax";
  if (late >= 0 && performance.now() - openedAt > limits.wallMsMax) return "wallMsMax";
  const slice = shared ? "sliceSharedMsMax" : "sliceMsMax";
  if (late >= limits[slice]) return slice;
  return aborting && late >= limits.taskAbortMsMax ? "taskAbortMsMax" : undefined;
}

/** Where isles are placed. */
export interface IslePlacing {
  /** A thread for a new isle, never `apart` when another can be had. */
  place(apart?: IsleCarrier): { thread: IsleCarrier; shared: boolean };
  /** The isle has left its thread. */
  left(thread: IsleCarrier): void;
  /** Ends all threads; settles when they are gone, those that isles have left included. */
  close(): Promise<void>;
}

/**
 * A thread for each isle, ended with it: the way of `atoll run`. `module` may be a function, which is called
 * for the first isle; `warm` threads are started at once. `saveCode`: folder for the bytecode of the isles'
 * own Lua code.
 */
export function ownThreads(
  module: WebAssembly.Module | (() => WebAssembly.Module),
  o: { readonly warm?: number; readonly saveCode?: string } = {},
): IslePlacing {
  const threads = new Set<IsleCarrier>();
  const start = (): IsleThread => {
    const thread = new IsleThread(module instanceof WebAssembly.Module ? () => module : module, o);
    threads.add(thread);
    return thread;
  };
  const ready = Array.from({ length: o.warm ?? 0 }, start);
  return {
    place: () => ({ thread: ready.pop() ?? start(), shared: false }),
    left(thread) {
      // stays in the set until it has ended: `close` waits for it
      void thread.terminate().finally(() => threads.delete(thread));
    },
    async close() {
      await Promise.all([...threads].map((thread) => thread.terminate()));
    },
  };
}
