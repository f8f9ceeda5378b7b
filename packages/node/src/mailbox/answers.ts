/** The answer to a request as it is stored: what is JSON as text, what is bytes as bytes (spec: node 4.9). */
import type { Answer } from "@atoll-run/core";
import type { WireError, WireErrorDetail } from "@atoll-run/core/internal";
import type { Settled } from "./inbox.ts";

export interface StoredAnswer {
  readonly outcome: string;
  readonly reply: Uint8Array | null;
}

const NOTHING = new Uint8Array(0);
const PLAIN = '{"is":"reply"}';

/** Of a tell: it was finished. */
export const FINISHED: Settled = { is: "reply", payload: NOTHING };

export function toStored(settled: Settled): StoredAnswer {
  if (settled.is === "reply") {
    const { payload, content_type } = settled;
    const outcome = content_type === undefined ? PLAIN : JSON.stringify({ is: "reply", content_type });
    return { outcome, reply: payload.length === 0 ? null : payload };
  }
  const { detail, ...error } = settled.error;
  if (detail === undefined) return { outcome: JSON.stringify({ is: "error", error }), reply: null };
  const { business_body, ...plain } = detail;
  return {
    outcome: JSON.stringify({ is: "error", error: { ...error, detail: plain }, body: business_body !== undefined }),
    reply: business_body ?? null,
  };
}

interface Outcome {
  readonly is: "reply" | "error";
  readonly content_type?: string;
  readonly error?: WireError;
  /** The error has a body. */
  readonly body?: boolean;
}

export function fromStored({ outcome, reply }: Pick<Answer, "outcome" | "reply">): Settled {
  if (outcome === PLAIN) return { is: "reply", payload: reply ?? NOTHING };
  const { is, content_type, error, body } = JSON.parse(outcome) as Outcome;
  if (is === "reply" || error === undefined) {
    return { is: "reply", payload: reply ?? NOTHING, ...content_type === undefined ? {} : { content_type } };
  }
  const detail = body === true
    ? { detail: { ...error.detail as WireErrorDetail, business_body: reply ?? NOTHING } } : {};
  return { is: "error", error: { ...error, ...detail } };
}
