/** Time as a part: nothing in Atoll reads the air. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  now(): number;
  /** Monotonic milliseconds, for durations. */
  monotonic(): number;
  /**
   * Calls back once after `ms`, never early; the timer keeps the process alive. `ms` is finite and not
   * negative, and may be longer than 2^31. Dispose = the call never comes.
   */
  after(ms: number, then: () => void): Disposable;
}
