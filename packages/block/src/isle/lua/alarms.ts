/** Times of one isle: timers that are never early, and alarms that also ring while Lua code is busy. */

/** The longest wait of a timer of Node. */
const TIMER_MS_MAX = 2 ** 31 - 1;
/** Least time to the next look at a CPU clock, in milliseconds. */
const AGAIN_MS = 2;

export interface CpuTime {
  /** A CPU clock, in milliseconds. */
  cpuMs(): number;
  /** It rings after this many milliseconds at the latest, however little CPU time went by. */
  readonly lastMs: number;
  /** Nothing runs, so that no CPU time will go by: it rings when as much wall time has. */
  idle?(): boolean;
}

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

  /** The same after `ms` of CPU time, so that a busy machine takes nothing away from what runs. */
  setCpu(ms: number, clock: CpuTime, act: () => void): () => void {
    const cpuAt = clock.cpuMs();
    const lastAt = this.#monotonic() + clock.lastMs;
    const look = (): void => {
      const leftMs = Math.min(ms - (clock.cpuMs() - cpuAt), lastAt - this.#monotonic());
      if (leftMs <= 1 || clock.idle?.() === true) act();
      else off = this.set(Math.max(leftMs, AGAIN_MS), look);
    };
    let off = this.set(ms, look);
    return () => off();
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
