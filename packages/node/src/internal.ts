export type { Session, SessionSource, NodeKey, CredentialVerifier, VerifiedCredential } from "./identity/session.ts";
export { NODE_LIMITS, type LimitsOf } from "./limits.ts";
