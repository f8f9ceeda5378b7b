/** Parts as they are, with an ear on what passes. */
import type { Batch, StateStore } from "@atoll-run/core";
import type { IslePlacing } from "@atoll-run/block";

export type Ear = (way: "to" | "from", message: { t: string }) => void;

/** Threads of isles. */
export function overheard(inner: IslePlacing, hear: Ear): IslePlacing {
  return {
    ...inner,
    place(apart) {
      const { thread, shared } = inner.place(apart);
      return {
        shared,
        thread: {
          load: 0, ended: false, terminate: () => thread.terminate(),
          open(id, setup, listen) {
            const handle = thread.open(id, setup, (message) => {
              hear("from", message);
              listen(message);
            });
            return {
              ...handle,
              send(message) {
                hear("to", message);
                handle.send(message);
              },
            };
          },
        },
      };
    },
    left: () => inner.close(),
  };
}

/** A store; the ear is told of a batch when it has been committed. */
export function overheardStore(store: StateStore, hear: (batch: Batch) => void): StateStore {
  const commit: StateStore["commit"] = async (batch) => {
    const done = await store.commit(batch);
    if (done.ok) hear(batch);
    return done;
  };
  return new Proxy(store, { get: (target, name) => {
    if (name === "commit") return commit;
    const value: unknown = Reflect.get(target, name, target);
    return typeof value === "function" ? (value as (...args: unknown[]) => unknown).bind(target) : value;
  } });
}
