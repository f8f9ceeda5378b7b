/** Wall time that never jumps while the process lives: rows hold wall times, and waits are measured with them. */
import type { Clock } from "@atoll-run/core";

/** Whole milliseconds since 1970, never less than before. */
export type SteadyNow = () => number;

export function steadyClock(clock: Clock): SteadyNow {
  const beginMs = clock.now() - clock.monotonic();
  return () => Math.floor(beginMs + clock.monotonic());
}
