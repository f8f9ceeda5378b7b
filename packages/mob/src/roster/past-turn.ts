/** A turn that ended so long ago that the view has let it go: its entries still tell it (spec: mob 3.8). */
import type { Ledger } from "../ledger/ledger.ts";
import type { Turn } from "../member/turn.ts";
import { View } from "./view.ts";

/** Undefined: the ledger has none, or none within what one query looks through. */
export async function pastTurn(ledger: Pick<Ledger, "query">, turnId: string): Promise<Turn | undefined> {
  const view = new View();
  const { entries } = await ledger.query({ turn_id: turnId, classes: ["turn"] });
  for (const entry of entries) view.fold(entry);
  return view.turns.get(turnId);
}
