/** The shape of the bridges in JavaScript, from the list that all languages share. */
import { API } from "../../bridges/api.ts";
import { pureArgs } from "../../pure/fns.ts";
import { type Arg, toArgs } from "../lua/arguments.ts";
import type { IsleSetup } from "../thread/protocol.ts";
import type { GuestSetup } from "./guest/guest.ts";

type Declared = readonly Arg[];

/** Ops behind functions that are more than a plain call. */
const BEHIND: Readonly<Record<string, readonly string[]>> = {
  "tool.host": ["name:string", "input:json"],
};

const DECLARED = new Map<string, Declared>([
  ...API.map((f) => [f.name, toArgs(f.args)] as const),
  ...Object.entries(BEHIND).map(([name, args]) => [name, toArgs(args)] as const),
]);
const PURE = new Map(Object.entries(pureArgs).map(([name, args]) => [name, toArgs(args)] as const));

/** Undefined for an op that is no function of scripts by itself. */
export function declaredArgs(op: string): Declared | undefined {
  return DECLARED.get(op);
}

export function pureDeclared(name: string): Declared {
  return PURE.get(name) ?? [];
}

/** How errors call a function. */
export function shownName(name: string): string {
  return name.replace(/^std\./, "");
}

/** Numbers of functions kept for the host, of one isle: the next begins after them. */
const REFS = 2 ** 26;

export function toGuestSetup(setup: IsleSetup, isle: number): GuestSetup {
  const calls = API.filter((f) => f.isle === undefined || f.isle === setup.role)
    .map(({ name, args }) => ({ name, path: pathOf(name), pure: false, opts: args.findIndex((arg) => arg.startsWith("opts:")) }));
  const pure = [...PURE.keys()].map((name) => ({ name, path: pathOf(name), pure: true, opts: -1 }));
  return {
    functions: [...calls, ...pure], role: setup.role, scriptName: setup.scriptName, agentId: setup.agentId,
    projectRoot: setup.projectRoot, taskGraceMs: setup.taskGraceMs, liveTasksMax: setup.limits.liveTasksMax,
    firstRef: isle * REFS, trace: { ...setup.trace } as Readonly<Record<string, string>>,
    tools: setup.hostTools.map((t) => ({
      name: t.name, description: t.description, input_schema: JSON.parse(t.input_schema) as unknown,
      ...(t.group === undefined ? {} : { group: t.group }),
    })),
  };
}

function pathOf(name: string): string[] {
  return name.split(".").map((part) => part.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()));
}
