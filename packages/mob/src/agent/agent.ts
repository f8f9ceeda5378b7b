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
import { promptOf, toBlocks } from "../sessions/record.ts";
import type { Summarize } from "./compaction.ts";
import { modelOf } from "./model.ts";
import { repaired } from "./output.ts";

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

/** The global `_AGENT` of the script. Throws `mob.model_unavailable` (`kind: model_missing`), `mob.definition_invalid` for a file that cannot be read. */
export async function agentGlobals(ask: AgentAsk): Promise<{ readonly [key: string]: Json }> {
  const { spec, profile, grants, variables } = ask;
  const model = await modelOf(spec, profile, variables);
  if (model === undefined) throw withoutModel(ask);
  const texts = [spec.system ?? profile.system, ...profile.instructions, ...spec.instructions ?? [], ...profile.skills];
  const schema = profile.output_schema === null ? [] : [`Your last message is JSON alone, valid for this JSON schema: ${JSON.stringify(profile.output_schema)}`];
  const system = [...await Promise.all(texts.map((text) => readText(text, ask))), ...schema].filter((text) => text !== "").join("\n\n");
  const params = Object.fromEntries(Object.entries(profile.model_params ?? {}).filter(([, value]) => value !== undefined)) as Record<string, Json>;
  return { ...model, params, verbs: [...new Set(grants.flatMap(verbsIn))], ...system === "" ? {} : { system } };
}

function withoutModel({ spec, profile }: AgentAsk): Error {
  const named = (spec.model ?? profile.model) !== null;
  const keys = profile.provider === null ? "ANTHROPIC_API_KEY or OPENAI_API_KEY" : `the key of ${profile.provider}`;
  return mobError("mob.model_unavailable", named ? `there is no key of a provider for ${spec.id}: its mob needs ${keys} in the environment of its blocks` : `${spec.id} is an agent without a model`, {
    facts: { kind: "model_missing" }, retry: "never", hint: named ? `Set ${keys}.` : "Give its profile a model, or \"auto\".",
  });
}

export interface TurnsOfAgent {
  readonly turnOf: (turnId: string) => Turn | undefined;
  /** Turns that wait for a decision. */
  readonly parked: Set<string>;
  /** Turns whose answer is asked for again. */
  readonly repairing: Set<string>;
  /** Tools that its model is not told of. */
  readonly withheld: (turnId: string) => readonly string[];
  readonly schema: Json | null;
  /** Makes room in its session before a turn. */
  readonly compact: (turnId: string, summarize: Summarize) => Promise<void>;
}

/** The turns of the agent's block: the content becomes a prompt. */
export function toAgent<W extends Workload>(workload: W, { turnOf, parked, repairing, withheld, schema, compact }: TurnsOfAgent): W {
  return {
    ...workload,
    dispatch: async (message, context): Promise<Outcome> => {
      const { id } = message;
      // Asked before it is told that the turn goes on.
      if (turnOf(id)?.state === "waiting_approval") parked.add(id);
      const prompt = promptOf(toBlocks(JSON.parse(new TextDecoder().decode(message.payload)) as Json));
      const without = withheld(id);
      const say = (text: string, how: { readonly aside?: boolean } = {}): Promise<Outcome> =>
        workload.dispatch({ ...message, payload: new TextEncoder().encode(JSON.stringify({ prompt: text, ...how, ...without.length === 0 ? {} : { without } })) }, context);
      try {
        if (!parked.has(id)) await compact(id, async (text) => textIn(await say(text, { aside: true })));
        const outcome = await say(prompt);
        if (schema === null) return outcome;
        return await repaired(schema, outcome, (problem) => {
          repairing.add(id);
          return say(`${problem}. Answer again, with JSON alone.`);
        });
      } finally {
        parked.delete(id);
        repairing.delete(id);
      }
    },
  };
}

/** Throws the fault of what has none. */
function textIn(outcome: Outcome): string {
  if (outcome.is === "failed") throw outcome.fault;
  if (outcome.is !== "done") throw mobError("mob.interrupted", `the summary ended as ${outcome.is}`);
  return String(JSON.parse(new TextDecoder().decode(outcome.reply)));
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
