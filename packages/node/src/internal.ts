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
export {
  CONNECTION_IDLE, connectionWakeAt, stepConnection, type ConnectionAction, type ConnectionEvent, type ConnectionState,
} from "./recovery/connection-machine.ts";
export {
  credentialActive, credentialWakeAt, stepCredential, type CredentialAction, type CredentialEvent, type CredentialState,
  type RenewBy, type Standing,
} from "./recovery/credential-machine.ts";
export { heartbeatInterval, heartbeatTimeout, toHeartbeat, type Heartbeat, type Load } from "./recovery/heartbeat.ts";
export {
  NETWORK_QUIET, stepNetwork, type NetworkAction, type NetworkEvent, type NetworkState,
} from "./recovery/network-machine.ts";
export { createLinkTable, createPeers, type PeersLimits, type PeersParts } from "./transport/create-peers.ts";
export type { LinkTable, LinkTableParts } from "./transport/link-table.ts";
export type {
  AddressBook, Body, PeerAddress, Peers, PeersEvents, PeersStats, SendOptions,
} from "./transport/peers.ts";
export { createInbox, type Drained, type InboxLife } from "./dispatch/create-inbox.ts";
export type { InboxLimitsSet, InboxParts } from "./dispatch/parts.ts";
export { createProcessRoom, type ProcessRoom } from "./mailbox/room.ts";
export { createMailboxAdmin, type MailboxAdmin, type MailboxAdminParts, type MailView } from "./mailbox/mailbox-admin.ts";
export {
  createDeadLetterAdmin, type DeadLetterAdmin, type DeadLetterParts, type LetterChoice, type LetterFilter, type LetterStats,
  type LetterView, type Redriven,
} from "./mailbox/dead-letter-admin.ts";
export type { Grant } from "./identity/grant.ts";
export type { RealmAnswer, RealmAsk, RealmDoor, SignalingDial, SignalingHear, SignalingPipe } from "./identity/realm-door.ts";
export { createRegistration, type Registrant, type Registration, type Vouch } from "./identity/registration.ts";
export { createSessionKeeper, type SessionKeeper, type SessionKeeperOptions } from "./identity/session-keeper.ts";
export { createSessionStore, IDENTITY_SPACE, type SessionStore } from "./identity/session-store.ts";
export { createHttpDoor, type HttpDoorOptions } from "./signaling/http-door.ts";
export { createProcessDoor, type RealmInProcess } from "./signaling/process-door.ts";
export { createRealmClient, type RealmClient, type RealmClientOptions, type RealmClientParts } from "./signaling/realm-client.ts";
export { createDirectory, type Directory, type DirectoryOptions } from "./signaling/directory.ts";
export type { PresenceEvent } from "./signaling/presence.ts";
export { createSignaling, type SignalingClient } from "./signaling/signaling-client.ts";
export {
  openWebSocketWire, type WebSocketOptions, type WebSocketParts, type WebSocketStats, type WebSocketWire,
} from "./wire/websocket/websocket-wire.ts";
export type { ListenOptions } from "./wire/websocket/listener.ts";
export type { PlainRule } from "./wire/websocket/places.ts";
export { Greetings, type BearerRule, type GreetingParts } from "./identity/hello.ts";
export { realmNetwork, type RealmNetworkOptions, type RealmNetworkParts } from "./life/realm-network.ts";
export { makeRefresh, refreshPeers, takeRefresh, type RefreshParts } from "./identity/proofs.ts";
export { interfacesText } from "./recovery/interfaces.ts";
export {
  createNetworkWatch, type NetworkInput, type NetworkInputParts, type NetworkResult, type NetworkWatch,
} from "./recovery/network-input.ts";
export { performNetworkAction, type NetworkActionParts } from "./recovery/network-actions.ts";
