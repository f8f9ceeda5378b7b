/** A bucket of tokens that fills as time goes by. Pure: the time comes with each question. */
export interface BucketRate {
  readonly perSecond: number;
  /** What it holds at most, and at the beginning. */
  readonly burst: number;
}

export interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

export function fullBucket(rate: BucketRate, nowMs: number): Bucket {
  return { tokens: rate.burst, atMs: nowMs };
}

/** The bucket as it is now. A clock that goes back fills nothing. */
export function refill(bucket: Bucket, rate: BucketRate, nowMs: number): Bucket {
  const passed = Math.max(0, nowMs - bucket.atMs);
  return { tokens: Math.min(rate.burst, bucket.tokens + passed * rate.perSecond / 1_000), atMs: nowMs };
}

/** One token less; or how long until there is one, milliseconds. */
export function take(
  bucket: Bucket, rate: BucketRate, nowMs: number,
): { readonly taken: true; readonly bucket: Bucket } | { readonly taken: false; readonly waitMs: number } {
  const now = refill(bucket, rate, nowMs);
  if (now.tokens >= 1) return { taken: true, bucket: { ...now, tokens: now.tokens - 1 } };
  return { taken: false, waitMs: Math.ceil((1 - now.tokens) * 1_000 / rate.perSecond) };
}
