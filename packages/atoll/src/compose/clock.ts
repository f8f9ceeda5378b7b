/** The clock of this machine. Its timers keep the process alive; durations come from the monotonic clock. */
import type { Clock } from "@atoll-run/core";

/** The longest wait a timer of Node can hold, milliseconds: 24.8 days. A longer one is made of several. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, then) {
    if (!(ms >= 0 && ms < Infinity)) throw new RangeError(`a timer of ${ms} ms`);
    const at = performance.now() + ms;
    let timer: NodeJS.Timeout;
    const wait = (): void => {
      // Timers of Node count whole milliseconds and may fire a fraction early.
      const leftMs = at - performance.now();
      if (leftMs > 0) timer = setTimeout(wait, Math.min(Math.ceil(leftMs), TIMER_MS_MAX));
      else then();
    };
    timer = setTimeout(wait, Math.min(Math.ceil(ms), TIMER_MS_MAX));
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
