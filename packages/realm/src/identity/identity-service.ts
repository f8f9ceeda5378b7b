/**
 * The identity service (spec: node 7.2 to 7.5; wire 8).
 *
 * takes requests to register, to renew and to leave, as they came; gives credentials, TURN access and renewal tokens;
 * promises one id for one node key and previous id, and that everything it gave out is stored before it is sent;
 * refuses, as a value, whoever cannot show what its mode asks for; never gives an id of somebody else.
 */
import { formatNodeId, isType, parseNodeId, type ActorType, type NodeId } from "@atoll-run/core";
import {
  fromAcl, fromActrId, isFieldSet, readMessage, RegisterRequestSchema, RenewCredentialRequestSchema,
  type RegisterRequest, type RenewCredentialRequest, type ServiceSpec,
} from "@atoll-run/core/internal";
import type { RealmLimits } from "../limits.ts";
import type { Origin } from "../rate/limiter.ts";
import { granted, refuse, type Answer } from "../refusal.ts";
import { summarize } from "../registry/entry.ts";
import type { Registry } from "../registry/registry.ts";
import { audit, fromBase64, put, toBase64, type Kept, type Records } from "../store/records.ts";
import { admit, type AdmissionParts, type Admitted } from "./admission.ts";
import { Clearing } from "./clearing.ts";
import { fade } from "./fading.ts";
import { Grants, type GrantsParts, type Made, type RegisterOkInit } from "./grants.ts";
import { checkKeyProof, type ProvedKey } from "./key-proofs.ts";
import { rulesOf, type NodeRecord, type NodeRecords } from "./node-record.ts";
import type { RenewalTokens } from "./renewal-tokens.ts";
import type { Serials } from "./serials.ts";

/** What came beside the message. */
export interface Shown {
  readonly secret?: string | undefined;
  readonly invite?: string | undefined;
  readonly origin: Origin;
}

export interface IdentityParts extends AdmissionParts, GrantsParts {
  readonly records: Records;
  readonly nodes: NodeRecords;
  readonly serials: Serials;
  readonly tokens: RenewalTokens;
  readonly registry: Registry;
  /** Hears who has signed off over HTTP. */
  readonly left: (id: string) => void;
}

/** Batches that another one overtook are made again this often. */
const TRIES = 8;

export class IdentityService {
  readonly #parts: IdentityParts;
  readonly #limits: RealmLimits["identity"];
  readonly #grants: Grants;
  readonly #clearing: Clearing;
  registered = 0;
  renewed = 0;

  constructor(parts: IdentityParts, limits: RealmLimits) {
    this.#parts = parts;
    this.#limits = limits.identity;
    this.#grants = new Grants(parts, limits);
    this.#clearing = new Clearing(parts, limits.identity);
  }

  async register(bytes: Uint8Array, shown: Shown): Promise<Answer<RegisterOkInit>> {
    const read = readMessage(RegisterRequestSchema, bytes);
    if (!read.ok) return refuse(400, read.fault.message);
    const wanted = this.#readWanted(read.value);
    if (!wanted.ok) return wanted;
    for (let tries = 0; tries < TRIES; tries++) {
      const done = await this.#tryRegister(bytes, read.value, wanted.value, shown);
      if (done !== "again") return done;
    }
    return refuse(503, "too many registrations at the same time", { retry_after_ms: 1_000 });
  }

  async renew(bytes: Uint8Array): Promise<Answer<RegisterOkInit>> {
    const read = readMessage(RenewCredentialRequestSchema, bytes);
    if (!read.ok) return refuse(400, read.fault.message);
    const id = read.value.actrId === undefined ? undefined : fromActrId(read.value.actrId);
    if (id === undefined) return refuse(400, "the id is none");
    for (let tries = 0; tries < TRIES; tries++) {
      const done = await this.#tryRenew(bytes, read.value, id);
      if (done !== "again") return done;
    }
    return refuse(503, "too many renewals of one id at the same time", { retry_after_ms: 1_000 });
  }

  /** A node leaves, by a request to renew with the proof of its key: it has no message of its own for that. */
  async unregister(bytes: Uint8Array): Promise<Answer<NodeId>> {
    const read = readMessage(RenewCredentialRequestSchema, bytes);
    if (!read.ok) return refuse(400, read.fault.message);
    const id = read.value.actrId === undefined ? undefined : fromActrId(read.value.actrId);
    if (id === undefined) return refuse(400, "the id is none");
    const node = await this.#parts.nodes.get(formatNodeId(id));
    if (node === undefined) return refuse(401, "the id is not known here");
    const proved = await this.#proveKey("renew", bytes, read.value);
    if (!proved.ok) return proved;
    if (proved.value === undefined || toBase64(proved.value.public_key) !== node.value.node_key) {
      return refuse(403, "only who holds the key of the node can sign it off here", { why: "proof_required" });
    }
    const done = await this.#parts.records.commit([proved.value.use, ...this.#parts.registry.dropOps(node.value.id)]);
    if (!done.ok) return replayed();
    this.#parts.registry.drop(node.value.id, "left");
    this.#parts.left(node.value.id);
    return granted(id);
  }

  /** The node leaves, having proved who it is on its connection. The id stays its own. */
  async leave(text: string): Promise<void> {
    await this.#parts.records.commit(this.#parts.registry.dropOps(text));
    this.#parts.registry.drop(text, "left");
  }

  #readWanted(request: RegisterRequest): Answer<Wanted> {
    const { actrType, acl, realm: wantedRealm } = request;
    if (actrType === undefined || wantedRealm === undefined) return refuse(400, "type or realm is missing");
    const { manufacturer, name, version } = actrType;
    const type = { manufacturer, name, version };
    if (!isType(type)) return refuse(400, "the type is not manufacturer:name:version");
    const realm = this.#parts.realms.get(wantedRealm.realmId);
    if (realm === undefined) return refuse(403, `there is no realm ${wantedRealm.realmId} here`);
    const rules = acl === undefined ? null : fromAcl(acl);
    if (rules === undefined) return refuse(400, "a rule of the node cannot be read");
    if ((rules?.length ?? 0) > this.#limits.rulesMax) {
      return refuse(400, `a node has at most ${this.#limits.rulesMax} rules`);
    }
    if (request.wsAddress.length > this.#limits.textMax) return refuse(400, "the address is too long");
    if (request.serviceSpec !== undefined && !this.#fits(request.serviceSpec)) {
      return refuse(413, "the description is too large");
    }
    return granted({ type, realm, rules });
  }

  #fits(spec: ServiceSpec): boolean {
    const { specBytesMax, descriptionMax, tagsMax, textMax } = this.#limits;
    const sources = spec.protobufs.reduce((sum, one) => sum + one.content.length + one.package.length, 0);
    const names = [spec.name, spec.fingerprint, ...spec.tags];
    return sources <= specBytesMax && spec.description.length <= descriptionMax && spec.tags.length <= tagsMax
      && names.every((name) => name.length <= textMax);
  }

  async #tryRegister(
    bytes: Uint8Array, request: RegisterRequest, wanted: Wanted, shown: Shown,
  ): Promise<Answer<RegisterOkInit> | "again"> {
    const { records, clock, registry } = this.#parts;
    const admitted = await admit(this.#parts, { request, ...wanted, ...shown, secret: shown.secret, invite: shown.invite });
    if (!admitted.ok) return admitted;
    const proved = await this.#proveKey("register", bytes, request);
    if (!proved.ok) return proved;
    const known = await this.#findPrevious(request, wanted, proved.value);
    if (!known.ok) return known;
    if (known.value === undefined && registry.full) {
      return refuse(503, "the registry is full", { retry_after_ms: 60_000 });
    }
    const clearing = await this.#clearing.ops();
    // From here to the commit nothing waits, so serials are stored in the order in which they are made.
    const made = this.#makeRecord(known.value, wanted, admitted.value, proved.value);
    const described = this.#describe(made, request);
    const ops = [
      put("nodes", made.record.id, made.record, known.value?.version ?? 0),
      ...known.value === undefined ? [put("own", "serial", { last: made.id.serial.toString() })] : [],
      ...registry.placeOps(described, request.serviceSpec), ...admitted.value.ops,
      ...proved.value === undefined ? [] : [proved.value.use],
      ...fade(made.record, clock.now() + this.#limits.renewalTokenMs), ...clearing,
      audit("registered", { id: made.record.id, mode: made.record.mode, from: shown.origin.address }),
    ];
    const done = await records.commit(ops);
    if (!done.ok) return done.moved === "nonces" ? replayed() : "again";
    this.#parts.nodes.hold({ value: made.record, version: done.values[0] ?? 0 });
    registry.place(described);
    this.registered++;
    return granted(await this.#grants.give(made));
  }

  async #tryRenew(
    bytes: Uint8Array, request: RenewCredentialRequest, id: NodeId,
  ): Promise<Answer<RegisterOkInit> | "again"> {
    const { nodes, records, tokens, clock } = this.#parts;
    const node = await nodes.get(formatNodeId(id));
    if (node === undefined) return refuse(401, "the id is not known here");
    if (node.value.revoked) return refuse(403, "the id was revoked", { why: "revoked" });
    const proved = await this.#proveKey("renew", bytes, request);
    if (!proved.ok) return proved;
    const key = proved.value === undefined ? null : toBase64(proved.value.public_key);
    if (node.value.node_key !== key) {
      return key === null ? refuse(401, "the id has a key: a token alone does not renew it", { why: "proof_required" })
        : refuse(403, "the id belongs to another key");
    }
    const step = tokens.renew(node.value, request.renewalToken, clock.now());
    if (step === undefined) return refuse(401, "the renewal token is not good (any more)");
    const record: NodeRecord = { ...node.value, tokens: step.stored, seen_at_ms: clock.now() };
    const done = await records.commit([
      put("nodes", record.id, record, node.version), ...proved.value === undefined ? [] : [proved.value.use],
      ...await this.#clearing.ops(),
    ]);
    if (!done.ok) return done.moved === "nonces" ? replayed() : "again";
    nodes.hold({ value: record, version: done.values[0] ?? 0 });
    this.renewed++;
    return granted(await this.#grants.give({ id, record, token: step }));
  }

  /** Undefined: none was offered. */
  async #proveKey(
    purpose: "register" | "renew", bytes: Uint8Array, { keyProof }: Pick<RegisterRequest, "keyProof">,
  ): Promise<Answer<ProvedKey | undefined>> {
    if (keyProof === undefined) return granted(undefined);
    return checkKeyProof(purpose, bytes, keyProof, this.#parts.clock);
  }

  /** The record of the id that the node had, if it is its own and still fits. */
  async #findPrevious(
    request: RegisterRequest, { type, realm }: Wanted, proved: ProvedKey | undefined,
  ): Promise<Answer<Kept<NodeRecord> | undefined>> {
    if (request.previousId === undefined) return granted(undefined);
    const id = fromActrId(request.previousId);
    if (id === undefined) return refuse(400, "the previous id is none");
    const found = await this.#parts.nodes.get(formatNodeId(id));
    if (found === undefined) return granted(undefined);
    if (proved === undefined || found.value.node_key !== toBase64(proved.public_key)) {
      return refuse(403, "the previous id belongs to another key", { why: "identity_mismatch" });
    }
    if (found.value.revoked) return refuse(403, "the previous id was revoked", { why: "revoked" });
    // Another type is another address: it cannot be the same id, and the key may have both.
    const isSame = id.realm === realm.realm && sameType(id.type, type);
    return granted(isSame ? found : undefined);
  }

  #makeRecord(
    known: Kept<NodeRecord> | undefined, { type, realm, rules }: Wanted, admitted: Admitted,
    proved: ProvedKey | undefined,
  ): Made {
    const { clock, serials, tokens } = this.#parts;
    const now = clock.now();
    const old = known === undefined ? undefined : parseNodeId(known.value.id);
    const id = old ?? { realm: realm.realm, type, serial: serials.next(now) };
    // A guest renews by its key alone.
    const token = admitted.mode === "guest" ? undefined : tokens.fresh(known?.value.tokens ?? [], now);
    return {
      id, token, record: {
        id: formatNodeId(id), mode: admitted.mode, node_key: proved === undefined ? null : toBase64(proved.public_key),
        epoch: known?.value.epoch ?? 0, revoked: false, rules, admin_rules: known?.value.admin_rules ?? null,
        tokens: token?.stored ?? [], made_at_ms: known?.value.made_at_ms ?? now, seen_at_ms: now,
      },
    };
  }

  #describe({ id, record }: Made, request: RegisterRequest): Parameters<Registry["place"]>[0] {
    return {
      id, text: record.id, rules: rulesOf(record),
      spec: request.serviceSpec === undefined ? undefined : summarize(request.serviceSpec),
      address: isFieldSet(request, RegisterRequestSchema.field.wsAddress) ? request.wsAddress : undefined,
      node_key: record.node_key === null ? undefined : fromBase64(record.node_key),
    };
  }
}

interface Wanted {
  readonly type: ActorType;
  readonly realm: NonNullable<ReturnType<AdmissionParts["realms"]["get"]>>;
  readonly rules: NodeRecord["rules"];
}

function replayed(): Answer<never> {
  return refuse(401, "the proof was used before", { why: "replayed" });
}

function sameType(a: ActorType, b: ActorType): boolean {
  return a.manufacturer === b.manufacturer && a.name === b.name && a.version === b.version;
}
