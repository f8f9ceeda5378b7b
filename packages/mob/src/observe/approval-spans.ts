/** Waits for approvals as spans (spec: mob 12.3): told when they are over, by what the ledger knows, so that one may outlive its process. */
import type { Ledger } from "../ledger/ledger.ts";
import type { View } from "../roster/view.ts";
import type { MobTracer } from "./tracer.ts";

/** The view hears the ledger before. */
export function tellApprovals({ ledger, view }: { readonly ledger: Ledger; readonly view: View }, tracer: MobTracer): Disposable {
  return ledger.hear(({ kind, data }) => {
    const ends = kind === "approval_decided" ? data["decision"] !== "release" : kind === "approval_timed_out" || kind === "approval_drafted";
    const approval = ends ? view.approvals.get(String(data["id"])) : undefined;
    // A quorum may lack others still.
    if (approval === undefined || approval.state === "open") return;
    const { id: approval_id, state, member, turn_id, grant, tool, trace: parent, opened_at_ms: beganAtMs } = approval;
    tracer.begin("approval", { parent, beganAtMs, facts: { approval_id, member, turn_id, grant, ...tool === null ? {} : { tool } } }).end(state);
  });
}
