/**
 * The identity of a node from one start to the next (spec: node 3.1 steps 2 and 7, 5.8).
 *
 * takes what the realm granted; gives it back at the next start; promises one document in the scope of the node, written
 * whole; refuses what it cannot read, as if there were none; never shows a token: what is logged names the id alone.
 */
import { formatNodeId, nodeError, parseNodeId, type Clock, type NodeId, type StateStore } from "@atoll-run/core";
import type { Grant } from "./grant.ts";
import type { NodeKey } from "./session.ts";

export interface SessionStoreParts {
  readonly store: StateStore;
  /** Local name of the node. */
  readonly scope: string;
  /** As `attach` gave it. */
  readonly epoch: number | null;
  readonly clock: Clock;
}

export interface StoredIdentity {
  readonly id: NodeId;
  /** Of the node key when it was granted; absent = a bearer's. */
  readonly public_key?: Uint8Array;
  readonly renewal_token?: Uint8Array;
  readonly renewal_token_expires_at_ms?: number;
  readonly generation: number;
}

export interface SessionStore {
  load(): Promise<StoredIdentity | undefined>;
  /** Throws a `StateFault`, or `node.unavailable` when another process has taken the scope. */
  save(grant: Grant, generation: number, key: NodeKey | undefined): Promise<void>;
}

/** Where it lies in the scope of the node. */
export const IDENTITY_SPACE = "atoll.identity";
const KEY = "session";

export function createSessionStore({ store, scope, epoch, clock }: SessionStoreParts): SessionStore {
  return {
    async load() {
      const found = await store.get(scope, IDENTITY_SPACE, KEY);
      return found === undefined ? undefined : fromText(found.value);
    },
    async save(grant, generation, key) {
      const value = toText(grant, generation, key);
      const put = { op: "put", space: IDENTITY_SPACE, key: KEY, value, if_version: null } as const;
      const done = await store.commit({ scope, epoch, at_ms: clock.now(), ops: [put] });
      if (!done.ok) throw nodeError("node.unavailable", `the identity of ${scope} cannot be stored: ${done.refusal.why}`);
    },
  };
}

function toText(grant: Grant, generation: number, key: NodeKey | undefined): string {
  const { id, renewal_token, renewal_token_expires_at_ms } = grant;
  return JSON.stringify({
    id: formatNodeId(id), generation,
    ...grant.has_key && key !== undefined ? { public_key: toBase64(key.publicKey) } : {},
    ...renewal_token === undefined ? {} : { renewal_token: toBase64(renewal_token) },
    ...renewal_token_expires_at_ms === undefined ? {} : { renewal_token_expires_at_ms },
  });
}

function fromText(text: string): StoredIdentity | undefined {
  try {
    const found = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const id = parseNodeId(String(found["id"]));
    if (id === undefined) return undefined;
    const { generation, public_key, renewal_token, renewal_token_expires_at_ms } = found;
    return {
      id, generation: typeof generation === "number" ? generation : 0,
      ...typeof public_key === "string" ? { public_key: fromBase64(public_key) } : {},
      ...typeof renewal_token === "string" ? { renewal_token: fromBase64(renewal_token) } : {},
      ...typeof renewal_token_expires_at_ms === "number" ? { renewal_token_expires_at_ms } : {},
    };
  } catch {
    return undefined;
  }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "base64"));
}
