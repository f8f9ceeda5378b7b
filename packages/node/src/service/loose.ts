/**
 * Rejections that nobody awaited (spec: node 4.16): they fail the message whose handler made them, not the process.
 *
 * Node tells of them once for the whole process, so this hears while any handler runs, and passes on what is none of
 * ours: without another listener that ends the process, as it would without us.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import process from "node:process";

/** Hears of a rejection that nobody awaited. */
type Hear = (reason: unknown) => void;

const RUNNING = new AsyncLocalStorage<Hear>();
let hearers = 0;

/** While it is held, rejections of handlers are heard. One for each workload that runs. */
export function hearLoose(): Disposable {
  if (hearers++ === 0) process.on("unhandledRejection", onUnhandled);
  let held = true;
  return {
    [Symbol.dispose]: () => {
      if (!held) return;
      held = false;
      if (--hearers === 0) process.off("unhandledRejection", onUnhandled);
    },
  };
}

/** Runs `handle`; what it starts and nobody awaits is told to `hear`, also after it ended. */
export function hearing<T>(hear: Hear, handle: () => T): T {
  return RUNNING.run(hear, handle);
}

function onUnhandled(reason: unknown): void {
  const hear = RUNNING.getStore();
  if (hear !== undefined) hear(reason);
  else if (process.listenerCount("unhandledRejection") === 1) throw reason;
}
