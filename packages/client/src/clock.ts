/** The clock of the machine, where a program brings none. */
import type { Clock } from "@atoll-run/core";

/** The longest time that a timer of the machine knows; what is longer is made of several. */
const TIMER_MS_MAX = 0x7fff_ffff;

export const machineClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, then) => {
    let timer: ReturnType<typeof setTimeout>;
    const wait = (left: number): void => {
      timer = setTimeout(() => (left > TIMER_MS_MAX ? wait(left - TIMER_MS_MAX) : then()), Math.min(left, TIMER_MS_MAX));
    };
    wait(ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
