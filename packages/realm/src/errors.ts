/** Faults that a realm throws at who runs it. What clients are refused with are values: see `Refusal`. */
import { Fault } from "@atoll-run/core";

export type RealmFault =
  | { readonly code: "realm.bind_failed"; readonly facts: { readonly host: string; readonly port: number } }
  | { readonly code: "realm.invalid_argument"; readonly facts: { readonly issues: readonly string[] } }
  | { readonly code: "realm.wrong_state"; readonly facts: { readonly state: string } }
  /** Another process has taken over the records. */
  | { readonly code: "realm.replaced"; readonly facts: Readonly<Record<string, never>> };

export class RealmError extends Fault<RealmFault> {
  override readonly name = "RealmError";
}

export function bindFailed(host: string, port: number, cause: unknown): RealmError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new RealmError({
    code: "realm.bind_failed", facts: { host, port }, text: `cannot listen on ${host}:${port}: ${reason}`, cause,
    retry: "later", hint: "Stop what uses the port, or name another one.",
  });
}

export function invalidRealm(issues: readonly string[]): RealmError {
  return new RealmError({
    code: "realm.invalid_argument", facts: { issues }, text: `the realm is not configured right: ${issues.join("; ")}`,
    hint: "Mend what it names.",
  });
}

export function wrongState(state: string, what: string): RealmError {
  return new RealmError({ code: "realm.wrong_state", facts: { state }, text: `cannot ${what}: the realm is ${state}` });
}

export function replaced(): RealmError {
  return new RealmError({
    code: "realm.replaced", facts: {}, text: "another process serves this realm now",
    hint: "Run one process for a realm; this one can only be closed.",
  });
}
