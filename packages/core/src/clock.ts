/** Time as a part: nothing in Atoll reads the air. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  now(): number;
  /** Monotonic milliseconds, for durations. */
  monotonic(): number;
  /** Calls back once after `ms`; the timer keeps the process alive. */
  after(ms: number, then: () => void): Disposable;
}
