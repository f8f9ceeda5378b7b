/** The one mapper from faults to exit codes, for all commands (STYLE B.2). */
import { isFault } from "@atoll-run/core";

/** Exit codes that have a name. */
export const EXIT = {
  ok: 0, failed: 1, usage: 2, internal: 70, limit: 124, signal: 128, brokenPipe: 141,
} as const;

const BY_CODE: Readonly<Record<string, number>> = {
  "config.invalid": EXIT.usage,
  "isle.memory": EXIT.limit, "isle.timeout": EXIT.limit, "isle.output": EXIT.limit,
  "isle.crashed": EXIT.internal,
  // Cancelled by nobody's signal: as if interrupted.
  "run.cancelled": EXIT.signal + 2,
};

/** `signal`: number of the signal that cancelled the run. What is no fault is a bug of ours. */
export function toExitCode(fault: unknown, o: { readonly signal?: number | undefined } = {}): number {
  if (!isFault(fault)) return EXIT.internal;
  if (fault.code === "run.cancelled" && o.signal !== undefined) return EXIT.signal + o.signal;
  return Object.hasOwn(BY_CODE, fault.code) ? BY_CODE[fault.code] as number : EXIT.failed;
}
