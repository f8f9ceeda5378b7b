/** Puts the rooms of a realm together, in the order in which they need each other. */
import { REALM_FEATURES, type Clock, type Log, type Secret, type StateStore } from "@atoll-run/core";
import { Admin } from "./admin/admin.ts";
import { AdminToken } from "./admin/token.ts";
import { Ais } from "./http/ais.ts";
import { Credentials } from "./identity/credentials.ts";
import { IdentityService } from "./identity/identity-service.ts";
import { Invites } from "./identity/invites.ts";
import { NodeRecords } from "./identity/node-record.ts";
import { Packages } from "./identity/packages.ts";
import { Realms } from "./identity/realms.ts";
import { RenewalTokens } from "./identity/renewal-tokens.ts";
import { createSerials } from "./identity/serials.ts";
import { SigningKeys } from "./identity/signing-keys.ts";
import type { RealmLimits } from "./limits.ts";
import { Registry } from "./registry/registry.ts";
import { Connections } from "./signaling/connections.ts";
import { Control } from "./signaling/control.ts";
import { Handshakes, type BearerRule } from "./signaling/handshakes.ts";
import { Relay } from "./signaling/relay.ts";
import { Revocations } from "./signaling/revocations.ts";
import { Signaling } from "./signaling/signaling.ts";
import type { RealmStats } from "./stats.ts";
import { Background } from "./store/background.ts";
import { fromBase64, put, Records, toBase64 } from "./store/records.ts";

export interface RealmParts {
  /** Stays the caller's: closing a realm leaves it open. */
  readonly store: StateStore;
  readonly clock: Clock;
  /** 0 ≤ x < 1; for the order of equals. */
  readonly random: () => number;
  /** Unpredictable ones: keys, tokens and nonces are made of them. */
  readonly bytes: (count: number) => Uint8Array;
  readonly log: Log;
  /** Without one the admin API refuses everybody. */
  readonly adminToken?: Secret;
  /** Shared with a TURN server; without one a secret is made, and no server knows it. */
  readonly turnSecret?: Secret;
  /** Seals the signing keys in the store. */
  readonly passphrase?: Secret;
}

export interface RealmConfig {
  /** Realms that must be there; those that are missing are added without a secret. Default: realm 1. */
  readonly realms?: readonly number[];
  /** Who may connect with a credential alone. Default: this machine. */
  readonly bearer?: BearerRule;
  /** Origins of web pages that may speak to the realm, such as `https://app.example`. */
  readonly origins?: readonly string[];
  /** Of the store. Default `realm`. */
  readonly scope?: string;
  /** Tells apart realms that give out serials at the same time, 0..31. */
  readonly worker?: number;
  readonly limits?: RealmLimits;
}

export interface Rooms {
  readonly ais: Ais;
  readonly admin: Admin;
  readonly signaling: Signaling;
  readonly registry: Registry;
  stats(): RealmStats;
  /** Nothing that nobody waits for is under way. */
  settled(): Promise<void>;
}

/** What the realm keeps for itself. */
interface OwnSecrets {
  readonly renewal: string;
  readonly turn: string;
}

const SECRET_BYTES = 32;
const DEFAULT_REALM = 1;

export async function assemble(parts: RealmParts, config: RealmConfig, limits: RealmLimits): Promise<Rooms> {
  const { clock, bytes, log, random } = parts;
  const records = new Records(parts, config.scope ?? "realm", { ...limits.store, auditMs: limits.admin.auditMs });
  await records.open();
  const own = await loadSecrets(records, bytes);
  const last = (await records.get<{ last: string }>("own", "serial"))?.value.last ?? "0";
  const base = { records, clock, bytes };
  const keys = new SigningKeys({
    ...base, ...parts.passphrase === undefined ? {} : { passphrase: parts.passphrase.reveal() },
  }, limits.identity);
  await keys.open();
  const realms = new Realms(base, limits.identity);
  await realms.open(config.realms ?? [DEFAULT_REALM]);
  const nodes = new NodeRecords(records, limits.identity.nodesHeldMax);
  const revocations = new Revocations(base, limits);
  await revocations.open();
  const connections = new Connections();
  const background = new Background(log);
  // Each session has one piece of work at a time, so none is ever dropped.
  const sessions = new Background(log, limits.signaling.connectionsMax * 2);
  const registry: Registry = new Registry({
    ...base, nodes, random, background, hear: (event) => connections.announce(event, registry),
  }, limits.registry);
  await registry.open();
  const credentials = new Credentials({ keys, nodes, clock }, limits.identity);
  const invites = new Invites(base, limits.admin);
  const packages = new Packages(base, limits.identity);
  const identity = new IdentityService({
    ...base, log, nodes, keys, credentials, realms, invites, packages, registry,
    left: (text) => connections.get(text)?.close(1_000, "left"),
    serials: createSerials(config.worker ?? 0, BigInt(last)), turnSecret: parts.turnSecret?.reveal() ?? own.turn,
    tokens: new RenewalTokens(fromBase64(own.renewal), bytes, limits.identity),
  }, limits);
  const relay = new Relay({ connections, registry, nodes, clock }, limits.signaling);
  const control = new Control({ registry, connections, identity, keys, revocations, nodes, clock, log }, limits);
  const handshakes = new Handshakes({ ...base, credentials, realms, keys }, config.bearer ?? "loopback", REALM_FEATURES);
  const signaling = new Signaling({
    handshakes, credentials, connections, control, relay, background: sessions, clock, log,
    origins: new Set(config.origins ?? []),
  }, limits);
  const token = new AdminToken(parts.adminToken);
  const ais = new Ais({ identity, keys, token, clock, log }, limits);
  const stats = (): RealmStats => ({
    nodes_registered: registry.size, nodes_up: registry.up, signaling_connections: connections.size,
    signaling_messages_total: signaling.messages, signaling_refused_total: signaling.refused,
    signaling_replaced_total: connections.replaced, relayed_total: relay.relayed, relay_pairs: relay.pairs,
    ais_requests_total: ais.requests, ais_refused_total: ais.refused, registrations_total: identity.registered,
    renewals_total: identity.renewed, key_id: keys.current().key_id,
  });
  const admin = new Admin({
    ...base, token, realms, invites, packages, keys, nodes, registry, connections, relay, control,
    revocations, log, stats,
  }, limits);
  return {
    ais, admin, signaling, registry, stats,
    settled: async () => {
      await sessions.settled();
      await background.settled();
    },
  };
}

async function loadSecrets(records: Records, bytes: RealmParts["bytes"]): Promise<OwnSecrets> {
  const found = await records.get<OwnSecrets>("own", "secrets");
  if (found !== undefined) return found.value;
  const made = { renewal: toBase64(bytes(SECRET_BYTES)), turn: toBase64(bytes(SECRET_BYTES)) };
  await records.commit([put("own", "secrets", made, 0)]);
  return made;
}
