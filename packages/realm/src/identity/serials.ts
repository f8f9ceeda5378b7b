/**
 * Serial numbers of nodes (spec: node 7.3): 41 bits of milliseconds since 2023, 5 of the worker, 8 of a sequence.
 * Never repeated: the last one is stored with the node that got it, and a clock that went back counts on from there.
 */
const EPOCH_MS = Date.UTC(2023, 0, 1);
const WORKER_BITS = 5n;
const SEQUENCE_BITS = 8n;
const SEQUENCE_MAX = (1n << SEQUENCE_BITS) - 1n;

export const WORKER_MAX = (1 << Number(WORKER_BITS)) - 1;

export interface Serials {
  next(nowMs: number): bigint;
}

/** `last`: the newest one that was given out; 0 when there is none. */
export function createSerials(worker: number, last: bigint): Serials {
  let ms = last >> (WORKER_BITS + SEQUENCE_BITS);
  let sequence = last & SEQUENCE_MAX;
  return {
    next(nowMs) {
      const now = BigInt(Math.max(0, Math.floor(nowMs) - EPOCH_MS));
      if (now > ms) {
        ms = now;
        sequence = 0n;
      } else if (sequence < SEQUENCE_MAX) sequence++;
      else {
        ms++;
        sequence = 0n;
      }
      return (ms << (WORKER_BITS + SEQUENCE_BITS)) | (BigInt(worker) << SEQUENCE_BITS) | sequence;
    },
  };
}
