/**
 * The one rule engine: who may reach a node, and with what (spec: node 7.10, 7.11).
 *
 * takes the rules of a node and what is asked; gives a verdict; promises that deny beats allow and that no
 * match, no rules and no rule set deny; refuses everybody it does not know; never asks anybody else. Gates,
 * streams, media, discovery, relay and presence use it alike.
 */
import { formatNodeId, parseType, type NodeId } from "./node-id.ts";

/** Who speaks. A peer never becomes local. */
export type Principal =
  | { readonly kind: "local" }
  | { readonly kind: "peer"; readonly id: NodeId; readonly proof: "key" | "bearer" };

export interface Rule {
  readonly effect: "allow" | "deny";
  readonly from: {
    /** `manufacturer:name:version`; `*` stands for a whole part. */
    readonly type: string;
    /** `self`: the realm of the node that is asked. */
    readonly realm: "self" | "any" | number;
    /** Text of the one id that is meant. */
    readonly node?: string;
    /** Only who has proved the key of its credential. */
    readonly proof?: "key";
  };
  /** Globs of `call:<route>`, `tell:<route>`, `stream:<name>`, `media:<kind>`; `*` is everything. */
  readonly actions: readonly string[];
}

export const ACTION_KINDS = ["call", "tell", "stream", "media"] as const;
export type ActionKind = (typeof ACTION_KINDS)[number];

/** Undefined: an id that does not decode. It is neither a peer nor local. */
export interface Caller {
  readonly principal: Principal | undefined;
  /** Realm of the node that is asked. */
  readonly realm: number;
}

/** One thing: a call or tell and its route, a stream and its name, media and their kind. */
export interface Action {
  readonly kind: ActionKind;
  readonly name: string;
}

export interface Verdict {
  readonly allowed: boolean;
  /** Index of the rule that decided; none when nothing matched or nothing had to. */
  readonly rule?: number;
}

/** Whether the caller may do this one thing. */
export function judge(rules: readonly Rule[] | undefined, caller: Caller, action: Action): Verdict {
  if (caller.principal?.kind === "local") return { allowed: true };
  const text = `${action.kind}:${action.name}`;
  let allowedBy: number | undefined;
  for (const [index, rule] of (rules ?? []).entries()) {
    if (!isFrom(rule, caller) || !rule.actions.some((glob) => matchesGlob(glob, text))) continue;
    if (rule.effect === "deny") return { allowed: false, rule: index };
    allowedBy ??= index;
  }
  return allowedBy === undefined ? { allowed: false } : { allowed: true, rule: allowedBy };
}

/**
 * Whether the caller may do anything at all: what discovery shows, presence tells and a relay admits. An
 * allowed action counts unless a deny covers all of it.
 */
export function mayReach(rules: readonly Rule[] | undefined, caller: Caller): boolean {
  if (caller.principal?.kind === "local") return true;
  const own = (rules ?? []).filter((rule) => isFrom(rule, caller));
  const denied = own.filter(({ effect }) => effect === "deny").flatMap(({ actions }) => actions);
  const covered = (glob: string): boolean => denied.some((deny) => matchesGlob(deny, glob));
  const allowed = own.filter(({ effect }) => effect === "allow").flatMap(({ actions }) => actions);
  return allowed.flatMap(spelled).some((glob) => !covered(glob));
}

/** All that is wrong with a rule, one sentence each; for rules that people or peers wrote. */
export function ruleProblems(rule: Rule): string[] {
  const { type, realm, node } = rule.from;
  const problems: string[] = [];
  if (!isTypePattern(type)) {
    problems.push(`type ${JSON.stringify(type)} is not manufacturer:name:version, with * for a whole part`);
  }
  if (typeof realm === "number" && !(Number.isInteger(realm) && realm >= 0 && realm <= 0xffff_ffff)) {
    problems.push(`realm ${realm} is not in 0..4294967295`);
  }
  if (node === "") problems.push("node is empty");
  if (rule.actions.length === 0) problems.push("actions are missing: name them, or * for everything");
  for (const glob of rule.actions) {
    const [kind = "", ...rest] = glob.split(":");
    const known = ACTION_KINDS.some((one) => one === kind) && rest.join(":") !== "";
    if (glob === "*" || known) continue;
    const kinds = ACTION_KINDS.join(", ");
    problems.push(`action ${JSON.stringify(glob)} is neither * nor one of ${kinds} with :<glob>`);
  }
  return problems;
}

function isFrom({ from }: Rule, { principal, realm }: Caller): boolean {
  if (principal?.kind !== "peer") return false;
  const { id, proof } = principal;
  if (from.realm !== "any" && id.realm !== (from.realm === "self" ? realm : from.realm)) return false;
  if (from.proof === "key" && proof !== "key") return false;
  if (from.node !== undefined && from.node !== formatNodeId(id)) return false;
  const { manufacturer, name, version } = id.type;
  const parts = from.type.split(":");
  return parts.length === 3 && [manufacturer, name, version].every((part, at) =>
    parts[at] === "*" || parts[at] === part);
}

function isTypePattern(text: string): boolean {
  // A star is no name, so any name may stand for it in the test of the whole.
  return parseType(text.split(":").map((part) => part === "*" ? "a" : part).join(":")) !== undefined;
}

/** `*` as the four kinds it means, so that a deny of all of them covers it. */
function spelled(glob: string): readonly string[] {
  return glob === "*" ? ACTION_KINDS.map((kind) => `${kind}:*`) : [glob];
}

/** `*` is any run of characters. At most length times length steps, so no pattern of a stranger is slow. */
export function matchesGlob(glob: string, text: string): boolean {
  let at = 0;
  let next = 0;
  let star = -1;
  let from = 0;
  while (at < text.length) {
    if (glob[next] === "*") {
      star = next++;
      from = at;
    } else if (next < glob.length && glob[next] === text[at]) {
      next++;
      at++;
    } else if (star >= 0) {
      next = star + 1;
      at = ++from;
    } else return false;
  }
  while (glob[next] === "*") next++;
  return next === glob.length;
}
