/**
 * A definition out of a tree (spec: mob 1, A1).
 * takes what a file or a program says; gives a frozen definition, or every error at once, each with its place; promises
 * that every name in it stands for something; refuses keys it does not know; never reads a file.
 */
import { freezeDeep, isFault, nearest } from "@atoll-run/core";
import { unfoldEdges } from "../edges/plan.ts";
import { isMemberId } from "../ids.ts";
import { FIXED_LIMITS, MOB_LIMITS, type MobLimits } from "../limits.ts";
import type {
  ApprovalRule, FlowDefinition, FlowStep, MemberSpec, MobDefinition, Origin, Profile,
} from "./definition.ts";
import { Names } from "./names.ts";
import { widerGrants } from "./narrow.ts";
import { findOdd } from "./plain.ts";
import { type Path, Problems } from "./problems.ts";
import { checkGrants, checkRules } from "./rules.ts";
import { tree, type Tree, type TreeInput } from "./schema.ts";
import { withStandIns } from "./stand-ins.ts";

export type { TreeInput };

/** Throws `mob.definition_invalid` with the fact `problems`. */
export function defineMob(given: TreeInput): MobDefinition {
  return readDefinition(given);
}

/** As {@link defineMob}, of anything. */
export function readDefinition(given: unknown, { locate, source, files, problems: known = [] }: Origin = {}): MobDefinition {
  const problems = new Problems(locate, known);
  const odd = findOdd(given);
  if (odd !== undefined) {
    problems.add(odd.path, odd.text);
    throw problems.fault();
  }
  const read = tree.safeParse(given);
  if (!read.success) {
    problems.shape(read.error.issues, keysAt);
    const { issues } = read.error;
    const meant = tree.safeParse(withStandIns(given, issues, (path, key) => nearest(key, keysAt(path.map((step) => typeof step === "symbol" ? String(step) : step)))));
    const rest = meant.success ? meant : tree.safeParse(withStandIns(given, issues));
    if (rest.success) toDefinition(rest.data, problems.beside(issues));
    throw problems.fault();
  }
  const definition = toDefinition(read.data, problems);
  if (problems.all.length > 0) throw problems.fault();
  return freezeDeep({ ...definition, ...source === undefined ? {} : { source }, ...files === undefined ? {} : { files } });
}

function toDefinition(data: Tree, problems: Problems): MobDefinition {
  const members = toMembers(data, problems);
  const names = new Names(data, members, problems);
  checkRoles(data, names);
  checkRules(data, names, problems);
  return {
    mob: { id: data.mob.id, bootstrap: toBootstrap(data.mob.bootstrap) }, members, profiles: toProfiles(data, problems), edges: checkedEdges(data, { members, names, problems }),
    approvals: data.approvals.map(({ timeout, id, match, ...rule }, at): ApprovalRule => ({
      id: id ?? `rule-${at + 1}`, match: withoutAbsent(match), timeout_ms: timeout ?? limitOf(data, "approvalMs"), ...rule,
    })),
    flows: Object.fromEntries(Object.entries(data.flows).map(([name, flow]) =>
      [name, toFlow(flow, { data, members, names, problems, path: ["flows", name, "steps"] })])),
    access: toAccess(data), limits: checkedLimits(data, problems), prices: data.prices,
  };
}

function toBootstrap({ mode, concurrency }: Tree["mob"]["bootstrap"]): MobDefinition["mob"]["bootstrap"] {
  return { mode, concurrency: concurrency ?? (mode === "eager" ? MOB_LIMITS.warmAtOnceMax : MOB_LIMITS.warmAtOnce) };
}

/** The definition's own, before it is known to be a good one. */
function limitOf({ limits }: Tree, name: keyof MobLimits): number {
  return limits[name] ?? MOB_LIMITS[name];
}

function toProfiles(data: Tree, problems: Problems): MobDefinition["profiles"] {
  return Object.fromEntries(Object.entries(data.profiles).map(([name, { script, linked, agent, idle_after, ...rest }]) => {
    const ways = [script, linked, agent].filter((way) => way !== undefined).length;
    if (ways !== 1) problems.add(["profiles", name], "a profile has one of script, linked and agent = true", `it has ${ways === 0 ? "none" : ways}`);
    checkGrants(rest.grants, ["profiles", name, "grants"], problems);
    const runs = script !== undefined ? { script } : linked !== undefined ? { linked } : { agent: true } as const;
    const profile: Profile = { ...rest, runs, idle_after_ms: idle_after ?? limitOf(data, "idleMs") };
    return [name, profile];
  }));
}

/** `count = n` makes `id-1 … id-n`. */
function toMembers(data: Tree, problems: Problems): readonly MemberSpec[] {
  const { mob, profiles } = data;
  const known = new Map<string, number>();
  const most = limitOf(data, "members");
  const all = mob.members.reduce((sum, { count = 1 }) => sum + count, 0);
  if (all > most) problems.add(["mob", "members"], `are ${all}, more than ${most}`);
  return mob.members.flatMap(({ count, ...given }, at) => {
    const path = ["mob", "members", at];
    const profile = Object.hasOwn(profiles, given.profile) ? profiles[given.profile] : undefined;
    if (profile === undefined) problems.unknown([...path, "profile"], given.profile, { what: "profile", known: Object.keys(profiles) });
    for (const grant of widerGrants(checkGrants(given.grants ?? [], [...path, "grants"], problems), profile?.grants ?? given.grants ?? [])) {
      problems.add([...path, "grants"], `${JSON.stringify(grant)} is not a grant of profile ${given.profile}`, "a member may narrow them, never widen");
    }
    if (count !== undefined && !isMemberId(`${given.id}-${count}`)) problems.add([...path, "id"], "is too long for a number behind it");
    const ids = count === undefined || all > most ? [given.id] : Array.from({ length: count }, (_, n) => `${given.id}-${n + 1}`);
    for (const id of ids) {
      if (known.has(id)) problems.add([...path, "id"], `${JSON.stringify(id)} is there already, as member ${known.get(id)}`);
      else known.set(id, at + 1);
    }
    return ids.map((id): MemberSpec => withoutAbsent({ ...given, id }));
  });
}

function checkedEdges(data: Tree, { members, names, problems }: Pick<FlowPlace, "members" | "names" | "problems">): MobDefinition["edges"] {
  const { mob } = data;
  for (const [at, edge] of mob.edges.entries()) {
    for (const [side, end] of edge.entries()) {
      const path = ["mob", "edges", at, side];
      if (end.startsWith("@")) names.profile(path, end.slice(1), JSON.stringify);
      else names.member(path, end, (profile) => JSON.stringify(`@${profile}`));
    }
    if (edge[0] === edge[1] && !edge[0].startsWith("@")) problems.add(["mob", "edges", at], "a member has no edge to itself");
  }
  try {
    unfoldEdges(mob.edges, members, limitOf(data, "edgesPerMember"));
  } catch (error) {
    if (!isFault(error)) throw error;
    problems.add(["mob", "edges", error.facts["row"] as number], error.message, "members that need not speak with each other have no edge");
  }
  return mob.edges;
}

function toAccess({ access }: Tree): MobDefinition["access"] {
  if (access === null) return null;
  return { admins: access.admins, rules: access.rules.map(({ principals = [], groups = [], members = null, profiles = null, labels = null, ...rest }) => ({
    ...rest, principals, groups, members, profiles, labels,
  })) };
}

interface FlowPlace {
  readonly data: Tree;
  readonly members: readonly MemberSpec[];
  readonly names: Names;
  readonly problems: Problems;
  readonly path: Path;
}

function toFlow({ steps }: Tree["flows"][string], place: FlowPlace): FlowDefinition {
  const { data, problems, path } = place;
  const names = Object.keys(steps);
  const most = limitOf(data, "stepsMax");
  if (names.length === 0) problems.add(path, "a flow has at least one step");
  if (names.length > most) problems.add(path, `a flow has at most ${most} steps`);
  const made = Object.fromEntries(Object.entries(steps).map(([name, step]) => [name, toStep(step, { ...place, path: [...path, name] })]));
  for (const [name, { depends_on }] of Object.entries(made)) {
    for (const [at, other] of depends_on.entries()) {
      if (!names.includes(other)) problems.unknown([...path, name, "depends_on", at], other, { what: "step", known: names });
    }
  }
  const circle = findCircle(made);
  if (circle !== undefined) problems.add([...path, circle[0] as string, "depends_on"], `steps wait for each other: ${circle.join(" → ")}`);
  return { steps: made, ...above(place) };
}

/** What is said of all flows stands in each, since a run keeps what it began with. */
function above({ data: { topology, supervisor } }: FlowPlace): Pick<FlowDefinition, "topology" | "supervisor"> {
  return { ...topology === null ? {} : { topology }, ...supervisor === null ? {} : { supervisor } };
}

function checkRoles({ topology, supervisor }: Tree, names: Names): void {
  const check = (path: Path, role: string): void => {
    if (role !== "*") names.profile(path, role);
  };
  if (supervisor !== null) check(["supervisor", "role"], supervisor.role);
  for (const [at, { from, to }] of (topology?.rules ?? []).entries()) {
    check(["topology", "rules", at, "from"], from);
    check(["topology", "rules", at, "to"], to);
  }
}

function toStep({ role, member, timeout, ...rest }: Tree["flows"][string]["steps"][string], place: FlowPlace): FlowStep {
  const { data, members, names, problems, path } = place;
  if ((role === undefined) === (member === undefined)) problems.add(path, "a step has one of role and member");
  if (role !== undefined) names.profile([...path, "role"], role, (id) => `member = ${JSON.stringify(id)}`);
  if (member !== undefined) names.member([...path, "member"], member, (profile) => `role = ${JSON.stringify(profile)}`);
  // Whoever asks one alone wants what it says, not a map with one entry.
  const alone = member !== undefined || members.filter(({ profile }) => profile === role).length === 1;
  const { dispatch = alone ? "one_to_one" : "fan_out" } = rest;
  if (dispatch === "share" && rest.items === null) problems.add([...path, "items"], "is missing", "share goes over a list: items = \"steps.scan.output.batches\"");
  if (dispatch !== "share" && rest.items !== null) problems.add([...path, "items"], `is not read by ${dispatch}`, "write dispatch = \"share\"");
  return { ...rest, dispatch, to: member === undefined ? { role: role ?? "" } : { member }, timeout_ms: timeout ?? limitOf(data, "stepMs") };
}

/** Names on the way round, the first one again at the end. */
function findCircle(steps: Readonly<Record<string, FlowStep>>): readonly string[] | undefined {
  const done = new Set<string>();
  const walk = (name: string, way: readonly string[]): readonly string[] | undefined => {
    if (way.includes(name)) return [...way.slice(way.indexOf(name)), name];
    if (done.has(name)) return undefined;
    for (const next of steps[name]?.depends_on ?? []) {
      const circle = walk(next, [...way, name]);
      if (circle !== undefined) return circle;
    }
    done.add(name);
    return undefined;
  };
  for (const name of Object.keys(steps)) {
    const circle = walk(name, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

function checkedLimits({ limits }: Tree, problems: Problems): MobDefinition["limits"] {
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(MOB_LIMITS, name)) problems.unknown(["limits", name], name, { what: "limit", known: Object.keys(MOB_LIMITS).filter((key) => !FIXED_LIMITS.has(key)) });
    else if (FIXED_LIMITS.has(name)) problems.add(["limits", name], `is ${MOB_LIMITS[name as keyof MobLimits]} in every mob`, "take the line away");
    else if (!Number.isSafeInteger(value) || value < 0) problems.add(["limits", name], "is a whole number, not below 0");
  }
  return limits;
}

/** Keys that may stand at a place. */
function keysAt(path: Path): readonly string[] {
  const [top, second, third] = path;
  if (top === undefined) return Object.keys(tree.shape);
  if (top === "mob") return second === "members" ? MEMBER_KEYS : Object.keys(tree.shape.mob.shape);
  if (top === "profiles") return PROFILE_KEYS;
  if (top === "flows") return third === "steps" ? STEP_KEYS : ["steps"];
  if (top === "access") return second === "rules" ? ACCESS_RULE_KEYS : ["admins", "rules"];
  if (top === "topology") return second === "rules" ? ["from", "to", "allowed"] : ["mode", "rules"];
  if (top === "supervisor") return ["role", "threshold"];
  return top === "approvals" ? APPROVAL_KEYS : [];
}

const MEMBER_KEYS = Object.keys(tree.shape.mob.shape.members.unwrap().element.shape);
const PROFILE_KEYS = Object.keys(tree.shape.profiles.unwrap().valueType.shape);
const STEP_KEYS = Object.keys(tree.shape.flows.unwrap().valueType.shape.steps.valueType.shape);
const ACCESS_RULE_KEYS = Object.keys(tree.shape.access.unwrap().unwrap().shape.rules.unwrap().element.shape);
const APPROVAL_KEYS = Object.keys(tree.shape.approvals.unwrap().element.shape);

function withoutAbsent<T extends object>(given: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };
}
