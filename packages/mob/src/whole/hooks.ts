/**
 * Code of whoever embeds a mob, at points of its life (spec: mob 2.4).
 *
 * takes hooks; gives them a bounded time, and what they are for; promises that what one throws becomes an entry (`hook_failure`) and
 * hurts nobody, but `preSpawn`, which ends the start; refuses nothing; never waits for `onError`.
 */
import { withDeadline, type Clock, type Log } from "@atoll-run/core";
import { toFailure } from "../errors.ts";
import type { Entry, NewEntry } from "../ledger/entry.ts";
import type { ReconcileReport } from "../reconcile/report.ts";

/**
 * Each call has 30 s.
 * @example hooks: { postSpawn: (ids) => register(ids), onError: ({ kind, member, data }) => page(kind, member, data) }
 */
export interface MobHooks {
  /** Once, before any member is made. What it throws ends the start. */
  readonly preSpawn?: () => void | Promise<void>;
  /** After members were made: by a pass of reconcile all of it at once, else by one call or by some that came together. */
  readonly postSpawn?: (ids: readonly string[]) => void | Promise<void>;
  /** After each pass of reconcile that was no dry run. */
  readonly postReconcile?: (report: ReconcileReport) => void | Promise<void>;
  /** Something went wrong, and the ledger says so: with its entry. Nobody waits for it; 256 may wait for it, later ones are left out. */
  readonly onError?: (event: Entry) => void | Promise<void>;
}

export interface HooksParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Writes an entry behind. */
  readonly note: (entry: NewEntry) => void;
}

const HOOK_MS = 30_000;
const EVENTS_MAX = 256;
/** What is told besides the class `error`. */
const TOLD: ReadonlySet<string> = new Set(["member_broken", "lease_lost", "storage_degraded"]);

export class Hooks {
  readonly #hooks: MobHooks;
  readonly #parts: HooksParts;
  #spawned: string[] = [];
  #telling: Promise<void> = Promise.resolve();
  readonly #events: Entry[] = [];
  #dropped = 0;
  #hearing = false;
  readonly #ending = new AbortController();

  constructor(hooks: MobHooks, parts: HooksParts) {
    this.#hooks = hooks;
    this.#parts = parts;
  }

  /** Throws what it throws, `core.timed_out`. */
  async preSpawn(): Promise<void> {
    const { preSpawn } = this.#hooks;
    if (preSpawn !== undefined) await this.#within("preSpawn", preSpawn);
  }

  /** Those that come while the hook has others are told together. */
  spawned(ids: readonly string[]): Promise<void> {
    const { postSpawn } = this.#hooks;
    if (postSpawn === undefined || ids.length === 0) return Promise.resolve();
    this.#spawned.push(...ids);
    if (this.#spawned.length > ids.length) return this.#telling;
    this.#telling = this.#telling.then(() => {
      const all = this.#spawned.splice(0);
      return this.#quietly("postSpawn", () => postSpawn(all));
    });
    return this.#telling;
  }

  async reconciled(report: ReconcileReport): Promise<void> {
    await this.spawned(report.members.spawned);
    const { postReconcile } = this.#hooks;
    if (postReconcile !== undefined) await this.#quietly("postReconcile", () => postReconcile(report));
  }

  readonly hear = (entry: Entry): void => {
    if (this.#hooks.onError === undefined || this.#ending.signal.aborted || entry.class !== "error" && !TOLD.has(entry.kind)) return;
    if (this.#events.length >= EVENTS_MAX) this.#dropped += 1;
    else this.#events.push(entry);
    if (!this.#hearing) void this.#tell(this.#hooks.onError);
  };

  /** What waits for `onError` is left out; no hook is waited for any more. */
  close(): void {
    this.#ending.abort();
    this.#events.length = 0;
  }

  /** Never rejects. */
  async #tell(onError: NonNullable<MobHooks["onError"]>): Promise<void> {
    this.#hearing = true;
    // Not on the path of whoever commits.
    await Promise.resolve();
    for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) {
      const told = event;
      await this.#within("onError", () => onError(told)).catch((error: unknown) => {
        if (!this.#ending.signal.aborted) this.#warn("onError has failed", { kind: told.kind, reason: String(error) });
      });
      if (this.#dropped === 0) continue;
      this.#warn("onError is slow: errors were left out; the ledger has them", { left_out: this.#dropped });
      this.#dropped = 0;
    }
    this.#hearing = false;
  }

  /** An entry, instead of a throw. */
  async #quietly(hook: string, run: () => void | Promise<void>): Promise<void> {
    try {
      await this.#within(hook, run);
    } catch (error) {
      this.#parts.note({ kind: "hook_failure", source: "mob", data: { hook, error: { ...toFailure(error) } } });
      this.#warn(`${hook} has failed`, { reason: String(error) });
    }
  }

  async #within(hook: string, run: () => void | Promise<void>): Promise<void> {
    await withDeadline(run, { clock: this.#parts.clock, ms: HOOK_MS, signal: this.#ending.signal, what: `the hook ${hook}` });
  }

  #warn(msg: string, fields: Readonly<Record<string, string | number>>): void {
    this.#parts.log.write({ level: "warn", target: "mob", msg, fields });
  }
}
