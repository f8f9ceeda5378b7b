/** When a model call is tried again, as pure arithmetic. Times in milliseconds. */

const FIRST_MS = 500;
const LONGEST_MS = 8_000;
const TOLD_MS_MAX = 60_000;

/**
 * Wait before try `again` (from 1): 0.5 s doubling to 8 s, spread over its upper half; `told` by the server
 * wins.
 */
export function retryDelay(again: number, told: number | undefined, random: () => number): number {
  if (told !== undefined) return Math.min(told, TOLD_MS_MAX);
  const whole = Math.min(FIRST_MS * 2 ** (again - 1), LONGEST_MS);
  return whole / 2 + random() * (whole / 2);
}

/**
 * What a server says about when to come again: `retry-after-ms`, or `Retry-After` as seconds or as a date.
 */
export function retryAfter(header: (name: string) => string | undefined, now: number): number | undefined {
  const ms = Number(header("retry-after-ms") ?? Number.NaN);
  if (Number.isFinite(ms) && ms >= 0) return ms;
  const text = header("retry-after")?.trim();
  if (text === undefined || text === "") return undefined;
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return seconds < 0 ? undefined : seconds * 1_000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** Answers that a later try may turn into a good one. */
export function mayRetry(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}
