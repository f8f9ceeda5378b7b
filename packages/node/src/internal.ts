export type { Session, SessionSource, NodeKey, CredentialVerifier, VerifiedCredential } from "./identity/session.ts";
export { NODE_LIMITS, type LimitsOf } from "./limits.ts";
export {
  createHookStream, type HookEnd, type HookStream, type HookStreamParts, type HookStreamStats, type Lifecycle,
  type Observer, type RunHook,
} from "./hooks/hook-stream.ts";
export { loadNodeKey, newNodeKey, nodeKeyPath, type NodeKeyFile } from "./identity/node-key.ts";
export type { RealmKey, RealmKeyParts, RealmKeyStats } from "./identity/realm-keys.ts";
export { checkShownId, createVerifier, readClaims, type Verifier } from "./identity/verifier.ts";
export { createMemoryNet, type MemoryNet, type MemoryNetParts } from "./wire/memory/memory-net.ts";
export type { NetTroubles } from "./wire/memory/troubles.ts";
export { createTalk } from "./service/talk.ts";
export { createGate, type Gate, type GateParts } from "./gate/gate.ts";
export type { CallScope, Outbound } from "./gate/outbound.ts";
