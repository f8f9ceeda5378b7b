/** JSON values and what can go wrong with them. Reading is in json-read.ts, writing in json-write.ts. */

/** A JSON value that keeps 64-bit integers: integers beyond ±(2^53−1) are `bigint`. */
export type Json =
  | null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json };

/** Levels of arrays and objects that are read and written; 1 = a flat array. */
export const JSON_DEPTH_MAX = 128;

/** Smallest and largest integer that is kept exactly; those beyond become floats. */
export const INT64_MIN = -(2n ** 63n);
export const INT64_MAX = 2n ** 63n - 1n;

/**
 * A float that stays one: JSON text of `luaFloat(8)` is `8.0`, and a script gets 8.0 where a plain 8 would
 * become the integer 8.
 */
export class LuaFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  valueOf(): number {
    return this.value;
  }

  toJSON(): number {
    return this.value;
  }
}

/** A number that a script sees as a float, whatever its value. */
export function luaFloat(value: number): LuaFloat {
  return new LuaFloat(value);
}

/** JSON text of a finite float, always with a point or an exponent: `8.0`, `1e+21`, `-0.0`. */
export function floatText(value: number): string {
  if (Object.is(value, -0)) return "-0.0";
  const text = String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}
