/**
 * What becomes of a turn, told to its sender as a turn of his own (spec: mob 3.9, `reply = "turn"`).
 *
 * takes turns that have ended; gives turns; promises that each that was sent with `reply` is answered once, whenever the process dies;
 * refuses nothing: a sender that takes nothing now is tried again, one that is gone gets nothing; never holds up the turn it tells of.
 */
import { isFault, type Clock, type Json, type Log } from "@atoll-run/core";
import { wholeTurn } from "../ledger/stored.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { View } from "../roster/view.ts";
import type { TurnAsk } from "./host.ts";
import { FINAL_TURNS, type Turn } from "./turn.ts";

export interface ReplyParts {
  readonly ledger: Ledger;
  readonly view: View;
  readonly clock: Clock;
  readonly log: Log;
  readonly send: (ask: TurnAsk) => Promise<unknown>;
}

const AGAIN_MS = 1_000;
const AGAIN_MS_MAX = 60_000;
/** Nobody is there to be told, or nobody may be told any more in this process. */
const OVER: ReadonlySet<string> = new Set(["mob.not_found", "mob.member_gone", "mob.shutting_down"]);

export class Replies {
  readonly #parts: ReplyParts;
  readonly #sending = new Set<Promise<void>>();
  readonly #timers = new Set<Disposable>();
  #paused = true;

  constructor(parts: ReplyParts) {
    this.#parts = parts;
  }

  /** It has ended. */
  ended(turn: Turn): void {
    if (turn.reply !== undefined && !this.#paused) this.#answer(turn.turn_id, AGAIN_MS);
  }

  /** Goes on with what an earlier process owes. */
  resume(): void {
    this.#paused = false;
    for (const turn of this.#parts.view.turns.values()) if (turn.reply !== undefined && FINAL_TURNS.has(turn.state)) this.ended(turn);
  }

  /** Until {@link resume}; resolves when none is on its way. */
  async pause(): Promise<void> {
    this.#paused = true;
    for (const timer of this.#timers) timer[Symbol.dispose]();
    this.#timers.clear();
    await Promise.all(this.#sending);
  }

  #answer(turnId: string, againMs: number): void {
    const sending = this.#tell(turnId).catch((error: unknown) => {
      const code = isFault(error) ? error.code : String(error);
      this.#parts.log.write({ level: "warn", target: "member", msg: "the end of a turn was not told to its sender", fields: { turn_id: turnId, code } });
      if (!this.#paused && !OVER.has(code)) this.#later(turnId, againMs);
    }).finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
  }

  #later(turnId: string, afterMs: number): void {
    const timer = this.#parts.clock.after(afterMs, () => {
      this.#timers.delete(timer);
      this.#answer(turnId, Math.min(AGAIN_MS_MAX, afterMs * 2));
    });
    this.#timers.add(timer);
  }

  async #tell(turnId: string): Promise<void> {
    const { ledger, view, send } = this.#parts;
    const known = view.turns.get(turnId);
    if (known?.reply === undefined || !view.members.has(known.from)) return;
    const { member: from, from: to, principal, state, output, error, taint, trace } = await wholeTurn(ledger.store, known);
    const about = { in_reply_to: turnId, state, ...error === null ? {} : { error } };
    const ask = (content: Json): TurnAsk => ({ to, from, principal, content, inReplyTo: turnId, key: `reply ${turnId}`, ...taint === undefined ? {} : { taint }, ...trace === undefined ? {} : { traceparent: trace } });
    try {
      await send(ask(state === "done" ? { ...about, output } : about));
    } catch (refused) {
      // An output may be as large as a content; beside its state it does not fit then.
      if (!isFault(refused) || refused.code !== "mob.too_large") throw refused;
      await send(ask({ ...about, error: { code: refused.code, text: `the output is too large to be sent along: see the turn ${turnId}` } }));
    }
  }
}
