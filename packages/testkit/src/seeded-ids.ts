/** Ids that are the same in every run with the same seed, yet look and sort as real ones. */
import type { Clock, Ids } from "@atoll-run/core";

/** `clock` gives the time in `uuid7`; without one time stands still and only the counter rises. */
export function seededIds(seed = 1, clock?: Clock): Ids {
  const random = seededRandom(seed);
  const hex = (digits: number): string => {
    let text = "";
    while (text.length < digits) text += random().toString(16).padStart(8, "0");
    return text.slice(0, digits);
  };
  const variant = (): string => "89ab".charAt(random() & 3) + hex(3);
  let count = 0;
  return {
    uuid4: () => `${hex(8)}-${hex(4)}-4${hex(3)}-${variant()}-${hex(12)}`,
    uuid7: () => {
      const time = Math.floor(clock?.now() ?? Date.UTC(2026, 0, 1)).toString(16).padStart(12, "0");
      const counter = (count++ & 0xfff).toString(16).padStart(3, "0");
      return `${time.slice(0, 8)}-${time.slice(8)}-7${counter}-${variant()}-${hex(12)}`;
    },
  };
}

/** A source of 32-bit numbers (xorshift). Not for secrets. */
export function seededRandom(seed: number): () => number {
  // Mixing spreads small seeds; 0 would stay 0 for ever.
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
