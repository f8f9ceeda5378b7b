export { bindMethods, type CallByName } from "./bind.ts";
export { createClient, type ClientOptions, type MobClient } from "./create-client.ts";
export { ClientError, type ClientFault } from "./client-error.ts";
export type { StreamEvent, StreamOptions } from "./stream.ts";
export * from "./generated/methods.ts";
