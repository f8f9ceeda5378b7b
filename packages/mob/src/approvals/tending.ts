/**
 * What approvals need that nobody asks for: the end of their time, and the wake-up of whoever waits for them.
 *
 * takes a view; gives entries and wake-ups; promises that all of it follows from the view, so that a start goes on where a
 * dead process was; refuses nothing; never is more than one loop and one timer.
 */
import type { Clock, Log } from "@atoll-run/core";
import { toFailure } from "../errors.ts";
import type { Entry } from "../ledger/entry.ts";
import { FINAL_TURNS } from "../member/turn.ts";
import { isOn } from "../roster/mob-fold.ts";
import type { View } from "../roster/view.ts";
import type { Approval } from "./approval.ts";

export interface TendingParts {
  readonly view: View;
  readonly clock: Clock;
  readonly log: Log;
  /** Runs the turn again that was parked under that name. */
  readonly wake: (member: string, name: string) => Promise<void>;
  /** Writes that its time is over; does nothing when it is closed. */
  readonly expire: (id: string, why: "timeout" | "turn_over") => Promise<void>;
}

const AGAIN_MS = 250;
const AGAIN_MS_MAX = 10_000;

export class Tending {
  readonly #parts: TendingParts;
  readonly #open = new Set<string>();
  /** Decided, and the turn may still wait → how often it was woken. */
  readonly #decided = new Map<string, number>();
  /**
   * Decided before this process. A turn that was resumed when that one died is not known to wait, but its mailbox may have it parked
   * still: it is woken once.
   */
  readonly #inherited: Set<string>;
  #timer: Disposable | undefined;
  #looking: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(parts: TendingParts) {
    this.#parts = parts;
    for (const approval of parts.view.approvals.values()) this.#sort(approval);
    this.#inherited = new Set(this.#decided.keys());
    this.#kick();
  }

  get open(): number {
    return this.#open.size;
  }

  readonly hear = (entry: Entry): void => {
    if (entry.class === "approval") {
      const approval = this.#parts.view.approvals.get(String(entry.data["id"]));
      if (approval !== undefined) this.#sort(approval);
      this.#kick();
    } else if (entry.kind === "mob_started") this.#kick();
    else if (entry.class === "turn" && entry.kind !== "turn_queued" && this.#open.size + this.#decided.size > 0) this.#kick();
  };

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
    await this.#looking;
  }

  #sort({ id, state }: Approval): void {
    if (state === "open") return void this.#open.add(id);
    if (this.#open.delete(id) || !this.#decided.has(id)) this.#decided.set(id, 0);
  }

  #kick(): void {
    this.#again = true;
    this.#looking ??= this.#look().finally(() => { this.#looking = undefined; });
  }

  async #look(): Promise<void> {
    // After the entry that brought us here has been folded by everybody.
    await Promise.resolve();
    let nextMs = Infinity;
    while (this.#again && !this.#closed) {
      this.#again = false;
      nextMs = Infinity;
      for (const id of this.#open) nextMs = Math.min(nextMs, await this.#tend(id));
      for (const [id, tries] of this.#decided) nextMs = Math.min(nextMs, await this.#rouse(id, tries));
    }
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#closed || nextMs === Infinity ? undefined : this.#parts.clock.after(nextMs, () => this.#kick());
  }

  /** Milliseconds until it is to be looked at again. */
  async #tend(id: string): Promise<number> {
    const { view, clock, expire } = this.#parts;
    const approval = view.approvals.get(id);
    if (approval?.state !== "open") return Infinity;
    const isOver = this.#isOver(approval);
    const leftMs = approval.expires_at_ms - clock.now();
    if (!isOver && leftMs > 0) return leftMs;
    return this.#try(() => expire(id, isOver ? "turn_over" : "timeout"), { what: "expire", id });
  }

  async #rouse(id: string, tries: number): Promise<number> {
    const { view, wake } = this.#parts;
    const approval = view.approvals.get(id);
    if (approval === undefined || this.#isOver(approval)) {
      this.#decided.delete(id);
      return Infinity;
    }
    // Nobody can be woken; it is looked at again when the mob goes on.
    if (!isOn(view.mob)) return Infinity;
    const state = view.turns.get(approval.turn_id)?.state;
    const inherited = this.#inherited.delete(id);
    if (!inherited && state !== undefined && state !== "waiting_approval") return Infinity;
    // It waits for another one.
    if ([...this.#open].some((open) => view.approvals.get(open)?.turn_id === approval.turn_id)) return Infinity;
    if (state === undefined) this.#decided.delete(id);
    else this.#decided.set(id, tries + 1);
    await this.#try(() => wake(approval.member, `approval:${id}`), { what: "wake", id });
    // The turn may have been on its way into the wait: nobody hears a wake-up then.
    return state === undefined ? Infinity : Math.min(AGAIN_MS_MAX, AGAIN_MS * 2 ** Math.min(tries, 16));
  }

  async #try(act: () => Promise<void>, { what, id }: { readonly what: string; readonly id: string }): Promise<number> {
    try {
      await act();
      return Infinity;
    } catch (error) {
      const { code, text } = toFailure(error);
      // It goes on, but does not take anything yet.
      if (code === "mob.unavailable") return AGAIN_MS;
      this.#parts.log.write({ level: "warn", target: "approvals", msg: "it is tried again", fields: { what, id, code, text } });
      return AGAIN_MS_MAX;
    }
  }

  #isOver({ turn_id }: Approval): boolean {
    const turn = this.#parts.view.turns.get(turn_id);
    return turn !== undefined && FINAL_TURNS.has(turn.state);
  }
}
