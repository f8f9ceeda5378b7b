/** Whether the sender of a request holds the key that it names, and says so for the first time (spec: wire 6.3). */
import { HELLO_LIMITS, isFresh, verifyKeyProof, type KeyProof, type ProofPurpose } from "@atoll-run/core/internal";
import type { Clock, StateOp } from "@atoll-run/core";
import type { RealmLimits } from "../limits.ts";
import { granted, refuse, type Answer } from "../refusal.ts";
import { put, type Records } from "../store/records.ts";
import { hashKey } from "./secrets.ts";

const KEY_BYTES = 32;

export interface ProvedKey {
  readonly public_key: Uint8Array;
  /** Remembers the nonce, with the change that it is for; the batch is refused when the nonce was used. */
  readonly use: StateOp;
}

/** `request` is the whole message as it came. */
export async function checkKeyProof(
  purpose: ProofPurpose, request: Uint8Array, proof: KeyProof, clock: Clock,
): Promise<Answer<ProvedKey>> {
  if (proof.publicKey.length !== KEY_BYTES || proof.nonce.length !== HELLO_LIMITS.nonceBytes) {
    return refuse(400, "the key proof has a key or nonce of the wrong length");
  }
  if (!isFresh(proof.signedAtMs, clock.now())) {
    return refuse(401, "the key proof was not signed just now: look at the clock of this machine", { why: "skew" });
  }
  if (!await verifyKeyProof(purpose, request, proof)) {
    return refuse(401, "the key proof is wrong", { why: "proof" });
  }
  return granted({
    public_key: proof.publicKey,
    use: useNonce(Number(proof.signedAtMs), proof.publicKey, proof.nonce),
  });
}

/** One use of a nonce that was signed at that time. The keys of these records sort by time, so old ones are found. */
export function useNonce(signedAtMs: number, signer: Uint8Array, nonce: Uint8Array): StateOp {
  return put("nonces", `${timeKey(signedAtMs)}:${hashKey(Buffer.concat([signer, nonce]))}`, {}, 0);
}

/** Removes nonces whose time is over, a few at a time: each new one pays for old ones. */
export async function clearNonces(
  records: Records, nowMs: number, limits: RealmLimits["identity"],
): Promise<readonly StateOp[]> {
  const keys = await records.keys("nonces", { limit: limits.clearMax });
  const before = timeKey(nowMs - limits.nonceMs);
  return keys.filter((key) => key < before).map((key) => put("nonces", key, null));
}

/** Milliseconds as text that sorts as the numbers do. */
export function timeKey(ms: number): string {
  return String(Math.max(0, Math.floor(ms))).padStart(15, "0");
}
