/** Every code a mob can give (spec: mob 11.12), its number for RPC and HTTP, and the class that carries it. */
import { Fault, isFault, type FaultInit, type Retry } from "@atoll-run/core";

interface Kind {
  readonly rpc: number;
  readonly http: number;
  readonly retry: Retry;
}

const kind = (rpc: number, http: number, retry: Retry): Kind => ({ rpc, http, retry });
const BAD = kind(-32602, 400, "never");
const FAILED = kind(-32000, 502, "later");
const MISSING = kind(-32001, 404, "never");
const CONFLICT = kind(-32009, 409, "never");
const GONE = kind(-32015, 409, "never");
const BUSY = kind(-32020, 429, "later");
const AWAY = kind(-32012, 503, "later");
const DENIED = kind(-32030, 403, "never");

export const MOB_CODES = {
  "mob.parse": kind(-32700, 400, "never"),
  "mob.invalid_request": kind(-32600, 400, "never"),
  "mob.method_unknown": kind(-32601, 404, "never"),
  "mob.invalid_params": BAD, "mob.definition_invalid": BAD, "mob.content_empty": BAD, "mob.unsupported_content": BAD,
  "mob.tool_failed": FAILED, "mob.model_unavailable": FAILED, "mob.start_failed": FAILED,
  "mob.output_invalid": kind(-32000, 502, "never"),
  "mob.not_found": MISSING, "mob.session_not_found": MISSING,
  "mob.conflict": CONFLICT, "mob.desired_conflict": CONFLICT, "mob.already_running": CONFLICT, "mob.retire_guard": CONFLICT,
  "mob.approval_closed": CONFLICT, "mob.approver_mismatch": CONFLICT, "mob.self_approval_forbidden": CONFLICT,
  "mob.stale_cursor": kind(-32010, 410, "never"),
  "mob.member_broken": GONE, "mob.member_gone": GONE, "mob.not_addressable": GONE, "mob.stale_fence": GONE,
  "mob.unavailable": AWAY, "mob.storage_degraded": AWAY, "mob.lease_held": AWAY, "mob.shutting_down": AWAY,
  "mob.deadline": kind(-32017, 504, "later"),
  "mob.overloaded": BUSY, "mob.budget_exhausted": BUSY,
  "mob.too_large": kind(-32023, 413, "never"),
  "mob.unauthenticated": kind(-32029, 401, "never"), "mob.token_in_query": kind(-32029, 401, "never"),
  "mob.denied": DENIED, "mob.grant_widened": DENIED,
  "mob.read_only": kind(-32031, 403, "never"),
  "mob.interrupted": kind(-32000, 502, "never"),
  "mob.internal": kind(-32603, 500, "never"),
} as const satisfies Readonly<Record<string, Kind>>;

export type MobCode = keyof typeof MOB_CODES;

export interface MobFault {
  readonly code: MobCode;
  readonly facts: Readonly<Record<string, unknown>>;
}

export class MobError extends Fault<MobFault> {
  override readonly name = "MobError";
}

/** A fault of a mob with the retry class of its code. */
export function mobError(
  code: MobCode, text: string, more: Omit<FaultInit<MobFault>, "code" | "text" | "retry"> & { retry?: Retry } = {},
): MobError {
  return new MobError({ ...more, code, text, retry: more.retry ?? MOB_CODES[code].retry });
}

/** An error of somebody's code may be of any length, an entry may not. */
const FAILURE_CHARS = 4_096;

/** What went wrong, as it stands in entries and reports. */
export interface Failure {
  readonly code: string;
  readonly text: string;
}

export function toFailure(error: unknown): Failure {
  const text = error instanceof Error ? error.message : String(error);
  return { code: isFault(error) ? error.code : "mob.internal", text: text.slice(0, FAILURE_CHARS) };
}
