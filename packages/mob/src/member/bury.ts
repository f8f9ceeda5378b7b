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
  o: { readonly member: string; readonly generation: number; readonly reason: BuryReason },
): Promise<void> {
  const { member, generation, reason } = o;
  const mailbox = createMailboxAdmin({ store: ledger.store, scope: memberScope(member), now: () => clock.now() });
  for (;;) {
    // What was given up is gone, so the next page begins where this one did.
    const rows = (await mailbox.ls({ limit: PAGE })).filter(({ route }) => route === TURN_ROUTE);
    if (rows.length === 0) return;
    for (const { seq, request_id } of rows) {
      const [turn_id = request_id] = request_id.split("#");
      const entry = turnMoved("turn_dead", { member, generation }, { turn: { turn_id }, data: { reason, error: { code: "mob.member_gone", text: TEXTS[reason] } } });
      await mailbox.drop(seq, { also: [ledger.toOp(entry)] });
    }
  }
}
