/** Faults of every `StateStore`, whatever it is stored in. Refusals are values: see `Refusal`. */
import { Fault } from "./fault.ts";

export type StateFault =
  /** No space on the disk. Nothing of the batch was done; it goes on when there is space again. */
  | { readonly code: "state.full"; readonly facts: { readonly path: string } }
  /** The disk failed. The store takes nothing any more: what it would say could be untrue. */
  | { readonly code: "state.broken"; readonly facts: { readonly path: string; readonly reason: string } }
  /** Another process holds the folder. */
  | { readonly code: "state.locked"; readonly facts: { readonly path: string; readonly holder: string } }
  /** Another program wrote to the file for longer than the busy timeout, in spite of the lock. */
  | { readonly code: "state.busy"; readonly facts: { readonly path: string } }
  /** The file was made by a newer version. */
  | { readonly code: "state.newer"; readonly facts: { readonly path: string; readonly version: number } }
  | { readonly code: "state.closed"; readonly facts: Readonly<Record<string, never>> }
  | { readonly code: "state.overloaded"; readonly facts: { readonly waiting: number; readonly limit: number } }
  | { readonly code: "state.timed_out"; readonly facts: { readonly timeout_ms: number } }
  | { readonly code: "state.cancelled"; readonly facts: Readonly<Record<string, never>> }
  | { readonly code: "state.too_large"; readonly facts: { readonly what: string; readonly size: number; readonly limit: number } };

const RETRY_AFTER_MS = 50;
const FULL_RETRY_AFTER_MS = 5_000;

export function stateFull(path: string, cause?: unknown): Fault<StateFault> {
  return new Fault<StateFault>({
    code: "state.full", facts: { path }, text: `no space left for ${path}`, retry: "later",
    retry_after_ms: FULL_RETRY_AFTER_MS, cause,
    hint: "Free some space, then try again; what was stored before is untouched.",
  });
}

/** `uncertain`: it failed after the write had begun to become durable. */
export function stateBroken(
  path: string, reason: string, { uncertain = false, cause }: { uncertain?: boolean; cause?: unknown } = {},
): Fault<StateFault> {
  return new Fault<StateFault>({
    code: "state.broken", facts: { path, reason }, text: `the store ${path} failed: ${reason}`, cause,
    hint: "Look at the disk, then start again: what was acknowledged is checked when the file is opened.",
    ...(uncertain ? { uncertain } : {}),
  });
}

/** `holder`: what is known of the other process. */
export function stateLocked(path: string, holder: string): Fault<StateFault> {
  return new Fault<StateFault>({
    code: "state.locked", facts: { path, holder }, text: `${path} is in use by ${holder}`, retry: "later",
    hint: "Stop the other program, or give this one another folder.",
  });
}

export function stateBusy(path: string, cause?: unknown): Fault<StateFault> {
  return new Fault<StateFault>({
    code: "state.busy", facts: { path }, text: `another program is writing to ${path}`, retry: "later",
    retry_after_ms: RETRY_AFTER_MS, cause, hint: "Close the other program: the file belongs to this one.",
  });
}

export function stateNewer(path: string, version: number): Fault<StateFault> {
  return new Fault<StateFault>({
    code: "state.newer", facts: { path, version }, text: `${path} was made by a newer version (format ${version})`,
    hint: "Run the newer version; the file was left as it is.",
  });
}

export function stateClosed(): Fault<StateFault> {
  return new Fault<StateFault>({ code: "state.closed", facts: {}, text: "the store is closed" });
}

export function stateOverloaded(waiting: number, limit: number): Fault<StateFault> {
  return new Fault<StateFault>({
    code: "state.overloaded", facts: { waiting, limit }, text: `the store is full of waiting work (${waiting})`,
    retry: "later", retry_after_ms: RETRY_AFTER_MS, hint: "Wait for earlier commits before asking for more.",
  });
}

export function stateTimedOut(timeoutMs: number, uncertain: boolean): Fault<StateFault> {
  return new Fault<StateFault>({
    code: "state.timed_out", facts: { timeout_ms: timeoutMs }, text: `the store took longer than ${timeoutMs} ms`,
    retry: "later", ...(uncertain ? { uncertain } : {}), hint: "Look at the disk, or give it more time.",
  });
}

export function stateCancelled(uncertain: boolean): Fault<StateFault> {
  return new Fault<StateFault>({
    code: "state.cancelled", facts: {}, text: "nobody waits for this answer of the store any more",
    ...(uncertain ? { uncertain } : {}),
  });
}

export function stateTooLarge(what: string, size: number, limit: number): Fault<StateFault> {
  return new Fault<StateFault>({
    code: "state.too_large", facts: { what, size, limit }, text: `${what} is larger than ${limit} (${size})`,
    hint: "Store less at a time.",
  });
}
