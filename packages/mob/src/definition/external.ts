/** Who may be sent to from outside of the mob (spec: mob 3.1). */
import type { MobDefinition } from "./definition.ts";

/** By its profile, or by what has spawned it. */
export function isExternal({ profiles }: Pick<MobDefinition, "profiles">, { external, profile }: { readonly external: boolean; readonly profile: string }): boolean {
  return external || profiles[profile]?.external === true;
}
