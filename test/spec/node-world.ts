/** A real realm with clients of nodes on it, for the tests of the whole; in this process or on a socket of this machine. */
import { randomBytes } from "node:crypto";
import { parseType, Secret, type ActorType, type Clock, type Fault, type LogEvent, type StateStore } from "@atoll-run/core";
import {
  createHttpDoor, createProcessDoor, createRealmClient, newNodeKey, NODE_LIMITS, type Load, type NodeKey, type RealmClient,
  type RealmDoor, type Vouch,
} from "@atoll-run/node/internal";
import { createRealm, type Realm, type RealmAddresses, type RealmConfig } from "@atoll-run/realm";
import { memoryState } from "@atoll-run/testkit";

export const bytes = (count: number): Uint8Array => Uint8Array.from(randomBytes(count));
export const IDLE: Load = { queued: 0, running: 0, hard_max: 100, idle_shares: [1], draining: false };
export const REALM = 1;
/** That of this machine, for sockets. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, Math.ceil(ms));
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
const quiet = { write: () => undefined };

export interface OpenRealm {
  readonly realm: Realm;
  readonly store: StateStore;
  readonly addresses: RealmAddresses | undefined;
  /** A door that reaches whichever realm is there when it is used. */
  readonly door: RealmDoor;
  admin(method: string, path: string, body?: object): Promise<Readonly<Record<string, unknown>>>;
}

const ADMIN = "an-admin-token-for-tests";

/** `port`: listens there (0 = any); absent: in this process only. */
export async function openRealm(
  clock: Clock, o: { readonly store?: StateStore; readonly port?: number; readonly config?: RealmConfig } = {},
): Promise<OpenRealm> {
  const store = o.store ?? memoryState();
  const realm = createRealm({ store, clock, random: Math.random, bytes, log: quiet, adminToken: new Secret(ADMIN) }, o.config ?? {});
  const listen = o.port === undefined ? {} : { listen: { public: { host: "127.0.0.1", port: o.port } } };
  const addresses = await realm.open(listen);
  const door = addresses === undefined ? createProcessDoor(realm.door)
    : createHttpDoor({ clock }, { ais_url: addresses.ais_url, signaling_url: addresses.signaling_url }, NODE_LIMITS);
  return {
    realm, store, addresses, door,
    admin: async (method, path, body) => {
      const answer = await realm.door.admin({
        method, path: `/admin/v1/${path}`, headers: { authorization: `Bearer ${ADMIN}` },
        ...body === undefined ? {} : { body: new TextEncoder().encode(JSON.stringify(body)) },
      });
      return JSON.parse(new TextDecoder().decode(answer.body)) as Readonly<Record<string, unknown>>;
    },
  };
}

export interface TestClient {
  readonly client: RealmClient;
  readonly told: string[];
  readonly faults: Fault[];
  readonly logged: LogEvent[];
  readonly revoked: string[];
  /** Steps 7 to 10 and 13. */
  up(): Promise<void>;
}

export interface ClientInit {
  readonly type?: string;
  readonly key?: NodeKey;
  readonly store?: StateStore;
  readonly vouch?: Vouch;
  readonly address?: string;
  readonly random?: () => number;
  readonly limits?: Partial<Record<keyof typeof NODE_LIMITS.signaling, number>>;
}

export async function makeClient(door: RealmDoor, clock: Clock, init: ClientInit = {}): Promise<TestClient> {
  const told: string[] = [];
  const faults: Fault[] = [];
  const logged: LogEvent[] = [];
  const revoked: string[] = [];
  const client = createRealmClient({
    door, store: init.store ?? memoryState(), scope: "node", epoch: null, key: init.key ?? await newNodeKey(bytes), clock, bytes,
    log: { write: (event) => void logged.push(event) }, random: init.random ?? Math.random,
    report: (name, fact) => {
      told.push(name);
      if ("error" in fact) faults.push(fact.error);
    },
    revoked: (id) => void revoked.push(id),
  }, {
    who: {
      realm: REALM, type: parseType(init.type ?? "acme:echo:1.0.0") as ActorType, vouch: init.vouch ?? { mode: "linked" },
      rules: [{ effect: "allow", from: { type: "*:*:*", realm: "self" }, actions: ["*"] }],
      ...init.address === undefined ? {} : { ws_address: init.address },
    },
  }, { ...NODE_LIMITS, signaling: { ...NODE_LIMITS.signaling, ...init.limits } });
  const up = async (): Promise<void> => {
    await client.register();
    await client.connect();
    client.arm();
    await client.beat(() => IDLE);
  };
  return { client, told, faults, logged, revoked, up };
}
