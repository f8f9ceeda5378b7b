/**
 * A realm: the control plane of nodes (spec: node 7).
 *
 * takes requests to register, connections of nodes and orders of an operator; gives identities, presence, addresses and
 * messages between nodes that connect; promises that what it gave out survives its process, and that nobody sees or
 * reaches whom no rule lets it reach; refuses who cannot prove who it is; never stores a secret as it is, never speaks
 * for a node.
 *
 * What it stores, as documents of the scope `realm` (`config.scope`) of the store:
 *
 * | space | key | holds | until |
 * |---|---|---|---|
 * | realms | number | name, hashes of the present and the previous secret | for good; previous secret 4 h |
 * | nodes | id | key, mode, epoch, rules, hashes of renewal tokens | for good; bearers and guests until their last token is over |
 * | registry | id | summary of its description, address, last sign of life | the node leaves, or 12 h without a sign |
 * | specs | id | its description, whole | as its entry |
 * | keys | number | signing key (sealed if there is a passphrase), its times | last credential + 60 s |
 * | invites | hash of the token | realm, type, uses left | its time or its last use |
 * | nonces | time and hash | nothing: it was used | 10 min, then by a later registration |
 * | revoked | id | epoch | as long as a credential could be shown, then by a later revocation |
 * | fading | time and id | nothing: look at that node then | that time |
 * | packages | type and target, or manufacturer | hash of the manifest; public keys | for good |
 * | own | name | newest serial, secrets for tokens and TURN | for good |
 *
 * The journal `audit` has one entry for each change by an operator, each registration, revocation and key; 90 days.
 */
import { lifecycle } from "@atoll-run/core";
import { assemble, type RealmConfig, type RealmParts, type Rooms } from "./assemble.ts";
import { invalidRealm, wrongState } from "./errors.ts";
import { withCors } from "./http/cors.ts";
import { type HttpAnswer, type HttpAsk } from "./http/message.ts";
import { listen, type Bind, type Listening } from "./http/server.ts";
import { WORKER_MAX } from "./identity/serials.ts";
import { REALM_LIMITS } from "./limits.ts";
import { IN_PROCESS, type Origin } from "./rate/limiter.ts";
import type { UpgradeAsk } from "./signaling/handshakes.ts";
import type { Upgrade } from "./signaling/signaling.ts";
import type { RealmStats } from "./stats.ts";

export const SIGNALING_PATH = "/signaling/ws";

export interface Listen {
  /** For `/ais` and `/signaling/ws`. */
  readonly public: Bind;
  /** For `/admin/v1`; without it the admin API is reachable inside the process only. */
  readonly admin?: Bind;
}

export interface RealmAddresses {
  /** `http://127.0.0.1:8081/ais`, to which clients add `/register`. */
  readonly ais_url: string;
  /** `ws://127.0.0.1:8081/signaling/ws`. */
  readonly signaling_url: string;
  readonly url: string;
  readonly admin_url: string | undefined;
}

/** How nodes of the same process speak to it. They count as this machine. */
export interface RealmDoor {
  register(body: Uint8Array, headers?: HttpAsk["headers"]): Promise<HttpAnswer>;
  renew(body: Uint8Array): Promise<HttpAnswer>;
  unregister(body: Uint8Array): Promise<HttpAnswer>;
  /** Any request to `/ais`. */
  ais(ask: Partial<HttpAsk> & Pick<HttpAsk, "method" | "path">): Promise<HttpAnswer>;
  /** Any request to `/admin/v1`, with its token. */
  admin(ask: Partial<HttpAsk> & Pick<HttpAsk, "method" | "path">): Promise<HttpAnswer>;
  /** As an upgrade of `/signaling/ws`: headers in lower case, then frames. */
  signaling(o: { readonly headers?: HttpAsk["headers"]; readonly query?: URLSearchParams; readonly origin?: Origin }):
    Promise<Upgrade>;
}

export interface Realm extends AsyncDisposable {
  readonly state: "configured" | "open" | "closed";
  readonly door: RealmDoor;
  /**
   * Loads what is stored and listens, if asked to. Addresses are undefined without `listen`. Throws
   * `realm.bind_failed`, `realm.invalid_argument`, `realm.wrong_state`, and faults of the store: nothing is
   * bound and the realm is closed.
   */
  open(o?: { readonly listen?: Listen }): Promise<RealmAddresses | undefined>;
  stats(): RealmStats;
  /** Ends connections with 4503; the store is left open. Later calls share the promise. */
  close(): Promise<void>;
}

const NEXT = { configured: ["open", "closed"], open: ["closed"], closed: [] } as const;

/** Nothing is read, written or bound before `open`. */
export function createRealm(parts: RealmParts, config: RealmConfig = {}): Realm {
  checkConfig(config);
  const limits = config.limits ?? REALM_LIMITS;
  const life = lifecycle<Realm["state"]>(NEXT, "configured", { what: "realm" });
  const origins = new Set(config.origins ?? []);
  const listening: Listening[] = [];
  let rooms: Rooms | undefined;
  let opening: Promise<RealmAddresses | undefined> | undefined;
  let closing: Promise<void> | undefined;
  const use = (): Rooms => {
    if (rooms === undefined || !life.is("open")) throw wrongState(life.phase, "use it");
    return rooms;
  };
  const ais = (ask: HttpAsk): Promise<HttpAnswer> => withCors(ask, origins, (inner) => use().ais.handle(inner));
  const upgrade = { path: SIGNALING_PATH, take: (ask: UpgradeAsk) => use().signaling.upgrade(ask) };

  const letGo = async (): Promise<void> => {
    rooms?.signaling.close();
    rooms?.registry.close();
    await Promise.all(listening.splice(0).map((one) => one.close()));
    await rooms?.settled();
  };
  const open = async (wanted: Listen | undefined): Promise<RealmAddresses | undefined> => {
    rooms = await assemble(parts, config, limits);
    life.move("open");
    if (wanted === undefined) return undefined;
    const server = await listen(wanted.public, { handle: ais, upgrade, log: parts.log, clock: parts.clock }, limits);
    listening.push(server);
    const admin = wanted.admin === undefined ? undefined
      : await listen(wanted.admin, { handle: (ask) => use().admin.handle(ask), log: parts.log, clock: parts.clock }, limits);
    if (admin !== undefined) listening.push(admin);
    return {
      url: server.url, ais_url: `${server.url}/ais`, admin_url: admin?.url,
      signaling_url: `${server.url.replace(/^http/, "ws")}${SIGNALING_PATH}`,
    };
  };
  const close = (): Promise<void> => {
    closing ??= (async () => {
      await opening?.catch(() => undefined);
      if (life.can("closed")) life.move("closed");
      await letGo();
    })();
    return closing;
  };
  return {
    get state() {
      return life.phase;
    },
    door: createDoor(use, ais),
    open: async (o = {}) => {
      if (opening !== undefined || closing !== undefined) throw wrongState(life.phase, "open it");
      opening = open(o.listen);
      try {
        return await opening;
      } catch (error) {
        await close();
        throw error;
      }
    },
    stats: () => use().stats(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function createDoor(use: () => Rooms, ais: (ask: HttpAsk) => Promise<HttpAnswer>): RealmDoor {
  const whole = (ask: Partial<HttpAsk> & Pick<HttpAsk, "method" | "path">): HttpAsk => ({
    query: new URLSearchParams(), headers: {}, body: new Uint8Array(), origin: IN_PROCESS, ...ask,
  });
  const post = (path: string, body: Uint8Array, headers: HttpAsk["headers"] = {}): Promise<HttpAnswer> =>
    ais(whole({ method: "POST", path, body, headers }));
  return {
    register: (body, headers) => post("/ais/register", body, headers),
    renew: (body) => post("/ais/renew", body),
    unregister: (body) => post("/ais/unregister", body),
    ais: (ask) => ais(whole(ask)),
    admin: async (ask) => use().admin.handle(whole(ask)),
    signaling: async ({ headers = {}, query = new URLSearchParams(), origin = IN_PROCESS }) =>
      use().signaling.upgrade({ headers, query, origin }),
  };
}

function checkConfig({ realms = [], worker = 0, scope = "realm" }: RealmConfig): void {
  const problems = [
    ...realms.filter((realm) => !(Number.isInteger(realm) && realm >= 0 && realm <= 0xffff_ffff))
      .map((realm) => `realm ${realm} is not in 0..4294967295`),
    ...Number.isInteger(worker) && worker >= 0 && worker <= WORKER_MAX ? [] : [`worker ${worker} is not in 0..${WORKER_MAX}`],
    ...scope === "" ? ["the scope is empty"] : [],
  ];
  if (problems.length > 0) throw invalidRealm(problems);
}
