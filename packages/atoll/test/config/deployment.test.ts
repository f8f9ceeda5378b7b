/** `atoll.toml`: read, overlaid, refused with its line. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { problemText, type Setting } from "@atoll-run/core";
import { decideDeployment } from "../../bin/config/deployment.ts";

function decided(text: string, overlay: Readonly<Record<string, string>> = {}): ReturnType<typeof decideDeployment> {
  const settings = new Map<string, Setting>(Object.entries(overlay).map(([name, value]) =>
    [name, { where: { name: `--${name}` }, text: value }]));
  return decideDeployment({ file: { text, where: { name: "atoll.toml", file: "atoll.toml" } }, overlay: settings });
}

function problems(text: string, overlay?: Readonly<Record<string, string>>): readonly string[] {
  const result = decided(text, overlay);
  return result.ok ? [] : result.problems.map(problemText);
}

test("nothing said gives the defaults of the specification", () => {
  const result = decided("");
  assert.ok(result.ok);
  const { node, state, listen, mailbox, acl, identity, rules, routes } = result.value;
  assert.deepEqual([node.type, node.kind ?? "by its entry", node.concurrency ?? "64, of a script 1", state.dir, state.durability, listen.websocket],
    ["local:Client:0.0.0", "by its entry", "64, of a script 1", ".atoll", "full", "127.0.0.1:0"]);
  assert.deepEqual([mailbox.soft, mailbox.dedup_ttl, acl.default, identity.lead, rules, routes],
    [1_024, 600_000, "deny", 300_000, [], {}]);
});

test("a file sets what it names, with units, routes and rules", () => {
  const result = decided(`
[node]
name = "bank"
type = "acme:bank:1.0.0"
[mailbox]
hard_bytes = "64MiB"
dedup_ttl = "1h"
[routes."bank.Bank.Charge"]
attempts = 3
backoff = "250ms"
[[acl.rules]]
type = "acme:*:*"
actions = ["call:bank.*"]
[[acl.rules]]
permission = "deny"
realm = "7"
actions = ["*"]
`);
  assert.ok(result.ok);
  const { node, mailbox, routes, rules } = result.value;
  assert.deepEqual([node.name, mailbox.hard_bytes, mailbox.dedup_ttl], ["bank", 67_108_864, 3_600_000]);
  assert.deepEqual([routes["bank.Bank.Charge"]?.attempts, routes["bank.Bank.Charge"]?.backoff], [3, 250]);
  assert.deepEqual(rules, [
    { effect: "allow", from: { type: "acme:*:*", realm: "self" }, actions: ["call:bank.*"] },
    { effect: "deny", from: { type: "*:*:*", realm: 7 }, actions: ["*"] },
  ]);
});

test("what stands before the file wins over it", () => {
  const result = decided("[state]\ndir = \"a\"\n", { "state.dir": "b", "mailbox.soft": "10" });
  assert.ok(result.ok);
  assert.deepEqual([result.value.state.dir, result.value.mailbox.soft], ["b", 10]);
});

test("a section and a key that this version does nothing with are told", () => {
  const result = decided("[telemetry]\nmetrics = false\notlp = \"http://127.0.0.1:4318\"\n[trust]\n");
  assert.ok(result.ok);
  assert.equal(result.value.telemetry.metrics, false);
  assert.deepEqual(result.warnings.map(problemText), [
    "atoll.toml:4: trust: this version does nothing with it", "atoll.toml:3: telemetry.otlp: this version does nothing with it",
  ]);
});

test("[limits] sets a limit under its own name, with its unit in the name", () => {
  const result = decided("[limits.wire]\nconnections_max = 5\nhandshake_ms_max = 250\n[limits.hooks]\nhook_ms_max = 10\n");
  assert.ok(result.ok);
  assert.deepEqual(result.value.limits, { wire: { connectionsMax: 5, handshakeMsMax: 250 }, hooks: { hookMsMax: 10 } });
});

for (const [what, text, expected] of [
  ["a limit that is none", "[limits.wire]\nconections_max = 5\n", /^t?.*:2: limits\.wire\.conections_max: there is no such key \(did you mean connections_max\?\)$/],
  ["a group of limits that is none", "[limits.wires]\nx = 5\n", /^atoll\.toml:1: limits\.wires: there is no such group of limits/],
  ["a factor that ranks nothing", "[discovery]\nranking = [\"power\", \"luck\"]\n", /^atoll\.toml:2: discovery\.ranking: 'luck' is not one of power, /],
  ["an unknown section", "[nodes]\n", /^atoll\.toml:1: nodes: there is no such section \(did you mean \[node\]\?\)$/],
  ["an unknown key", "# x\n[node]\nnam = \"x\"\n", /^atoll\.toml:3: node\.nam: there is no such key \(did you mean name\?\)$/],
  ["a wrong type", "[mailbox]\nsoft = \"many\"\n", /^atoll\.toml:2: mailbox\.soft: "many" is not a number$/],
  ["a time without its unit", "[identity]\nlead = \"5\"\n", /^atoll\.toml:2: identity\.lead: '5' is not a time such as 250ms/],
  ["a size without its unit", "[mailbox]\nhard_bytes = \"12\"\n", /is not a size such as 64KiB/],
  ["a word that is no choice", "[state]\ndurability = \"perhaps\"\n", /'perhaps' is not one of full, normal/],
  ["a key of a route", "[routes.\"a.B.C\"]\nretries = 3\n", /^atoll\.toml:2: routes\.a\.B\.C\.retries: there is no such key/],
  ["a wrong rule, the second one", "[[acl.rules]]\nactions = [\"*\"]\n[[acl.rules]]\nactions = [\"sing:x\"]\n", /^atoll\.toml:3: acl\.rules\[1\]: action "sing:x" is neither/],
  ["a section that is none", "node = 3\n", /^atoll\.toml:1: node: is a section: write \[node\]$/],
  ["a text that is no TOML", "[node\n", /^atoll\.toml:1: atoll\.toml: not TOML:/],
] as const) {
  test(`${what} is refused with its line`, () => {
    const found = problems(text);
    assert.equal(found.length, 1, found.join("\n"));
    assert.match(found[0] ?? "", expected);
  });
}

test("all problems come at once", () => {
  assert.equal(problems("[node]\nkind = 3\nentri = \"x\"\n[log]\nformat = \"x\"\n").length, 3);
});
