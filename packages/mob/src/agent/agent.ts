/**
 * The standard agent as the code of a member (spec: mob 3.1): a block whose script asks a model.
 *
 * takes a profile with `agent = true`; gives what its block is started with, and its workload; promises that its turns go on from the
 * session of the member; refuses an agent without a model; never asks a model itself.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Json, Outcome, Workload } from "@atoll-run/core";
import type { MemberSpec, Profile, Text } from "../definition/definition.ts";
import { mobError } from "../errors.ts";
import type { Turn } from "../member/turn.ts";
import { toBlocks } from "../sessions/record.ts";
import { promptOf } from "./agent-session.ts";

export const AGENT_SCRIPT = fileURLToPath(new URL("./standard_agent.lua", import.meta.url));

export interface AgentAsk {
  readonly spec: MemberSpec;
  readonly profile: Profile;
  readonly grants: readonly string[];
  /** Environment of its block. */
  readonly variables: Readonly<Record<string, string>>;
  /** Where a file of the definition lies. */
  readonly fileAt: (file: string) => string;
}

/** In the order in which `auto` looks for a key. */
const KEYS = { anthropic: "ANTHROPIC_API_KEY", openai: "OPENAI_API_KEY" } as const;

/** The global `_AGENT` of the script. Throws `mob.model_unavailable` (`kind: model_missing`), `mob.definition_invalid` for a file that cannot be read. */
export async function agentGlobals(ask: AgentAsk): Promise<{ readonly [key: string]: Json }> {
  const { spec, profile, grants } = ask;
  const texts = [spec.system ?? profile.system, ...profile.instructions, ...spec.instructions ?? []];
  const system = (await Promise.all(texts.map((text) => readText(text, ask)))).filter((text) => text !== "").join("\n\n");
  return { ...modelOf(ask), verbs: [...new Set(grants.flatMap(verbsIn))], ...system === "" ? {} : { system } };
}

/** The turns of the agent's block: the content becomes a prompt. `parked` holds those that wait for a decision. */
export function toAgent(workload: Workload, o: { readonly turnOf: (turnId: string) => Turn | undefined; readonly parked: Set<string> }): Workload {
  return {
    ...workload,
    dispatch: async (message, context): Promise<Outcome> => {
      // Asked before it is told that the turn goes on.
      if (o.turnOf(message.id)?.state === "waiting_approval") o.parked.add(message.id);
      const prompt = promptOf(toBlocks(JSON.parse(new TextDecoder().decode(message.payload)) as Json));
      try {
        return await workload.dispatch({ ...message, payload: new TextEncoder().encode(JSON.stringify({ prompt })) }, context);
      } finally {
        o.parked.delete(message.id);
      }
    },
  };
}

function modelOf({ spec, profile, variables }: AgentAsk): { readonly provider?: string; readonly model?: string } {
  const model = spec.model ?? profile.model;
  const provider = profile.provider === null ? {} : { provider: profile.provider };
  if (model === null) throw missing(`${spec.id} is an agent without a model`, "Give its profile a model, or \"auto\".");
  if (model !== "auto") return { ...provider, model };
  if (profile.provider !== null) return provider;
  const found = Object.entries(KEYS).find(([, key]) => (variables[key] ?? "") !== "");
  if (found === undefined) throw missing(`there is no key of a provider for ${spec.id}`, `Set one of ${Object.values(KEYS).join(", ")}.`);
  return { provider: found[0] };
}

function missing(text: string, hint: string): Error {
  return mobError("mob.model_unavailable", text, { facts: { kind: "model_missing" }, hint, retry: "never" });
}

async function readText(text: Text | null, { fileAt, spec }: AgentAsk): Promise<string> {
  if (text === null || typeof text === "string") return text ?? "";
  try {
    return await readFile(fileAt(text.file), "utf8");
  } catch (cause) {
    throw mobError("mob.definition_invalid", `${spec.id}: ${text.file} cannot be read`, { facts: { path: text.file }, cause });
  }
}

/** `fs.write:report` lets it read there too. */
function verbsIn(grant: string): readonly string[] {
  const [verb = ""] = grant.split(":");
  if (verb === "mob") return [grant];
  return verb === "fs.write" ? ["fs.write", "fs.read"] : [verb];
}
