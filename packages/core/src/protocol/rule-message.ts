/** Rules as they travel: in full to an aware realm, as far as the old form goes to a legacy one (spec: wire 2). */
import {
  AclRule_Permission, RuleExtSchema, type Acl, type AclRule, type AclSchema, type RuleExt,
} from "./generated/actr/registration_pb.ts";
import { formatType, parseType } from "./node-id.ts";
import { isFieldSet, type MessageInitShape } from "./protobuf.ts";
import { ruleProblems, type Rule } from "./rules.ts";

/**
 * Both forms, of a node of `realm`. The old one can name a type and a realm only: finer rules are left out of
 * it and hold at the node.
 */
export function toAcl(rules: readonly Rule[], realm: number): MessageInitShape<typeof AclSchema> {
  return { rules: rules.flatMap((rule) => toOldRule(rule, realm)), fullRules: rules.map(toFullRule) };
}

/** The rules of a node, the full ones if there are any. Undefined when one is wrong: nothing is guessed. */
export function fromAcl({ rules, fullRules }: Acl): readonly Rule[] | undefined {
  const read = fullRules.length > 0 ? fullRules.map(fromFullRule) : rules.map(fromOldRule);
  const known = read.filter((rule) => rule !== undefined);
  const isWhole = known.length === read.length && known.every((rule) => ruleProblems(rule).length === 0);
  return isWhole ? known : undefined;
}

function toFullRule({ effect, from, actions }: Rule): MessageInitShape<typeof RuleExtSchema> {
  const realm = from.realm === "any" ? "*" : String(from.realm);
  return {
    allow: effect === "allow", type: from.type, realm, actions: [...actions],
    ...from.node === undefined ? {} : { node: from.node },
    ...from.proof === undefined ? {} : { proof: from.proof },
  };
}

function fromFullRule(rule: RuleExt): Rule | undefined {
  const realm = rule.realm === "self" ? "self" : rule.realm === "*" ? "any" : toRealm(rule.realm);
  const hasProof = isFieldSet(rule, RuleExtSchema.field.proof);
  if (realm === undefined || (hasProof && rule.proof !== "key")) return undefined;
  return {
    effect: rule.allow ? "allow" : "deny", actions: rule.actions,
    from: {
      type: rule.type, realm, ...isFieldSet(rule, RuleExtSchema.field.node) ? { node: rule.node } : {},
      ...hasProof ? { proof: "key" } : {},
    },
  };
}

type OldRule = NonNullable<MessageInitShape<typeof AclSchema>["rules"]>[number];

function toOldRule({ effect, from, actions }: Rule, ownRealm: number): OldRule[] {
  const type = parseType(from.type);
  const isWhole = from.node === undefined && from.proof === undefined && actions.includes("*");
  if (type === undefined || !isWhole) return [];
  const permission = effect === "allow" ? AclRule_Permission.ALLOW : AclRule_Permission.DENY;
  const realmId = from.realm === "self" ? ownRealm : from.realm;
  return [{
    permission, fromType: type,
    fromRealm: realmId === "any" ? { case: "anyRealm", value: true } : { case: "realmId", value: realmId },
  }];
}

function fromOldRule({ permission, fromType, fromRealm }: AclRule): Rule | undefined {
  if (fromType === undefined) return undefined;
  // A missing realm means that of the target, and so does `any_realm: false`: the stricter of two readings.
  const realm = fromRealm.case === "realmId" ? fromRealm.value : fromRealm.value === true ? "any" : "self";
  return {
    effect: permission === AclRule_Permission.ALLOW ? "allow" : "deny", actions: ["*"],
    from: { type: formatType(fromType), realm },
  };
}

function toRealm(text: string): number | undefined {
  return /^(?:0|[1-9]\d{0,9})$/.test(text) ? Number(text) : undefined;
}
