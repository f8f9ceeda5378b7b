/** Who works of its own accord (spec: mob 3.1). */
import type { MemberMode, MemberSpec, Profile } from "./definition.ts";

export function modeOf(spec: Pick<MemberSpec, "mode">, profile: Pick<Profile, "mode"> | undefined): MemberMode {
  return spec.mode ?? profile?.mode ?? "turn_driven";
}

export function isAutonomous(spec: Pick<MemberSpec, "mode">, profile: Pick<Profile, "mode"> | undefined): boolean {
  return modeOf(spec, profile) === "autonomous";
}
