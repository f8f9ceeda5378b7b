/** A JSON value that keeps 64-bit integers: integers beyond ±(2^53−1) are `bigint`. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json };
