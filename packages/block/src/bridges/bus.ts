/** Host half of `bus`: what scripts register, emit and serve. */
import type { MovedFunction } from "../isle/thread/protocol.ts";
import { blockError } from "../errors.ts";
import type { OpCall, Ops, Value } from "./op.ts";

/** A handler as a script gave it: it moved, or it stays where it was registered. */
export type ScriptHandler = { readonly moved: MovedFunction } | { readonly ref: number; readonly isle: "main" | "handler" };

export interface BusOpParts {
  /** Is a reader at work already, and which? Then the main isle may not register any more. */
  owned(): "serve" | "autoServe" | null;
  register(kind: string, handler: ScriptHandler, timeoutMs: number | undefined): Promise<void>;
  /** Queues an event; settles when it is in the queue. */
  emit(e: { kind: string; id: string | undefined; payload: string; meta: string }, signal: AbortSignal): Promise<void>;
  /** Settles when the bus was stopped and has run empty. */
  serve(): Promise<void>;
}

export function busOps(parts: BusOpParts): Ops {
  return {
    "bus.on": async ([what, kind, handler, opts], call) => {
      if (call.isle === "main" && parts.owned() !== null) {
        throw blockError("bus.register", `${String(what)}: bus.serve() has already taken ownership; register handlers before calling bus.serve()`);
      }
      await parts.register(String(kind), toHandler(handler, call), readTimeout(String(what), opts));
      return undefined;
    },
    "bus.emit": async ([kind, payload, id], call) => {
      const e = { kind: String(kind), id: id === undefined ? undefined : String(id), payload: payload === undefined ? "null" : String(payload), meta: "null" };
      await parts.emit(e, call.signal);
      return undefined;
    },
    "bus.serve": async () => {
      const owner = parts.owned();
      if (owner === "serve") throw blockError("bus.register", "bus.serve: already running");
      if (owner === "autoServe") throw blockError("bus.register", "bus.serve: bus already consumed");
      await parts.serve();
      return undefined;
    },
  };
}

function toHandler(handler: Value, call: OpCall): ScriptHandler {
  const given = handler as { ref?: number; moved?: unknown };
  return given.moved === undefined ? { ref: given.ref as number, isle: call.isle } : { moved: given.moved as MovedFunction };
}

function readTimeout(what: string, opts: Value): number | undefined {
  const ms = (opts as Record<string, Value> | undefined)?.["timeout_ms"];
  if (ms === undefined) return undefined;
  if (typeof ms !== "number" || !(ms > 0)) throw blockError("bus.register", `${what}: opts.timeout_ms must be a positive number`);
  return ms;
}
