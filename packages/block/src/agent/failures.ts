/** Errors of model calls, and what a result says of them. */
import { type Json, isFault } from "@atoll-run/core";
import { type BlockError, blockError } from "../errors.ts";
import { fieldsOf, textField } from "./provider.ts";

export interface ErrorDetail {
  readonly status?: number;
  readonly type?: string;
  readonly request_id?: string;
  readonly message?: string;
}

/** `API error <status>`; what the provider said is in the facts. */
export function apiError(status: number, said: Omit<ErrorDetail, "status">, retryAfterMs?: number): BlockError {
  const later = status === 408 || status === 429 || status >= 500;
  return blockError("model.api", `API error ${status}`, {
    facts: { status, ...said }, retry: later ? "later" : "never",
    ...(later && retryAfterMs !== undefined ? { retry_after_ms: Math.round(retryAfterMs) } : {}),
  });
}

/** An answer that is not what the provider's API promises. */
export function replyError(text: string, facts: Readonly<Record<string, unknown>> = {}): BlockError {
  return blockError("model.reply", text, { facts });
}

/** What the body of an error answer says; both providers say it as `{error: {type, message}}`. */
export function saidIn(body: Json | undefined): Omit<ErrorDetail, "status"> {
  const outer = fieldsOf(body);
  const error = outer["error"];
  const inner = typeof error === "string" ? { message: error } : fieldsOf(error);
  const type = textField(inner["type"]) ?? textField(inner["code"]);
  const message = textField(inner["message"]) ?? textField(outer["message"]) ?? textField(outer["detail"]);
  const request_id = textField(outer["request_id"]);
  return {
    ...(type === undefined ? {} : { type }), ...(message === undefined ? {} : { message }),
    ...(request_id === undefined ? {} : { request_id }),
  };
}

export interface Failure {
  readonly error: string;
  readonly error_code: string;
  readonly error_detail?: ErrorDetail;
}

/** An error in the form of a result. */
export function failureOf(error: unknown): Failure {
  if (!isFault(error)) {
    const text = error instanceof Error ? error.message : String(error);
    return { error: text, error_code: "runtime.failed" };
  }
  const { code, message, facts } = error;
  if (code !== "model.api") return { error: message, error_code: code };
  const { status, type, request_id, message: said } =
    facts as { readonly [K in keyof ErrorDetail]: ErrorDetail[K] };
  const detail = Object.fromEntries(Object.entries({ status, type, request_id, message: said })
    .filter(([, value]) => value !== undefined)) as ErrorDetail;
  return { error: message, error_code: code, error_detail: detail };
}
