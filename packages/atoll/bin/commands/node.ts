/** `atoll node`: run a node, ask others as a passing client, look at the one that runs in the folder. */
import { join, resolve } from "node:path";
import { formatNodeId, type Json, nodeError, problemText, Redactor, type Workload } from "@atoll-run/core";
import { createNode } from "../../src/compose/create-node.ts";
import { askControl, isNotRunning } from "../../src/control/client.ts";
import { serveControl } from "../../src/control/server.ts";
import { nodeMethods } from "../../src/control/node-methods.ts";
import type { NodeHandle } from "@atoll-run/node";
import { decideLogPlan } from "../config/log.ts";
import { EXIT } from "../exit.ts";
import { complain, say } from "../output/terminal.ts";
import { openOutput } from "../running/output.ts";
import { type Deployed, readDeployment } from "../tier/deployment.ts";
import { Ending } from "../tier/ending.ts";
import { loadEntry } from "../tier/load-entry.ts";
import { toNodeConfig, toRealm } from "../tier/node-config.ts";
import { answer, columns, misuse, noWords, oneWord, runVerb, type VerbCall } from "../tier/verb.ts";
import { ChildWatcher } from "../watcher/watcher.ts";

export function node(args: readonly string[]): Promise<number> {
  return runVerb("node", args, { up, call: ask, tell, ls, status, drain });
}

/** What is left of each step when the second signal came, milliseconds. */
const HURRY_MS = 1_000;

async function up(call: VerbCall): Promise<number> {
  const [file, extra] = call.words;
  if (extra !== undefined) throw misuse(extra, "one file at a time");
  const deployed = readDeployment(call, file);
  const { log, flush } = openOutput(decideLogPlan(call, deployed.deployment.log), new Redactor());
  for (const warning of [...call.warnings, ...deployed.warnings]) log.write({ level: "warn", target: "node", msg: problemText(warning) });
  await using cleanup = new AsyncDisposableStack();
  const childWatch = new ChildWatcher((text) => log.write({ level: "warn", target: "sh", msg: text }));
  cleanup.defer(() => childWatch.bye());
  const hosted = await loadEntry(deployed, log, childWatch);
  const config = toNodeConfig(deployed, call, log);
  let asked = false;
  const ending = cleanup.use(new Ending());
  const starting = (await createNode({ ...config, type: config.type ?? hosted.type }).attach(hosted)).start({ signal: ending.starting });
  const handle = await starting.catch((error: unknown) => {
    if (!ending.starting.aborted) throw error;
  });
  if (handle === undefined) return ending.code;
  cleanup.use(handle);
  cleanup.use(await serveControl(controlPath(deployed), nodeMethods(handle, () => (asked = true))));
  await say(call.json ? JSON.stringify({ event: "up", ...facts(handle), health_url: handle.healthUrl ?? null }) : welcome(handle, deployed));
  const ended = await ending.until(({ count }) => {
    asked = true;
    return handle.close(count === 1 ? {} : { stepMs: HURRY_MS });
  }, handle.closed);
  const report = await handle.closed;
  await say(call.json ? JSON.stringify({ event: "down", report }) : `ended: ${report.handled} handled meanwhile, ${report.returned} back in the mailbox`);
  await flush();
  if (asked) return ended;
  await complain("the node ended by itself; the log says why");
  return EXIT.unavailable;
}

function facts(handle: NodeHandle): Record<string, Json> {
  const { network, durability } = handle.health();
  return {
    name: handle.name, id: handle.id === undefined ? null : formatNodeId(handle.id), durability,
    addresses: [...network?.addresses ?? []],
  };
}

function welcome(handle: NodeHandle, { deployment, folder }: Deployed): string {
  const { network, durability } = handle.health();
  const lines = [
    `${handle.name} is up${handle.id === undefined ? " (local: it has no realm)" : ` as ${formatNodeId(handle.id)}`}`,
    ...network?.addresses.map((address) => `  listens  ${address}`) ?? [],
    `  data     ${resolve(folder, deployment.state.dir)} (${durability})`,
    ...handle.healthUrl === undefined ? [] : [`  health   ${handle.healthUrl}/healthz, /readyz, /metrics`],
    ...deployment.rules.length === 0 && deployment.acl.default === "deny"
      ? ["  nobody may reach it: write [[acl.rules]], or [acl] default = \"same-realm\""] : [],
  ];
  return `${lines.join("\n")}\nCtrl-C ends it.`;
}

function controlPath({ deployment: { listen, state }, folder }: Deployed): string {
  return listen.control === undefined ? join(resolve(folder, state.dir), "node.sock") : resolve(folder, listen.control);
}

/** A node for one question: nothing is kept, nobody can reach it. */
async function passing<T>(call: VerbCall, use: (handle: NodeHandle) => Promise<T>): Promise<T> {
  const deployed = readDeployment(call, undefined);
  const realm = toRealm(deployed, call);
  if (realm === undefined) throw misuse("--realm", "is missing", "name the realm, or run where its atoll.toml is");
  const { listen } = deployed.deployment;
  const client = createNode({ name: "client", type: "local:Client:0.0.0", memory: true, realm, listen: false, plain: listen.plain });
  await using handle = await (await client.attach(NOTHING)).start({ signal: call.signal });
  return await use(handle);
}

const NOTHING: Workload = {
  kind: "linked", concurrency: 1, route: () => undefined, start: async () => undefined, close: async () => undefined,
  dispatch: async () => ({ is: "failed", fault: nodeError("node.unknown_route", "a client serves nothing") }),
};

interface Question {
  readonly to: string;
  readonly route: string;
  readonly body: Uint8Array;
}

function questionOf({ words, verb }: VerbCall): Question {
  const [to, route, text = "null", extra] = words;
  if (to === undefined || route === undefined) throw misuse(verb, "needs TO and ROUTE");
  if (extra !== undefined) throw misuse(extra, "the body is one word: put it in quotes");
  try {
    JSON.parse(text);
  } catch (error) {
    throw misuse("JSON", (error as Error).message);
  }
  return { to, route, body: new TextEncoder().encode(text) };
}

async function ask(call: VerbCall): Promise<number> {
  const { to, route, body } = questionOf(call);
  const reply = await passing(call, (handle) => handle.callRaw(route, body, { to, signal: call.signal, ...named(call) }));
  const text = Buffer.from(reply).toString();
  await say(text);
  return EXIT.ok;
}

async function tell(call: VerbCall): Promise<number> {
  const { to, route, body } = questionOf(call);
  const told = await passing(call, (handle) => handle.tellRaw(route, body, { to, signal: call.signal, ...named(call) }));
  return await answer(call, told, `${told.level}${told.duplicate ? ", as a duplicate" : ""}`);
}

function named(call: VerbCall): { readonly requestId?: string } {
  const id = call.flag("request-id");
  return id === undefined ? {} : { requestId: id.text };
}

async function ls(call: VerbCall): Promise<number> {
  const type = oneWord(call, "TYPE");
  const found = await passing(call, (handle) => handle.discover(type, { signal: call.signal }));
  const rows = found.map(({ id, availability = "unknown", power_reserve: power, mailbox_backlog: backlog }) =>
    [id, availability, power?.toFixed(1) ?? "", backlog?.toFixed(2) ?? ""]);
  return await answer(call, { nodes: found }, rows.length === 0 ? `no node of type ${type} may be reached` : columns(["node", "availability", "power", "backlog"], rows));
}

async function status(call: VerbCall): Promise<number> {
  noWords(call);
  const found = await askNode(call, "status");
  return await answer(call, found, JSON.stringify(found, null, 2));
}

async function drain(call: VerbCall): Promise<number> {
  noWords(call);
  const report = await askNode(call, "drain");
  return await answer(call, report, JSON.stringify(report, null, 2));
}

async function askNode(call: VerbCall, method: string): Promise<object> {
  const path = controlPath(readDeployment(call, undefined));
  try {
    return await askControl({ path, method, args: {}, signal: call.signal }) as object;
  } catch (error) {
    if (!isNotRunning(error)) throw error;
    throw nodeError("node.unavailable", `no node runs in this folder: nobody listens at ${path}`, {
      cause: error, hint: "Start it with atoll node up, or name its folder with --state.",
    });
  }
}
