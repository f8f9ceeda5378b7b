/** The mailbox of a node, running or not: its control socket, else its store under the lock (spec: node 10.2). */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Json, nodeError } from "@atoll-run/core";
import { openOfflineAdmin } from "../../src/compose/offline-admin.ts";
import { adminMethods } from "../../src/control/admin-methods.ts";
import { askControl, isNotRunning } from "../../src/control/client.ts";
import { readDeployment } from "./deployment.ts";
import { rulesOf } from "./node-config.ts";
import { misuse, type VerbCall } from "./verb.ts";

export async function askAdmin<T>(call: VerbCall, method: string, args: Readonly<Record<string, Json | undefined>>): Promise<T> {
  const given = JSON.parse(JSON.stringify(args)) as Record<string, Json>;
  const deployed = readDeployment(call, undefined);
  const { deployment, folder } = deployed;
  const dir = resolve(folder, deployment.state.dir);
  const path = deployment.listen.control === undefined ? join(dir, "node.sock") : resolve(folder, deployment.listen.control);
  try {
    return await askControl({ path, method, args: given, signal: call.signal }) as T;
  } catch (error) {
    if (!isNotRunning(error)) throw error;
  }
  if (!existsSync(join(dir, "state.sqlite"))) {
    throw nodeError("node.not_found", `there is no node in ${dir}`, { hint: "Name the folder of its state with --state." });
  }
  await using target = await openOfflineAdmin({
    dir, node: call.flag("node")?.text ?? deployment.node.name ?? "node", rules: rulesOf(deployment), realm: deployment.realm.id ?? 1,
  });
  return await adminMethods(target)[method]?.(given, { signal: call.signal }) as T;
}

/** The whole number of a row or letter. */
export function seqWord(word: string): number {
  const seq = Number(word);
  if (!Number.isSafeInteger(seq) || seq < 1) throw misuse(word, "is not the number of a row");
  return seq;
}
