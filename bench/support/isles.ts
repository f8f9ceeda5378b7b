/** Isles without a run around them: what a worker that is already warm needs for one more. */
import type { IsleCarrier, IslePlacing } from "@atoll-run/block";
import { createBenchBlock, script } from "./blocks.ts";

export type Setup = Parameters<IsleCarrier["open"]>[1];
export type Handle = ReturnType<IsleCarrier["open"]>;

/** What a real run would open its main isle with, every bridge included. */
export function realSetup(): Promise<Setup> {
  return new Promise((resolve) => {
    const carrier: IsleCarrier = {
      load: 0, ended: false, terminate: async () => undefined,
      open: (id, setup, hear) => {
        resolve(setup);
        setImmediate(() => hear({ t: "died", isle: id, why: "cancelled", text: "cancelled" }));
        const gone = async (): Promise<void> => undefined;
        return { id, thread: carrier, send: () => undefined, abortEvent: () => undefined, kill: gone, close: gone, outputWritten: () => undefined, bytes: 0 };
      },
    };
    const placing: IslePlacing = { place: () => ({ thread: carrier, shared: true }), left: () => undefined, close: async () => undefined };
    createBenchBlock(placing).start(script("")).result.catch(() => undefined);
  });
}

let nextId = 1_000_000;

/** Opens an isle on a thread; resolves when it could run a script. */
export function openIsle(thread: IsleCarrier, setup: Setup): Promise<Handle> {
  return new Promise((resolve, reject) => {
    const handle = thread.open(nextId++, { ...setup, control: new SharedArrayBuffer(setup.control.byteLength) }, (message) => {
      if (message.t === "opened") setImmediate(() => resolve(handle));
      else if (message.t === "died") reject(new Error(message.text));
    });
  });
}
