/** A deployment as the config of a node. */
import { readFileSync } from "node:fs";
import { extname, resolve } from "node:path";
import type { Log, RoutePolicy } from "@atoll-run/core";
import type { Rule } from "@atoll-run/core/internal";
import type { NodeConfig, RealmAddress } from "../../src/compose/create-node.ts";
import type { Deployment } from "../config/deployment.ts";
import type { LimitsSet } from "../config/limit-keys.ts";
import { readAddress } from "./address.ts";
import type { Deployed } from "./deployment.ts";
import { misuse, type VerbCall } from "./verb.ts";

const SAME_REALM: Rule = { effect: "allow", from: { type: "*:*:*", realm: "self" }, actions: ["*"] };

export function toRealm({ deployment: { realm }, folder }: Deployed, call: VerbCall): RealmAddress | undefined {
  if (realm.url === undefined && realm.ais_url === undefined) return undefined;
  const secret = realm.secret_file === undefined ? secretOf(realm.secret_env, call) : readSecret(resolve(folder, realm.secret_file));
  return defined({
    url: realm.url, aisUrl: realm.ais_url, signalingUrl: realm.signaling_url, id: realm.id, secret,
  }) as RealmAddress;
}

function secretOf(name: string | undefined, call: VerbCall): string | undefined {
  if (name === undefined) return undefined;
  const value = call.env[name];
  if (value === undefined || value === "") throw misuse("realm.secret_env", `the variable ${name} is not set`);
  return value;
}

function readSecret(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw misuse("realm.secret_file", `cannot be read: ${(error as Error).message}`);
  }
}

/** The node that the file describes. */
export function toNodeConfig(deployed: Deployed, call: VerbCall, log: Log): NodeConfig {
  const { deployment, folder } = deployed;
  const { node, state, listen, identity, security, mailbox, discovery, heartbeat, limits, telemetry } = deployment;
  const realm = toRealm(deployed, call);
  const type = node.type === DEFAULT_TYPE ? undefined : node.type;
  return defined({
    name: node.name ?? "node", type, dir: resolve(folder, state.dir), durability: state.durability, realm,
    listen: realm === undefined ? false : toListen(deployment, folder), plain: listen.plain, bearer: security.bearer,
    acl: rulesOf(deployment), onLost: identity.on_lost, routes: toPolicies(deployment),
    visible: node.visible, place: placeOf(deployment), ranking: discovery.ranking,
    limits: mergeLimits({
      mailbox: {
        softRowsMax: mailbox.soft, hardRowsMax: mailbox.hard, hardBytesMax: mailbox.hard_bytes, senderRowsMax: mailbox.per_sender,
        diskFloorBytes: mailbox.disk_floor, dedupTtlMs: mailbox.dedup_ttl, dedupEntriesMax: mailbox.dedup_entries,
        dedupBytesMax: mailbox.dedup_bytes, lettersMax: mailbox.dead_letters, letterBytesMax: mailbox.dead_letter_bytes,
      },
      ...node.concurrency === undefined ? {} : { dispatch: { runningMax: node.concurrency } },
      credential: { leadMs: identity.lead, graceMs: identity.grace }, identity: { skewMs: security.skew },
      transport: { skewMs: security.skew, expiredLinkMsMax: identity.grace },
      discovery: { candidatesMax: discovery.candidates, cacheMs: discovery.cache },
      ...heartbeat.interval === undefined ? {} : { signaling: { heartbeatMs: heartbeat.interval } },
    }, limits),
    health: listen.health === undefined ? undefined
      : { ...readAddress({ where: { name: "listen.health" }, text: listen.health }, "0"), metrics: telemetry.metrics },
    env: { log },
  }) as NodeConfig;
}

/** Who may reach the node, its default written out. */
export function rulesOf({ acl, rules }: Deployment): readonly Rule[] {
  return acl.default === "same-realm" ? [...rules, SAME_REALM] : rules;
}

const DEFAULT_TYPE = "local:Client:0.0.0";

function toListen({ listen }: Deployment, folder: string): NonNullable<NodeConfig["listen"]> {
  const { host, port } = readAddress({ where: { name: "listen.websocket" }, text: listen.websocket }, "127.0.0.1:0");
  return defined({ host, port, advertise: listen.advertise, tls: readTls("listen", listen, folder) });
}

/** Throws a misuse for one without the other, and for files that cannot be read. */
export function readTls(
  section: "listen" | "http", { tls_cert: cert, tls_key: key }: Pick<Deployment["listen"], "tls_cert" | "tls_key">, folder: string,
): { readonly cert: string; readonly key: string } | undefined {
  if ((cert === undefined) !== (key === undefined)) throw misuse(`${section}.${cert === undefined ? "tls_cert" : "tls_key"}`, "is missing: a certificate needs its key");
  return cert === undefined || key === undefined ? undefined : { cert: readSecret(resolve(folder, cert)), key: readSecret(resolve(folder, key)) };
}

function toPolicies({ routes, node }: Deployment): Readonly<Record<string, RoutePolicy>> {
  const all = Object.entries(routes).map(([route, settings]) => [route, defined<RoutePolicy>({
    order: settings.order, attempts: settings.attempts, backoffMs: settings.backoff, handlerLimitMs: settings.handler_limit,
    ttlMs: settings.ttl, volatile: settings.volatile, redeliver: settings.redeliver, idempotent: settings.idempotent,
    dedupTtlMs: settings.dedup_ttl, keyField: settings.key,
  })] as const);
  return { ...node.order === "node" ? { "*": { order: "node" } } : {}, ...Object.fromEntries(all) };
}

type Limits = NonNullable<NodeConfig["limits"]>;

/** Sections name the limits that people set most; `[limits]` names any, and wins. */
function mergeLimits(named: Limits, set: LimitsSet): Limits {
  const rooms = new Set([...Object.keys(named), ...Object.keys(set)]) as ReadonlySet<keyof Limits>;
  return Object.fromEntries([...rooms].map((room) => [room, { ...named[room], ...set[room] }])) as Limits;
}

function placeOf({ node: { region, lat, lon } }: Deployment): NodeConfig["place"] {
  if ((lat === undefined) !== (lon === undefined)) throw misuse(lat === undefined ? "node.lat" : "node.lon", "is missing: a place has both");
  if (region === undefined && lat === undefined) return undefined;
  return defined<NonNullable<NodeConfig["place"]>>({ region, latitude: lat, longitude: lon });
}

/** How the entry is to be run. */
export function kindOf({ node }: Deployment): "linked" | "block" {
  return node.kind ?? (extname(node.entry ?? "") === ".lua" ? "block" : "linked");
}

type Maybe<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** Without what is undefined. */
function defined<T extends object>(fields: Maybe<T>): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
