/** Node 10, 15: no setting is there for decoration. Each key of `atoll.toml` changes the node that is made, or is read by whoever runs it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { decideDeployment } from "../../bin/config/deployment.ts";
import { IDLE_KEYS, type Key, ROUTE_KEYS, SECTIONS } from "../../bin/config/deployment-keys.ts";
import { toNodeConfig } from "../../bin/tier/node-config.ts";
import type { VerbCall } from "../../bin/tier/verb.ts";

const LOG = { write: () => undefined };
/** Read where the program starts: what is run, how it logs, where it is controlled, and how a mob is served. */
const BY_THE_PROGRAM = new Set([
  "node.kind", "node.entry", "listen.control", "log.level", "log.format", "http.port", "http.host", "http.hosts", "http.read_only",
  "http.tls_cert", "http.tls_key", "http.trusted_proxies", "http.oidc_issuer", "http.oidc_audience", "http.oidc_emails", "http.oidc_services",
]);
/** Two that only make sense together. */
const WITH: Readonly<Record<string, string>> = { "node.lat": "lon = 1", "node.lon": "lat = 1" };

function configOf(toml: string): unknown {
  const decided = decideDeployment({ file: { text: toml, where: { name: "t", file: "t" } }, overlay: new Map() });
  assert.ok(decided.ok, JSON.stringify(decided));
  const call = { env: { THE_SECRET: "s" } } as unknown as VerbCall;
  const { env: _, ...config } = toNodeConfig({ deployment: decided.value, folder: "/x", warnings: [] }, call, LOG);
  return config;
}

function sampleOf(key: Key, name: string): string {
  switch (key.is) {
    case "text": return NAMED[name] ?? "\"other:type:2.0.0\"";
    case "path": return "\"other\"";
    case "duration": return "\"77s\"";
    case "size": return "\"77MiB\"";
    case "count": return "7";
    case "number": return "1";
    case "flag": return String(!(key.default ?? false));
    case "choice": return JSON.stringify(key.choices.find((one) => one !== key.default));
    case "texts": return JSON.stringify([key.choices?.[1] ?? "x"]);
  }
}

const NAMED: Readonly<Record<string, string>> = {
  "realm.secret_env": "\"THE_SECRET\"", "listen.websocket": "\"127.0.0.1:7\"", "listen.health": "\"127.0.0.1:8\"",
};
/** This file will do where one is read at once. */
const FILE = JSON.stringify(new URL(import.meta.url).pathname);

function textOf(section: string, lines: readonly string[]): string {
  const body = lines.join("\n");
  return section === "realm" ? `[realm]\n${body}\n` : `[realm]\nurl = "http://127.0.0.1:8081"\n[${section}]\n${body}\n`;
}

for (const [section, keys] of Object.entries(SECTIONS)) {
  for (const [key, declared] of Object.entries(keys as Readonly<Record<string, Key>>)) {
    const name = `${section}.${key}`;
    if (BY_THE_PROGRAM.has(name) || IDLE_KEYS.includes(name)) continue;
    const tls = name.startsWith("listen.tls_");
    test(`${name} counts`, () => {
      const value = name === "realm.secret_file" || tls ? FILE : sampleOf(declared, name);
      const url = section === "realm" && key !== "url" ? ["url = \"http://127.0.0.1:8081\""] : [];
      const health = name === "telemetry.metrics" ? "[listen]\nhealth = \"127.0.0.1:0\"\n" : "";
      const other = tls ? [`${key === "tls_cert" ? "tls_key" : "tls_cert"} = ${FILE}`] : WITH[name] === undefined ? [] : [WITH[name]];
      assert.notDeepEqual(configOf(health + textOf(section, [...url, ...other, `${key} = ${value}`])), configOf(health + textOf(section, url)));
    });
  }
}

for (const key of Object.keys(ROUTE_KEYS).filter((name) => name !== "codec")) {
  test(`a route's ${key} counts`, () => {
    const value = sampleOf((ROUTE_KEYS as Readonly<Record<string, Key>>)[key] as Key, key);
    assert.notDeepEqual(configOf(`[routes."a.B.C"]\n${key} = ${value}\n`), configOf("[routes.\"a.B.C\"]\n"));
  });
}

test("docs/atoll-toml.md names every key in its section", () => {
  const page = readFileSync(new URL("../../../../docs/atoll-toml.md", import.meta.url), "utf8");
  const missing = Object.entries({ ...SECTIONS, routes: ROUTE_KEYS }).flatMap(([section, keys]) => {
    const rows = new RegExp(`^\\| \\[*${section}.*(\\n\\| \\|.*)*|^\`${section}\`[^]*`, "m").exec(page)?.[0] ?? "";
    return Object.keys(keys).filter((key) => !rows.includes(`\`${key}\``)).map((key) => `${section}.${key}`);
  });
  assert.deepEqual(missing, []);
});
