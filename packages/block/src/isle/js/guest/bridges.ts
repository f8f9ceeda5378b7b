/** Inside an isle: the bridges that need no state of their own. */
import type { Any, Guest } from "./guest.ts";

export function bridges(g: Guest): void {
  const { api, setup } = g;
  for (const name of ["bus", "mesh", "mob", "http", "sh", "tool", "log", "llm", "mcp", "agent", "session"]) api[name] = {};
  api["std"] = { json: {}, env: {}, path: {}, time: {}, string: {}, validate: {}, fs: {}, sql: {}, kv: {}, ts: {}, task: {} };
  api["BlockError"] = g.BlockError;

  const place = (path: readonly string[], value: unknown): void => {
    let table: Any = api;
    for (const key of path.slice(0, -1)) table = table[key] ??= {};
    table[path[path.length - 1] as string] = value;
  };
  const cameled = (args: unknown[], at: number): [unknown[], Any] => {
    const options = at < 0 ? undefined : args[at];
    if (typeof options !== "object" || options === null) return [args, undefined];
    const given = [...args];
    given[at] = g.snake(options);
    return [given, (options as Any).signal];
  };
  for (const { name, path, pure, opts } of setup.functions) {
    place(path, pure ? (...args: unknown[]) => g.now("pure", name, args) : (...args: unknown[]) => {
      const [given, signal] = cameled(args, opts);
      return g.call(name, given, { signal });
    });
  }

  const stop = new (globalThis as Any).AbortController();
  const world = globalThis as Any;
  api["block"] = {
    prompt: world._PROMPT, context: world._CONTEXT, args: world.arg, signal: stop.signal, trace: setup.trace,
    /** Ends the run with this code. */
    exit: (code: unknown = 0) => g.call("os.exit", [code]),
  };
  const told = g.on["ending"] as (id: number, text: string, extra: string, bytes: ArrayBuffer[]) => void;
  g.on["ending"] = (id, text, extra, bytes) => {
    told(id, text, extra, bytes);
    stop.abort(g.ending.fault);
  };
}
