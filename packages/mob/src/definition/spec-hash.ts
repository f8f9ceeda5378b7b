/** What a member is made of when it starts, as a word that can be compared (spec: mob 4.2, 7.1). Pure. */
import { shortHash } from "../ids.ts";
import type { MemberSpec, MobDefinition, Profile, Text } from "./definition.ts";

/** Of its profile, of its spec, and of the files that both name: where it differs, the member has to be started anew. */
export function specHash(profile: Profile | undefined, spec: MemberSpec, files: MobDefinition["files"] = {}): string {
  const { model, system, instructions, grants, budget, mode } = spec;
  const texts = [profile?.system, ...profile?.instructions ?? [], ...profile?.skills ?? [], system, ...instructions ?? []];
  const read = [...texts.map(fileOf), profile !== undefined && "script" in profile.runs ? profile.runs.script : undefined];
  return shortHash(JSON.stringify([
    spec.profile, profile === undefined ? null : madeOf(profile), { model, system, instructions, grants, budget, mode },
    read.map((file) => (file === undefined ? null : files[file] ?? null)),
  ]));
}

/** All of a definition, so that two are the same when their hashes are. */
export function definitionHash(definition: MobDefinition): string {
  return shortHash(JSON.stringify({ ...definition, source: null }));
}

/** What is looked up whenever it is needed counts at once: nobody has to start anew for it. */
const LIVE: ReadonlySet<string> = new Set<keyof Profile>(["external", "restart", "idle_after_ms", "labels", "initial_message", "peer_description", "visible"]);

function madeOf(profile: Profile): object {
  return Object.entries(profile).filter(([key]) => !LIVE.has(key));
}

function fileOf(text: Text | null | undefined): string | undefined {
  return typeof text === "object" && text !== null ? text.file : undefined;
}
