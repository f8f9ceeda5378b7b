/**
 * What somebody may do, on the mob and on which members (spec: mob 11.10).
 *
 * takes rules as the definition has them now, and who asks; gives rights; promises that what nothing allows is denied, that one rule that
 * denies beats all that allow, and that who made a member stands for it; refuses nothing; never keeps a right longer than its rules.
 */
import { isDeepStrictEqual } from "node:util";
import { matchesGlob } from "@atoll-run/core/internal";
import type { AccessRule, AccessRules } from "../definition/definition.ts";
import type { View } from "../roster/view.ts";
import { ROLES, type Principal } from "./access.ts";

/** A member, or one that is to be. */
export interface Subject {
  readonly id: string;
  readonly profile: string;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly spawned_by?: string | undefined;
}

export interface Right {
  /** On the mob or on some member. */
  readonly any: boolean;
  /** On the mob as a whole, and so on what belongs to no member. */
  readonly mob: boolean;
  /** On every member, present and to be. */
  readonly all: boolean;
  /** Those who have equal ones have the same right. */
  readonly key: string;
  on(member: string | Subject): boolean;
  /** A rule says no, which is more than that none says yes. */
  denies(member: string | Subject): boolean;
}

export interface RightsParts {
  /** As the definition has them now; null: roles alone say. */
  readonly rules: () => AccessRules | null;
  readonly view: Pick<View, "members">;
}

/** Members that were made by members: so deep. */
const DEPTH_MAX = 8;
const KEPT_MAX = 4_096;

const FULL: Right = { any: true, mob: true, all: true, key: "*", on: () => true, denies: () => false };

export class Rights {
  readonly #parts: RightsParts;
  #of: AccessRules | null = null;
  #version = 0;
  readonly #kept = new Map<string, Right>();

  constructor(parts: RightsParts) {
    this.#parts = parts;
  }

  /** Another one: other rules count, and what was worked out before may not hold. */
  get version(): number {
    const rules = this.#parts.rules();
    if (rules === this.#of) return this.#version;
    if (!isDeepStrictEqual(rules, this.#of)) this.#version += 1;
    this.#of = rules;
    this.#kept.clear();
    return this.#version;
  }

  /** Null: whoever is signed in may. */
  of(who: Principal, action: string | null): Right {
    const { version } = this;
    const rules = this.#of;
    if (action === null || who.role === "admin" || rules?.admins.includes(who.id) === true) return FULL;
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
    const key = JSON.stringify([who.id, who.role, who.groups, action]);
    const right = this.#kept.get(key) ?? this.#make({ rules: rules?.rules ?? [], version }, who, action);
    this.#kept.set(key, right);
    return right;
  }

  #make({ rules, version }: { readonly rules: readonly AccessRule[]; readonly version: number }, who: Principal, action: string): Right {
    const own = [...rules.entries()].filter(([, rule]) => isOf(rule, who) && rule.actions.some((glob) => matchesGlob(glob, action)));
    const [allow, deny] = (["allow", "deny"] as const).map((effect) => own.filter(([, rule]) => rule.effect === effect).map(([, rule]) => rule)) as [AccessRule[], AccessRule[]];
    const byRole = ROLES[who.role].some((glob) => matchesGlob(glob, action));
    const mob = (byRole || allow.some(isWide)) && !deny.some(isWide);
    const denies: Right["denies"] = (member) => deny.some((rule) => this.#fits(rule, member));
    return {
      mob, any: (byRole || allow.length > 0) && !deny.some(isWide), all: mob && deny.length === 0, denies,
      key: `${version}:${byRole ? "r" : ""}${own.map(([at]) => at).join(".")}`,
      on: (member) => (byRole || allow.some((rule) => this.#fits(rule, member))) && !denies(member),
    };
  }

  /** That member, or who made it. */
  #fits(rule: AccessRule, member: string | Subject): boolean {
    if (isWide(rule)) return true;
    let at = typeof member === "string" ? this.#subject(member) : member;
    for (let depth = 0; depth <= DEPTH_MAX; depth++) {
      if (names(rule, at)) return true;
      if (at.spawned_by === undefined) return false;
      at = this.#subject(at.spawned_by);
    }
    return false;
  }

  #subject(id: string): Subject {
    const known = this.#parts.view.members.get(id);
    return known === undefined ? { id, profile: "" } : { id, profile: known.spec.profile, labels: known.spec.labels, spawned_by: known.spawned_by };
  }
}

function isOf({ principals, groups }: AccessRule, who: Principal): boolean {
  return principals.some((glob) => matchesGlob(glob, who.id)) || groups.some((glob) => who.groups.some((group) => matchesGlob(glob, group)));
}

/** It names no members: it is about all there is. */
function isWide({ members, profiles, labels }: AccessRule): boolean {
  return members === null && profiles === null && labels === null;
}

/** All that it names must hold. */
function names({ members, profiles, labels }: AccessRule, { id, profile, labels: own = {} }: Subject): boolean {
  return (members === null || members.some((glob) => matchesGlob(glob, id)))
    && (profiles === null || profiles.some((glob) => matchesGlob(glob, profile)))
    && (labels === null || Object.entries(labels).every(([name, glob]) => Object.hasOwn(own, name) && matchesGlob(glob, own[name] as string)));
}
