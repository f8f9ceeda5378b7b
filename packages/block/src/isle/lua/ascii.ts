/** Text of bytes the short way, where they are ASCII: the platform's decoder takes several times as long to begin. */
import { isAscii } from "node:buffer";

const { latin1Slice } = Buffer.prototype;
/** Up to here a loop costs less than making a view of the bytes. */
const SHORT_BYTES = 24;

/** Undefined when one of the bytes is not ASCII. */
export function asciiText(bytes: Uint8Array, from: number, to: number): string | undefined {
  if (to - from > SHORT_BYTES) return isAscii(bytes.subarray(from, to)) ? latin1Slice.call(bytes, from, to) : undefined;
  for (let i = from; i < to; i++) if ((bytes[i] as number) > 127) return undefined;
  return latin1Slice.call(bytes, from, to);
}
