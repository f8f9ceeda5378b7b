/**
 * What the protocol demands of single fields beside their type (spec: wire 1.3, 1.4, and the lengths in 2 and
 * 3), by field name for all messages or for one message. The plain records and the generated messages obey
 * the same table.
 */
import { WIRE_LIMITS } from "../protocol/wire-limits.ts";

export interface FieldRule {
  /** A second occurrence is refused; elsewhere the last one wins. */
  readonly once?: true;
  readonly nonEmpty?: true;
  readonly bytesMax?: number;
  readonly bytesExact?: number;
  /** Longer text is cut to so many bytes, at a character. */
  readonly cutBytes?: number;
  /** Of a repeated field: entries, and bytes of all of them. */
  readonly entriesMax?: number;
  readonly sumBytesMax?: number;
}

const KEY: FieldRule = { bytesExact: 32 };
const SIGNATURE: FieldRule = { bytesExact: 64 };
const TABLE: FieldRule = {
  entriesMax: WIRE_LIMITS.metadataEntriesMax, sumBytesMax: WIRE_LIMITS.metadataBytesMax,
};

const EVERYWHERE: Readonly<Record<string, FieldRule>> = {
  route_key: { once: true, nonEmpty: true, bytesMax: WIRE_LIMITS.routeKeyBytesMax },
  request_id: { once: true, nonEmpty: true, bytesMax: WIRE_LIMITS.requestIdBytesMax },
  stream_id: { nonEmpty: true, bytesMax: WIRE_LIMITS.streamIdBytesMax },
  direction: { once: true },
  source: { once: true },
  target: { once: true },
};

const IN_ONE: Readonly<Record<string, FieldRule>> = {
  "actr.RpcEnvelope.metadata": TABLE,
  "actr.RpcEnvelope.chain_id": { bytesExact: 16 },
  "actr.DataChunk.metadata": TABLE,
  "actr.StreamControl.Open.headers": TABLE,
  "actr.ErrorResponse.message": { cutBytes: WIRE_LIMITS.errorTextBytesMax },
  "actr.IdentityClaims.node_key": KEY,
  "actr.AIdCredential.signature": SIGNATURE,
  "actr.KeyProof.public_key": KEY,
  "actr.KeyProof.nonce": KEY,
  "actr.KeyProof.proof": SIGNATURE,
  "actr.RegisterRequest.mfr_signature": SIGNATURE,
  "actr.RegisterOk.signing_pubkey": KEY,
  "actr.RegisterOk.renewal_token": KEY,
  "actr.HelloC.nonce": KEY,
  "actr.HelloS.nonce": KEY,
  "actr.HelloS.proof": SIGNATURE,
  "actr.HelloProof.proof": SIGNATURE,
  "actr.SdpIdentity.fingerprint": KEY,
  "actr.SdpIdentity.proof": SIGNATURE,
  "actr.Refresh.proof": SIGNATURE,
};

export function fieldRule(message: string, field: string): FieldRule {
  return IN_ONE[`${message}.${field}`] ?? (Object.hasOwn(EVERYWHERE, field) ? EVERYWHERE[field] ?? {} : {});
}
