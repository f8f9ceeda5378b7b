/** Inside an isle: `std.task` with promises. A task that does not wait cannot be stopped; what it waits for can. */
import type { Any, Guest } from "./guest.ts";

export function tasks(g: Guest): void {
  const { task } = g.api["std"];
  let last = 0;
  let live = 0;

  const options = (opts: Any): string | undefined => {
    if (opts === undefined || opts === null) return undefined;
    if (typeof opts !== "object") throw g.wrongType("task.spawn", 2, "table", opts);
    for (const key of Object.keys(opts)) {
      if (key !== "name" && key !== "driver" && key !== "signal") {
        throw g.error("script.argument", `std.task: unknown opts key '${key}' (expected 'name' or 'driver')`);
      }
    }
    if (opts.name !== undefined && typeof opts.name !== "string") {
      throw g.error("script.argument", `std.task: opts.name: expected string, got ${g.typeName(opts.name)}`);
    }
    return opts.name;
  };

  const spawn = (fn: Any, opts: Any): Any => {
    if (typeof fn !== "function") throw g.wrongType("task.spawn", 1, "function", fn);
    const name = options(opts);
    if (live >= g.setup.liveTasksMax) {
      throw g.error("script.argument", `limit error: too many live tasks (limit: ${g.setup.liveTasksMax})`);
    }
    const n = ++last;
    const stop = new (globalThis as Any).AbortController();
    const begun = g.now("clock", "", null);
    let ended: number | undefined;
    let joined = false;
    live++;
    g.host("task", n, name ?? `t${n}`, "");
    const done = (): void => {
      if (ended !== undefined) return;
      live--;
      ended = g.now("clock", "", null);
      g.host("taskEnd", n, "", "");
    };
    const over = new Promise((_resolve, reject) => stop.signal.addEventListener("abort", () => reject(stop.signal.reason)));
    const work = Promise.resolve().then(() => fn({ signal: stop.signal }));
    const result = Promise.race([work, over]).finally(done);
    result.catch((error: Any) => {
      if (!joined && error?.code !== "task.aborted") g.host("taskFailed", n, (g.told(error) as Any).text, name ?? "");
    });
    return {
      id: `t${n}`, name, isFinished: () => ended !== undefined,
      elapsed: () => Math.floor((ended ?? g.now("clock", "", null)) - begun),
      abort: () => stop.abort(g.error("task.aborted", "task aborted")),
      cancel: () => stop.abort(g.error("task.cancelled", "task cancelled")),
      async join() {
        if (joined) throw g.error("task.joined", "task already joined");
        joined = true;
        g.host("taskTaken", n, "", "");
        return await result;
      },
    };
  };

  task.spawn = (fn: unknown, opts?: unknown) => spawn(fn, opts);
}
