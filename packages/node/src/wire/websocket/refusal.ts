/** How a refusal is told and understood: HTTP before the upgrade, close codes after it (spec: wire 6.5). */
import { STATUS_CODES, type IncomingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import { isNodeCode, nodeError, type Fault, type NodeCode, type NodeError } from "@atoll-run/core";
import { HEADERS } from "./headers.ts";

const STATUS: Partial<Record<NodeCode, number>> = {
  "node.permission_denied": 401, "node.proof_required": 403, "node.identity_mismatch": 403, "node.decode_failure": 403,
  "node.overloaded": 429,
};
const CODES: Partial<Record<NodeCode, number>> = {
  "node.permission_denied": 4401, "node.proof_required": 4401, "node.identity_mismatch": 4401, "node.decode_failure": 4400,
  "node.overloaded": 4429, "node.timed_out": 4408,
};
/** Status → code, where the server does not say it: a legacy one. */
const BY_STATUS: Readonly<Record<number, NodeCode>> = {
  401: "node.permission_denied", 403: "node.permission_denied", 429: "node.overloaded",
};
/** What a stranger may make us believe of itself. */
const BELIEVED: readonly NodeCode[] = [
  "node.permission_denied", "node.proof_required", "node.identity_mismatch", "node.overloaded", "node.unavailable", "node.draining",
];
const RETRY_AFTER_SECONDS_MAX = 600;
/** Codes by which the other end says that it did not take what was sent. */
const NOT_TAKEN = new Set([1006, 4400, 4401, 4403, 4408, 4413, 4429]);

export function closeCode(fault: Fault): number {
  return isNodeCode(fault.code) ? CODES[fault.code] ?? 4503 : 4503;
}

/** True when what was sent before that close code came may not have arrived. */
export function isBroken(code: number): boolean {
  return NOT_TAKEN.has(code);
}

/** Answers a request that is not upgraded, and ends its connection. */
export function refuse(socket: Duplex, fault: Fault): void {
  const status = isNodeCode(fault.code) ? STATUS[fault.code] ?? 503 : 503;
  const after = status === 429 || status === 503 ? fault.retry_after_ms ?? 1_000 : undefined;
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`, "Connection: close", "Content-Length: 0", `X-Atoll-Error: ${fault.code}`,
    ...after === undefined ? [] : [`Retry-After: ${Math.ceil(after / 1_000)}`],
  ];
  socket.once("finish", () => socket.destroy());
  socket.end(`${lines.join("\r\n")}\r\n\r\n`);
}

/** What a server that did not upgrade means. */
export function fromResponse(status: number, headers: IncomingHttpHeaders): NodeError {
  const said = headers[HEADERS.error];
  const code = BELIEVED.find((one) => one === said) ?? BY_STATUS[status] ?? "node.unavailable";
  const seconds = Number(headers["retry-after"]);
  const after = Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, RETRY_AFTER_SECONDS_MAX) * 1_000 : undefined;
  return nodeError(code, `the peer refused the connection with status ${status}`, after === undefined ? {} : { retry_after_ms: after });
}
