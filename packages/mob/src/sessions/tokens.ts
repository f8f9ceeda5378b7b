/** What models took for a turn and no record of its session tells yet (spec: mob 6.5): each token stands in one record. */
import type { Turn } from "../member/turn.ts";

export class UntoldTokens {
  readonly #turnOf: (turnId: string) => Pick<Turn, "usage"> | undefined;
  readonly #told = new Map<string, number>();

  constructor(turnOf: (turnId: string) => Pick<Turn, "usage"> | undefined) {
    this.#turnOf = turnOf;
  }

  /** For the record that is written now. */
  take(turnId: string): number {
    const { tokens_in = 0, tokens_out = 0 } = this.#turnOf(turnId)?.usage ?? {};
    const all = tokens_in + tokens_out;
    const untold = all - (this.#told.get(turnId) ?? 0);
    if (untold <= 0) return 0;
    this.#told.set(turnId, all);
    return untold;
  }

  /** Records of an earlier run of it tell of so many. */
  tell(turnId: string, tokens: number): void {
    if (tokens > 0) this.#told.set(turnId, tokens);
  }

  /** It is over. */
  forget(turnId: string): void {
    this.#told.delete(turnId);
  }
}
