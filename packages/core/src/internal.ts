// The wire, for sister packages. It is not in the public door: its runtime and generated code are a hundred
// files, and a program that speaks with nobody should not load them.
export * from "./codec/read.ts";
export * from "./codec/error-record.ts";
export * from "./codec/envelope.ts";
export * from "./codec/chunk.ts";
export * from "./codec/frame.ts";
export * from "./codec/parts.ts";
export * from "./codec/node-id-record.ts";
export { cutText } from "./codec/cut-text.ts";
export * from "./protocol/wire-limits.ts";
export * from "./protocol/version.ts";
export * from "./protocol/message-id.ts";
export * from "./protocol/ed25519.ts";
export * from "./protocol/hello.ts";
export * from "./protocol/hello-nonces.ts";
export * from "./protocol/wire-error.ts";
export * from "./protocol/rules.ts";
export * from "./protocol/protobuf.ts";
export * from "./protocol/message.ts";
export * from "./protocol/signed-part.ts";
export * from "./protocol/signaling-envelope.ts";
export * from "./protocol/node-id-message.ts";
export * from "./protocol/rule-message.ts";
export * from "./protocol/generated/actr/discovery_pb.ts";
export * from "./protocol/generated/actr/hello_pb.ts";
export * from "./protocol/generated/actr/identity_pb.ts";
export * from "./protocol/generated/actr/registration_pb.ts";
export * from "./protocol/generated/actr/roles_pb.ts";
// Envelopes and chunks have types of their own (codec/): of the generated ones only what stands in other
// messages.
export {
  CancelSchema, ErrorResponseSchema, RefreshSchema, RpcEnvelopeSchema,
  type Cancel, type ErrorResponse, type Refresh,
} from "./protocol/generated/actr/rpc_pb.ts";
export { DataChunkSchema } from "./protocol/generated/actr/stream_pb.ts";
export * from "./protocol/generated/signaling/signaling_pb.ts";
export * from "./protocol/generated/webrtc/webrtc_pb.ts";
