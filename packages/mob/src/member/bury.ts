/** Gives up what waits for a member that has no node (spec: mob 3.3): dead letters, each in one commit with its entry. */
import type { Clock } from "@atoll-run/core";
import { createMailboxAdmin } from "@atoll-run/node";
import { memberScope } from "../ids.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { BuryReason } from "./life.ts";
import { turnMoved } from "./turn-entries.ts";
import { TURN_ROUTE } from "./turn-desk.ts";

const PAGE = 100;
const TEXTS: Readonly<Record<BuryReason, string>> = {
  member_retired: "the member was retired", member_reset: "the member was reset", member_completed: "the member has completed",
  member_spawn_failed: "the member could not be started",
};

export async function buryQueue(
  { ledger, clock }: { readonly ledger: Ledger; readonly clock: Clock },
  o: { readonly member: string; readonly generation: number; readonly reason: BuryReason; readonly only?: (turnId: string) => boolean },
): Promise<void> {
  const { member, generation, reason, only = () => true } = o;
  const mailbox = createMailboxAdmin({ store: ledger.store, scope: memberScope(member), now: () => clock.now() });
  for (let after = 0; ;) {
    const rows = await mailbox.ls({ after, limit: PAGE });
    if (rows.length === 0) return;
    for (const { seq, route, request_id } of rows) {
      after = seq;
      const [turn_id = request_id] = request_id.split("#");
      if (route !== TURN_ROUTE || !only(turn_id)) continue;
      const entry = turnMoved("turn_dead", { member, generation }, { turn: { turn_id }, data: { reason, error: { code: "mob.member_gone", text: TEXTS[reason] } } });
      await mailbox.drop(seq, { also: [ledger.toOp(entry)] });
    }
  }
}
