/** What somebody may (spec: mob 11.10): roles; all that is not allowed is denied. */
import { createHash } from "node:crypto";
import { mobError } from "../errors.ts";

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
