/** The code of a member, as its profile says (spec: mob 3.1): a script in a block, or TypeScript of this process. */
import { resolve } from "node:path";
import { createGrantCheck, toWorkload, type BlockConfig, type BlockRun, type GrantCheck, type AgentSessions } from "@atoll-run/block";
import { isFault, stringifyJson, type Json, type Mesh, type Workload } from "@atoll-run/core";
import { objectOf } from "../approvals/arguments.ts";
import { toBridges, type MakeVerbs, type Verbs } from "../bridge/bridge.ts";
import { AGENT_SCRIPT, agentGlobals, toAgent } from "../agent/agent.ts";
import { withSchema } from "../agent/output.ts";
import type { CompactionParts, Summarize } from "../agent/compaction.ts";
import type { AgentSessionParts } from "../agent/agent-session.ts";
import type { MemberSpec, Profile } from "../definition/definition.ts";
import { OF_MOB } from "../definition/words.ts";
import { mobError } from "../errors.ts";
import { memberScope } from "../ids.ts";
import type { Writer } from "../ledger/ledger.ts";
import type { Hold, Perform, PutOff, ToolCall, ToolGuard } from "./host.ts";
import { codeOf, type MobTracer } from "../observe/tracer.ts";
import type { UntoldTokens } from "../sessions/tokens.ts";
import type { MakeWatch } from "../usage/watch.ts";
import { toLinkedMember, type LinkedFactory, type LinkedParts } from "./linked.ts";
import { FINAL_TURNS, type Turn } from "./turn.ts";

export interface InnerParts {
  /** Folder of the state; null: nothing is kept. */
  readonly dir: string | null;
  /** Where blocks and grants begin. */
  readonly root: string;
  /** Where the script lies that a profile names. Throws `mob.definition_invalid` for one there cannot be. */
  readonly scriptAt: (script: string) => string;
  readonly startBlock: (config: BlockConfig) => BlockRun;
  readonly linked: Readonly<Record<string, LinkedFactory>>;
  /** Grants were asked before; absent: all that is granted is allowed. */
  readonly guard?: ToolGuard;
  /** Tools of the standard agent that its step takes from a turn. */
  readonly withheld: (turnId: string) => readonly string[];
  readonly makeVerbs: MakeVerbs;
  readonly compact: (of: Omit<CompactionParts, "ledger" | "blobs" | "now" | "limits">, turnId: string, summarize: Summarize) => Promise<void>;
  readonly openSession: (o: Omit<AgentSessionParts, "ledger" | "blobs" | "clock" | "limits">) => Promise<AgentSessions>;
  /** Hears of what its agents do. */
  readonly makeWatch?: MakeWatch;
  /** The environment of its blocks, where agents look for keys; default: empty. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly tracer?: MobTracer | undefined;
  /** A grant was refused; its code hears of it when this resolves. */
  readonly denied?: (about: AboutTurn, denial: { readonly text: string; readonly grant: string }) => Promise<void>;
}

export interface InnerAsk {
  readonly spec: MemberSpec;
  readonly profile: Profile;
  readonly generation: number;
  readonly turnOf: (turnId: string) => Turn | undefined;
  readonly session: string;
  readonly untold: UntoldTokens;
  /** Undefined: it is over. */
  readonly writer: () => Writer | undefined;
  /** The turn that runs, where there is only one. */
  readonly runningTurn: () => string | undefined;
  /** Throws `mob.stale_fence` for what belongs to an incarnation that is over. */
  readonly check: (turnId: string | undefined) => void;
  /** See {@link ToolCall.hold}. */
  readonly hold: (turnId: string, until: string) => Hold | undefined;
  /** Milliseconds; undefined: the turn does not run. */
  readonly leftOf: (turnId: string) => number | undefined;
  /** `traceparent` for what the turn asks of others. */
  readonly traceOf: (turnId: string) => string | undefined;
}

/** Also makes calls that were put off, where its code can. */
export interface Inner extends Workload {
  readonly perform?: Perform;
}

/** Throws `mob.definition_invalid` for code that is not there. */
export async function makeInner(parts: InnerParts, ask: InnerAsk): Promise<Inner> {
  const { runs } = ask.profile;
  const { output_schema: schema } = ask.profile;
  if ("linked" in runs) return withSchema(linkedInner(parts, ask, runs.linked), schema);
  if ("script" in runs) return withSchema(blockInner(parts, ask, { script: { path: parts.scriptAt(runs.script) } }), schema);
  return await agentInner(parts, ask);
}

async function agentInner(parts: InnerParts, ask: InnerAsk): Promise<Inner> {
  const { spec, profile, generation, session, writer, turnOf, untold } = ask;
  const grants = spec.grants ?? profile.grants;
  const [parked, repairing] = [new Set<string>(), new Set<string>()];
  const globals = { _AGENT: await agentGlobals({ spec, profile, grants, variables: parts.variables ?? {}, fileAt: parts.scriptAt }) };
  // It goes on from its session, so that it need not stay while a decision is waited for.
  return toAgent(blockInner(parts, { ...ask, hold: () => undefined }, {
    script: { path: AGENT_SCRIPT }, globals, grants: [...blockGrants(grants), "model"],
    agentSessions: await parts.openSession({ member: spec.id, generation, session, writer, turnOf, untold, wasParked: (turn) => parked.has(turn), isRepaired: (turn) => repairing.has(turn) }),
  }), { turnOf, parked, repairing, withheld: parts.withheld, schema: profile.output_schema,
    compact: (turn, summarize) => parts.compact({ session, writer, untold, about: { member: spec.id, generation }, isOver: (id) => FINAL_TURNS.has(turnOf(id)?.state ?? "done") }, turn, summarize) });
}

/** What its profile allows, where it was given less in other words: then both lists have to allow a call. */
function outerCheck({ root }: InnerParts, { spec: { grants }, profile }: InnerAsk): GrantCheck | undefined {
  if (grants === undefined || grants.every((grant) => profile.grants.includes(grant))) return undefined;
  const may = createGrantCheck(blockGrants(profile.grants), { root });
  return async (ask) => {
    if (CHECKED.has(ask.grant)) await may(ask);
  };
}

const CHECKED: ReadonlySet<string> = new Set(["fs.read", "fs.write", "run", "net", "mesh"]);

function linkedInner(parts: InnerParts, ask: InnerAsk, name: string): Inner {
  const { spec, profile, generation } = ask;
  const may = createGrantCheck(blockGrants(spec.grants ?? profile.grants), { root: parts.root });
  const outer = outerCheck(parts, ask);
  const factory = parts.linked[name];
  if (factory === undefined) throw mobError("mob.definition_invalid", `nothing is linked as ${name}`, { facts: { linked: Object.keys(parts.linked) } });
  const mayDo = async ({ grant, args }: PutOff): Promise<void> => {
    const object = objectOf(args);
    for (const check of [may, outer]) await check?.({ grant, ...object === undefined ? {} : { object } });
  };
  return toLinkedMember(factory, {
    mayDo, me: { id: spec.id, profile: spec.profile, generation, labels: { ...profile.labels, ...spec.labels }, context: spec.context ?? null },
    conversations: profile.conversations, verbs: verbsOf(parts, ask), ...parts.tracer === undefined ? {} : { tool: toolSpans(parts.tracer, ask) },
    guard: async (turnId, { attempt, ...call }) => {
      const about = aboutTurn(ask, turnId);
      const object = call.object ?? objectOf(call.args);
      try {
        for (const check of [may, outer]) await check?.({ grant: call.grant, ...object === undefined ? {} : { object } });
      } catch (error) {
        if (isFault(error)) await parts.denied?.(about, { text: error.message, grant: `${call.grant}:${object ?? ""}` });
        throw error;
      }
      return await parts.guard?.({ ...about, ...traceOfTurn(ask, turnId), ...call, ...object === undefined ? {} : { object }, hold: (until) => ask.hold(turnId, until), pass: passOf(ask, attempt) }) ?? "allow";
    },
  });
}

function blockInner(parts: InnerParts, ask: InnerAsk, own: Pick<BlockConfig, "script"> & Partial<BlockConfig>): Inner {
  const { spec, profile, generation, writer, runningTurn } = ask;
  const { guard, root, dir, denied } = parts;
  const agentWatch = parts.makeWatch?.({ member: spec.id, generation, writer, runningTurn });
  const outer = outerCheck(parts, ask);
  const at = (file: string): string => (dir === null ? ":memory:" : resolve(dir, "members", memberScope(spec.id), file));
  const context = spec.context === undefined ? undefined : stringifyJson(spec.context);
  const startRun = (mesh: Mesh): BlockRun => parts.startBlock({
    projectRoot: root, mesh,
    // Who has a model may ask it.
    grants: [...blockGrants(spec.grants ?? profile.grants), ...profile.model === null ? [] : ["model"]], ...own,
    bridges: toBridges(verbsOf(parts, ask), ask), kvPath: at("kv.sqlite"), sqlPath: at("db.sqlite"), tsPath: at("ts.sqlite"),
    ...agentWatch === undefined ? {} : { agentWatch },
    ...denied === undefined ? {} : { denied: async (denial) => await denied(aboutTurn(ask, ask.runningTurn()), denial) },
    ...context?.ok === true ? { context: context.text } : {},
    ...guard === undefined && outer === undefined ? {} : { guard: async (call) => {
      const { about, aside, done, ...asked } = call;
      // An agent goes on from its session, and finds there what it has made.
      const once = done === undefined || own.agentSessions !== undefined ? {} : { done, pass: passOf(ask, about?.["attempt"]) };
      const turnId = typeof about?.["turn_id"] === "string" ? about["turn_id"] : ask.runningTurn();
      const what = verbAndObject(asked.grant);
      ask.check(turnId);
      await outer?.(what);
      // The policy has put it off, and somebody has released it.
      if (typeof about?.["released"] === "string") return "allow";
      const answer = await staying({ ask, turnId, aside }, (hold) => guard?.({ ...aboutTurn(ask, turnId), ...traceOfTurn(ask, turnId), ...asked, ...what, ...hold, ...once })) ?? "allow";
      // It may have taken long.
      ask.check(turnId);
      return answer;
    } },
  });
  let run: BlockRun | undefined;
  const workload = toWorkload((mesh) => {
    run = startRun(mesh);
    return run;
  }, { concurrency: profile.conversations });
  return { ...workload, perform: async ({ approval, fn, args, grant }, signal) => {
    if (fn === null || run === undefined) throw mobError("mob.conflict", `what needs ${grant} here cannot be done without its script`, { facts: { what: "state", approval } });
    return await run.call({ fn, args, signal, about: { released: approval } });
  } };
}

/** While a decision is waited for the block handles other events. */
async function staying<T>(
  { ask, turnId, aside }: { readonly ask: InnerAsk; readonly turnId: string | undefined; readonly aside: Parameters<NonNullable<BlockConfig["guard"]>>[0]["aside"] },
  work: (hold: Pick<ToolCall, "hold">) => Promise<T> | undefined,
): Promise<T | undefined> {
  if (turnId === undefined) return await work({});
  let away: ReturnType<NonNullable<typeof aside>>;
  try {
    return await work({ hold: (until) => {
      const hold = ask.hold(turnId, until);
      if (hold !== undefined) away ??= aside?.();
      return hold;
    } });
  } finally {
    await away?.back();
  }
}

function verbsOf({ makeVerbs }: InnerParts, { spec, generation, session, writer }: InnerAsk): Verbs {
  return makeVerbs({ id: spec.id, generation, session, writer });
}

function blockGrants(grants: readonly string[]): readonly string[] {
  return grants.filter((grant) => !OF_MOB.test(grant));
}

/** On whose behalf a tool is called. */
export type AboutTurn = Pick<ToolCall, "member" | "generation" | "turn_id" | "principal">;

function aboutTurn({ spec, generation, turnOf }: InnerAsk, turnId: string | undefined): AboutTurn {
  const principal = turnId === undefined ? undefined : turnOf(turnId)?.principal;
  return {
    member: spec.id, generation, ...turnId === undefined ? {} : { turn_id: turnId }, ...principal === undefined ? {} : { principal },
  };
}

/** Code of this process may have a span of its own open around its call. */
function toolSpans(tracer: MobTracer, { spec: { id: member }, traceOf }: InnerAsk): NonNullable<LinkedParts["tool"]> {
  return async (turn_id, { grant, tool }, work) => {
    const around = traceOf(turn_id) ?? "";
    const span = tracer.begin("tool", { around, facts: { member, turn_id, grant, ...tool === undefined ? {} : { tool } } });
    try {
      const result = await span.run(() => work(span.traceparent));
      span.end("done");
      return result;
    } catch (error) {
      span.end("failed", codeOf(error));
      throw error;
    }
  };
}

function traceOfTurn({ traceOf }: InnerAsk, turnId: string | undefined): Pick<ToolCall, "trace"> {
  const trace = turnId === undefined ? undefined : traceOf(turnId);
  return trace === undefined ? {} : { trace };
}

function passOf({ writer }: InnerAsk, attempt: Json | undefined): string {
  return `${writer()?.epoch ?? 0}/${Number(attempt ?? 0)}`;
}

/** `fs.write:/tmp/x`: a block names what it does with what it does it to. */
function verbAndObject(grant: string): { readonly grant: string; readonly object?: string } {
  const at = grant.indexOf(":");
  return at === -1 ? { grant } : { grant: grant.slice(0, at), object: grant.slice(at + 1) };
}
