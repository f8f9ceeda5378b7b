/** Rules as an operator writes them in JSON: checked as those of a node are. */
import { ruleProblems, type Rule } from "@atoll-run/core/internal";

export type RulesReading =
  | { readonly ok: true; readonly rules: readonly Rule[] }
  | { readonly ok: false; readonly problem: string };

export function readRules(value: unknown, max: number): RulesReading {
  if (!Array.isArray(value) || value.length > max) {
    return { ok: false, problem: `rules are a list of at most ${max}` };
  }
  const rules: Rule[] = [];
  const problems: string[] = [];
  for (const [at, one] of value.entries()) {
    const rule = toRule(one);
    const wrong = rule === undefined ? ["it is not {effect, from: {type, realm, node?, proof?}, actions}"] : ruleProblems(rule);
    problems.push(...wrong.map((text) => `rule ${at + 1}: ${text}`));
    if (rule !== undefined) rules.push(rule);
  }
  return problems.length === 0 ? { ok: true, rules } : { ok: false, problem: problems.join("; ") };
}

type Plain = Readonly<Record<string, unknown>>;

function toRule(value: unknown): Rule | undefined {
  if (!isPlain(value) || !isPlain(value["from"])) return undefined;
  const { effect, actions } = value;
  const { type, realm = "self", node, proof } = value["from"];
  const isRealm = realm === "self" || realm === "any" || typeof realm === "number";
  const isWhole = (effect === "allow" || effect === "deny") && typeof type === "string" && isRealm
    && (node === undefined || typeof node === "string") && (proof === undefined || proof === "key")
    && Array.isArray(actions) && actions.every((one) => typeof one === "string");
  if (!isWhole) return undefined;
  return {
    effect, actions, from: {
      type, realm, ...node === undefined ? {} : { node }, ...proof === undefined ? {} : { proof },
    },
  };
}

function isPlain(value: unknown): value is Plain {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
