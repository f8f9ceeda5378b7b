/**
 * JSON that keeps every number as it was written: scripts tell 8 from 8.0 and count to 2^63. Numbers that
 * JavaScript would change become `JSON.rawJSON` objects, which `JSON.stringify` writes as they came.
 */
interface ExactJson {
  parse(
    text: string, revive: (key: string, value: unknown, o: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
}
// the library of types does not know these yet
const json = JSON as unknown as ExactJson;

/**
 * Finds every array or object that holds such a number, and a few that do not. Begins with the digit, so that
 * text without digits costs next to nothing.
 */
const SUSPICIOUS = /\d(?:\.0*[\s,}\]]|[eE]|\d{15})|-0[\s,}\]]/;

/** True when plain `JSON.parse` may lose something of this text. */
export function isInexact(text: string): boolean {
  return SUSPICIOUS.test(text);
}

/** Throws SyntaxError, as `JSON.parse`. */
export function parseExact(text: string): unknown {
  if (!isInexact(text)) return JSON.parse(text);
  return json.parse(text, (_key, value, { source }) => {
    if (typeof value !== "number" || source === undefined) return value;
    const kept = Number.isFinite(value) && (!Number.isInteger(value) || String(value) === source);
    return kept && !Object.is(value, -0) ? value : json.rawJSON(source);
  });
}
