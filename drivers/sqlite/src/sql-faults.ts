/** The faults of `std.sql`, with their exact texts (spec: block 5.9). */
import { Fault } from "@atoll-run/core";
import type { FailAnswer } from "./sql-protocol.ts";

export type SqlKind = "query" | "exec";

/** Milliseconds that a caller refused for lack of room should wait. */
const RETRY_AFTER_MS = 100;

/** `uncertain` when the statement was running: a change may have been made before its child was killed. */
export function sqlTimeout(kind: SqlKind, timeoutMs: number, ran: boolean): Fault {
  return new Fault({
    code: "sql.timeout", text: `sql.${kind} timeout (${timeoutMs}ms)`,
    facts: { kind, timeout_ms: timeoutMs, ran }, retry: "later",
    ...(ran && kind === "exec" ? { uncertain: true } : {}),
    hint: ran ? "Make the statement cheaper or raise the query timeout."
      : "The database was busy with other statements.",
  });
}

export function sqlCancelled(kind: SqlKind, ran: boolean): Fault {
  return new Fault({
    code: "sql.cancelled", text: `task cancelled during sql.${kind}`, facts: { kind, ran },
    ...(ran && kind === "exec" ? { uncertain: true } : {}),
  });
}

export function sqlAborted(reason: string): Fault {
  return new Fault({
    code: "sql.aborted", text: `sql aborted: the open transaction was rolled back: ${reason}`,
    facts: { reason }, retry: "later", hint: "Begin the transaction again.",
  });
}

export function sqlOverloaded(limit: number): Fault {
  return new Fault({
    code: "sql.failed", text: `sql error: overloaded: ${limit} statements are waiting for this database`,
    facts: { overloaded: true, limit }, retry: "later", retry_after_ms: RETRY_AFTER_MS,
    hint: "Wait for earlier statements before sending more.",
  });
}

/** The child ended without being told to. */
export function sqlCrashed(kind: SqlKind, how: string, stderr: string): Fault {
  return new Fault({
    code: "sql.failed", text: `sql error: the SQL process ended in the statement (${how})`,
    facts: { how, stderr }, retry: "later",
    ...(kind === "exec" ? { uncertain: true } : {}),
  });
}

export function sqlNotStarted(how: string, stderr: string): Fault {
  const words = stderr === "" ? "" : `: ${stderr}`;
  return new Fault({
    code: "sql.failed", text: `sql error: the SQL process did not start (${how})${words}`, facts: { how },
    retry: "later", hint: "Node 24 or later must be able to start a child of its own.",
  });
}

export function sqlTooLarge(limit: number): Fault {
  return new Fault({
    code: "sql.failed",
    text: `sql error: the statement and its parameters are larger than ${limit >> 20} MiB`, facts: { limit },
  });
}

export function sqlClosed(): Fault {
  return new Fault({ code: "sql.failed", text: "sql error: the database is closed" });
}

export function fromAnswer({ code, text, facts, retry, hint }: FailAnswer): Fault {
  return new Fault({ code, text, facts, retry, ...(hint === undefined ? {} : { hint }) });
}
