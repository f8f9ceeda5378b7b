/** What goes between a host and the handlers of a run: events in, answers and faults out. */
import { type Clock, type Json, parseJson } from "@atoll-run/core";
import type { Handle } from "../bus/dispatcher.ts";
import type { HostHandler } from "../config.ts";
import { blockError } from "../errors.ts";
import type { Outcome } from "../isle/thread/protocol.ts";
import { toText } from "./prepare.ts";

/** A handler of the host as the bus calls it. When its time is up it is not waited for, whatever it does then. */
export function hostHandle(handler: HostHandler): Handle {
  return async (event, { signal }) => {
    const { kind, id } = event;
    const over = Promise.withResolvers<never>();
    const stop = (): void => over.reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    try {
      const asked = handler({ kind, id, payload: readValue(event.payload), meta: readValue(event.meta), signal });
      const reply = await Promise.race([asked, over.promise]);
      return reply === undefined ? "null" : toText(reply, "reply");
    } finally {
      signal.removeEventListener("abort", stop);
    }
  };
}

export function readValue(text: string): Json {
  const parsed = parseJson(text);
  if (!parsed.ok) throw blockError("json.decode", `reply: ${parsed.problem}`);
  return parsed.value;
}

/** The caller's own bound: the answer may come later, but nobody waits for it. */
export async function bounded(
  answer: Promise<string>, clock: Clock, o: { deadlineMs?: number; signal?: AbortSignal | undefined; kind: string },
): Promise<string> {
  if (o.deadlineMs === undefined && o.signal === undefined) return answer;
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = o.deadlineMs === undefined ? undefined
    : clock.after(o.deadlineMs, () => reject(blockError("bus.timeout", "handler timeout", { facts: { kind: o.kind } })));
  const abort = (): void => reject(blockError("run.cancelled", "cancelled"));
  o.signal?.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([answer, promise]);
  } finally {
    timer?.[Symbol.dispose]();
    o.signal?.removeEventListener("abort", abort);
  }
}

export function scriptFault(outcome: Outcome & { ok: false }): Error {
  if (outcome.fault?.code === "run.cancelled" || outcome.fault?.code.startsWith("isle.")) {
    return blockError(outcome.fault.code as "run.cancelled", outcome.fault.text, { facts: outcome.fault.facts, retry: outcome.fault.retry });
  }
  if (outcome.text === "not enough memory") return blockError("isle.memory", "limit error: not enough memory");
  const code = outcome.fault?.code === "script.syntax" ? "script.syntax" : "script.failed";
  const traceback = outcome.traceback === "" ? "" : `\n${outcome.traceback}`;
  return blockError(code, `script error: ${outcome.text}${traceback}`, {
    facts: { text: outcome.text, ...(outcome.fault === undefined ? {} : { raised: outcome.fault.code }), ...(outcome.value === undefined ? {} : { value: outcome.value }) },
  });
}
