/** HTTP as plain data: what handlers take and give. A server is one adapter of it, a test or a node beside it another. */
import type { Origin } from "../rate/limiter.ts";
import { retryAfterSeconds, type Refusal } from "../refusal.ts";

export interface HttpAsk {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
  readonly origin: Origin;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export const PROTOBUF = "application/x-protobuf";
const ENCODER = new TextEncoder();

export function bytesAnswer(status: number, body: Uint8Array, headers: HttpAnswer["headers"] = {}): HttpAnswer {
  return { status, headers: { "content-type": PROTOBUF, ...headers }, body };
}

export function jsonAnswer(status: number, value: unknown, headers: HttpAnswer["headers"] = {}): HttpAnswer {
  const body = ENCODER.encode(`${JSON.stringify(value)}\n`);
  return { status, headers: { "content-type": "application/json", "cache-control": "no-store", ...headers }, body };
}

/** In the exposition format of Prometheus. */
export function textAnswer(status: number, text: string): HttpAnswer {
  return { status, headers: { "content-type": "text/plain; version=0.0.4", "cache-control": "no-store" }, body: ENCODER.encode(text) };
}

export function emptyAnswer(status: number, headers: HttpAnswer["headers"] = {}): HttpAnswer {
  return { status, headers, body: new Uint8Array() };
}

/** `{error: {code, message}}`, and `Retry-After` where it helps. */
export function refusedAnswer(refusal: Refusal, headers: HttpAnswer["headers"] = {}): HttpAnswer {
  const error = { code: refusal.code, message: refusal.text, ...refusal.why === undefined ? {} : { why: refusal.why } };
  return jsonAnswer(refusal.code, { error }, { ...retryHeaders(refusal), ...headers });
}

export function retryHeaders({ retry_after_ms: waitMs }: Refusal): HttpAnswer["headers"] {
  return waitMs === undefined ? {} : { "retry-after": String(retryAfterSeconds(waitMs)) };
}
