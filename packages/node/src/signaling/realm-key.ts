/** A public key of the realm: on signaling while it is there, else from the identity service (spec: wire 8.1, 9). */
import type { RealmDoor } from "../identity/realm-door.ts";
import { fromStatus, realmStatus } from "../identity/realm-errors.ts";
import type { RealmKey } from "../identity/realm-keys.ts";
import type { SignalingClient } from "./signaling-client.ts";

const KEY_BYTES = 32;

export interface FetchParts {
  readonly signaling: Pick<SignalingClient, "up" | "ask">;
  readonly door: RealmDoor;
  readonly signal: AbortSignal;
}

/** Undefined: the realm has no such key, or answered with another one. Throws when it cannot be asked. */
export async function fetchRealmKey(keyId: number, { signaling, door, signal }: FetchParts): Promise<RealmKey | undefined> {
  if (!signaling.up) return fromService(keyId, door, signal);
  try {
    const told = await signaling.ask({ case: "getSigningKeyRequest", value: { keyId } }, { signal });
    return told.case === "getSigningKeyResponse" && told.value.keyId === keyId ? toKey(told.value.pubkey) : undefined;
  } catch (error) {
    if (realmStatus(error) === 404) return undefined;
    throw error;
  }
}

async function fromService(keyId: number, door: RealmDoor, signal: AbortSignal): Promise<RealmKey | undefined> {
  const answer = await door.ask({ method: "GET", path: `signing-pubkey?key_id=${keyId}`, headers: {} }, { signal });
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw fromStatus(answer, "the question for a key");
  const said = readJson(answer.body);
  const isAsked = said?.["key_id"] === keyId && typeof said["pubkey"] === "string";
  return isAsked ? toKey(Uint8Array.from(Buffer.from(String(said["pubkey"]), "base64"))) : undefined;
}

function toKey(publicKey: Uint8Array): RealmKey | undefined {
  return publicKey.length === KEY_BYTES ? { publicKey } : undefined;
}

function readJson(body: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof value === "object" && value !== null ? value as Readonly<Record<string, unknown>> : undefined;
  } catch {
    return undefined;
  }
}
