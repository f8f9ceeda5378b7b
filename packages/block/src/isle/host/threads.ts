/**
 * Worker threads that carry isles, seen from the host.
 * takes setups; gives handles of isles; promises that an isle that does not end by itself is ended with its
 * thread; refuses when closed; never starts a thread nobody asked for.
 */
import { getCompileCacheDir } from "node:module";
import { dirname, extname } from "node:path";
import { Worker } from "node:worker_threads";
import { BELL, CONTROL, type FromThread, type IsleSetup, type ThreadData,
  type ToThread } from "../thread/protocol.ts";

/** An isle has this long to end by itself before its thread is ended, in milliseconds. */
const KILL_MS = 250;
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

export class IsleThread implements IsleCarrier {
  readonly #worker: Worker;
  readonly #bell: Int32Array;
  /** Isles whose kill ended, or will end, the thread; the others are only beside them. */
  readonly #killed = new Set<number>();
  readonly #isles = new Map<number, { hear(message: FromThread): void; gone(): void; handle: IsleHandle }>();
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
    this.#worker.on("message", (message: FromThread) => this.#isles.get(message.isle)?.hear(message));
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
      settle();
    };
    const endThread = (ms: number): void => {
      const timer = setTimeout(() => {
        this.#killed.add(id);
        void this.terminate();
      }, ms);
      gone.then(() => clearTimeout(timer), () => undefined);
    };
    const handle: IsleHandle = {
      id, thread: this, send: (message) => this.post(message),
      abortEvent: (seq) => {
        Atomics.store(control, CONTROL.abortEvent, seq);
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
    this.#isles.set(id, {
      handle, gone: leave,
      hear: (message) => {
        hear(message);
        if (message.t === "closed") leave();
      },
    });
    this.post({ t: "open", isle: id, setup });
    return handle;
  }

  /** Ends the thread and every isle on it. */
  async terminate(): Promise<void> {
    this.#exit ??= this.#worker.terminate();
    await this.#exit;
  }

  #lost(text: string): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const [isle, { hear, gone }] of [...this.#isles]) {
      const beside = this.#killed.size > 0 && !this.#killed.has(isle);
      const died: Died = { t: "died", isle, why: beside ? "cotenant" : "crashed", text };
      hear(died);
      gone();
    }
  }
}

/** Where isles are placed. */
export interface IslePlacing {
  /** A thread for a new isle, never `apart` when another can be had. */
  place(apart?: IsleCarrier): { thread: IsleCarrier; shared: boolean };
  /** The isle has left its thread. */
  left(thread: IsleCarrier): void;
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
      threads.delete(thread);
      void thread.terminate();
    },
    async close() {
      await Promise.all([...threads].map((thread) => thread.terminate()));
    },
  };
}
