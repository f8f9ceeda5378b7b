/**
 * `actr.toml`, the settings of Actr, as those of `atoll.toml` (spec: node 10.1). Pure: takes the text. What has no
 * meaning here is told, each key with its line; nothing of it opens a door: without rules nobody may reach the node.
 */
import { posix } from "node:path";
import type { Problem, Where } from "@atoll-run/core";
import { readToml, type TomlFile, type TomlReading } from "./file.ts";

type Table = Readonly<Record<string, unknown>>;

export type ActrReading = TomlReading & { readonly warnings: readonly Problem[] };

/** Theirs → ours, where the value is taken as it is. */
const SAME: Readonly<Record<string, string>> = {
  "signaling.url": "realm.signaling_url", "ais_endpoint.url": "realm.ais_url", "ais_endpoint": "realm.ais_url",
  "deployment.ais_endpoint": "realm.ais_url", "deployment.realm_id": "realm.id", "discovery.visible": "node.visible",
  "observability.filter_level": "log.level", "hyper.data_dir": "state.dir", "websocket.advertised_host": "listen.advertise",
  "package.name": "node.name",
};
/** Read together, below. */
const TOGETHER = new Set([
  "storage.mailbox_path", "websocket.listen_port", "package.manufacturer", "package.version", "package.actr_type", "acl.rules",
]);
const LOOPBACK = new Set(["localhost", "127.0.0.1", "::1", "[::1]"]);
/** Sections of ours under the same name. */
const WHOLE = ["webrtc", "trust"];

export function readActrToml(text: string, where: Where): ActrReading {
  const read = readToml(text, where);
  if (!read.ok) return { ...read, warnings: [] };
  // Older files have everything below [system].
  const { system, ...top } = read.value;
  const isOld = isTable(system);
  const given: Table = isOld ? { ...top, ...system } : top;
  const at = (path: readonly string[]): Where => {
    const own = read.whereOf(path);
    return own.line === undefined && isOld ? { ...read.whereOf(["system", ...path]), name: path.join(".") } : own;
  };
  const reading = new Reading(given, at);
  return { ok: true, value: reading.value, whereOf: (path) => reading.whereOf(path), warnings: reading.warnings };
}

class Reading {
  readonly value: Record<string, Record<string, unknown>> = {};
  readonly warnings: Problem[] = [];
  readonly #at: TomlFile["whereOf"];
  /** Ours → theirs. */
  readonly #origins = new Map<string, string>();

  constructor(given: Table, at: TomlFile["whereOf"]) {
    this.#at = at;
    for (const [section, body] of Object.entries(given)) {
      if (WHOLE.includes(section) && isTable(body)) this.value[section] = { ...body };
      else if (isTable(body)) for (const [key, value] of Object.entries(body)) this.#take(`${section}.${key}`, value);
      else this.#take(section, body);
    }
    this.#together(given);
  }

  whereOf(path: readonly string[]): Where {
    return this.#at(this.#origins.get(path.join("."))?.split(".") ?? path);
  }

  #take(theirs: string, value: unknown): void {
    const ours = SAME[theirs];
    if (ours !== undefined) this.#put(ours, value, theirs);
    else if (theirs === "deployment.realm_secret") this.#warn(theirs, "is not read", "Name a file that holds it: realm.secret_file.");
    else if (!TOGETHER.has(theirs)) this.#warn(theirs, "has no effect");
  }

  #together(given: Table): void {
    const text = (section: string, key: string): string | undefined => {
      const table = given[section];
      const value = isTable(table) ? table[key] : undefined;
      return typeof value === "string" ? value : undefined;
    };
    const path = text("storage", "mailbox_path");
    if (path !== undefined) this.#put("state.dir", posix.dirname(path), "storage.mailbox_path");
    const type = text("package", "actr_type")
      ?? [text("package", "manufacturer"), text("package", "name"), text("package", "version")].join(":");
    if (!type.startsWith(":") && !type.includes("::") && !type.endsWith(":")) this.#put("node.type", type, "package.name");
    this.#listen(isTable(given["websocket"]) ? given["websocket"] : {});
    const acl = isTable(given["acl"]) ? given["acl"] : undefined;
    if (acl === undefined) this.#warn("acl", "is missing: nobody may reach the node", "Write [[acl.rules]] with permission and type.");
    else if (Array.isArray(acl["rules"])) this.value["acl"] = { rules: acl["rules"].map(toRule) };
  }

  /** Their default is every interface; here it is this machine, unless another host is advertised. */
  #listen({ listen_port: port, advertised_host: host }: Table): void {
    if (port === undefined) return;
    const isAway = typeof host === "string" && !LOOPBACK.has(host);
    this.#put("listen.websocket", `${isAway ? "0.0.0.0" : "127.0.0.1"}:${String(port)}`, "websocket.listen_port");
  }

  #put(ours: string, value: unknown, theirs: string): void {
    const [section = "", key = ""] = ours.split(".");
    (this.value[section] ??= {})[key] = value;
    this.#origins.set(ours, theirs);
  }

  #warn(theirs: string, problem: string, hint?: string): void {
    this.warnings.push({ where: this.#at(theirs.split(".")), problem, ...hint === undefined ? {} : { hint } });
  }
}

/** Their rules name a type and a realm; what they allow is everything. */
function toRule(rule: unknown): unknown {
  if (!isTable(rule)) return rule;
  const { permission, realm, ...rest } = rule;
  return {
    actions: ["*"], ...rest, ...typeof permission === "string" ? { permission: permission.toLowerCase() } : {},
    ...realm === undefined ? {} : { realm: String(realm) },
  };
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
