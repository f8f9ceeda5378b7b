/** Milliseconds of a text such as "1h 30m"; NaN for anything else. */
export function parseDuration(text) {
  return Number.parseInt(text, 10) * 60_000;
}
