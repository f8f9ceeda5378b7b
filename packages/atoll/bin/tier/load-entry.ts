/** What a node runs: the entry of its file. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { ChildWatch } from "@atoll-run/block";
import type { Log } from "@atoll-run/core";
import { blockService, type BlockServiceConfig } from "../../src/compose/block-service.ts";
import type { Hosted } from "../../src/compose/local.ts";
import type { Deployment } from "../config/deployment.ts";
import type { Deployed } from "./deployment.ts";
import { kindOf } from "./node-config.ts";
import { misuse, Misuse } from "./verb.ts";

/** `childWatch` ends the commands of a script when this process is killed. */
export async function loadEntry({ deployment, folder }: Deployed, log: Log, childWatch?: ChildWatch): Promise<Hosted> {
  const { node } = deployment;
  if (node.entry === undefined) throw misuse("node.entry", "is missing", "name a TypeScript service or a script");
  const path = resolve(folder, node.entry);
  if (!existsSync(path)) throw misuse("node.entry", `${path}: there is no such file`);
  if (kindOf(deployment) === "block") {
    return blockService({
      type: node.type, script: { path }, projectRoot: folder, log, env: envOf(deployment), routes: codecs(deployment),
      ...node.concurrency === undefined ? {} : { concurrency: node.concurrency },
      ...childWatch === undefined ? {} : { parts: { childWatch } },
    });
  }
  const [route] = Object.keys(codecs(deployment));
  if (route !== undefined) throw misuse(`routes."${route}".codec`, "is for scripts: a service has schemas");
  const loaded = await import(pathToFileURL(path).href).catch((error: unknown) => {
    throw new Misuse({ where: { name: "node.entry", file: path }, problem: error instanceof Error ? error.message : String(error) });
  }) as { readonly default?: unknown };
  if (!isHosted(loaded.default)) {
    throw misuse("node.entry", `${node.entry} has no service as its default export`, "export default Bank.implement({ … })");
  }
  return loaded.default;
}

/** The secret of the realm is the node's, not the script's, nor that of the programs it runs. */
export function envOf({ realm }: Deployment): Readonly<Record<string, string>> {
  const { [realm.secret_env ?? ""]: _, ...env } = process.env as Record<string, string>;
  return env;
}

function codecs({ routes }: Deployment): NonNullable<BlockServiceConfig["routes"]> {
  return Object.fromEntries(Object.entries(routes).flatMap(([route, { codec }]) => codec === undefined ? [] : [[route, { codec }]]));
}

function isHosted(value: unknown): value is Hosted {
  const given = value as Partial<Hosted> | undefined;
  return typeof given === "object" && given !== null && typeof given.type === "string" && typeof given.dispatch === "function";
}
