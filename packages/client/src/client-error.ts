/** What a call of a mob may end with: codes of the mob as it gave them, and what can go wrong on the way. */
import { Fault, type FaultData, isFault } from "@atoll-run/core";
import type { MobCode } from "./generated/methods.ts";

export interface ClientFault {
  /** Codes of lower tiers, such as `grant.denied`, pass unchanged. */
  readonly code: MobCode | "client.unreachable" | "client.bad_answer" | (string & {});
  readonly facts: Readonly<Record<string, unknown>>;
}

export class ClientError extends Fault<ClientFault> {
  override readonly name = "ClientError";
}

/** `error` of an answer; undefined when it is none. */
export function readError(given: unknown): ClientError | undefined {
  const { message, data } = (given ?? {}) as { readonly message?: unknown; readonly data?: Partial<FaultData> };
  if (typeof message !== "string" || typeof data?.code !== "string") return undefined;
  const { code, facts = {}, retry = "never", uncertain, retry_after_ms, hint } = data;
  return new ClientError({
    code, text: message, facts, retry, ...uncertain === undefined ? {} : { uncertain },
    ...retry_after_ms === undefined ? {} : { retry_after_ms }, ...hint === undefined ? {} : { hint },
  });
}

/** Nobody answered, or not to the end. `uncertain`: what was asked for may have happened. */
export function unreachable(url: string, cause: unknown, uncertain: boolean): ClientError {
  const refused = codeOf(cause) === "ECONNREFUSED";
  return new ClientError({
    code: "client.unreachable", text: refused ? `no mob answers at ${url}` : `the connection to ${url} has failed`, facts: { url }, retry: "later", cause,
    ...uncertain && !refused ? { uncertain } : {}, hint: "It has ended, or listens elsewhere.",
  });
}

export function badAnswer(url: string, status: number): ClientError {
  return new ClientError({ code: "client.bad_answer", text: `${url} gave something that no mob gives (status ${status})`, facts: { url, status } });
}

function codeOf(error: unknown): unknown {
  const { code, cause } = (error ?? {}) as { readonly code?: unknown; readonly cause?: unknown };
  return code ?? (cause === undefined || isFault(error) ? undefined : codeOf(cause));
}
