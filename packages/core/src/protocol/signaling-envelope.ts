/** What stands in one frame of signaling (spec: wire 1.8, 2, 5). */
import { toRead, type Read } from "../codec/read.ts";
import { malformed } from "../core-fault.ts";
import { SignalingEnvelopeSchema, type SignalingEnvelope } from "./generated/signaling/signaling_pb.ts";
import { readMessage, writeMessage } from "./message.ts";
import type { MessageInitShape } from "./protobuf.ts";

/** The one we write; 1 is read too, its old time stamp is skipped. */
export const SIGNALING_VERSION = 2;

export function readSignaling(bytes: Uint8Array, bytesMax: number): Read<SignalingEnvelope> {
  const read = readMessage(SignalingEnvelopeSchema, bytes, bytesMax);
  return toRead(() => {
    if (!read.ok) throw read.fault;
    const { envelopeVersion } = read.value;
    if (envelopeVersion === 1 || envelopeVersion === SIGNALING_VERSION) return read.value;
    throw malformed({ what: SignalingEnvelopeSchema.typeName, rule: "version", field: "envelope_version" });
  });
}

/** Writes the version by itself. */
export function writeSignaling(init: MessageInitShape<typeof SignalingEnvelopeSchema>): Uint8Array {
  return writeMessage(SignalingEnvelopeSchema, { ...init, envelopeVersion: SIGNALING_VERSION });
}
