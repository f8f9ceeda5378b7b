/** The flow of a name. Pure. */
import { nearest } from "@atoll-run/core";
import type { FlowDefinition } from "../definition/definition.ts";
import { mobError } from "../errors.ts";

/** Throws `mob.not_found` for one that is not there, with the one that was perhaps meant. */
export function flowOf(flows: Readonly<Record<string, FlowDefinition>>, name: string): FlowDefinition {
  if (Object.hasOwn(flows, name)) return flows[name] as FlowDefinition;
  const near = nearest(name, Object.keys(flows));
  throw mobError("mob.not_found", `there is no flow ${name}`, { facts: { what: "flow", id: name }, ...near === undefined ? {} : { hint: `Did you mean ${JSON.stringify(near)}?` } });
}
