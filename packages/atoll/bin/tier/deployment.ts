/** `atoll.toml`, variables and flags as one deployment; paths of the file are relative to its folder. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Problem, type Setting } from "@atoll-run/core";
import { decideDeployment, type Deployment } from "../config/deployment.ts";
import { SECTIONS, variableOf } from "../config/deployment-keys.ts";
import { misuse, Misuse, type VerbCall } from "./verb.ts";

export interface Deployed {
  readonly deployment: Deployment;
  /** Where paths of the file begin. */
  readonly folder: string;
  readonly warnings: readonly Problem[];
}

/** The first that is there. */
const FILE = "atoll.toml";
const FILES = [FILE, "actr.toml"];
/** Flags that stand for keys. */
const FLAGS: Readonly<Record<string, string>> = {
  "state": "state.dir", "realm": "realm.url", "realm-id": "realm.id", "secret-file": "realm.secret_file", "log": "log.level",
  "port": "http.port",
};
/** Keys with a path: what a flag or a variable says is relative to where the command runs. */
const PATHS = new Set(["state.dir", "realm.secret_file", "node.entry", "listen.tls_cert", "listen.tls_key", "listen.control"]);

/** `named`: a file that must be there; without one `atoll.toml`, else `actr.toml`, is read when it is there. Throws `Misuse`. */
export function readDeployment(call: VerbCall, named: string | undefined): Deployed {
  const asked = named ?? call.flag("config")?.text;
  const path = asked ?? FILES.find((name) => existsSync(name)) ?? FILE;
  const text = readText(path, asked !== undefined);
  const folder = text === undefined ? process.cwd() : dirname(resolve(path));
  const decided = decideDeployment({
    file: text === undefined ? undefined : { text, where: { name: path, file: path } }, overlay: overlayOf(call),
  });
  if (!decided.ok) throw new Misuse(...decided.problems);
  return { deployment: decided.value, folder, warnings: decided.warnings };
}

/** For commands of a realm, which reads no `atoll.toml` unless it is named: that would be a node's. */
export function stateDir(call: VerbCall): string {
  if (call.flag("config") === undefined) return call.either("state", "STATE_DIR")?.text ?? ".atoll";
  const { deployment, folder } = readDeployment(call, undefined);
  return resolve(folder, deployment.state.dir);
}

function readText(path: string, must: boolean): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && !must) return undefined;
    throw misuse(path, code === "ENOENT" ? "there is no such file" : message);
  }
}

function overlayOf(call: VerbCall): ReadonlyMap<string, Setting> {
  const overlay = new Map<string, Setting>();
  const put = (key: string, setting: Setting | undefined): void => {
    if (setting !== undefined) overlay.set(key, PATHS.has(key) ? { ...setting, text: resolve(setting.text) } : setting);
  };
  for (const [section, keys] of Object.entries(SECTIONS)) {
    for (const key of Object.keys(keys)) put(`${section}.${key}`, call.settings.get(variableOf(section, key)));
  }
  put("log.level", call.settings.get("LOG"));
  for (const [flag, key] of Object.entries(FLAGS)) put(key, call.flag(flag));
  return overlay;
}
