/** Inside an isle: calls of the host. */
import type { Any, Guest } from "./guest.ts";

export function calls(g: Guest): void {
  interface Open { resolve(value: Any): void; reject(error: unknown): void; functions: number[]; keeps: boolean; off(): void }
  const open = new Map<number, Open>();
  let lastId = 0;
  let lastRef = g.setup.firstRef;
  g.kept = new Map();
  g.keep = (fn) => {
    g.kept.set(++lastRef, fn);
    return lastRef;
  };
  const release = (refs: readonly number[]): void => {
    for (const ref of refs) g.kept.delete(ref);
  };
  const close = (id: number, well: boolean): Open | undefined => {
    const call = open.get(id);
    if (call === undefined) return undefined;
    open.delete(id);
    call.off();
    if (!(well && call.keeps)) release(call.functions);
    return call;
  };

  g.call = (op, args, o = {}) => new Promise((resolve, reject) => {
    if (g.ending.fault !== undefined) throw g.ending.fault;
    const signal = o.signal;
    if (signal !== undefined) signal.throwIfAborted();
    const functions: number[] = [];
    const { text, bytes } = g.pack(args, (fn) => {
      const ref = g.keep(fn);
      functions.push(ref);
      return ref;
    });
    const id = ++lastId;
    const stop = (): void => {
      g.host("cancel", id, "", "");
      close(id, false)?.reject(signal.reason);
    };
    const off = (): void => signal?.removeEventListener("abort", stop);
    open.set(id, { resolve, reject, functions, keeps: o.keeps === true, off });
    const problem = g.host("call", id, text, op, ...bytes);
    if (problem !== undefined) {
      close(id, false);
      throw g.fault(g.unpack(problem, []));
    }
    signal?.addEventListener("abort", stop);
  });

  g.on["reply"] = (id, text, _extra, bytes) => close(id, true)?.resolve(g.unpack(text, bytes));
  g.on["fault"] = (id, text) => close(id, false)?.reject(g.fault(g.unpack(text, [])));
  g.on["release"] = (id) => release([id]);
  g.on["ending"] = (_id, text) => {
    const fault = g.fault(g.unpack(text, []));
    g.ending.fault = fault;
    for (const id of [...open.keys()]) close(id, false)?.reject(fault);
  };
  // calls that belong to an event whose time is over
  g.on["abortCalls"] = (_id, text) => {
    const fault = g.error("task.aborted", "task aborted");
    for (const id of g.unpack(text, [])) close(id, false)?.reject(fault);
  };
}
