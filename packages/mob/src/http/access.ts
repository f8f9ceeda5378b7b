/** Who asks, and what he may (spec: mob 11.8 to 11.10): bearer tokens with roles; all that is not allowed is denied. */
import { createHash, timingSafeEqual } from "node:crypto";
import { mobError, type MobError } from "../errors.ts";

export const ROLES = {
  viewer: ["*.view", "session.read"],
  approver: ["*.view", "session.read", "approval.decide"],
  operator: ["*.view", "session.read", "member.*", "mob.reconcile", "edge.edit", "flow.run"],
  admin: ["*"],
} as const satisfies Readonly<Record<string, readonly string[]>>;
export type Role = keyof typeof ROLES;

export interface Token {
  /** SHA-256 of the token, hex: the token itself is kept nowhere. */
  readonly sha256: string;
  readonly principal: string;
  readonly role: Role;
  /** The token of this machine: may approve what it has begun itself. */
  readonly local?: boolean;
  readonly read_only?: boolean;
}

export interface Principal {
  readonly id: string;
  readonly role: Role;
  readonly local: boolean;
  readonly read_only: boolean;
}

/** Names of a query under which a credential may have been put. */
const CREDENTIALS = ["access_token", "token", "authorization", "api_key", "ticket"];

/** Throws `mob.unauthenticated {reason}`, `mob.token_in_query`. */
export function authenticate(
  { authorization, query }: { readonly authorization: string | undefined; readonly query: URLSearchParams }, tokens: readonly Token[],
): Principal {
  const leaked = CREDENTIALS.find((name) => query.has(name));
  if (leaked !== undefined) {
    throw mobError("mob.token_in_query", `a credential does not belong into an address: ${leaked}`, { hint: "Send it as `Authorization: Bearer …`, and make a new one." });
  }
  if (authorization === undefined) throw stranger("missing_credentials");
  const [, given] = /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(authorization) ?? [];
  if (given === undefined) throw stranger("invalid_token_header");
  const hash = createHash("sha256").update(given).digest();
  // All of them, so that the time says nothing.
  const [found] = tokens.filter(({ sha256 }) => {
    const known = Buffer.from(sha256, "hex");
    return known.length === hash.length && timingSafeEqual(known, hash);
  });
  if (found === undefined) throw stranger("invalid_token");
  const { principal, role, local = false, read_only = false } = found;
  return { id: principal, role, local, read_only };
}

export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Null: whoever is signed in. */
export function mayDo({ role }: Principal, action: string | null): boolean {
  return action === null || ROLES[role].some((glob) => glob === "*" || glob === action
    || glob.startsWith("*.") && action.endsWith(glob.slice(1)) || glob.endsWith(".*") && action.startsWith(glob.slice(0, -1)));
}

/** Throws `mob.denied`, `mob.read_only`. */
export function checkAccess(who: Principal, { action, writes }: { readonly action: string | null; readonly writes: boolean }, readOnly: boolean): void {
  if (!mayDo(who, action)) {
    throw mobError("mob.denied", `${who.id} may not do ${action ?? ""}`, { facts: { action, principal: who.id }, hint: `A ${who.role} may do ${ROLES[who.role].join(", ")}.` });
  }
  if (writes && (readOnly || who.read_only)) throw mobError("mob.read_only", readOnly ? "this mob is served for reading" : `${who.id} may only read`, { facts: { principal: who.id } });
}

function stranger(reason: string): MobError {
  return mobError("mob.unauthenticated", `who asks is not known: ${reason.replaceAll("_", " ")}`, { facts: { reason } });
}
