/** Inside an isle: the script itself, handlers of events, and callbacks. */
import type { Any, Guest } from "./guest.ts";

export function works(g: Guest): void {
  const fn = (ref: number): Any => g.kept.get(ref);
  const stopping = new Map<string, Any>();

  g.on["run"] = (_id, name) => void g.answer("ran", 0, async () => {
    const { default: given } = await import(name);
    return typeof given === "function" ? await given() : await given;
  });

  g.on["install"] = (id, name) => void g.answer("installed", id, async () => {
    const { default: handler } = await import(name);
    if (typeof handler === "function") return g.keep(handler);
    throw g.error("bus.register", `bus.onModule: the default export of '${name}' must be a function, got ${g.typeName(handler)}`);
  });

  g.on["event"] = (seq, text, extra, bytes) => {
    const handler = fn(Number(extra));
    const stop = new (globalThis as Any).AbortController();
    stopping.set("event" + seq, stop);
    void g.answer("handled", seq, async () => {
      if (handler === undefined) throw g.error("isle.crashed", "runtime error: isle crashed: the handler is gone");
      const event = g.unpack(text, bytes);
      if (event.fault !== undefined) throw g.fault(event.fault);
      g.event = { signal: stop.signal };
      try {
        if (event.tx === true) event.tx = transaction(seq);
        return (await handler({ ...event, signal: stop.signal })) ?? null;
      } finally {
        g.event = undefined;
        stopping.delete("event" + seq);
      }
    });
  };

  const transaction = (seq: number): Any => {
    const json = (value: unknown): string => g.now("encode", "", value);
    return {
      set: (ns: string, key: string, value: unknown) => g.call("event.tx.set", [seq, ns, key, json(value)]),
      delete: (ns: string, key: string) => g.call("event.tx.delete", [seq, ns, key]),
      get: (ns: string, key: string) => g.call("event.tx.get", [seq, ns, key]),
      tell: (to: string, route: string, payload?: unknown) => g.call("event.tx.tell", [seq, to, route, json(payload ?? null)]),
    };
  };

  g.on["callback"] = (id, text, extra, bytes) => {
    const called = fn(Number(extra));
    void g.answer("called", id, () => {
      if (called === undefined) throw g.error("run.cancelled", "cancelled");
      return called(...g.unpack(text, bytes));
    });
  };

  g.on["abort"] = (_id, text) => {
    stopping.get(text)?.abort(g.error("task.aborted", "task aborted"));
    stopping.delete(text);
  };
}
