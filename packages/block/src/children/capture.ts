/** Waits for a child and keeps what it said. */
import { type Clock, isFault, withDeadline } from "@atoll-run/core";
import { systemFactsOf } from "../errno.ts";
import { blockError } from "../errors.ts";
import { OutputRing } from "./ring.ts";
import type { Child, Exit } from "./runner.ts";

export interface CaptureOptions {
  readonly clock: Clock;
  /** Milliseconds; `Infinity` = as long as it takes. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Bytes kept of each stream: the last ones. */
  readonly maxOutput: number;
  /** Written to the child, then its input ends. */
  readonly stdin?: string | Uint8Array | undefined;
}

export interface Captured {
  /** Undefined when the time was over. */
  readonly exit: Exit | undefined;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly truncated: boolean;
}

/** Milliseconds in which the last output of an ended group may still arrive. */
const LAST_WORDS_MS = 250;

/**
 * Waits until the child has ended and its streams too. Over time: the group is ended and what was said until
 * then is given. Aborted: throws the signal's reason at once while the runner ends the group. What it says cannot be read:
 * throws `sh.exec` (`wait error: …`) once the group is ended.
 */
export async function capture(child: Child, o: CaptureOptions): Promise<Captured> {
  const out = new OutputRing(o.maxOutput);
  const err = new OutputRing(o.maxOutput);
  child.stdout?.on("data", (chunk: Uint8Array) => out.push(chunk));
  child.stderr?.on("data", (chunk: Uint8Array) => err.push(chunk));
  child.stdin?.end(o.stdin ?? "");
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined);
  for (const stream of [child.stdout, child.stderr]) stream?.on("error", (error) => broken.reject(waitError(error)));
  const bound = { clock: o.clock, ms: o.timeoutMs, signal: o.signal, what: "the command" };
  const exit = await withDeadline(() => Promise.race([child.closed, broken.promise]), bound)
    .catch((error: unknown) => (isFault(error) && error.code === "sh.exec" ? error : undefined));
  if (exit instanceof Error) {
    letGo(child);
    await child.kill();
    throw exit;
  }
  if (exit === undefined) {
    const ended = child.kill();
    if (o.signal.aborted) {
      letGo(child);
      throw o.signal.reason;
    }
    await ended;
    await withDeadline(() => child.closed, { clock: o.clock, ms: LAST_WORDS_MS }).catch(() => undefined);
    letGo(child);
  }
  return { exit, stdout: out.bytes(), stderr: err.bytes(), truncated: out.truncated || err.truncated };
}

function waitError(error: Error): Error {
  const reason = systemFactsOf(error)?.strerror ?? error.message;
  return blockError("sh.exec", `wait error: ${reason}`, { facts: { reason }, cause: error });
}

/** Lets go of the streams: somebody out of reach may hold their other end. */
function letGo(child: Child): void {
  child.stdin?.destroy();
  child.stdout?.destroy();
  child.stderr?.destroy();
}
