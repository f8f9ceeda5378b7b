/** The faults of `std.kv` and `std.ts`, with their exact texts (spec: block 5.9). */
import { Fault } from "@atoll-run/core";
import type { SqliteFailure } from "./sqlite-failure.ts";
import type { StoreOp } from "./store-protocol.ts";

/** Milliseconds that a caller refused for lack of room should wait. */
const RETRY_AFTER_MS = 50;
const WRITES: ReadonlySet<StoreOp> = new Set<StoreOp>(["kv.set", "kv.delete", "ts.append"]);

/** A write whose caller stopped waiting may still be done. */
function uncertain(op: StoreOp): { uncertain?: boolean } {
  return WRITES.has(op) ? { uncertain: true } : {};
}

function isKv(op: StoreOp): boolean {
  return op.startsWith("kv.");
}

function failedCode(op: StoreOp): "kv.failed" | "ts.failed" {
  return isKv(op) ? "kv.failed" : "ts.failed";
}

export function storeFailed(op: StoreOp, { message, retry, hint, sqlite_code }: SqliteFailure): Fault {
  return new Fault({
    code: failedCode(op), text: `${op} sql error: ${message}`, facts: { op, sqlite_code }, retry,
    ...(hint === undefined ? {} : { hint }),
  });
}

export function storeTimeout(op: StoreOp, timeoutMs: number): Fault {
  return new Fault({
    code: isKv(op) ? "kv.timeout" : "ts.timeout", text: `${op} timeout (${timeoutMs}ms)`,
    facts: { op, timeout_ms: timeoutMs }, retry: "later", ...uncertain(op),
  });
}

/** `sent` = the worker may have it already. */
export function storeCancelled(op: StoreOp, sent: boolean): Fault {
  return new Fault({
    code: isKv(op) ? "kv.cancelled" : "task.cancelled", text: `task cancelled during ${op}`, facts: { op },
    ...(sent ? uncertain(op) : {}),
  });
}

export function storeOverloaded(op: StoreOp, limit: number): Fault {
  return new Fault({
    code: failedCode(op), text: `${op} sql error: overloaded: ${limit} requests are waiting`,
    facts: { op, overloaded: true, limit }, retry: "later", retry_after_ms: RETRY_AFTER_MS,
    hint: "Wait for earlier requests before sending more.",
  });
}

export function storeClosed(op: StoreOp): Fault {
  return new Fault({ code: failedCode(op), text: `${op} sql error: the store is closed`, facts: { op } });
}

export function storeCrashed(op: StoreOp, reason: string): Fault {
  return new Fault({
    code: failedCode(op), text: `${op} sql error: the store worker ended: ${reason}`, facts: { op },
    retry: "later", ...uncertain(op),
  });
}

export function badNamespace(ns: string): Fault {
  return new Fault({
    code: "kv.namespace", text: `Invalid namespace: '${ns}'`, facts: { namespace: ns },
    hint: "A namespace is not empty and has no '/', '\\', NUL or '..'.",
  });
}

export function badSeries(text: string): Fault {
  return new Fault({ code: "ts.invalid", text });
}
