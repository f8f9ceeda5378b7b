/** Lua source as it is in files: Lua itself skips a byte order mark and a first line that begins with `#`. */

/** The source without them; the line break stays, so that line numbers are right. */
export function withoutShebang(source: Uint8Array): Uint8Array {
  const bytes = source[0] === 0xef && source[1] === 0xbb && source[2] === 0xbf ? source.subarray(3) : source;
  if (bytes[0] !== 0x23) return bytes;
  const end = bytes.indexOf(10);
  return end < 0 ? new Uint8Array(0) : bytes.subarray(end);
}
