/** So many a second, and so many at once. Takes the time from who asks. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #left: number;
  #atMs: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#left = burst;
    this.#atMs = nowMs;
  }

  /** Takes one, if need be on credit; false when it was. */
  take(nowMs: number): boolean {
    this.#fill(nowMs);
    this.#left--;
    return this.#left >= 0;
  }

  /** Takes one only when there is one. */
  takeIfAny(nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }

  /** Milliseconds until what was taken on credit is paid. */
  debtMs(nowMs: number): number {
    this.#fill(nowMs);
    return Math.max(0, Math.ceil(-this.#left / this.#perSecond * 1_000));
  }

  #fill(nowMs: number): void {
    this.#left = Math.min(this.#burst, this.#left + (nowMs - this.#atMs) / 1_000 * this.#perSecond);
    this.#atMs = nowMs;
  }
}
