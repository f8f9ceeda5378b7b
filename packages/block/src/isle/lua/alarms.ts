/** Times of one isle: timers that are never early, and alarms that also ring while Lua code is busy. */

/** The longest wait of a timer of Node. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Calls back once when `ms` have passed, never early and however long it is; gives a way to call it off. */
export function after(ms: number, monotonic: () => number, then: () => void): () => void {
  const dueAt = monotonic() + ms;
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    timer = setTimeout(() => {
      if (monotonic() < dueAt) arm();
      else then();
      // on a busy machine the time may be over already, and Node warns of a negative one
    }, Math.max(0, Math.min(Math.ceil(dueAt - monotonic()), TIMER_MS_MAX)));
  };
  arm();
  return () => clearTimeout(timer);
}

interface Alarm {
  readonly at: number;
  readonly ring: () => void;
  readonly off: () => void;
}

export class Alarms {
  readonly #monotonic: () => number;
  readonly #set = new Set<Alarm>();
  /** Not later than the first alarm. */
  #next = Infinity;

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** `act` must not enter the VM: it may come in the middle of an instruction. Gives a way to call it off. */
  set(ms: number, act: () => void): () => void {
    const alarm: Alarm = {
      at: this.#monotonic() + ms,
      ring: () => {
        if (!this.#set.has(alarm)) return;
        alarm.off();
        act();
      },
      off: () => {
        this.#set.delete(alarm);
        stop();
      },
    };
    const stop = after(ms, this.#monotonic, alarm.ring);
    this.#set.add(alarm);
    this.#next = Math.min(this.#next, alarm.at);
    return alarm.off;
  }

  /** Rings what is due: called at each poll. */
  look(now: number): void {
    if (now < this.#next) return;
    for (const alarm of [...this.#set]) if (alarm.at <= now) alarm.ring();
    this.#next = Infinity;
    for (const { at } of this.#set) this.#next = Math.min(this.#next, at);
  }

  clear(): void {
    for (const alarm of [...this.#set]) alarm.off();
  }
}
