const ENCODER = new TextEncoder();

/**
 * The text, or as many of its first characters as fit `bytesMax` bytes of UTF-8. No character is cut in two.
 */
export function cutText(text: string, bytesMax: number): string {
  // A UTF-16 unit is at most three bytes.
  if (text.length * 3 <= bytesMax) return text;
  const room = new Uint8Array(Math.min(bytesMax, text.length * 3));
  const { read } = ENCODER.encodeInto(text, room);
  return read === text.length ? text : text.slice(0, read);
}
