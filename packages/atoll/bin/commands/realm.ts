/** `atoll realm`: run a realm, or ask a running one. */
import type { Json } from "@atoll-run/core";
import { problemText, Redactor } from "@atoll-run/core";
import { createRealm, type RunningRealm } from "../../src/compose/create-realm.ts";
import { decideLogPlan } from "../config/log.ts";
import { readDuration } from "../config/units.ts";
import { EXIT } from "../exit.ts";
import { say } from "../output/terminal.ts";
import { openOutput } from "../running/output.ts";
import { Ending } from "../tier/ending.ts";
import { readAddress } from "../tier/address.ts";
import { stateDir } from "../tier/deployment.ts";
import { askRealm } from "../tier/realm-admin.ts";
import { age, answer, columns, misuse, noWords, oneWord, runVerb, type VerbCall } from "../tier/verb.ts";

export function realm(args: readonly string[]): Promise<number> {
  return runVerb("realm", args, { up, status, nodes, revoke, secret, invite, acl, audit });
}

async function up(call: VerbCall): Promise<number> {
  noWords(call);
  const dir = stateDir(call);
  const { log, flush } = openOutput(decideLogPlan(call), new Redactor());
  for (const warning of call.warnings) log.write({ level: "warn", target: "realm", msg: problemText(warning) });
  using ending = new Ending();
  const running = await createRealm({
    dir, memory: call.flag("memory") !== undefined, log,
    listen: {
      public: readAddress(call.flag("listen"), "127.0.0.1:8081"), admin: readAddress(call.flag("admin"), "127.0.0.1:8082"),
    },
  });
  await say(call.json ? JSON.stringify({ event: "up", ...facts(running) }) : welcome(running));
  const code = await ending.until(() => running.close());
  await flush();
  return code;
}

function facts({ addresses, id, dir }: RunningRealm): Record<string, Json> {
  return { url: addresses?.url ?? null, admin_url: addresses?.admin_url ?? null, realm_id: id, dir };
}

function welcome({ addresses, id, dir }: RunningRealm): string {
  return `realm ${id} is up
  url    ${addresses?.url ?? ""}
  admin  ${addresses?.admin_url ?? ""} (token in ${dir === null ? "memory" : `${dir}/http.token`})
  data   ${dir ?? "in memory: gone with this process"}

A node of this machine joins it with an atoll.toml such as:

  [node]
  name = "echo"
  type = "acme:echo:1.0.0"
  entry = "echo.ts"        # its default export is what service({ … }).implement({ … }) gave; or a .lua script

  [state]
  dir = ".atoll/echo"

  [realm]
  url = "${addresses?.url ?? ""}"
  id = ${id}

  [acl]
  default = "same-realm"   # nodes of this realm may reach it; without this line nobody may

Ctrl-C ends it.`;
}

async function status(call: VerbCall): Promise<number> {
  noWords(call);
  const metrics = await askRealm<Record<string, number>>(call, { name: "metrics" });
  return await answer(call, metrics, columns(["what", "value"], Object.entries(metrics).map(([name, value]) => [name, String(value)])));
}

interface NodeRow {
  readonly id: string;
  readonly mode: string;
  readonly up: boolean;
  readonly connected: boolean;
  readonly rules: number;
}

async function nodes(call: VerbCall): Promise<number> {
  noWords(call);
  const { nodes: found } = await askRealm<{ nodes: readonly NodeRow[] }>(call, { name: "nodes" });
  const rows = found.map(({ id, mode, up: isUp, connected, rules }) =>
    [id, mode, isUp ? "up" : connected ? "connected" : "gone", String(rules)]);
  return await answer(call, { nodes: found }, rows.length === 0 ? "no node has registered" : columns(["node", "mode", "state", "rules"], rows));
}

export async function revoke(call: VerbCall): Promise<number> {
  const id = oneWord(call, "NODE");
  const done = await askRealm<object>(call, { method: "POST", name: "revoke", fields: { id } });
  return await answer(call, done, `${id} is revoked: its sessions are dropped, its links close within seconds`);
}

async function secret(call: VerbCall): Promise<number> {
  if (oneWord(call, "rotate") !== "rotate") throw misuse(call.words[0] ?? "", "there is only secret rotate");
  const { realms } = await askRealm<{ realms: readonly { realm: number }[] }>(call, { name: "realms" });
  const made = await askRealm<{ secret: string }>(call, { method: "POST", name: "secrets", fields: { realm: realms[0]?.realm } });
  return await answer(call, made, `${made.secret}\n\nIt is shown this once. Nodes read it from the file named by realm.secret_file.
The one before is good for four hours.`);
}

async function invite(call: VerbCall): Promise<number> {
  const type = oneWord(call, "TYPE");
  const ttl = readDuration(call.flag("ttl")?.text ?? "1h");
  if (!ttl.ok) throw misuse("--ttl", ttl.problem);
  const uses = Number(call.flag("uses")?.text ?? "1");
  const made = await askRealm<{ token: string }>(call, { method: "POST", name: "invites", fields: { type, ttl_ms: ttl.value, uses } });
  return await answer(call, made, made.token);
}

async function acl(call: VerbCall): Promise<number> {
  const found = await askRealm<object>(call, { name: "acl", fields: { id: oneWord(call, "NODE") } });
  return await answer(call, found, JSON.stringify(found, null, 2));
}

interface AuditRow {
  readonly seq: number;
  readonly at_ms: number;
  readonly event: string;
}

async function audit(call: VerbCall): Promise<number> {
  noWords(call);
  const { entries } = await askRealm<{ entries: readonly AuditRow[] }>(call, { name: "audit" });
  const rows = entries.map(({ seq, at_ms, event, ...rest }) => [String(seq), age(Date.now() - at_ms), event, JSON.stringify(rest)]);
  await (call.json ? say(JSON.stringify({ entries })) : say(rows.length === 0 ? "nothing yet" : columns(["seq", "age", "what", "facts"], rows)));
  return EXIT.ok;
}
