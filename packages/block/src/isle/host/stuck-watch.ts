/**
 * Sees a thread that is stuck in one place.
 * takes the beats of a thread and its CPU clock; gives the isle that burns time without a beat; promises that a thread
 * which only gets little of a busy machine is none; refuses nothing; never ends a thread itself.
 */
import { BELL } from "../thread/protocol.ts";

/** From one look to the next, in milliseconds. */
const LOOK_MS = 50;

export interface Watched {
  readonly bell: Int32Array;
  /** CPU milliseconds of the thread; may fail, or come late when the thread cannot be asked. */
  cpuMs(): Promise<number>;
  /** The isle has burnt that much CPU time without a beat. True = enough seen. */
  still(isle: number, cpuMs: number): boolean;
}

export class StuckWatch {
  readonly #of: Watched;
  #timer: NodeJS.Timeout | undefined;
  #beats = -1;
  /** CPU time of the thread when its last beat was seen to be the last one. */
  #since: number | undefined;
  #asking = false;

  constructor(of: Watched) {
    this.#of = of;
  }

  /** Looks now and then until `stop`; starting twice is starting once. */
  start(): void {
    this.#timer ??= setInterval(() => void this.#look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#since = undefined;
  }

  async #look(): Promise<void> {
    if (this.#asking || this.#moved()) return;
    this.#asking = true;
    const now = await this.#of.cpuMs().catch(() => undefined);
    this.#asking = false;
    // the beats are looked at again: only what was burnt between two looks at the same beat counts
    if (now === undefined || this.#timer === undefined || this.#moved()) return;
    this.#since ??= now;
    if (this.#of.still(Atomics.load(this.#of.bell, BELL.isle), now - this.#since)) this.stop();
  }

  /** It rests, or goes on. */
  #moved(): boolean {
    const { bell } = this.#of;
    const beats = Atomics.load(bell, BELL.beats);
    if (Atomics.load(bell, BELL.isle) !== 0 && beats === this.#beats) return false;
    this.#beats = beats;
    this.#since = undefined;
    return true;
  }
}
