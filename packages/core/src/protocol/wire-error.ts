/**
 * A fault → what a peer is told, and back (spec: wire 7). No text is read to learn what an error is: the
 * number and the kind say it. Texts are written so that legacy peers, which see nothing else, can show them.
 */
import { cutText } from "../codec/cut-text.ts";
import type { WireError, WireErrorDetail } from "../codec/error-record.ts";
import type { Fault } from "../fault.ts";
import {
  isNodeCode, NODE_FAULTS, NodeError, nodeFaultKind, type NodeCode, type NodeFacts,
} from "./node-fault.ts";
import { WIRE_LIMITS } from "./wire-limits.ts";

/** Told to a peer when the fault is of another room: it is nothing a caller could act on. */
const FOREIGN: NodeCode = "node.internal";

/** Codes below are those of a realm (HTTP statuses). */
const NODE_CODES_FROM = 10_001;

/** Realm code → what its caller is told. */
const REALM_CODES: Readonly<Record<number, NodeCode>> = {
  400: "node.invalid_argument", 401: "node.permission_denied", 403: "node.permission_denied",
  404: "node.not_found", 410: "node.not_implemented", 429: "node.overloaded", 500: "node.unavailable",
  503: "node.unavailable",
};

/** Number and kind → code. */
const CODES: ReadonlyMap<string, NodeCode> = new Map(Object.entries(NODE_FAULTS)
  .map(([code, { wire, kind }]) => [`${wire}/${kind}`, code as NodeCode]));

/** The error of a response, a refusal or a reset, whole; a writer leaves the detail out for legacy peers. */
export function toWireError(fault: Fault): WireError {
  const own = isNodeCode(fault.code);
  const code: NodeCode = own ? fault.code as NodeCode : FOREIGN;
  const { wire, kind, retry } = nodeFaultKind(code);
  const facts: NodeFacts = own ? fault.facts : {};
  const waitMs = fault.retry_after_ms;
  const detail: WireErrorDetail = {
    kind,
    retry: own ? fault.retry : retry,
    ...waitMs === undefined ? {} : { retry_after_ms: Math.max(0, Math.ceil(waitMs)) },
    ...facts.error === undefined ? {} : { business_code: facts.error.code },
    ...facts.error?.body === undefined ? {} : { business_body: facts.error.body },
    ...facts.error?.content_type === undefined ? {} : { content_type: facts.error.content_type },
    ...facts.service_name === undefined ? {} : { service_name: facts.service_name },
    ...fault.hint === undefined ? {} : { hint: fault.hint },
    issues: facts.issues ?? [],
    ...fault.uncertain === undefined ? {} : { uncertain: fault.uncertain },
  };
  const { before, after } = legacyText(code, detail);
  const room = WIRE_LIMITS.errorTextBytesMax - before.length * 3 - after.length;
  return { code: wire, message: `${before}${cutText(fault.message, Math.max(0, room))}${after}`, detail };
}

/**
 * The fault that a peer's error means. A code that is none of ours is `node.unavailable` and never tried
 * again.
 */
export function fromWireError(error: WireError): NodeError {
  const { code: wire, message, detail } = error;
  const code = CODES.get(`${wire}/${detail?.kind ?? 0}`) ?? CODES.get(`${wire}/0`);
  if (code === undefined) {
    return new NodeError({
      code: "node.unavailable", facts: { wire_code: wire }, retry: "never",
      text: `rpc error ${wire}: ${message}`,
    });
  }
  const kind = nodeFaultKind(code);
  const uncertain = detail === undefined ? kind.uncertain : detail.uncertain;
  return new NodeError({
    code, facts: toFacts(code, detail), text: ownText(code, message, detail),
    retry: detail?.retry ?? kind.retry,
    ...detail?.retry_after_ms === undefined ? {} : { retry_after_ms: detail.retry_after_ms },
    ...uncertain === undefined ? {} : { uncertain },
    ...detail?.hint === undefined ? {} : { hint: detail.hint },
  });
}

/** The fault that a realm's error means; its codes are HTTP statuses. */
export function fromRealmError(error: WireError): NodeError {
  if (error.code >= NODE_CODES_FROM) return fromWireError(error);
  const code = REALM_CODES[error.code] ?? "node.unavailable";
  const { detail, message } = error;
  return new NodeError({
    code, facts: { wire_code: error.code }, text: message, retry: detail?.retry ?? nodeFaultKind(code).retry,
    ...detail?.retry_after_ms === undefined ? {} : { retry_after_ms: detail.retry_after_ms },
    ...detail?.hint === undefined ? {} : { hint: detail.hint },
  });
}

function toFacts(code: NodeCode, detail: WireErrorDetail | undefined): NodeFacts {
  if (detail === undefined) return {};
  const { business_code, business_body: body, content_type, service_name, issues } = detail;
  const isBusiness = code === "node.business" && business_code !== undefined;
  return {
    ...isBusiness ? { error: {
      code: business_code, ...body === undefined ? {} : { body },
      ...content_type === undefined ? {} : { content_type },
    } } : {},
    ...service_name === undefined ? {} : { service_name },
    ...issues.length === 0 ? {} : { issues },
  };
}

/** What stands around the text, for readers that know no detail. */
function legacyText(code: NodeCode, detail: WireErrorDetail): { before: string; after: string } {
  const business = code === "node.business" ? `business:${detail.business_code ?? ""}: ` : "";
  const after = code === "node.connection_not_ready" && detail.retry_after_ms !== undefined;
  return { before: business, after: after ? ` (retry_after_ms=Some(${detail.retry_after_ms}))` : "" };
}

/** The text without what was put around it: the detail says what that was, nothing is searched for. */
function ownText(code: NodeCode, message: string, detail: WireErrorDetail | undefined): string {
  if (detail === undefined) return message;
  const { before, after } = legacyText(code, detail);
  if (!message.startsWith(before) || !message.endsWith(after)) return message;
  return message.slice(before.length, message.length - after.length);
}
