/**
 * The end of a mob, phase by phase (spec: mob 12.2). A start that fails ends so what it had begun.
 *
 * takes parts, each with the phase in which it ends; gives a report; promises that every phase is tried and bounded, whatever the
 * ones before it did, and that nobody waits for more than the sum; refuses nothing: what hangs is named and left; never runs twice.
 */
import { withDeadline, type Clock, type Log } from "@atoll-run/core";

/** In this order; milliseconds. `drain` is `limits.drainMs` unless whoever ends the mob says otherwise. */
export const PHASES = {
  /** Sends, passes of reconcile and steps of flows are refused. */
  refuse: 5_000,
  /** Turns that run may end; queued ones stay, and those that wait for an approval are parked. */
  drain: 30_000,
  /** The rest goes back into its mailboxes; nodes of members close. */
  members: 5_000,
  /** The mob's own node, which answers until the last turn has ended. */
  outside: 5_000,
  ledger: 5_000,
  /** Streams hear `bye`. */
  http: 2_000,
  /** With the folder goes the lease of the mob. */
  stores: 5_000,
} as const;

export type PhaseName = keyof typeof PHASES;

export interface PhaseReport {
  readonly name: PhaseName;
  readonly took_ms: number;
  readonly timed_out: boolean;
  /** What did not end, by name; members as `member:<id>`. */
  readonly left: readonly string[];
}

/** What ends in a phase. */
export interface EndingPart {
  readonly name: string;
  /** The signal aborts when the time of the phase is over. */
  end(signal: AbortSignal): void | Promise<void>;
  /** What of it has not ended; default: its name. */
  left?(): readonly string[];
}

export interface CloseMobOptions {
  /** For all phases together, milliseconds: each has its share of it. Default: `horizon_ms` of the status. */
  readonly deadlineMs?: number;
  /** How long turns that run may take to end, milliseconds; default `drainTimeoutMs` of the start, 30,000. */
  readonly drainMs?: number;
  /** What each phase still has from now on, milliseconds; turns are given up at once. A later call hurries the end that is under way. */
  readonly stepMs?: number;
}

export class Shutdown {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #parts = new Map<PhaseName, Set<EndingPart>>();
  readonly #drainMs: number;
  #running: Promise<readonly PhaseReport[]> | undefined;
  readonly #over = Promise.withResolvers<readonly PhaseReport[]>();
  #stepMs = Infinity;
  #cut: (() => void) | undefined;

  constructor(parts: { readonly clock: Clock; readonly log: Log }, o: { readonly drainMs: number }) {
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#drainMs = o.drainMs;
  }

  /** Has it begun? Nothing can be added then. */
  get begun(): boolean {
    return this.#running !== undefined;
  }

  /** Resolves when it has ended. */
  get over(): Promise<readonly PhaseReport[]> {
    return this.#over.promise;
  }

  /** The longest that an end takes, milliseconds. */
  get horizonMs(): number {
    return this.#msOf(this.#drainMs).reduce((sum, [, ms]) => sum + ms, 0);
  }

  /** Dispose: it has ended already. */
  add(phase: PhaseName, part: EndingPart): Disposable {
    const parts = this.#parts.get(phase) ?? new Set();
    this.#parts.set(phase, parts.add(part));
    return { [Symbol.dispose]: () => void parts.delete(part) };
  }

  /** Never throws. Later calls get the same report, and hurry with `stepMs`. */
  run({ drainMs = this.#drainMs, deadlineMs, stepMs }: CloseMobOptions = {}): Promise<readonly PhaseReport[]> {
    if (stepMs !== undefined) {
      this.#stepMs = Math.min(this.#stepMs, stepMs);
      this.#cut?.();
    }
    if (this.#running !== undefined) return this.#running;
    const phases = this.#msOf(drainMs);
    const sum = phases.reduce((all, [, ms]) => all + ms, 0);
    const scale = deadlineMs === undefined ? 1 : Math.min(1, deadlineMs / sum);
    return this.#running = this.#run(phases.map(([name, ms]) => [name, ms * scale]));
  }

  #msOf(drainMs: number): readonly (readonly [PhaseName, number])[] {
    return (Object.entries(PHASES) as [PhaseName, number][]).filter(([name]) => this.#parts.has(name))
      .map(([name, ms]) => [name, name === "drain" ? drainMs : ms]);
  }

  async #run(phases: readonly (readonly [PhaseName, number])[]): Promise<readonly PhaseReport[]> {
    const reports: PhaseReport[] = [];
    for (const [name, ms] of phases) reports.push(await this.#phase(name, ms));
    this.#over.resolve(reports);
    return reports;
  }

  async #phase(name: PhaseName, ms: number): Promise<PhaseReport> {
    const begunMs = this.#clock.monotonic();
    const open = new Set(this.#parts.get(name));
    const over = new AbortController();
    const cuts: Disposable[] = [];
    // Turns are given up when somebody hurries.
    const most = (): number => name === "drain" ? 0 : this.#stepMs;
    this.#cut = () => void cuts.push(this.#clock.after(most(), () => over.abort()));
    const left: string[] = [];
    // As it is when the time is over: some parts end because of that.
    over.signal.addEventListener("abort", () => left.push(...[...open].flatMap((part) => part.left?.() ?? [part.name])), { once: true });
    const all = Promise.all([...open].map(async (part) => {
      try {
        await part.end(over.signal);
      } catch (error) {
        left.push(part.name);
        this.#log.write({ level: "warn", target: "mob", msg: "a part did not end in order", fields: { phase: name, part: part.name, reason: String(error) } });
      }
      open.delete(part);
    }));
    const bound = this.#stepMs === Infinity ? ms : Math.min(ms, most());
    await withDeadline(() => all, { clock: this.#clock, ms: Math.max(1, bound), controller: over, signal: over.signal }).catch(() => undefined);
    this.#cut = undefined;
    for (const cut of cuts) cut[Symbol.dispose]();
    return { name, took_ms: Math.round(this.#clock.monotonic() - begunMs), timed_out: over.signal.aborted, left: [...left] };
  }
}
