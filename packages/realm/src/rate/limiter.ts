/**
 * Who asks too often (spec: node 7.7). One limiter a rule; keys are addresses or ids.
 * takes a key; gives leave, or how long to wait; promises bounded memory: the key that was quiet longest is
 * forgotten; never limits this machine itself.
 */
import type { Clock } from "@atoll-run/core";
import { fullBucket, refill, take, type Bucket, type BucketRate } from "./token-bucket.ts";

export class Limiter {
  readonly #clock: Clock;
  readonly #rate: BucketRate;
  readonly #max: number;
  /** In the order of their last use. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock, rate: BucketRate, max: number) {
    this.#clock = clock;
    this.#rate = rate;
    this.#max = max;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one token: 0, or the milliseconds until there is one. */
  take(key: string): number {
    const now = this.#clock.monotonic();
    const took = take(this.#buckets.get(key) ?? fullBucket(this.#rate, now), this.#rate, now);
    if (!took.taken) return took.waitMs;
    this.#keep(key, took.bucket);
    return 0;
  }

  /** Whether there is a token, without taking it: 0, or the milliseconds until there is one. */
  waitMs(key: string): number {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return 0;
    const now = this.#clock.monotonic();
    const took = take(bucket, this.#rate, now);
    return took.taken ? 0 : took.waitMs;
  }

  #keep(key: string, bucket: Bucket): void {
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size <= this.#max) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }

  /** Forgets keys whose bucket is full again. */
  clear(): void {
    const now = this.#clock.monotonic();
    for (const [key, bucket] of this.#buckets) {
      if (refill(bucket, this.#rate, now).tokens >= this.#rate.burst) this.#buckets.delete(key);
    }
  }
}

/** Where a request comes from. */
export interface Origin {
  /** Text of the address, or a name for what speaks inside this process. */
  readonly address: string;
  /** Of this machine or of this process: not limited, and trusted with bearer credentials by default. */
  readonly loopback: boolean;
}

/** Callers inside this process. */
export const IN_PROCESS: Origin = { address: "process", loopback: true };

/** The origin of a socket's address. IPv6 counts by its /64: one household has one. */
export function toOrigin(address: string | undefined): Origin {
  if (address === undefined) return { address: "unknown", loopback: false };
  const plain = address.startsWith("::ffff:") ? address.slice(7) : address;
  if (isLoopbackAddress(plain)) return { address: plain, loopback: true };
  return { address: plain.includes(":") ? `${firstHalf(plain)}::/64` : plain, loopback: false };
}

function firstHalf(address: string): string {
  const [head = "", tail] = address.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0");
  return [...left, ...zeros, ...right].slice(0, 4).join(":");
}

/** A literal address of this machine; names are not looked up. */
export function isLoopbackAddress(address: string): boolean {
  return address === "::1" || /^127(?:\.\d{1,3}){3}$/.test(address);
}
