/** Services, nodes and realms: `@atoll-run/atoll/node`. A door of its own: whoever runs blocks alone need not load it. */
export * from "@atoll-run/node";
export {
  createNode, type ListenAddress, type NodeConfig, type RealmAddress, type RealmInProcess,
} from "./compose/create-node.ts";
export { createRealm, type RealmOptions, type RunningRealm } from "./compose/create-realm.ts";
export { type Hosted, local, type Local, type LocalOptions } from "./compose/local.ts";
export { blockService, type BlockServiceConfig } from "./compose/block-service.ts";
export type { Rule } from "@atoll-run/core/internal";
export type { Env, PlaceOptions } from "./compose/place.ts";
