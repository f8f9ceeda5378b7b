export type { Session, SessionSource, NodeKey, CredentialVerifier, VerifiedCredential } from "./identity/session.ts";
