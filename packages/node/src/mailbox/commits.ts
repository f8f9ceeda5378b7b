/**
 * The one way into the store: what waits when a commit ends is the next one (spec: node 4.4, 4.5).
 *
 * takes units of work; gives each its verdict; promises that a unit is done as a whole, that units are done in the
 * order they were added, that a store that fails is asked again with growing pauses, and that one that gives no answer
 * counts as broken; refuses nothing; never waits for a timer before a commit.
 *
 * A unit says what it writes at the moment it is sent, not when it was added: a message that was accepted and handled
 * in the meantime is one write.
 */
import { isFault, stateBroken, type Clock, type Fault, type Refusal, type StateOp, type StateStore } from "@atoll-run/core";
import type { LimitsOf } from "../limits.ts";
import type { Figures } from "../observe/figures.ts";
import { CommitWatch } from "./commit-watch.ts";
import type { SteadyNow } from "./steady-clock.ts";

export interface Unit {
  /** What is to be written now; empty: nothing any more, it counts as done. */
  prepare(): readonly StateOp[];
  /** It may be refused, so that it must not share a batch. Asked after `prepare`. */
  readonly alone: boolean;
  /** Bytes, nearly. */
  readonly bytes: number;
  /** Before all that waits. Its order does not matter. */
  readonly urgent?: boolean;
  done(values: readonly number[]): void;
  refused(refusal: Refusal): void;
  /**
   * Nothing was done (but see `fault.uncertain`). Add it again, or give it up. Without a fault another unit was at
   * fault: add it again.
   */
  failed(fault: Fault | undefined): void;
}

export interface CommitsParts {
  readonly store: StateStore;
  readonly scope: string;
  readonly clock: Clock;
  readonly now: SteadyNow;
  readonly figures: Figures;
  /** Another owner has taken the scope: nothing can be written any more. */
  fenced(): void;
  /** The store is broken for good; told once. What waits is never written. */
  broken(fault: Fault): void;
  /** The first failure after a success, and what it was. */
  failing(fault: Fault): void;
}

/**
 * Writes of one batch: what was written is told while the next is being written, so that those who waited for it and the
 * store work at the same time.
 */
const GROUP_OPS_MAX = 64;

interface Group {
  readonly units: Unit[];
  readonly ops: StateOp[];
  /** For each unit the first of its ops. */
  readonly spans: number[];
}

export interface CommitStats {
  commits: number;
  failures: number;
}

export class Commits {
  readonly #parts: CommitsParts;
  readonly #limits: LimitsOf<"mailbox">;
  readonly #watch: CommitWatch<Group>;
  readonly stats: CommitStats = { commits: 0, failures: 0 };
  /** Null: not attached. */
  epoch: number | null = null;
  #waiting: Unit[] = [];
  #urgent: Unit[] = [];
  /** Writes on their way. */
  #flying = 0;
  #armed = false;
  #pause: Disposable | undefined;
  /** Of a batch that was too large: each goes alone now. */
  readonly #single = new Set<Unit>();
  #failures = 0;
  #failingSinceMs: number | undefined;
  #idle: (() => void)[] = [];
  #ended = false;

  constructor(parts: CommitsParts, limits: LimitsOf<"mailbox">) {
    this.#parts = parts;
    this.#limits = limits;
    const ms = limits.commitMsMax;
    this.#watch = new CommitWatch(parts.clock, ms, (group) => {
      this.#failed(group, stateBroken(parts.scope, `a commit has no answer after ${ms} ms`, { uncertain: true }));
    });
  }

  add(unit: Unit): void {
    if (unit.urgent === true) this.#urgent.push(unit);
    else this.#waiting.push(unit);
    this.#arm();
  }

  /** Milliseconds for which the store has failed, 0 when the last commit was done. */
  get failingMs(): number {
    return this.#failingSinceMs === undefined ? 0 : Math.max(1, this.#parts.clock.monotonic() - this.#failingSinceMs);
  }

  /** Nothing will be written any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** It is waiting for the store to come back. */
  get paused(): boolean {
    return this.#pause !== undefined;
  }

  /** Resolves when nothing waits and nothing is on its way. */
  settled(): Promise<void> {
    if (this.#ended || !this.#waits && this.#flying === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Lets go: what waits is never written. */
  end(): void {
    this.#ended = true;
    this.#watch.end();
    this.#pause?.[Symbol.dispose]();
    this.#pause = undefined;
    this.#waiting = [];
    this.#urgent = [];
    this.#tellIdle();
  }

  get #waits(): boolean {
    return this.#waiting.length + this.#urgent.length > 0;
  }

  #arm(): void {
    if (this.#armed || this.#flying >= this.#limits.commitOps || this.#pause !== undefined || this.#ended) return;
    this.#armed = true;
    // After the turn: what came with the same packet travels together, and handlers that are quick are done by then.
    setImmediate(() => this.#send());
  }

  #send(): void {
    this.#armed = false;
    if (this.#ended || this.#pause !== undefined) return;
    const { groups, unneeded } = this.#take();
    for (const unit of unneeded) unit.done([]);
    if (groups.length === 0) return this.#tellIdle();
    for (const group of groups) void this.#commit(group);
  }

  #take(): { groups: Group[]; unneeded: Unit[] } {
    const groups: Group[] = [];
    const unneeded: Unit[] = [];
    let open: Group | undefined;
    let [taken, ops, bytes] = [0, this.#flying, 0];
    const waiting = this.#urgent.length === 0 ? this.#waiting : [...this.#urgent, ...this.#waiting];
    this.#urgent = [];
    for (const unit of waiting) {
      if (ops >= this.#limits.commitOps || bytes >= this.#limits.commitBytes) break;
      taken += 1;
      const own = unit.prepare();
      if (own.length === 0) {
        unneeded.push(unit);
        continue;
      }
      ops += own.length;
      bytes += unit.bytes;
      const alone = unit.alone || this.#single.delete(unit);
      if (open === undefined || alone || open.ops.length + own.length > GROUP_OPS_MAX) {
        open = { units: [], ops: [], spans: [] };
        groups.push(open);
      }
      open.units.push(unit);
      open.spans.push(open.ops.length);
      open.ops.push(...own);
      if (alone) open = undefined;
    }
    this.#waiting = taken === waiting.length ? [] : waiting.slice(taken);
    return { groups, unneeded };
  }

  /** Ends only when each unit has been told; never throws. */
  async #commit(group: Group): Promise<void> {
    const { store, scope, now, figures } = this.#parts;
    const { length: ops } = group.ops;
    const flight = this.#watch.begin(group);
    this.#flying += ops;
    try {
      const commit = await store.commit({ scope, epoch: this.epoch, at_ms: now(), ops: group.ops });
      const ms = this.#watch.back(flight);
      if (!this.#ended) {
        this.#recovered();
        this.stats.commits += 1;
        figures.commit.observe(ms / 1_000);
        figures.commitOps.observe(ops);
        if (commit.ok) this.#done(group, commit.values);
        else this.#refused(group, commit.refusal, commit.at);
      }
    } catch (error) {
      this.#watch.back(flight);
      if (!this.#ended) this.#failed(group, isFault(error) ? error : stateBroken(scope, String(error)));
    }
    this.#flying -= ops;
    if (this.#waits) this.#arm();
    else this.#tellIdle();
  }

  #done({ units, spans }: Group, values: readonly number[]): void {
    for (let i = 0; i < units.length; i++) {
      const from = spans[i] ?? 0;
      units[i]?.done(values.slice(from, spans[i + 1]));
    }
  }

  #refused({ units, spans }: Group, refusal: Refusal, at: number): void {
    if (refusal.why === "stale_epoch") {
      this.end();
      return this.#parts.fenced();
    }
    const guilty = spans.findLastIndex((from) => at >= from);
    for (const [i, unit] of units.entries()) {
      if (i === guilty) unit.refused(refusal);
      // Nothing of the batch was done: the others ask again.
      else unit.failed(undefined);
    }
  }

  #failed({ units }: Group, fault: Fault): void {
    if (fault.code === "state.too_large") return this.#tooLarge(units, fault);
    this.stats.failures += 1;
    const first = this.#failingSinceMs === undefined;
    this.#failingSinceMs ??= this.#parts.clock.monotonic();
    if (this.#pause === undefined) {
      const { storeBackoffMs, storeBackoffMsMax } = this.#limits;
      const ms = Math.min(storeBackoffMsMax, storeBackoffMs * 2 ** Math.min(this.#failures++, 16));
      this.#pause = this.#parts.clock.after(ms, () => {
        this.#pause = undefined;
        if (this.#waits) this.#arm();
      });
    }
    for (const unit of units) unit.failed(fault);
    if (first) this.#parts.failing(fault);
    if (fault.code !== "state.broken" || this.#ended) return;
    this.end();
    this.#parts.broken(fault);
  }

  /** The store is well: one of them cannot be written, or they cannot together. */
  #tooLarge(units: readonly Unit[], fault: Fault): void {
    const [only, ...others] = units;
    if (others.length === 0) return only?.failed(fault);
    for (const unit of units) {
      this.#single.add(unit);
      unit.failed(undefined);
    }
  }

  #recovered(): void {
    this.#failures = 0;
    this.#failingSinceMs = undefined;
  }

  #tellIdle(): void {
    if (!this.#ended && (this.#waits || this.#flying > 0)) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
