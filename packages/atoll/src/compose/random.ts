/** Random bytes of this machine, drawn many at once: a call draws a few, and each draw costs as much as a call. */
import { randomFillSync } from "node:crypto";

const POOL_BYTES = 4_096;
const pool = new Uint8Array(POOL_BYTES);
let next = POOL_BYTES;

/** Unpredictable, and given out once: what was taken is wiped from the pool. */
export function randomOf(count: number): Uint8Array {
  if (count > POOL_BYTES) return randomFillSync(new Uint8Array(count));
  if (next + count > POOL_BYTES) {
    randomFillSync(pool);
    next = 0;
  }
  const bytes = pool.slice(next, next + count);
  pool.fill(0, next, next + count);
  next += count;
  return bytes;
}
