/** A parcel that nobody took, as a dead letter (spec: node 4.17, 4.20). */
import type { Fault, NewLetter, Parcel } from "@atoll-run/core";
import { cutText } from "@atoll-run/core/internal";

const TEXT_BYTES_MAX = 4_096;

export function undeliverable(parcel: Parcel, fault: Fault, nowMs: number): NewLetter {
  const { route, ...known } = aboutOf(parcel);
  return {
    reason: "undeliverable", accepted: true, sender: null, route: route ?? null, body: parcel.body, dead_at_ms: nowMs,
    about: JSON.stringify({
      code: fault.code, text: cutText(fault.message, TEXT_BYTES_MAX), kind: "tell", to: parcel.to, ...known,
      attempts: parcel.attempts,
    }),
  };
}

interface About {
  readonly route?: string;
  readonly request_id?: string;
  readonly traceparent?: string;
}

function aboutOf(parcel: Parcel): About {
  try {
    // Written by this node, in the commit that made the parcel.
    return JSON.parse(parcel.about) as About;
  } catch {
    return {};
  }
}
