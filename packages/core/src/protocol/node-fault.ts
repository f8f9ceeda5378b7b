/**
 * The faults of a node and their numbers on the wire (spec: wire 7, node 5). One table: who retries how, what
 * a peer sees, and how a refinement is told from its code.
 */
import { Fault, type Retry } from "../fault.ts";

export interface NodeFaultKind {
  /** In an `ErrorResponse`. */
  readonly wire: number;
  /** In its detail; 0 = nothing refines the code. */
  readonly kind: number;
  readonly retry: Retry;
  /** Transient ones may pass, client ones are the caller's mistake, corrupt ones are buried. */
  readonly class: "transient" | "client" | "corrupt" | "internal";
  /** True when an answer with this code leaves open whether the call ran. */
  readonly uncertain?: true;
}

const TRANSIENT = { retry: "later", class: "transient" } as const;
const CLIENT = { retry: "never", class: "client" } as const;
const INTERNAL = { retry: "never", class: "internal" } as const;

export const NODE_FAULTS = {
  "node.unavailable": { wire: 10_001, kind: 0, ...TRANSIENT },
  "node.overloaded": { wire: 10_001, kind: 1, ...TRANSIENT },
  "node.storage_full": { wire: 10_001, kind: 2, ...TRANSIENT },
  "node.draining": { wire: 10_001, kind: 3, ...TRANSIENT, retry: "elsewhere" },
  "node.timed_out": { wire: 10_002, kind: 0, ...TRANSIENT, uncertain: true },
  "node.cancelled": { wire: 10_002, kind: 4, ...TRANSIENT, retry: "never" },
  "node.not_found": { wire: 10_003, kind: 0, ...CLIENT },
  "node.identity_lost": { wire: 10_003, kind: 10, ...CLIENT },
  "node.permission_denied": { wire: 10_004, kind: 0, ...CLIENT },
  "node.proof_required": { wire: 10_004, kind: 8, ...CLIENT },
  "node.identity_mismatch": { wire: 10_004, kind: 9, ...CLIENT },
  "node.invalid_argument": { wire: 10_005, kind: 0, ...CLIENT },
  "node.business": { wire: 10_005, kind: 5, ...CLIENT },
  "node.request_id_reused": { wire: 10_005, kind: 6, ...CLIENT },
  "node.too_large": { wire: 10_005, kind: 7, ...CLIENT },
  "node.unknown_route": { wire: 10_006, kind: 0, ...CLIENT },
  "node.dependency_not_found": { wire: 10_007, kind: 0, ...CLIENT },
  "node.decode_failure": { wire: 10_008, kind: 0, retry: "never", class: "corrupt" },
  "node.not_implemented": { wire: 10_009, kind: 0, ...INTERNAL },
  "node.internal": { wire: 10_010, kind: 0, ...INTERNAL },
  "node.connection_not_ready": { wire: 10_011, kind: 0, ...TRANSIENT, retry: "elsewhere" },
} as const satisfies Record<string, NodeFaultKind>;

/** Faults that arise only here; a peer would see the code they refine. */
export const LOCAL_NODE_FAULTS = {
  "node.bind_failed": { wire: 10_001, kind: 0, ...TRANSIENT },
  "node.locked": { wire: 10_001, kind: 0, ...TRANSIENT },
  "node.wrong_state": { wire: 10_005, kind: 0, ...CLIENT },
} as const satisfies Record<string, NodeFaultKind>;

export type NodeCode = keyof typeof NODE_FAULTS | keyof typeof LOCAL_NODE_FAULTS;

/** What a business error carries; the room that knows the route reads the body. */
export interface BusinessFact {
  readonly code: string;
  readonly body?: Uint8Array;
  readonly content_type?: string;
  /** The body, read by who knows the route. */
  readonly details?: unknown;
}

export interface NodeFacts {
  /** Only `node.business`. */
  readonly error?: BusinessFact;
  /** What is wrong with an argument, one sentence each. */
  readonly issues?: readonly string[];
  /** Only `node.dependency_not_found`. */
  readonly service_name?: string;
  /** Number of an error that came in, where it is none of ours. */
  readonly wire_code?: number;
  readonly [fact: string]: unknown;
}

export interface NodeFault {
  readonly code: NodeCode;
  readonly facts: NodeFacts;
}

export class NodeError extends Fault<NodeFault> {
  override readonly name = "NodeError";
}

export interface NodeErrorInit {
  readonly facts?: NodeFacts;
  /** Instead of that of the code. */
  readonly retry?: Retry;
  readonly retry_after_ms?: number;
  readonly uncertain?: boolean;
  readonly hint?: string;
  readonly cause?: unknown;
}

/** A fault of a node, with the retry class of its code. */
export function nodeError(code: NodeCode, text: string, init: NodeErrorInit = {}): NodeError {
  return new NodeError({ retry: nodeFaultKind(code).retry, ...init, code, text });
}

export function nodeFaultKind(code: NodeCode): NodeFaultKind {
  return { ...NODE_FAULTS, ...LOCAL_NODE_FAULTS }[code];
}

export function isNodeCode(code: string): code is NodeCode {
  return Object.hasOwn(NODE_FAULTS, code) || Object.hasOwn(LOCAL_NODE_FAULTS, code);
}
