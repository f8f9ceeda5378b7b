/**
 * Which tier a call of a member has (spec: mob 8.9). Pure.
 * takes rules and a call; gives a tier and the rule it is by; promises that `deny` beats all, then the rule that names the
 * most, then the first; refuses nothing; never looks at anything but the call.
 */
import type { Json } from "@atoll-run/core";
import type { ApprovalRule, Tier } from "../definition/definition.ts";
import { isAsBad, type Taint } from "../sessions/taint.ts";

/** One thing a member is about to do. */
export interface GuardedCall {
  readonly member: string;
  readonly profile: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Verb of the grant: `fs.write`, `net`, `run`. */
  readonly grant: string;
  readonly tool?: string;
  /** What it is done to: a path, a host, a program. */
  readonly object?: string;
  readonly args: Json;
  /** Of the turn it is part of; absent: clean. */
  readonly taint?: Taint;
  /** Who gave that turn. */
  readonly origin?: string;
  /** Function of the script API. */
  readonly fn?: string;
  /** Of the flow that turn is part of. */
  readonly step?: StepTools;
}

export interface StepTools {
  readonly name: string;
  readonly allow_tools: readonly string[] | null;
  readonly block_tools: readonly string[];
}

export interface Judgement {
  readonly tier: Tier;
  /** Absent: no rule matches, the default counts. */
  readonly rule?: ApprovalRule;
  /** Not a rule but the step of a flow denies it. */
  readonly step?: string;
}

/** What leaves the mob or changes the machine is written down although no rule asks for it. */
const AUDITED: ReadonlySet<string> = new Set(["run", "fs.write", "deliver", "mesh"]);

export function judgeCall(rules: readonly ApprovalRule[], call: GuardedCall): Judgement {
  if (call.step !== undefined && !isOffered(call.step, call)) return { tier: "deny", step: call.step.name };
  const matching = rules.filter(({ match }) => matches(match, call));
  const [rule] = matching.toSorted((a, b) => rank(b) - rank(a));
  if (rule !== undefined) return { tier: rule.tier, rule };
  return { tier: AUDITED.has(call.grant) ? "R2" : "R1" };
}

/** Models are not tools. A tool goes by its name, that of its function or the verb of its grant. */
function isOffered({ allow_tools, block_tools }: StepTools, { grant, tool, fn }: Pick<GuardedCall, "grant" | "tool" | "fn">): boolean {
  if (grant === "model") return true;
  const names = [grant, tool, fn, fn === undefined ? undefined : AGENT_TOOLS[fn]?.tool];
  const isNamed = (globs: readonly string[]): boolean => globs.some((glob) => names.some((name) => name !== undefined && is(glob, name)));
  return !isNamed(block_tools) && (allow_tools === null || isNamed(allow_tools));
}

/** What the tools of the standard agent do, by function: each is refused by that name too. */
const AGENT_TOOLS: Readonly<Record<string, { readonly tool: string; readonly grant: string }>> = {
  "std.fs.read": { tool: "read_file", grant: "fs.read" }, "std.fs.list": { tool: "list_files", grant: "fs.read" }, "std.fs.write": { tool: "write_file", grant: "fs.write" },
  "sh.exec": { tool: "run_command", grant: "run" }, "http.request": { tool: "http_get", grant: "net" },
  ...Object.fromEntries(["members", "send", "request", "spawn", "retire", "wake", "note"].map((verb) => [`mob.${verb}`, { tool: `mob_${verb}`, grant: "mob" }])),
  "mob.flow.run": { tool: "mob_run_flow", grant: "mob" },
};

/** As the ledger tells of them. */
interface TurnsAndRuns {
  readonly turns: ReadonlyMap<string, { readonly run_id?: string; readonly step_id?: string }>;
  readonly runs: ReadonlyMap<string, { readonly definition: { readonly steps: Readonly<Record<string, Omit<StepTools, "name">>> } }>;
}

/** Of a step that names tools; undefined: its turn is of none, or of one that names none. */
export function stepToolsOf({ turns, runs }: TurnsAndRuns, turnId: string): StepTools | undefined {
  const { run_id = "", step_id: name = "" } = turns.get(turnId) ?? {};
  // One that began with an earlier version names none.
  const { allow_tools = null, block_tools = [] } = runs.get(run_id)?.definition.steps[name] ?? {};
  return allow_tools === null && block_tools.length === 0 ? undefined : { name, allow_tools, block_tools };
}

/** Tools of the standard agent that would be refused in a turn of that step: its model is not told of them. */
export function withheldTools(step: StepTools | undefined): readonly string[] {
  if (step === undefined) return [];
  return Object.entries(AGENT_TOOLS).flatMap(([fn, { tool, grant }]) => isOffered(step, { grant, fn }) ? [] : [tool]);
}

function rank({ tier, match }: ApprovalRule): number {
  const named = Object.keys(match).length + Object.keys(match.args ?? {}).length + Object.keys(match.labels ?? {}).length;
  return (tier === "deny" ? 1_000_000 : 0) + named;
}

function matches({ tool, grant, object, member, profile, args, labels, taint, origin }: ApprovalRule["match"], call: GuardedCall): boolean {
  return is(tool, call.tool) && is(grant, call.grant) && is(object, call.object) && is(member, call.member) && is(profile, call.profile)
    && is(origin, call.origin) && (taint === undefined || isAsBad(call.taint, taint))
    && Object.entries(labels ?? {}).every(([name, glob]) => is(glob, call.labels[name]))
    && Object.entries(args ?? {}).every(([path, wanted]) => isArgument(wanted, at(call.args, path)));
}

/** `*` stands for anything; what is not named fits all. */
function is(glob: string | undefined, text: string | undefined): boolean {
  if (glob === undefined) return true;
  return text !== undefined && toPattern(glob).test(text);
}

function toPattern(glob: string): RegExp {
  return new RegExp(`^${glob.split("*").map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, "\\$&")).join(".*")}$`, "s");
}

/** A glob for text, or `1..10`, `..10`, `5..` for a number. */
function isArgument(wanted: string, value: Json | undefined): boolean {
  if (value === undefined) return false;
  const [, from, to] = /^(-?\d+(?:\.\d+)?)?\.\.(-?\d+(?:\.\d+)?)?$/.exec(wanted) ?? [];
  if (typeof value === "number" && (from !== undefined || to !== undefined)) {
    return value >= Number(from ?? -Infinity) && value <= Number(to ?? Infinity);
  }
  return is(wanted, typeof value === "string" ? value : JSON.stringify(value));
}

function at(args: Json, path: string): Json | undefined {
  let value: Json | undefined = args;
  for (const field of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, field)) return undefined;
    value = (value as { readonly [key: string]: Json })[field];
  }
  return value;
}
