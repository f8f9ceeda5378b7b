/** Who a node is when it starts: injected, as it was before, or new (spec: node 3.1 step 7, 5.8). */
import { formatNodeId, type Clock, type Log } from "@atoll-run/core";
import type { Grant } from "./grant.ts";
import { realmStatus } from "./realm-errors.ts";
import type { Registrant, Registration } from "./registration.ts";
import type { SessionStore, StoredIdentity } from "./session-store.ts";
import type { NodeKey } from "./session.ts";

export interface FirstGrantParts {
  readonly registration: Registration;
  readonly sessions: Pick<SessionStore, "load">;
  readonly key: NodeKey | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

interface Ask {
  readonly injected: Grant | undefined;
  readonly signal: AbortSignal | undefined;
}

/** `generation`: of the session before. */
export async function firstGrant(
  parts: FirstGrantParts, who: Registrant, { injected, signal }: Ask,
): Promise<{ readonly grant: Grant; readonly generation: number }> {
  const stored = await loadOwn(parts, who);
  const grant = injected ?? await register(parts, who, stored, signal);
  const id = formatNodeId(grant.id);
  const before = stored === undefined ? id : formatNodeId(stored.id);
  if (before !== id) {
    parts.log.write({ level: "warn", target: "identity", msg: "the node has a new id", fields: { id, before } });
  }
  return { grant, generation: stored?.generation ?? 0 };
}

/** What is stored for this type, realm and key; what belongs to another of them is none of ours. */
async function loadOwn({ sessions, key }: FirstGrantParts, { realm, type }: Registrant): Promise<StoredIdentity | undefined> {
  const stored = await sessions.load();
  if (stored === undefined) return undefined;
  const sameNode = formatNodeId(stored.id) === formatNodeId({ serial: stored.id.serial, realm, type });
  const sameKey = stored.public_key === undefined || (key !== undefined && isSame(stored.public_key, key.publicKey));
  return sameNode && sameKey ? stored : undefined;
}

/** The stored id again, if the realm still knows it as ours; else a new one. */
async function register(
  parts: FirstGrantParts, who: Registrant, stored: StoredIdentity | undefined, signal: AbortSignal | undefined,
): Promise<Grant> {
  const { registration, key, log } = parts;
  if (stored === undefined) return registration.register(who, { signal });
  const isKeyed = key !== undefined && stored.public_key !== undefined;
  // An invite is good once. Whoever else can register does, so that the realm learns address and rules of today.
  if (!isKeyed || who.vouch.mode === "guest") {
    const renewed = await renewStored(parts, who, stored, signal);
    return renewed ?? registration.register(who, { previous: stored.id, signal });
  }
  try {
    return await registration.register(who, { previous: stored.id, signal });
  } catch (error) {
    if (realmStatus(error) !== 403) throw error;
    // The secret may have changed; the key still is ours.
    const renewed = await renewStored(parts, who, stored, signal).catch(() => undefined);
    if (renewed === undefined) throw error;
    const fields = { reason: error instanceof Error ? error.message : String(error) };
    log.write({ level: "warn", target: "identity", msg: "the realm refused to register but renewed the node", fields });
    return renewed;
  }
}

/** Undefined: neither token nor key is good for it any more. */
async function renewStored(
  { registration, clock }: FirstGrantParts, { realm, type }: Registrant, stored: StoredIdentity,
  signal: AbortSignal | undefined,
): Promise<Grant | undefined> {
  const isOver = (stored.renewal_token_expires_at_ms ?? Infinity) <= clock.now();
  const token = isOver ? undefined : stored.renewal_token;
  if (token === undefined && stored.public_key === undefined) return undefined;
  try {
    const { id } = stored;
    return await registration.renew({ realm, type, id, ...token === undefined ? {} : { token } }, { signal });
  } catch (error) {
    const status = realmStatus(error);
    if (status === 400 || status === 401 || status === 404) return undefined;
    throw error;
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
