/** What a realm refuses with → the fault a node throws (spec: wire 7). The status stays as the fact `wire_code`. */
import { isFault, NodeError, type Fault } from "@atoll-run/core";
import {
  ErrorResponseSchema, fromRealmError, readMessage, type ErrorResponse, type WireError,
} from "@atoll-run/core/internal";
import type { RealmAnswer } from "./realm-door.ts";

const RETRIES = { 0: "never", 1: "elsewhere", 2: "later" } as const;

/** An error inside an answer. */
export function fromErrorResponse(error: ErrorResponse, headers: RealmAnswer["headers"] = {}): NodeError {
  const { code, message, detail } = error;
  const retryAfterMs = detail !== undefined && detail.retryAfterMs > 0n ? Number(detail.retryAfterMs) : readRetryAfter(headers);
  const wire: WireError = {
    code, message,
    ...detail === undefined && retryAfterMs === undefined ? {} : { detail: {
      kind: detail?.kind ?? 0, issues: detail?.issues ?? [], ...detail?.hint ? { hint: detail.hint } : {},
      ...detail === undefined ? {} : { retry: RETRIES[detail.retry] },
      ...retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs },
    } },
  };
  const fault = fromRealmError(wire);
  return new NodeError({ ...plainInit(fault), facts: { ...fault.facts, wire_code: code }, text: `the realm: ${message}` });
}

/** An answer without a message we can read: what its status and headers say. */
export function fromStatus({ status, headers, body }: RealmAnswer, what: string): NodeError {
  const inside = readMessage(ErrorResponseSchema, body, 64 * 1_024);
  if (inside.ok) return fromErrorResponse(inside.value, headers);
  const retryAfterMs = readRetryAfter(headers);
  const fault = fromRealmError({ code: status, message: `${what} was refused by the realm (${status})` });
  return new NodeError({
    ...plainInit(fault), facts: { ...fault.facts, wire_code: status }, text: fault.message,
    ...retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs },
  });
}

/** Status of the realm that a fault carries; undefined = it never answered. */
export function realmStatus(error: unknown): number | undefined {
  if (!isFault(error)) return undefined;
  const code = (error.facts as { readonly wire_code?: unknown })["wire_code"];
  return typeof code === "number" ? code : undefined;
}

/** `Retry-After` in seconds, as milliseconds; dates are not used by realms. */
export function readRetryAfter(headers: RealmAnswer["headers"]): number | undefined {
  const text = headers["retry-after"] ?? "";
  return /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : undefined;
}

function plainInit(fault: Fault): Pick<NodeError, "code" | "retry"> & { hint?: string; retry_after_ms?: number } {
  return {
    code: (fault as NodeError).code, retry: fault.retry,
    ...fault.hint === undefined ? {} : { hint: fault.hint },
    ...fault.retry_after_ms === undefined ? {} : { retry_after_ms: fault.retry_after_ms },
  };
}
