/** Bare worker threads: what everything that crosses threads is measured against. */
import { MessageChannel, Worker } from "node:worker_threads";

/** Milliseconds from the start of an empty worker to its exit. */
export function emptyWorker(): Promise<number> {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const worker = new Worker("", { eval: true });
    worker.once("error", reject);
    worker.once("exit", () => resolve(performance.now() - begun));
  });
}

const ECHO = `
const { parentPort } = require("node:worker_threads");
parentPort.once("message", ({ port }) => port.on("message", (text) => port.postMessage(text)));
`;

const ASK = `
const { parentPort, workerData } = require("node:worker_threads");
parentPort.once("message", ({ port }) => {
  let left = 0, begun = 0;
  port.on("message", () => {
    if (--left > 0) port.postMessage(workerData);
    else parentPort.postMessage(performance.now() - begun);
  });
  parentPort.on("message", ({ times }) => {
    left = times;
    begun = performance.now();
    port.postMessage(workerData);
  });
});
`;

export interface PingPong extends AsyncDisposable {
  /** Milliseconds of one round trip, the mean of `times`. */
  trip(times: number): Promise<number>;
}

/** Two workers that send a text to each other and back, with nothing else to do. */
export function pingPong(text: string): PingPong {
  const { port1, port2 } = new MessageChannel();
  const echo = new Worker(ECHO, { eval: true });
  const ask = new Worker(ASK, { eval: true, workerData: text });
  echo.postMessage({ port: port1 }, [port1]);
  ask.postMessage({ port: port2 }, [port2]);
  return {
    trip: (times) => new Promise((resolve, reject) => {
      ask.once("error", reject);
      ask.once("message", (ms: number) => {
        ask.off("error", reject);
        resolve(ms / times);
      });
      ask.postMessage({ times });
    }),
    [Symbol.asyncDispose]: async () => void await Promise.all([echo.terminate(), ask.terminate()]),
  };
}
