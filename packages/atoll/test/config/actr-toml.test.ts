/** Node 10.1: `actr.toml` is read too. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { problemText } from "@atoll-run/core";
import { decideDeployment, type Deployment } from "../../bin/config/deployment.ts";
import { toNodeConfig } from "../../bin/tier/node-config.ts";
import type { VerbCall } from "../../bin/tier/verb.ts";

function decided(text: string): { readonly value: Deployment; readonly warnings: readonly string[] } {
  const result = decideDeployment({ file: { text, where: { name: "actr.toml", file: "x/actr.toml" } }, overlay: new Map() });
  assert.ok(result.ok, JSON.stringify(result));
  return { value: result.value, warnings: result.warnings.map(problemText) };
}

const FILE = `edition = 1
[package]
manufacturer = "acme"
name = "EchoService"
version = "1.0.0"
[signaling]
url = "ws://127.0.0.1:8081/signaling/ws"
[ais_endpoint]
url = "http://127.0.0.1:8081/ais"
[deployment]
realm_id = 101
[discovery]
visible = false
[storage]
mailbox_path = "data/echo/mailbox.db"
[websocket]
listen_port = 9001
[observability]
filter_level = "debug"
tracing_enabled = true
[[acl.rules]]
permission = "ALLOW"
type = "acme:client:1.0.0"
[[acl.rules]]
permission = "deny"
type = "acme:*:*"
realm = 7
`;

test("actr.toml is read too: where the realm is, who the node is, where it stores and listens, who may reach it", () => {
  const { value, warnings } = decided(FILE);
  const { node, realm, state, listen, log, rules } = value;
  assert.deepEqual([node.name, node.type, node.visible], ["EchoService", "acme:EchoService:1.0.0", false]);
  assert.deepEqual([realm.signaling_url, realm.ais_url, realm.id], ["ws://127.0.0.1:8081/signaling/ws", "http://127.0.0.1:8081/ais", 101]);
  assert.deepEqual([state.dir, listen.websocket, log.level], ["data/echo", "127.0.0.1:9001", "debug"], "the mailbox's directory becomes state.dir");
  assert.deepEqual(rules, [
    { effect: "allow", from: { type: "acme:client:1.0.0", realm: "self" }, actions: ["*"] },
    { effect: "deny", from: { type: "acme:*:*", realm: 7 }, actions: ["*"] },
  ]);
  assert.deepEqual(warnings, [
    "x/actr.toml:1: edition: has no effect", "x/actr.toml:20: observability.tracing_enabled: has no effect",
  ]);
  const { dir, acl } = toNodeConfig({ deployment: value, folder: "/x", warnings: [] }, { env: {} } as unknown as VerbCall, { write: () => undefined });
  assert.deepEqual([dir, acl?.length], ["/x/data/echo", 2]);
});

test("the port of actr.toml is bound on this machine unless another host is advertised; plain ws must be allowed all the same", () => {
  const listen = (host: string): Deployment["listen"] => decided(`[websocket]\nlisten_port = 9001\nadvertised_host = "${host}"\n`).value.listen;
  for (const host of ["localhost", "127.0.0.1", "::1"]) assert.equal(listen(host).websocket, "127.0.0.1:9001", host);
  const { websocket, advertise, plain } = listen("echo.example.com");
  assert.deepEqual([websocket, advertise, plain], ["0.0.0.0:9001", "echo.example.com", "loopback"]);
});

test("no [acl] in actr.toml means deny, with a hint", () => {
  const { value, warnings } = decided("[signaling]\nurl = \"ws://127.0.0.1:1\"\n");
  assert.deepEqual([value.rules, value.acl.default], [[], "deny"]);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /acl: is missing: nobody may reach the node \(Write \[\[acl\.rules\]\]/);
});

test("a secret in actr.toml is not read, and it is said where it belongs; a wrong value has its line", () => {
  const { warnings } = decided("[deployment]\nrealm_secret = \"s3cret\"\n[acl]\n");
  assert.match(warnings.join("\n"), /^x\/actr\.toml:2: deployment\.realm_secret: is not read \(Name a file/);
  assert.doesNotMatch(warnings.join("\n"), /s3cret/);
  const bad = decideDeployment({ file: { text: "[acl]\n[deployment]\nrealm_id = \"x\"\n", where: { name: "actr.toml", file: "actr.toml" } }, overlay: new Map() });
  assert.ok(!bad.ok);
  assert.deepEqual(bad.problems.map(problemText), ["actr.toml:3: deployment.realm_id: \"x\" is not a number"]);
});

test("the older form of actr.toml has its sections below [system]", () => {
  const { value, warnings } = decided("[system.signaling]\nurl = \"ws://127.0.0.1:1\"\n[system.webrtc]\nforce_relay = true\n[acl]\n");
  assert.equal(value.realm.signaling_url, "ws://127.0.0.1:1");
  assert.deepEqual(warnings.map((line) => line.replace(/:\d+:/, ":")), ["x/actr.toml: webrtc: this version does nothing with it"]);
});
