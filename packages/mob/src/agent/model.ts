/** The model of a member, as its profile and the keys that are there say (spec: mob 3.1). */
import { chooseModel } from "@atoll-run/block";
import type { MemberSpec, Profile } from "../definition/definition.ts";

export interface ModelOf {
  readonly provider?: string;
  /** Absent: the default of that provider. */
  readonly model?: string;
}

/** Undefined: it has none, or none of those that `auto` would take has a key. */
export async function modelOf(
  spec: Pick<MemberSpec, "model">, profile: Pick<Profile, "model" | "provider">, variables: Readonly<Record<string, string>>,
): Promise<ModelOf | undefined> {
  const model = spec.model ?? profile.model;
  if (model === null) return undefined;
  const { provider } = profile;
  if (model === "auto") return await chooseModel(variables, provider ?? undefined);
  return { model, ...provider === null ? {} : { provider } };
}
