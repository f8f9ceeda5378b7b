/**
 * `atoll mob up`: a mob in the foreground (spec: mob 1, 12.1).
 *
 * takes the path of a definition; gives a mob over HTTP until a signal, or whoever asks over HTTP, ends it; promises an orderly end
 * after the first signal; refuses a folder that another process has, naming it; never decides on an approval.
 */
import { relative, resolve } from "node:path";
import { must, problemText, type Log } from "@atoll-run/core";
import { keepReport } from "../../src/compose/mob-address.ts";
import { loadMob, Mob, type MobConfig, type MobDefinition, type MobRooms, type ServedMob } from "../../src/mob.ts";
import { decideLogPlan } from "../config/log.ts";
import { toRedactor, toSecrets } from "../config/secrets.ts";
import { EXIT } from "../exit.ts";
import { say } from "../output/terminal.ts";
import { openOutput } from "../running/output.ts";
import { type Deployed, readDeployment } from "../tier/deployment.ts";
import { Ending } from "../tier/ending.ts";
import { envOf } from "../tier/load-entry.ts";
import { toNodeConfig } from "../tier/node-config.ts";
import { countOf, misuse, type VerbCall } from "../tier/verb.ts";
import { ChildWatcher } from "../watcher/watcher.ts";
import { farewell } from "./farewell.ts";
import { toServeOptions } from "./http-config.ts";

/** What is left of each step when the second signal came, milliseconds. */
const HURRY_MS = 1_000;
/** Lines of the roster that the welcome shows. */
const SHOWN_MAX = 12;

export async function up(call: VerbCall): Promise<number> {
  const [file = "mob.toml", extra] = call.words;
  if (extra !== undefined) throw misuse(extra, "one file at a time");
  const definition = await loadMob(file);
  const deployed = readDeployment(call, undefined);
  const { log, flush } = openOutput(decideLogPlan(call, deployed.deployment.log), toRedactor(toSecrets(call.env).values()));
  for (const warning of [...call.warnings, ...deployed.warnings]) log.write({ level: "warn", target: "mob", msg: problemText(warning) });
  const dir = stateOf(call, deployed, definition);
  const { state: { durability } } = deployed.deployment;
  const serving = toServeOptions(deployed);
  await using cleanup = new AsyncDisposableStack();
  const childWatch = new ChildWatcher((text) => log.write({ level: "warn", target: "sh", msg: text }));
  cleanup.defer(() => childWatch.bye());
  const ending = cleanup.use(new Ending());
  const asked = Promise.withResolvers<void>();
  const mob = cleanup.use(await Mob.start({
    definition, stateDir: dir, durability, childWatch, variables: envOf(deployed.deployment), env: { log }, ...ownNode(deployed, call, log), signal: ending.starting,
    http: { ...serving, down: () => asked.resolve() },
  }));
  const http = must(mob.http, "it was started with http");
  await say(call.json ? JSON.stringify({ event: "up", mob: definition.mob.id, url: http.url, dir, members: mob.rooms.status().members.length, node: mob.outside?.id ?? null }) : welcome(mob.rooms, http, dir));
  const upAtMs = Date.now();
  const code = await ending.until(
    ({ count }) => mob.close(count === 1 ? {} : { stepMs: HURRY_MS }),
    Promise.race([asked.promise.then(() => mob.close()), mob.rooms.ended]),
  );
  const report = { ...await mob.close(), drafts: draftsOf(mob.rooms, upAtMs) };
  if (mob.rooms.status().state !== "destroyed") await keepReport(dir, report);
  await say(call.json ? JSON.stringify({ event: "down", report }) : farewell(report));
  await flush();
  return code === EXIT.ok && report.approvals_open + report.drafts > 0 ? EXIT.draft : code;
}

/** Its own node, when there is a realm that it can join: members that are open to the outside are called through it. */
function ownNode(deployed: Deployed, call: VerbCall, log: Log): Partial<MobConfig> {
  const { realm, listen, acl, plain, bearer, onLost } = toNodeConfig(deployed, call, log);
  const given = { realm, listen, acl, plain, bearer, onLost };
  return realm === undefined ? {} : Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** A mob has a folder of its own in that of the deployment. */
function stateOf(call: VerbCall, { deployment, folder }: Deployed, { mob }: MobDefinition): string {
  const named = call.either("state", "STATE_DIR");
  return named === undefined ? resolve(folder, deployment.state.dir, mob.id) : resolve(named.text);
}

function welcome(mob: MobRooms, http: ServedMob, dir: string): string {
  const { members, edges, state } = mob.status();
  const width = Math.max(0, ...members.map(({ id }) => id.length));
  const rows = members.slice(0, SHOWN_MAX).map(({ id, profile, state, queue }) =>
    `  ${id.padEnd(width)}  ${profile}, ${state}${queue.depth === 0 ? "" : `, ${countOf(queue.depth, "turn waits", "turns wait")}`}`);
  return [
    `${mob.definition().mob.id} is up with ${countOf(members.length, "member")} and ${countOf(edges.length, "edge")}`,
    `  url    ${http.url}`, ...http.beyond === undefined ? [] : [`  beyond ${http.beyond}`],
    // Whoever opens the link is signed in, once: it is for the eyes of a person alone.
    `  page   ${process.stdout.isTTY ? http.link() : `${http.url}/console/`}`, `  data   ${shown(dir)} (token: ${shown(dir)}/http.token)`,
    ...mob.outside === undefined ? [] : [`  node   ${mob.outside.id}`], ...rows,
    ...members.length > SHOWN_MAX ? [`  … ${members.length - SHOWN_MAX} more`] : [], ...state === "running" ? [] : [`It is ${state}${state === "stopped" ? ": atoll mob call lifecycle/resume lets it go on" : ""}.`], "Ctrl-C ends it.",
  ].join("\n");
}

/** Asked for since then, and not approved in time. */
function draftsOf({ view }: MobRooms, sinceMs: number): number {
  return [...view.approvals.values()].filter(({ state, opened_at_ms }) => state === "drafted" && opened_at_ms >= sinceMs).length;
}

/** As a person would type it. */
function shown(path: string): string {
  const near = relative(".", path);
  return near.startsWith("..") ? path : near;
}
