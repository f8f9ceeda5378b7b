/** What grants, rules for approvals and rules for access are made of: a word that stands for nothing would count for nothing. Pure. */
import type { Names } from "./names.ts";
import type { Path, Problems } from "./problems.ts";
import type { Tree } from "./schema.ts";
import { actionProblem, grantProblem, ruleGrantProblem, type WordProblem } from "./words.ts";

/** Gives those that are grants. */
export function checkGrants(grants: readonly string[], path: Path, problems: Problems): readonly string[] {
  return checkWords(grants, path, { problems, wrong: grantProblem });
}

function checkWords(words: readonly string[], path: Path, { problems, wrong }: { readonly problems: Problems; readonly wrong: (word: string) => WordProblem | undefined }): readonly string[] {
  return words.filter((word, at) => {
    const problem = wrong(word);
    if (problem !== undefined) problems.add([...path, at], problem.text, problem.hint);
    return problem === undefined;
  });
}

/** A rule that can fit nothing would guard nothing. Members may come later, so a rule may name any. */
export function checkRules({ approvals, access }: Tree, names: Names, problems: Problems): void {
  for (const [at, { match: { grant, profile } }] of approvals.entries()) {
    const wrong = grant === undefined ? undefined : ruleGrantProblem(grant);
    if (wrong !== undefined) problems.add(["approvals", at, "match", "grant"], wrong.text, wrong.hint);
    if (profile !== undefined && !profile.includes("*")) names.profile(["approvals", at, "match", "profile"], profile, (id) => `member = ${JSON.stringify(id)}`);
  }
  for (const [at, { actions, profiles = [] }] of (access?.rules ?? []).entries()) {
    checkWords(actions, ["access", "rules", at, "actions"], { problems, wrong: actionProblem });
    for (const [n, profile] of profiles.entries()) {
      if (!profile.includes("*")) names.profile(["access", "rules", at, "profiles", n], profile, (id) => `members = [${JSON.stringify(id)}]`);
    }
  }
}
