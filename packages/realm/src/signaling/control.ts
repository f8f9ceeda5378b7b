/**
 * What a node asks its realm on signaling (spec: node 7.6 to 7.8; wire 9).
 *
 * takes one request of a proved node; gives exactly one answer with its envelope id; promises that nobody learns of a
 * node that it may not reach; refuses as an `error` in the answer; never answers for a node.
 */
import { formatType, isType, must, type Clock, type Log } from "@atoll-run/core";
import {
  Availability, isFieldSet, Pong_CredentialWarning_Type, RouteCandidatesRequest_CriteriaSchema, ServiceLocationSchema, toActrId,
  type ActrToSignaling, type DiscoveryRequest, type Ping, type RouteCandidatesRequest,
} from "@atoll-run/core/internal";
import type { IdentityService } from "../identity/identity-service.ts";
import { rulesOf, type NodeRecords } from "../identity/node-record.ts";
import type { SigningKeys } from "../identity/signing-keys.ts";
import type { RealmLimits } from "../limits.ts";
import { Limiter } from "../rate/limiter.ts";
import { refuse, type Refusal } from "../refusal.ts";
import { isUp, type Entry, type Place } from "../registry/entry.ts";
import type { Registry } from "../registry/registry.ts";
import type { Connection, SignalingPayload } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { Revocations } from "./revocations.ts";

export interface ControlParts {
  readonly registry: Registry;
  readonly connections: Connections;
  readonly identity: IdentityService;
  readonly keys: SigningKeys;
  readonly revocations: Revocations;
  readonly nodes: NodeRecords;
  readonly clock: Clock;
  readonly log: Log;
}

type Request = ActrToSignaling["payload"];
type Reply = SignalingPayload | Refusal | undefined;

export class Control {
  readonly #parts: ControlParts;
  readonly #limits: RealmLimits;
  readonly #flips: Limiter;

  constructor(parts: ControlParts, limits: RealmLimits) {
    this.#parts = parts;
    this.#limits = limits;
    const { flipsPerSecond, flipsBurst } = limits.rate;
    this.#flips = new Limiter(parts.clock, { perSecond: flipsPerSecond, burst: flipsBurst }, limits.signaling.connectionsMax);
  }

  async take(from: Connection, request: Request, envelopeId: string): Promise<void> {
    const reply = await this.#answer(from, request);
    if (reply === undefined) return;
    if ("ok" in reply) from.refuse(reply, envelopeId);
    else from.tell(reply, envelopeId);
    if (request.case === "unregisterRequest" && !("ok" in reply)) from.close(1_000, "left");
  }

  async #answer(from: Connection, request: Request): Promise<Reply> {
    switch (request.case) {
      case "ping": return this.#pong(from, request.value);
      case "routeCandidatesRequest": return this.#candidates(from, request.value);
      case "discoveryRequest": return this.#discover(from, request.value);
      case "getServiceSpecRequest": return this.#spec(from, request.value.name);
      case "getSigningKeyRequest": return this.#key(request.value.keyId);
      case "subscribeActrUpRequest": return this.#follow(from, toType(request.value.targetType));
      case "unsubscribeActrUpRequest": return this.#unfollow(from, toType(request.value.targetType));
      case "unregisterRequest": return this.#leave(from, request.value.reason);
      case "error": return this.#note(from, request.value);
      default: return refuse(400, "the message asks for nothing");
    }
  }

  async #pong(from: Connection, ping: Ping): Promise<Reply> {
    const { registry, nodes } = this.#parts;
    if (registry.get(from.text) === undefined) {
      // It was away for so long that its entry was dropped. A node with a key registers again, with address and all;
      // a guest has no invite any more and a bearer would get another id, so they go on with their rules alone.
      const node = (await nodes.get(from.text))?.value;
      const canRegister = node?.node_key !== null && node?.mode !== "guest";
      if (node === undefined || node.revoked || canRegister) {
        return refuse(404, "the node is not registered (any more): register again");
      }
      registry.place({
        id: from.id, text: from.text, spec: undefined, address: undefined, rules: rulesOf(node),
        node_key: from.verified.node_key,
      });
    }
    const isUpNow = isUp(must(registry.get(from.text), "it was placed"));
    if (isUpNow !== (ping.availability !== Availability.UNAVAILABLE)) {
      const waitMs = this.#flips.take(from.text);
      if (waitMs > 0) return refuse(429, "the node comes and goes too often", { retry_after_ms: waitMs });
    }
    registry.ping(from.text, ping);
    return this.pong(from);
  }

  /** Also sent unasked, when an id was revoked. */
  pong(to: Connection): SignalingPayload {
    const { keys, revocations, clock, registry } = this.#parts;
    const { heartbeatMs, heartbeatMsMax, pingsPerSecond } = this.#limits.registry;
    const wantedMs = Math.min(heartbeatMsMax, Math.max(heartbeatMs, registry.up / pingsPerSecond * 1_000));
    const isRetiring = keys.find(to.credential.keyId)?.state === "retiring";
    const revoked = to.aware ? revocations.since(to.told) : [];
    to.told = revoked.at(-1)?.no ?? to.told;
    return { case: "pong", value: {
      seq: ++to.pongs, suggestIntervalSecs: Math.round(wantedMs / 1_000),
      ...isRetiring ? { credentialWarning: {
        type: Pong_CredentialWarning_Type.KEY_IN_TOLERANCE_PERIOD,
        message: "a newer key signs now: renew the credential",
      } } : {},
      ...to.aware ? {
        serverAtMs: BigInt(clock.now()),
        revoked: revoked.map(({ actor_id: actorId, epoch }) => ({ actorId, epoch: BigInt(epoch) })),
      } : {},
    } };
  }

  #candidates(from: Connection, request: RouteCandidatesRequest): Reply {
    const type = toType(request.targetType);
    if (type === undefined) return refuse(400, "the type is not manufacturer:name:version");
    const { criteria } = request;
    const field = RouteCandidatesRequest_CriteriaSchema.field;
    const isSet = (name: "minimalDependencyRequirement" | "minimalHealthRequirement"): boolean =>
      criteria !== undefined && isFieldSet(criteria, field[name]);
    const found = this.#parts.registry.candidates(type, from.asker, {
      factors: criteria?.rankingFactors ?? [], fingerprint: request.clientFingerprint, place: toPlace(request),
      dependency: isSet("minimalDependencyRequirement") ? criteria?.minimalDependencyRequirement : undefined,
      health: isSet("minimalHealthRequirement") ? criteria?.minimalHealthRequirement : undefined,
      limit: criteria?.candidateCount ?? 0,
    });
    return { case: "routeCandidatesResponse", value: { result: { case: "success", value: {
      candidates: found.map(({ id }) => toActrId(id)),
      wsAddressMap: found.map(({ id, address }) => ({
        candidateId: toActrId(id), ...address === undefined ? {} : { wsAddress: address },
      })),
      info: from.aware ? found.map((entry) => this.#toInfo(entry)) : [],
    } } } };
  }

  #toInfo({ id, availability, power, backlog, node_key: nodeKey, address }: Entry): object {
    return {
      id: toActrId(id), availability, powerReserve: power, mailboxBacklog: backlog,
      ttlMs: this.#limits.registry.addressMs,
      wsAddresses: address === undefined ? [] : [address], ...nodeKey === undefined ? {} : { nodeKey },
    };
  }

  #discover(from: Connection, request: DiscoveryRequest): Reply {
    const limit = request.limit === 0 ? this.#limits.registry.discoveryUsual : request.limit;
    const found = this.#parts.registry.types(request.manufacturer === "" ? undefined : request.manufacturer, from.asker, limit);
    return { case: "discoveryResponse", value: { result: { case: "success", value: {
      entries: found.map(({ id, spec }) => ({
        actrType: id.type, name: spec?.name ?? id.type.name, serviceFingerprint: spec?.fingerprint ?? "",
        tags: [...spec?.tags ?? []], ...spec?.description ? { description: spec.description } : {},
        ...spec?.published_at ? { publishedAt: BigInt(spec.published_at) } : {},
      })),
    } } } };
  }

  async #spec(from: Connection, name: string): Promise<Reply> {
    const spec = await this.#parts.registry.service(name, from.asker);
    if (spec === undefined) {
      const error = { code: 404, message: "no such service that you may reach" };
      return { case: "getServiceSpecResponse", value: { result: { case: "error", value: error } } };
    }
    return { case: "getServiceSpecResponse", value: { result: { case: "success", value: spec } } };
  }

  #key(keyId: number): Reply {
    const key = this.#parts.keys.find(keyId);
    if (key === undefined) return refuse(404, `there is no key ${keyId}`);
    return { case: "getSigningKeyResponse", value: { keyId, pubkey: key.pubkey } };
  }

  #follow(from: Connection, type: string | undefined): Reply {
    if (type === undefined) return refuse(400, "the type is not manufacturer:name:version");
    if (!this.#parts.connections.follow(from, type, this.#limits.signaling.subscriptionsMax)) {
      return refuse(429, "too many subscriptions", { retry_after_ms: 60_000 });
    }
    return { case: "subscribeActrUpResponse", value: { result: { case: "success", value: {} } } };
  }

  #unfollow(from: Connection, type: string | undefined): Reply {
    if (type === undefined) return refuse(400, "the type is not manufacturer:name:version");
    this.#parts.connections.unfollow(from, type);
    return { case: "unsubscribeActrUpResponse", value: { result: { case: "success", value: {} } } };
  }

  async #leave(from: Connection, reason: string): Promise<Reply> {
    await this.#parts.identity.leave(from.text);
    this.#parts.log.write({ level: "info", target: "realm", msg: "a node left", fields: { id: from.text, reason } });
    return { case: "unregisterResponse", value: { result: { case: "success", value: {} } } };
  }

  #note(from: Connection, { code, message }: { code: number; message: string }): undefined {
    const fields = { id: from.text, code, message };
    this.#parts.log.write({ level: "debug", target: "realm", msg: "a node reports an error", fields });
  }
}

type TypeMessage = { readonly manufacturer: string; readonly name: string; readonly version: string };

function toType(type: TypeMessage | undefined): string | undefined {
  return type !== undefined && isType(type) ? formatType(type) : undefined;
}

function toPlace({ clientLocation: at }: RouteCandidatesRequest): Place | undefined {
  if (at === undefined) return undefined;
  const { region, latitude, longitude } = ServiceLocationSchema.field;
  return {
    ...isFieldSet(at, region) ? { region: at.region } : {},
    ...isFieldSet(at, latitude) ? { latitude: at.latitude } : {},
    ...isFieldSet(at, longitude) ? { longitude: at.longitude } : {},
  };
}
