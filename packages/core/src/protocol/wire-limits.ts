/**
 * Limits of the wire (spec: wire 1.4, 5; node 6.5). Each is a promise to other implementations, so no setting
 * moves one but where the comment says so.
 */
const KIB = 1_024;
const MIB = 1_024 * KIB;

export const WIRE_LIMITS = {
  /** One message of any kind. The default: a node may be set up to `messageBytesCeiling`. */
  messageBytesMax: 16 * MIB,
  messageBytesCeiling: 256 * MIB,
  routeKeyBytesMax: 256,
  requestIdBytesMax: 128,
  streamIdBytesMax: 256,
  /** Metadata of one envelope or chunk, headers of one stream: number, and bytes of all entries. */
  metadataEntriesMax: 64,
  metadataBytesMax: 16 * KIB,
  /** Text of an error; longer ones are cut. */
  errorTextBytesMax: 4 * KIB,
  /** Messages inside each other. */
  depthMax: 32,
  /** One message of a data channel, its header included. */
  partBytesMax: 65_535,
  /** What one peer may have in pieces, all its lanes together. */
  reassemblyBytesMax: 32 * MIB,
  /** What a piece counts for beside its bytes: thousands of empty ones are not free. */
  partCostBytes: 256,
  /** Messages of one lane that are not whole yet. */
  openMessagesMax: 64,
  /** How long a message may take to become whole, in milliseconds: on ordered lanes, on lossy ones. */
  reassemblyMsMax: 30_000,
  reassemblyLossyMsMax: 5_000,
} as const;
