/** Durations as scripts give them and as texts show them. */
import { FIXED_LIMITS } from "@atoll-run/core";
import { argumentError } from "./pure-fn.ts";

/** Seconds in a day: the longest sleep. */
const SLEEP_SECONDS_MAX = FIXED_LIMITS.sleepMsMax.default / 1000;

/**
 * Milliseconds of a `std.time.sleep`, from its seconds. Throws `script.argument` for what is not finite,
 * negative, or longer than a day.
 */
export function toSleepMs(seconds: number): number {
  if (!Number.isFinite(seconds) || seconds < 0) {
    throw argumentError(`sleep duration must be a finite non-negative number, got ${toNumberText(seconds)}`);
  }
  if (seconds > SLEEP_SECONDS_MAX) {
    throw argumentError(`sleep duration must not exceed ${SLEEP_SECONDS_MAX} seconds`);
  }
  return seconds * 1000;
}

/** A duration in texts: `2s`, `1.5s`, `500ms`; at most nine digits behind the point, no trailing zeros. */
export function formatDuration(ms: number): string {
  return ms >= 1000 ? `${toShort(ms / 1000)}s` : `${toShort(ms)}ms`;
}

function toShort(value: number): string {
  return String(Number(value.toFixed(9)));
}

function toNumberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return Number.isFinite(value) ? String(value) : value > 0 ? "inf" : "-inf";
}
