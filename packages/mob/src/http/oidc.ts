/**
 * Who asks, by a token of an OpenID provider (spec: mob 11.8). The one door to the library that knows tokens.
 *
 * takes a token; gives its principal: a person by e-mail, or a service that is allowed; promises that the key says which algorithm
 * counts, not the token; refuses, with its reason, what is not signed, not for us, not now, or nobody's; never takes a name from a token that
 * it has not proved.
 */
import { decodeJwt, decodeProtectedHeader, errors, importJWK, jwtVerify, type JWTPayload } from "jose";
import type { Clock } from "@atoll-run/core";
import { matchesGlob } from "@atoll-run/core/internal";
import { mobError } from "../errors.ts";
import { stranger, type Principal } from "./access.ts";
import { Issuer, type KeyOfIssuer } from "./issuer.ts";

export interface OidcConfig {
  /** As the tokens name it; https, or on this machine. */
  readonly issuer: string;
  /** Of the tokens that are for this mob. */
  readonly audience: string;
  /** Globs of people's e-mails; absent: all that the issuer knows. */
  readonly emails?: readonly string[];
  /** Client ids of programs; absent: none. */
  readonly services?: readonly string[];
}

const LEEWAY_S = 30;
const GROUPS_MAX = 256;

type Algorithm = "RS256" | "ES256" | "EdDSA" | "HS256";

export class Oidc {
  readonly #config: OidcConfig;
  readonly #issuer: Issuer;
  readonly #clock: Clock;
  /** What was made of keys, while they are those that the issuer gave. */
  readonly #made = new WeakMap<KeyOfIssuer, Promise<Awaited<ReturnType<typeof importJWK>>>>();

  /** Throws `mob.invalid_params`. */
  constructor(config: OidcConfig, clock: Clock) {
    if (config.audience === "") throw mobError("mob.invalid_params", "http.oidc_audience: say for whom tokens must be", { facts: { path: "http.oidc_audience" } });
    this.#config = config;
    this.#issuer = new Issuer(config.issuer, clock);
    this.#clock = clock;
  }

  /** Throws `mob.unauthenticated {reason}`, `mob.unavailable` when the issuer cannot be asked. */
  async verify(token: string): Promise<Principal> {
    const { alg, kid } = headerOf(token);
    if (issuerOf(token) !== this.#issuer.url) throw stranger("provider_not_supported");
    if (alg === "HS256" && !this.#issuer.loopback) throw stranger("hs256_not_allowed");
    const jwk = await this.#issuer.key(kid);
    if (jwk === undefined) throw stranger("jwks_key_not_found");
    const algorithm = algorithmOf(jwk);
    if (algorithm === undefined) throw stranger("invalid_jwks_key_material");
    if (alg !== algorithm) throw stranger("invalid_token");
    const making = this.#made.get(jwk) ?? importJWK(jwk, algorithm);
    this.#made.set(jwk, making);
    const key = await making.catch(() => {
      throw stranger("invalid_jwks_key_material");
    });
    const { payload } = await jwtVerify(token, key, {
      algorithms: [algorithm], issuer: this.#issuer.url, audience: this.#config.audience, clockTolerance: LEEWAY_S,
      currentDate: new Date(this.#clock.now()), requiredClaims: ["exp", "iss", "aud"],
    }).catch((error: unknown) => {
      if (error instanceof errors.JWTExpired) throw stranger("expired");
      // What is not of the token is of the key.
      throw stranger(error instanceof errors.JOSEError ? "invalid_token" : "invalid_jwks_key_material");
    });
    return this.#principal(payload);
  }

  #principal(payload: JWTPayload): Principal {
    const { emails, services = [] } = this.#config;
    const groups = Array.isArray(payload["groups"]) ? payload["groups"].filter((one) => typeof one === "string").slice(0, GROUPS_MAX) : [];
    const until_ms = ((payload.exp ?? 0) + LEEWAY_S) * 1_000;
    const who = (id: string): Principal => ({ id, role: "none", groups, local: false, read_only: false, until_ms });
    const email = textOf(payload, "email")?.toLowerCase();
    if (email !== undefined) {
      if (payload["email_verified"] === false) throw stranger("missing_token_identity");
      if (emails !== undefined && !emails.some((glob) => matchesGlob(glob.toLowerCase(), email))) throw stranger("email_not_allowlisted");
      return who(email);
    }
    const service = textOf(payload, "azp") ?? textOf(payload, "client_id") ?? textOf(payload, "sub");
    if (service === undefined) throw stranger("missing_token_identity");
    if (!services.includes(service)) throw stranger("service_identity_not_allowlisted");
    // No name of a person or a token looks like that.
    return who(`service:${service}`);
  }
}

function headerOf(token: string): { readonly alg?: string; readonly kid?: string } {
  try {
    return decodeProtectedHeader(token);
  } catch {
    throw stranger("invalid_token");
  }
}

/** Not proved yet: only to say that it is of somebody else. */
function issuerOf(token: string): unknown {
  try {
    return decodeJwt(token).iss;
  } catch {
    throw stranger("invalid_token");
  }
}

/** Undefined: a key for nothing that we take. */
function algorithmOf({ kty, crv, alg }: KeyOfIssuer): Algorithm | undefined {
  const own: Algorithm | undefined = kty === "RSA" ? "RS256" : kty === "EC" && crv === "P-256" ? "ES256" : kty === "OKP" && crv === "Ed25519" ? "EdDSA" : kty === "oct" ? "HS256" : undefined;
  return alg === undefined || alg === own ? own : undefined;
}

function textOf(payload: JWTPayload, name: string): string | undefined {
  const value = payload[name];
  return typeof value === "string" && value !== "" && value.length <= 256 ? value : undefined;
}
