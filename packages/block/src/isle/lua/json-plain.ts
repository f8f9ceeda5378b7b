/** How far bytes are written in JSON as they stand. */

/** 1 for each byte of a string that stands for itself. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, c) => (c < 0x20 || c === 0x22 || c === 0x5c ? 0 : 1));
// eslint-disable-next-line no-control-regex -- these are what JSON escapes
const ESCAPED = /["\\\u0000-\u001f]/;
/** Bytes that are looked at one by one. */
const NEAR_BYTES = 64;
/** The first piece that the engine searches, and the longest: each is twice the one before. */
const PIECE_BYTES = 256;
const PIECE_BYTES_MAX = 8_192;
const { latin1Slice } = Buffer.prototype;

/**
 * Index of the first byte from `from` on that does not stand for itself in a string (a quote, a backslash, a control
 * character), `end` when there is none.
 */
export function plainEnd(bytes: Uint8Array, from: number, end: number): number {
  const near = Math.min(end, from + NEAR_BYTES);
  let p = from;
  while (p < near && PLAIN[bytes[p] as number] === 1) p++;
  return p < near || near === end ? p : farEnd(bytes, near, end);
}

/** A loop here would be compiled again and again while it is hot, which costs more than all that it reads. */
function farEnd(bytes: Uint8Array, from: number, end: number): number {
  for (let size = PIECE_BYTES; from < end; size = Math.min(size * 2, PIECE_BYTES_MAX)) {
    const to = Math.min(end, from + size);
    const at = latin1Slice.call(bytes, from, to).search(ESCAPED);
    if (at >= 0) return from + at;
    from = to;
  }
  return end;
}
