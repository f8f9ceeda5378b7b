/**
 * A node with its store, its key, its realm and its wires.
 * takes what the node is and where it keeps things; gives a node that is not started; promises that nothing is opened
 * before `register` or `start`, and that all of it is let go of last; refuses what cannot be at the start; never keeps
 * state in memory unless it is told to.
 */
import { nodeError, parseType, Secret } from "@atoll-run/core";
import type { Rule } from "@atoll-run/core/internal";
import { createNode as assembleNode, type Node, type NodeOptions, type NodeParts, type OpenedParts } from "@atoll-run/node";
import {
  createHttpDoor, createProcessDoor, NODE_LIMITS, realmNetwork, type MemoryNet, type RealmDoor, type Vouch, type WebSocketOptions,
} from "@atoll-run/node/internal";
import type { Realm } from "@atoll-run/realm";
import { openPlace, type Place, type PlaceOptions } from "./place.ts";

/** A realm of the network. */
export interface RealmAddress {
  /** `http://127.0.0.1:8081`; the other two follow from it. */
  readonly url?: string;
  readonly aisUrl?: string;
  readonly signalingUrl?: string;
  /** Number of the realm; default 1. */
  readonly id?: number;
  /** What the realm gave for its nodes. */
  readonly secret?: string | Secret;
  /** A token for one guest, instead of the secret. */
  readonly invite?: string | Secret;
}

/** A realm of this process, as `createRealm` gives it. */
export interface RealmInProcess {
  readonly id: number;
  readonly door: Realm["door"];
}

export interface ListenAddress {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default: any that is free. */
  readonly port?: number;
  /** What others are told to dial: a host, a host with its port, or a whole URL. */
  readonly advertise?: string;
  /** PEM; with it the node serves `wss`. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Web pages that may connect: values of `Origin`. */
  readonly origins?: readonly string[];
}

export interface NodeConfig extends PlaceOptions, Omit<NodeOptions, "durability" | "dir" | "rules" | "type"> {
  /** `manufacturer:name:version`; default: that of the service that is linked. */
  readonly type?: string;
  /** Without one the node is local: it serves its own host and nobody else. */
  readonly realm?: RealmAddress | RealmInProcess;
  /** For WebSockets of peers; `false`: it only dials. Default: a free port of the loopback interface. */
  readonly listen?: ListenAddress | false;
  /** `allow`: plain `ws` and `http` also beyond this machine. */
  readonly plain?: "loopback" | "allow";
  /** Which peers may come with a credential that names no key. Default `loopback`. */
  readonly bearer?: "loopback" | "on" | "off";
  /** PEM of authorities to trust instead of those of the platform. */
  readonly ca?: readonly string[];
  /** Who may reach it, and with what; default nobody. */
  readonly acl?: readonly Rule[];
  /** What to do when the realm does not know the node any more; default `stop`. */
  readonly onLost?: "stop" | "restart";
  /** False: the realm offers this node to nobody. For nodes that only ask. Default true. */
  readonly visible?: boolean;
  /** Where it stands, in degrees; what others ask for as `nearest` is measured from there. */
  readonly place?: { readonly region?: string; readonly latitude?: number; readonly longitude?: number };
  /** What decides between candidates of a type, the first before the next; default: as the realm has it. */
  readonly ranking?: readonly ("power" | "backlog" | "exact" | "nearest" | "affinity")[];
}

/** Opens nothing. The start throws `node.locked`, `node.bind_failed`, `node.permission_denied`, `node.unavailable` … */
export function createNode(config: NodeConfig): Node<"configured"> {
  const open = async (): Promise<OpenedParts> => {
    const place = await openPlace(config);
    return { parts: toParts(place, config), close: () => place.close() };
  };
  const { name, routes, limits, dir, memory, durability = "full", acl, health, restart } = config;
  const type = config.type === undefined ? undefined : parseType(config.type);
  if (config.type !== undefined && type === undefined) {
    throw nodeError("node.invalid_argument", `type ${JSON.stringify(config.type)} is not manufacturer:name:version`);
  }
  return assembleNode(open, {
    name, durability: memory === true ? "memory" : durability, ...memory === true ? {} : { dir: dir ?? ".atoll" },
    ...type === undefined ? {} : { type }, ...routes === undefined ? {} : { routes }, ...limits === undefined ? {} : { limits },
    ...acl === undefined ? {} : { rules: acl }, ...health === undefined ? {} : { health },
    ...restart === undefined ? {} : { restart },
  });
}

/** What nodes of one process share. */
export interface Shared {
  readonly net: MemoryNet;
  readonly named: NonNullable<NodeParts["named"]>;
}

export function toParts(place: Place, config: NodeConfig, shared?: Shared): NodeParts {
  const { realm, visible, place: stands, ranking } = config;
  const { key, close: _, dir: __, durability: ___, ...common } = place;
  const network = realm === undefined ? {} : { network: realmNetwork({
    ...common, door: toDoor(place, realm, config), key: () => key(config.name), ...shared === undefined ? {} : { net: shared.net },
  }, { realm: realm.id ?? 1, vouch: toVouch(realm), ...shared === undefined ? webSocketOf(config) : {}, onLost: config.onLost ?? "stop",
    ...visible === undefined ? {} : { visible }, ...stands === undefined ? {} : { place: stands },
    ...ranking === undefined ? {} : { ranking } }) };
  return { ...common, ...network, ...shared === undefined ? {} : { named: shared.named } };
}

function webSocketOf({ listen, plain, bearer, ca }: NodeConfig): { readonly webSocket?: WebSocketOptions } {
  const { host = "127.0.0.1", port = 0, ...rest } = listen === false ? {} : listen ?? {};
  return { webSocket: { ...listen === false ? {} : { listen: { host, port, ...rest } }, plain, bearer, ca } };
}

function toDoor({ clock }: Place, realm: RealmAddress | RealmInProcess, { plain, ca }: NodeConfig): RealmDoor {
  if ("door" in realm) return createProcessDoor(realm.door);
  const { url } = realm;
  const base = url?.replace(/\/$/, "");
  const ais_url = realm.aisUrl ?? (base === undefined ? undefined : `${base}/ais`);
  const signaling_url = realm.signalingUrl ?? (base === undefined ? undefined : `${base.replace(/^http/, "ws")}/signaling/ws`);
  if (ais_url === undefined || signaling_url === undefined) {
    throw nodeError("node.invalid_argument", "the realm has no address: give url, or aisUrl and signalingUrl");
  }
  return createHttpDoor({ clock }, {
    ais_url, signaling_url, ...plain === undefined ? {} : { plain }, ...ca === undefined ? {} : { ca },
  }, NODE_LIMITS);
}

function toVouch(realm: RealmAddress | RealmInProcess): Vouch {
  if ("door" in realm) return { mode: "linked" };
  const { invite, secret } = realm;
  if (invite !== undefined) return { mode: "guest", invite: toSecret(invite) };
  return secret === undefined ? { mode: "linked" } : { mode: "linked", secret: toSecret(secret) };
}

function toSecret(given: string | Secret): Secret {
  return typeof given === "string" ? new Secret(given) : given;
}
