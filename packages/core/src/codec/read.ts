/** What a reader of foreign bytes gives: the value, or the fault as a value. */
import type { CoreFault } from "../core-fault.ts";
import { Fault } from "../fault.ts";

export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly fault: Fault<CoreFault> };

/** Runs a reader that throws faults of the codec; anything else it throws is our own bug and goes on. */
export function toRead<T>(read: () => T): Read<T> {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    if (error instanceof Fault && error.code.startsWith("codec.")) return { ok: false, fault: error };
    throw error;
  }
}

/** The same bytes as a plain `Uint8Array`, whatever subclass they came as; nothing is copied. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
