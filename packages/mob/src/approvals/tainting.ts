/**
 * Turns that take in what others wrote (spec: mob 3.7): from then on their calls are judged as tainted.
 *
 * takes a guard; gives the same one; promises that the ledger says so before the call runs, once for each turn and taint; refuses nothing
 * by itself; never makes a turn cleaner.
 */
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { ToolGuard } from "../member/host.ts";
import type { View } from "../roster/view.ts";
import { isAsBad, taintOfCall } from "../sessions/taint.ts";

export function tainting(guard: ToolGuard, { ledger, writer, view }: { readonly ledger: Ledger; readonly writer: Writer; readonly view: View }): ToolGuard {
  return async (call) => {
    const answer = await guard(call);
    const { member, generation, turn_id, grant } = call;
    const turn = turn_id === undefined ? undefined : view.turns.get(turn_id);
    const taint = taintOfCall(call);
    if (answer !== "allow" || turn === undefined || isAsBad(turn.taint, taint)) return answer;
    const { run_id, step_id } = turn;
    await ledger.append(writer, [{
      kind: "peer_content_ingested", source: "mob", member, generation, turn_id: turn.turn_id, ...run_id === undefined ? {} : { run_id },
      ...step_id === undefined ? {} : { step_id }, data: { taint, grant },
    }]);
    return answer;
  };
}
