/**
 * Register, renew and leave at the identity service (spec: node 3.1 step 7, 7.2; wire 8.1).
 *
 * takes what a node is and who vouches for it; gives what the realm grants, checked; promises to prove the key of the
 * node with each request and to end within 30 s; refuses answers that are another's; never stores anything.
 */
import { isFault, nodeError, withDeadline, type ActorType, type Clock, type NodeId, type Secret } from "@atoll-run/core";
import {
  HELLO_LIMITS, makeKeyProof, readMessage, RegisterRequest_AuthMode, RegisterRequestSchema, RegisterResponseSchema,
  RenewCredentialRequestSchema, RenewCredentialResponseSchema, toAcl, toActrId, writeMessage,
  type MessageInitShape, type RegisterOk, type Rule, type ServiceSpecSchema,
} from "@atoll-run/core/internal";
import type { LimitsOf } from "../limits.ts";
import { toGrant, type Grant } from "./grant.ts";
import type { RealmAnswer, RealmDoor } from "./realm-door.ts";
import { fromErrorResponse, fromStatus } from "./realm-errors.ts";
import type { NodeKey } from "./session.ts";

/** Who vouches for the node. Without a secret a realm takes `linked` from its own machine only, if at all. */
export type Vouch =
  | { readonly mode: "linked"; readonly secret?: Secret }
  | { readonly mode: "guest"; readonly invite: Secret }
  | {
    readonly mode: "package"; readonly manifest: Uint8Array; readonly manifest_signature: Uint8Array;
    readonly target: string;
  };

export interface Registrant {
  readonly realm: number;
  readonly type: ActorType;
  readonly vouch: Vouch;
  readonly rules: readonly Rule[];
  /** Where others can dial it. */
  readonly ws_address?: string;
  readonly service?: Omit<MessageInitShape<typeof ServiceSpecSchema>, "$typeName">;
}

export interface RegistrationParts {
  readonly door: RealmDoor;
  readonly clock: Clock;
  /** Undefined: a bearer. */
  readonly key: NodeKey | undefined;
  bytes(count: number): Uint8Array;
}

interface Call {
  readonly signal?: AbortSignal | undefined;
}

export interface Registration {
  /** With `previous` and our key an aware realm gives that id again. */
  register(who: Registrant, o?: Call & { readonly previous?: NodeId }): Promise<Grant>;
  /** `token` empty: by the key alone. The grant has the same id, else `node.identity_mismatch`. */
  renew(who: Pick<Registrant, "realm" | "type"> & { readonly id: NodeId; readonly token?: Uint8Array }, o?: Call): Promise<Grant>;
  /** Resolves when the realm has acknowledged it; needs a key. */
  unregister(id: NodeId, o?: Call): Promise<void>;
}

/** Errors are a `NodeError` with the fact `wire_code` when the realm has answered; see `realmStatus`. */
export function createRegistration(parts: RegistrationParts, limits: LimitsOf<"identity">): Registration {
  return new HttpRegistration(parts, limits);
}

const PROTOBUF = "application/x-protobuf";

class HttpRegistration implements Registration {
  readonly #parts: RegistrationParts;
  readonly #limits: LimitsOf<"identity">;

  constructor(parts: RegistrationParts, limits: LimitsOf<"identity">) {
    this.#parts = parts;
    this.#limits = limits;
  }

  async register(who: Registrant, o: Call & { readonly previous?: NodeId } = {}): Promise<Grant> {
    const { key } = this.#parts;
    const fields: Omit<MessageInitShape<typeof RegisterRequestSchema>, "$typeName"> = {
      actrType: who.type, realm: { realmId: who.realm }, acl: toAcl(who.rules, who.realm), ...vouchFields(who.vouch),
      ...who.ws_address === undefined ? {} : { wsAddress: who.ws_address },
      ...who.service === undefined ? {} : { service: who.service.name, serviceSpec: who.service },
      ...key === undefined || o.previous === undefined ? {} : { previousId: toActrId(o.previous) },
    };
    const unsigned = writeMessage(RegisterRequestSchema, fields);
    const body = key === undefined ? unsigned
      : writeMessage(RegisterRequestSchema, { ...fields, keyProof: await this.#prove(key, "register", unsigned) });
    const answer = await this.#post("register", body, vouchHeaders(who.vouch), o);
    const read = readMessage(RegisterResponseSchema, answer.body, this.#limits.answerBytesMax);
    if (!read.ok) throw fromStatus(answer, "the registration");
    return toGrant(success(read.value.result, answer), { realm: who.realm, type: who.type, key });
  }

  async renew(who: Parameters<Registration["renew"]>[0], o: Call = {}): Promise<Grant> {
    const { key } = this.#parts;
    const body = await this.#renewal(who.id, who.token);
    const answer = await this.#post("renew", body, {}, o);
    const read = readMessage(RenewCredentialResponseSchema, answer.body, this.#limits.answerBytesMax);
    if (!read.ok) throw fromStatus(answer, "the renewal");
    return toGrant(success(read.value.result, answer), { realm: who.realm, type: who.type, key, id: who.id });
  }

  async unregister(id: NodeId, o: Call = {}): Promise<void> {
    if (this.#parts.key === undefined) throw nodeError("node.proof_required", "only a node with a key can sign off by HTTP");
    // The realm has no message of its own for it: a request to renew, with the proof of the key.
    const answer = await this.#post("unregister", await this.#renewal(id, undefined), {}, o);
    if (answer.status !== 204 && answer.status !== 200) throw fromStatus(answer, "leaving");
  }

  async #renewal(id: NodeId, token: Uint8Array | undefined): Promise<Uint8Array> {
    const { key } = this.#parts;
    const fields = { actrId: toActrId(id), renewalToken: token ?? new Uint8Array() };
    const unsigned = writeMessage(RenewCredentialRequestSchema, fields);
    if (key === undefined) return unsigned;
    return writeMessage(RenewCredentialRequestSchema, { ...fields, keyProof: await this.#prove(key, "renew", unsigned) });
  }

  #prove(key: NodeKey, purpose: "register" | "renew", unsigned: Uint8Array): ReturnType<typeof makeKeyProof> {
    const { clock, bytes } = this.#parts;
    return makeKeyProof(key, purpose, unsigned, { at_ms: Math.floor(clock.now()), nonce: bytes(HELLO_LIMITS.nonceBytes) });
  }

  #post(path: string, body: Uint8Array, headers: Readonly<Record<string, string>>, o: Call): Promise<RealmAnswer> {
    const { door, clock } = this.#parts;
    const request = { method: "POST", path, body, headers: { ...headers, "content-type": PROTOBUF } } as const;
    const what = `the answer of the realm to ${path}`;
    const ms = this.#limits.requestMsMax;
    return withDeadline((signal) => door.ask(request, { signal }), { clock, ms, signal: o.signal, what }).catch((error) => {
      if (!isFault(error) || error.code !== "core.timed_out") throw error;
      throw nodeError("node.unavailable", error.message, { cause: error, hint: "Look whether the realm can be reached." });
    });
  }
}

/** A message either has it or says why not; both may be missing, then the status says it. */
function success(
  result: { readonly case: string | undefined; readonly value?: unknown }, answer: RealmAnswer,
): RegisterOk {
  if (result.case === "success") return result.value as RegisterOk;
  if (result.case === "error") throw fromErrorResponse(result.value as Parameters<typeof fromErrorResponse>[0], answer.headers);
  throw fromStatus(answer, "the request");
}

function vouchFields(vouch: Vouch): Omit<MessageInitShape<typeof RegisterRequestSchema>, "$typeName" | "actrType" | "realm"> {
  if (vouch.mode !== "package") return { authMode: RegisterRequest_AuthMode.LINKED };
  return {
    authMode: RegisterRequest_AuthMode.PACKAGE, manifestRaw: vouch.manifest, mfrSignature: vouch.manifest_signature,
    target: vouch.target,
  };
}

function vouchHeaders(vouch: Vouch): Readonly<Record<string, string>> {
  if (vouch.mode === "guest") return { "x-atoll-invite": toHeader(vouch.invite, "invite") };
  if (vouch.mode === "linked" && vouch.secret !== undefined) {
    return { "x-actrix-realm-secret": toHeader(vouch.secret, "realm secret") };
  }
  return {};
}

/** Throws `node.invalid_argument` for what no header can carry, without showing it. */
function toHeader(secret: Secret, what: string): string {
  const text = secret.reveal();
  if (/^[!-~]+$/.test(text)) return text;
  throw nodeError("node.invalid_argument", `the ${what} is empty or has blanks or characters that are not ASCII`, {
    hint: "Is there a line break at its end?",
  });
}
