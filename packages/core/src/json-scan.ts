/** A quick look over JSON text: is the engine's own parser exact enough for it? Nothing is allocated. */

/**
 * `plain`: JSON.parse gives what `parseJson` promises. `exact`: it may not (long integers, huge exponents,
 * floats that must stay such, deeper than `depthMax`). Text that is not JSON gets either answer.
 */
export function scanJson(
  text: string, o: { readonly depthMax: number; readonly bigint: boolean; readonly floats: boolean },
): "plain" | "exact" {
  const { depthMax, bigint, floats } = o;
  const end = text.length;
  let depth = 0;
  for (let at = 0; at < end; at++) {
    const c = text.charCodeAt(at);
    if (c === 0x22) {
      at = stringEnd(text, at);
      if (at < 0) return "plain";
    } else if (c === 0x5b || c === 0x7b) {
      if (++depth > depthMax) return "exact";
    } else if (c === 0x5d || c === 0x7d) {
      depth--;
    } else if (c >= 0x30 && c <= 0x39) {
      const start = at;
      at = digitsEnd(text, at);
      if (bigint && at - start > 15) return "exact";
      const whole = at;
      at = fractionEnd(text, at);
      const e = text.charCodeAt(at) | 0x20;
      if (floats && (at > whole || e === 0x65)) return "exact";
      // Two digits of exponent cannot leave the range of a double.
      if (e === 0x65 && digitsEnd(text, at + 2) - at > 3) return "exact";
      if (at - start > 200) return "exact";
      at--;
    }
  }
  return "plain";
}

/** Place of the quote that ends the string which begins at `at`; -1 when none does. */
export function stringEnd(text: string, at: number): number {
  let quote = text.indexOf('"', at + 1);
  while (quote > 0 && text.charCodeAt(quote - 1) === 0x5c) {
    let slashes = 1;
    while (text.charCodeAt(quote - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return quote;
    quote = text.indexOf('"', quote + 1);
  }
  return quote;
}

function digitsEnd(text: string, at: number): number {
  let c = text.charCodeAt(at);
  while (c >= 0x30 && c <= 0x39) c = text.charCodeAt(++at);
  return at;
}

function fractionEnd(text: string, at: number): number {
  return text.charCodeAt(at) === 0x2e ? digitsEnd(text, at + 1) : at;
}
