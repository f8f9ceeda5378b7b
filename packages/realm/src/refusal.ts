/** What a client is refused with: a value, since whoever asks is a stranger (spec: wire 7). */
export type RefusalCode = 400 | 401 | 403 | 404 | 409 | 410 | 413 | 429 | 500 | 503;

export interface Refusal {
  readonly ok: false;
  /** An HTTP status, and the code in the answer. */
  readonly code: RefusalCode;
  /** One sentence, for a person. */
  readonly text: string;
  /** Milliseconds; only with 429 and 503. */
  readonly retry_after_ms?: number;
  /** For `X-Atoll-Error`: what a program can tell apart. */
  readonly why?: string;
}

export type Answer<T> = { readonly ok: true; readonly value: T } | Refusal;

export function refuse(
  code: RefusalCode, text: string, more: { readonly why?: string; readonly retry_after_ms?: number } = {},
): Refusal {
  return { ok: false, code, text, ...more };
}

export function granted<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

/** Seconds of a `Retry-After`, never 0. */
export function retryAfterSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000));
}
