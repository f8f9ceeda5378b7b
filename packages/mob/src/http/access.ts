/** Who asks, and what roles may (spec: mob 11.8, 11.10). */
import { createHash } from "node:crypto";
import { nearest } from "@atoll-run/core";
import { mobError, type MobError } from "../errors.ts";

/** What each may do on the whole mob; rules of the definition add to it and take away. */
export const ROLES = {
  none: [],
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
  /** Default `none`: rules alone say what it may. */
  readonly role?: Role;
  readonly groups?: readonly string[];
  /** The token of this machine: may approve what it has begun itself. */
  readonly local?: boolean;
  readonly read_only?: boolean;
}

export interface Principal {
  readonly id: string;
  readonly role: Role;
  readonly groups: readonly string[];
  readonly local: boolean;
  readonly read_only: boolean;
  /** From then on he is a stranger again; absent: not before the server ends. */
  readonly until_ms?: number;
}

export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

const TOKENS = "The token of this machine lies in http.token in the folder of the state.";

/** `reason` as spec mob 11.8 names it. */
export function stranger(reason: string): MobError {
  const hint = reason === "missing_credentials" ? `Send Authorization: Bearer …. ${TOKENS}` : reason === "invalid_token" ? TOKENS
    : reason === "ticket_used" ? `A link signs in once, within ten minutes; a token does at any time. ${TOKENS}` : undefined;
  return mobError("mob.unauthenticated", `who asks is not known: ${reason.replaceAll("_", " ")}`, { facts: { reason }, ...hint === undefined ? {} : { hint } });
}

/** Whether what writes is refused, whatever the rights are. */
export function mayWrite({ read_only }: Principal, readOnly: boolean): boolean {
  return !readOnly && !read_only;
}

export function readOnlyError({ id }: Principal, readOnly: boolean): MobError {
  return mobError("mob.read_only", readOnly ? "this mob is served for reading" : `${id} may only read`, { facts: { principal: id } });
}

export function deniedError({ id, role }: Principal, action: string, member?: string): MobError {
  const hint = role === "none" ? "Rules of [access] say who may." : `A ${role} may do ${ROLES[role].join(", ")}; rules of [access] say more.`;
  return mobError("mob.denied", `${id} may not do ${action}${member === undefined ? "" : ` on ${member}`}`, {
    facts: { action, principal: id, ...member === undefined ? {} : { member } }, hint,
  });
}

/** `known`: which one was perhaps meant is among these. */
export function noThing({ what, id }: { readonly what: string; readonly id: string }, known: Iterable<string> = []): MobError {
  const near = nearest(id, known);
  return mobError("mob.not_found", `there is no ${what.replaceAll("_", " ")} ${id}`, { facts: { what, id }, ...near === undefined ? {} : { hint: `Did you mean ${JSON.stringify(near)}?` } });
}

/** The same for one that is not there and one that whoever asks does not see. */
export function noMember(id: string): MobError {
  return noThing({ what: "member", id });
}
