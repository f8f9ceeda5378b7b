/** Words that grants and rules are made of, and what is wrong with one that is none: it would count for nothing, and nobody would know. Pure. */
import { GRANT_VERBS, parseGrants } from "@atoll-run/block";
import { nearest } from "@atoll-run/core";
import { matchesGlob } from "@atoll-run/core/internal";

/** What a member can do with its mob, by the names of the script API; the first word is that of the grant. */
export const VERBS = ["me", "members", "send", "request", "spawn", "retire", "wake", "note", "flow.run"] as const;
export type VerbName = typeof VERBS[number];
const MOB_WORDS = VERBS.map((name) => name.split(".")[0] as string);

/** What rules of `[access]` speak of: each method needs one. */
export const ACTIONS = [
  "mob.view", "mob.reconcile", "mob.admin", "member.view", "member.send", "member.dispatch", "member.spawn", "member.manage", "member.reset", "session.read", "blob.write",
  "edge.edit", "label.edit", "approval.view", "approval.decide", "flow.view", "flow.run", "ledger.view", "access.admin",
] as const;
export type Action = typeof ACTIONS[number];

/** Verbs of grants of the mob itself: of tools that a block knows nothing of. */
const MOB_GRANTS = ["module", "memory", "deliver"];
export const OF_MOB = new RegExp(`^(?:${MOB_GRANTS.join("|")}):`);
const RULE_VERBS = [...GRANT_VERBS, ...MOB_GRANTS];

export interface WordProblem {
  readonly text: string;
  readonly hint?: string;
}

export function grantProblem(grant: string): WordProblem | undefined {
  if (OF_MOB.test(grant)) return undefined;
  const at = grant.indexOf(":");
  const [verb, rest] = at === -1 ? [grant, ""] : [grant.slice(0, at), grant.slice(at)];
  const parsed = parseGrants([grant]);
  if (!parsed.ok) return { text: parsed.problems.join("; "), ...meant(verb, GRANT_VERBS, (near) => GRANT_VERBS.includes(verb) ? undefined : `${near}${rest}`) };
  const word = rest.slice(1);
  if (verb !== "mob" || word === "" || MOB_WORDS.includes(word)) return undefined;
  return { text: `grant ${JSON.stringify(grant)} is for no function of the mob; known are ${MOB_WORDS.join(", ")}`, ...meant(word, MOB_WORDS, (near) => `mob:${near}`) };
}

/** Of `grant` in a rule for approvals: a verb, or a glob of verbs. */
export function ruleGrantProblem(glob: string): WordProblem | undefined {
  if (RULE_VERBS.some((verb) => matchesGlob(glob, verb))) return undefined;
  const [verb = "", object = ""] = glob.split(/:(.*)/s);
  if (object !== "" && RULE_VERBS.includes(verb)) {
    return { text: `${JSON.stringify(glob)} is more than the verb of a grant`, hint: `write grant = ${JSON.stringify(verb)}, object = ${JSON.stringify(object)}` };
  }
  return { text: `there is no grant ${JSON.stringify(glob)}; known are ${RULE_VERBS.join(", ")}`, ...meant(glob, RULE_VERBS) };
}

/** Of `actions` in a rule for access: an action, or a glob of actions. */
export function actionProblem(glob: string): WordProblem | undefined {
  if (ACTIONS.some((action) => matchesGlob(glob, action))) return undefined;
  return { text: `there is no action ${JSON.stringify(glob)}; known are ${ACTIONS.join(", ")}`, ...meant(glob, ACTIONS) };
}

function meant(word: string, known: readonly string[], whole: (near: string) => string | undefined = (near) => near): { readonly hint?: string } {
  const near = nearest(word, known);
  const text = near === undefined ? undefined : whole(near);
  return text === undefined ? {} : { hint: `did you mean ${JSON.stringify(text)}?` };
}
