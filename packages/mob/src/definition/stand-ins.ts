/**
 * A tree without what has the wrong shape, so that all that is right in it is looked at too (spec: mob 0.2: all errors at once). Pure.
 *
 * takes a tree and what its shape says against it; gives another one, with something in the place of what must be there; promises
 * that numbers of lists stay as they are; refuses nothing; never is what a mob is made of: see `Problems.beside`.
 */
import type { z } from "zod";

type Holder = Record<PropertyKey, unknown>;

/** Of a name that nobody has. */
const NOBODY = "stand-in";

/** What must be there, by its place; `*` is any name or number. */
const MUST_BE: Readonly<Record<string, unknown>> = {
  mob: { id: NOBODY }, "mob.id": NOBODY, "mob.edges.*": [NOBODY, NOBODY], "mob.members.*": { id: NOBODY, profile: NOBODY }, "mob.members.*.id": NOBODY, "mob.members.*.profile": NOBODY,
  "flows.*": { steps: {} }, "flows.*.steps": {}, "flows.*.steps.*": {}, "profiles.*": {},
  "approvals.*": { match: { tool: NOBODY }, tier: "R0" }, "approvals.*.match": { tool: NOBODY }, "approvals.*.tier": "R0",
  "access.admins": [NOBODY], "access.rules.*": { effect: "allow", principals: [NOBODY], actions: [NOBODY] },
  "topology.rules.*": { from: "*", to: "*", allowed: true },
};
/** What is inside of these is of no use without the rest of it. */
const WHOLE = ["mob.edges.*", "access.rules.*", "topology.rules.*", "supervisor", "prices.*"];

/** `meant`: the key that was perhaps meant by one that there is not; what stands there is looked at as that. */
export function withStandIns(given: unknown, issues: readonly z.core.$ZodIssue[], meant: (path: readonly PropertyKey[], key: string) => string | undefined = () => undefined): unknown {
  const left: unknown = structuredClone(typeof given === "object" && given !== null ? given : {});
  for (const issue of issues) {
    if (issue.code !== "unrecognized_keys") put(left, wholeOf(issue.path));
    else for (const key of issue.keys) rename(left, [...issue.path, key], meant(issue.path, key));
  }
  return left;
}

/** Takes a key away; what stands there comes under the name `to`, where nothing does. */
function rename(tree: unknown, path: readonly PropertyKey[], to: string | undefined): void {
  const holder = holderOf(tree, path);
  const key = path.at(-1) as PropertyKey;
  if (holder === undefined || !Object.hasOwn(holder, key)) return;
  if (to !== undefined && !Object.hasOwn(holder, to)) holder[to] = holder[key];
  delete holder[key];
}

/** Takes away what is there, or puts what must be there in its place. */
function put(tree: unknown, path: readonly PropertyKey[]): void {
  const holder = holderOf(tree, path);
  if (holder === undefined) return;
  const last = path.at(-1) as PropertyKey;
  const place = placeOf(path);
  if (Object.hasOwn(MUST_BE, place)) holder[last] = structuredClone(MUST_BE[place]);
  // An item of a list stays: those behind it keep their numbers.
  else if (!Array.isArray(holder)) delete holder[last];
}

function holderOf(tree: unknown, path: readonly PropertyKey[]): Holder | undefined {
  const holder = path.slice(0, -1).reduce<unknown>((at, step) => typeof at === "object" && at !== null && Object.hasOwn(at, step) ? (at as Holder)[step] : undefined, tree);
  return typeof holder !== "object" || holder === null || path.length === 0 ? undefined : holder as Holder;
}

function wholeOf(path: readonly PropertyKey[]): readonly PropertyKey[] {
  for (let length = 1; length < path.length; length++) if (WHOLE.includes(placeOf(path.slice(0, length)))) return path.slice(0, length);
  return path;
}

/** `mob.members.*.id`: names of people's own are `*`. */
function placeOf(path: readonly PropertyKey[]): string {
  const own = path[0] === "flows" || path[0] === "profiles" || path[0] === "prices";
  return path.map((step, at) => typeof step === "number" || own && (at === 1 || path[0] === "flows" && at === 3) ? "*" : String(step)).join(".");
}
