/** Whether a member that is asked for later fits the definition (spec: mob 3.1, 3.2). Pure. */
import { nearest } from "@atoll-run/core";
import { mobError } from "../errors.ts";
import type { MemberSpec, MobDefinition } from "./definition.ts";
import { widerGrants } from "./narrow.ts";
import { grantProblem } from "./words.ts";

/** Throws `mob.invalid_params` for a profile or a grant that is none, `mob.grant_widened` for a grant that its profile has not. */
export function checkSpec({ profiles }: Pick<MobDefinition, "profiles">, { id, profile: name, grants = [] }: MemberSpec): void {
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (profile === undefined) {
    const near = nearest(name, Object.keys(profiles));
    throw mobError("mob.invalid_params", `there is no profile ${JSON.stringify(name)}`, {
      facts: { path: "spec.profile", member: id }, ...near === undefined ? {} : { hint: `Did you mean ${JSON.stringify(near)}?` },
    });
  }
  for (const [at, grant] of grants.entries()) {
    const wrong = grantProblem(grant);
    if (wrong === undefined) continue;
    const { text, hint } = wrong;
    throw mobError("mob.invalid_params", text, { facts: { path: `spec.grants[${at}]`, member: id }, ...hint === undefined ? {} : { hint: `${hint[0]?.toUpperCase()}${hint.slice(1)}` } });
  }
  const wider = widerGrants(grants, profile.grants);
  if (wider.length === 0) return;
  throw mobError("mob.grant_widened", `the profile ${name} has no grant ${wider.join(", ")}`, {
    facts: { member: id, grants: wider }, hint: "A member may narrow the grants of its profile, never widen them.",
  });
}
