/** The one mapper from faults to exit codes, for all commands (STYLE B.2). */
import { isFault, isNodeCode, type NodeCode, nodeFaultKind } from "@atoll-run/core";

/** Exit codes that have a name. */
export const EXIT = {
  ok: 0, failed: 1, usage: 2, notFound: 3, denied: 4, timeout: 5, unavailable: 6, conflict: 7, internal: 70, draft: 75, limit: 124, signal: 128, brokenPipe: 141,
} as const;

const BY_CODE: Readonly<Record<string, number>> = {
  "config.invalid": EXIT.usage,
  "isle.memory": EXIT.limit, "isle.timeout": EXIT.limit, "isle.output": EXIT.limit,
  "isle.crashed": EXIT.internal,
  // Cancelled by nobody's signal: as if interrupted.
  "run.cancelled": EXIT.signal + 2,
  "node.not_found": EXIT.notFound, "node.identity_lost": EXIT.notFound, "node.unknown_route": EXIT.notFound,
  "node.dependency_not_found": EXIT.notFound,
  "node.timed_out": EXIT.timeout, "node.cancelled": EXIT.timeout, "state.timed_out": EXIT.timeout,
  "node.business": EXIT.conflict, "node.request_id_reused": EXIT.conflict, "node.wrong_state": EXIT.conflict,
  "node.decode_failure": EXIT.conflict, "realm.conflict": EXIT.conflict, "realm.wrong_state": EXIT.conflict,
  "realm.invalid_argument": EXIT.usage,
  "realm.bind_failed": EXIT.unavailable, "realm.replaced": EXIT.unavailable,
  "state.full": EXIT.unavailable, "state.broken": EXIT.unavailable, "state.locked": EXIT.unavailable,
  "state.busy": EXIT.unavailable, "state.newer": EXIT.unavailable, "state.overloaded": EXIT.unavailable,
  "mob.definition_invalid": EXIT.usage, "mob.invalid_params": EXIT.usage, "mob.content_empty": EXIT.usage, "mob.unsupported_content": EXIT.usage,
  "mob.method_unknown": EXIT.usage, "mob.not_found": EXIT.notFound, "mob.session_not_found": EXIT.notFound,
  "mob.denied": EXIT.denied, "mob.grant_widened": EXIT.denied, "mob.read_only": EXIT.denied, "mob.unauthenticated": EXIT.denied,
  "mob.token_in_query": EXIT.denied, "mob.approver_mismatch": EXIT.denied, "mob.self_approval_forbidden": EXIT.denied,
  "mob.deadline": EXIT.timeout,
  "mob.unavailable": EXIT.unavailable, "mob.already_running": EXIT.unavailable, "mob.shutting_down": EXIT.unavailable, "mob.overloaded": EXIT.unavailable,
  "mob.storage_degraded": EXIT.unavailable, "mob.lease_held": EXIT.unavailable, "mob.member_broken": EXIT.unavailable, "mob.budget_exhausted": EXIT.unavailable,
  "mob.conflict": EXIT.conflict, "mob.desired_conflict": EXIT.conflict, "mob.retire_guard": EXIT.conflict, "mob.approval_closed": EXIT.conflict,
  "mob.stale_cursor": EXIT.conflict, "mob.member_gone": EXIT.conflict, "mob.not_addressable": EXIT.conflict, "mob.stale_fence": EXIT.conflict,
  "mob.internal": EXIT.internal, "client.unreachable": EXIT.unavailable, "client.bad_answer": EXIT.unavailable,
};
/** Codes of a node by their number on the wire, where no more is said of them. */
const BY_WIRE: Readonly<Record<number, number>> = {
  10_001: EXIT.unavailable, 10_011: EXIT.unavailable, 10_004: EXIT.denied, 10_005: EXIT.usage, 10_009: EXIT.internal,
  10_010: EXIT.internal,
};

/** `signal`: number of the signal that cancelled the run. What is no fault is a bug of ours. */
export function toExitCode(fault: unknown, o: { readonly signal?: number | undefined } = {}): number {
  if (!isFault(fault)) return EXIT.internal;
  // As what it failed of.
  if (fault.code === "mob.start_failed" && isFault(fault.cause)) return toExitCode(fault.cause, o);
  if (fault.code === "run.cancelled" && o.signal !== undefined) return EXIT.signal + o.signal;
  if (Object.hasOwn(BY_CODE, fault.code)) return BY_CODE[fault.code] as number;
  return isNodeCode(fault.code) ? BY_WIRE[nodeFaultKind(fault.code as NodeCode).wire] ?? EXIT.failed : EXIT.failed;
}
