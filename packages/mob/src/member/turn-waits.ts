/** Who waits for the end of a turn (spec: mob 3.9). */
import { PassingMap } from "@atoll-run/core";
import { mobError, type MobError } from "../errors.ts";
import { wholeTurn } from "../ledger/stored.ts";
import { pastTurn } from "../roster/past-turn.ts";
import type { MemberHost } from "./host.ts";
import type { MemberParts } from "./parts.ts";
import { FINAL_TURNS, type Turn } from "./turn.ts";

const WAIT_MS_MAX = 2_147_483_647;

export class TurnWaits {
  readonly #parts: Pick<MemberParts, "ledger" | "view" | "node">;
  readonly #waiting = new PassingMap<string, Set<Pick<PromiseWithResolvers<Turn>, "resolve" | "reject">>>();

  constructor(parts: Pick<MemberParts, "ledger" | "view" | "node">) {
    this.#parts = parts;
  }

  /** One that has ended, however long ago. Throws `mob.not_found`, `mob.deadline`, the reason of the signal, or what {@link giveUp} is told. */
  wait(turnId: string, o: NonNullable<Parameters<MemberHost["wait"]>[1]>): Promise<Turn> {
    const { view, ledger: { store } } = this.#parts;
    const turn = view.turns.get(turnId);
    if (turn === undefined) return this.#past(turnId);
    if (FINAL_TURNS.has(turn.state)) return wholeTurn(store, turn);
    return this.#next(turnId, o).then((ended) => wholeTurn(store, ended));
  }

  /** As the view has it. Throws `mob.not_found`. */
  known(turnId: string): Turn {
    const turn = this.#parts.view.turns.get(turnId);
    if (turn === undefined) throw mobError("mob.not_found", `there is no turn ${turnId}`, { facts: { turn_id: turnId } });
    return turn;
  }

  ended(turn: Turn): void {
    const waiters = this.#waiting.get(turn.turn_id);
    if (waiters === undefined) return;
    this.#waiting.delete(turn.turn_id);
    for (const { resolve } of waiters) resolve(turn);
  }

  /** What they wait for does not come in this process. */
  giveUp(why: MobError): void {
    for (const [, waiters] of [...this.#waiting]) for (const { reject } of waiters) reject(why);
  }

  #next(turnId: string, { signal, waitMs = WAIT_MS_MAX }: { readonly signal?: AbortSignal; readonly waitMs?: number }): Promise<Turn> {
    const { promise, resolve, reject } = Promise.withResolvers<Turn>();
    const waiter = { resolve, reject };
    const waiters = this.#waiting.get(turnId) ?? new Set();
    this.#waiting.set(turnId, waiters.add(waiter));
    const late = (): void => reject(mobError("mob.deadline", `${turnId} has not ended within ${waitMs} ms`, { facts: { turn_id: turnId } }));
    const timer = this.#parts.node.clock.after(waitMs, late);
    const abort = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted === true) abort();
    return promise.finally(() => {
      waiters.delete(waiter);
      if (waiters.size === 0 && this.#waiting.get(turnId) === waiters) this.#waiting.delete(turnId);
      timer[Symbol.dispose]();
      signal?.removeEventListener("abort", abort);
    });
  }

  /** Of one that the view has let go. */
  async #past(turnId: string): Promise<Turn> {
    const { ledger } = this.#parts;
    const turn = await pastTurn(ledger, turnId);
    return turn === undefined ? this.known(turnId) : await wholeTurn(ledger.store, turn);
  }
}
