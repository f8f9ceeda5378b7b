/**
 * What an isle adds to the CPU account of its run.
 * takes the CPU clock of its thread and the account that all isles of the run share; gives the isle's own time and
 * whether the account is over; promises that a look sees all but the last few milliseconds of what isles spend
 * beside this one, and everything of its own; refuses nothing; never reads the CPU clock more often than it has to.
 */

/** What has been spent goes to the account this often while the isle runs, in milliseconds. */
const SETTLE_MS = 5;

interface AccountHost {
  /** CPU milliseconds of this thread. */
  cpu(): number;
  /** Adds CPU milliseconds of this isle to those of its run; gives what all isles of the run have spent. */
  spent(ms: number): number;
}

export class CpuAccount {
  readonly #host: AccountHost;
  readonly #msMax: number;
  /** Nobody else is on the thread: all of its time is the isle's, once the isle has begun. */
  readonly #alone: boolean;
  #ms = 0;
  /** CPU clock when the isle last began to run, and when its time last went to the account; wall time of that. */
  #begunCpu = 0;
  #settledCpu: number | undefined;
  #settledAt = 0;
  #runs = false;

  constructor(host: AccountHost, msMax: number, o: { readonly alone: boolean }) {
    this.#host = host;
    this.#msMax = msMax;
    this.#alone = o.alone;
  }

  get runs(): boolean {
    return this.#runs;
  }

  /** CPU milliseconds of this isle until now. */
  get ms(): number {
    return this.#ms + (this.#runs ? this.#host.cpu() - (this.#settledCpu ?? 0) : 0);
  }

  /** CPU milliseconds since the isle last began to run. */
  get sinceBegin(): number {
    return this.#runs ? this.#host.cpu() - this.#begunCpu : 0;
  }

  /** From now on the thread's time is this isle's. */
  begin(now: number): void {
    this.#runs = true;
    this.#settledAt = now;
    // the clock is a call of the system: one that rested alone goes on from where it stopped
    if (!this.#alone || this.#settledCpu === undefined) this.#settledCpu = this.#host.cpu();
    this.#begunCpu = this.#settledCpu;
  }

  pause(): void {
    if (!this.#runs) return;
    this.#settle();
    this.#runs = false;
  }

  /**
   * The run has spent more than it may. Wall time, which is never less than CPU time, says when to look at the
   * CPU clock, which is what counts: a busy machine must not end an isle.
   */
  over(now: number): boolean {
    const ms = this.#host.spent(0);
    if (!this.#runs) return ms > this.#msMax;
    const aside = now - this.#settledAt;
    if (aside < SETTLE_MS && ms + aside <= this.#msMax) return false;
    this.#settledAt = now;
    return this.#settle() > this.#msMax;
  }

  #settle(): number {
    const cpu = this.#host.cpu();
    const ms = cpu - (this.#settledCpu ?? cpu);
    this.#settledCpu = cpu;
    this.#ms += ms;
    return this.#host.spent(ms);
  }
}
