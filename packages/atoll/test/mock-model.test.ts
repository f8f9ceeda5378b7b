import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { test } from "node:test";
import { startMockModel, until } from "@atoll-run/testkit";
import { atoll, type Place, place, type Started, startAtoll } from "./support/cli.ts";

interface Served extends Started {
  readonly url: string;
}

async function serve(at: Place, args: readonly string[], env: Record<string, string> = {}): Promise<Served> {
  const started = startAtoll(at, ["mock-model", ...args], { env });
  const [url = ""] = await until(() => /http:\/\/127\.0\.0\.1:\d+/.exec(started.stdout()),
    { withinMs: 50_000 });
  return { ...started, url };
}

function ask(url: string, key = "sk-key-1234"): Promise<Response> {
  return fetch(`${url}/v1/messages`, {
    method: "POST", headers: { "x-api-key": key, "anthropic-version": "2023-06-01" },
    body: JSON.stringify({ model: "m", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] }),
  });
}

const SCRIPT = JSON.stringify({ turns: [{ reply: { text: "one" } }, { reply: { text: "two" } }] });

test("mock-model answers from a script, says each request, and ends with a signal", async (t) => {
  const at = place(t);
  at.file("turns.json", SCRIPT);
  const served = await serve(at, ["turns.json"]);
  assert.equal((await ask(served.url)).status, 200);
  assert.equal((await fetch(`${served.url}/v1/messages`, { method: "POST", body: "{}" })).status, 401);
  served.child.kill("SIGTERM");
  const { code, stdout, stderr } = await served.end;
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(stdout, `listening on ${served.url}\n/v1/messages 200 (1 messages)\n`
    + "/v1/messages 401 (0 messages): x-api-key header is required\n2 requests; 1 answers were not asked for\n");
});

test("mock-model --json prints events for a program", async (t) => {
  const at = place(t);
  at.file("turns.json", SCRIPT);
  const served = await serve(at, ["turns.json", "--json"]);
  await (await ask(served.url)).text();
  served.child.kill("SIGINT");
  const events = (await served.end).stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(events, [
    { event: "listening", url: served.url },
    { event: "request", api: "anthropic", path: "/v1/messages", status: 200, request_id: "req_mock000001",
      model: "m",
      stream: false, messages: 1 },
    { event: "ended", requests: 1, left: 1 },
  ]);
});

test("mock-model records what a provider says, without secrets, and replays it", async (t) => {
  const at = place(t);
  await using provider = await startMockModel({ script: { turns: [{ reply: { text: "it was env-secret-77" } }] } });
  const served = await serve(at, ["--record", "run.jsonl", "--upstream", provider.url],
    { MY_TOKEN: "env-secret-77" });
  const real = await (await ask(served.url)).text();
  served.child.kill("SIGTERM");
  assert.equal((await served.end).code, 0);
  const recording = readFileSync(at.path("run.jsonl"), "utf8");
  assert.doesNotMatch(recording, /sk-key-1234|env-secret-77/);
  assert.equal(statSync(at.path("run.jsonl")).mode & 0o777, 0o600);
  const again = await serve(at, ["run.jsonl"]);
  assert.equal(await (await ask(again.url, "another-key")).text(), real.replace("env-secret-77",
    "[REDACTED]"));
  again.child.kill("SIGTERM");
  assert.equal((await again.end).code, 0);
  const twice = await atoll(at, ["mock-model", "--record", "run.jsonl", "--upstream", provider.url]);
  assert.equal(twice.code, 1);
  assert.match(twice.stderr, /run\.jsonl/);
});

test("mock-model refuses wrong flags and scripts with everything that is wrong", async (t) => {
  const at = place(t);
  at.file("bad.json", JSON.stringify({ turns: [{ reply: 1 }, {}] }));
  const bad = await atoll(at, ["mock-model", "bad.json", "--port", "99999", "--match", "x"]);
  assert.equal(bad.code, 2);
  for (const part of [/--port: 99999 is not in 0\.\.=65535/, /--match: body or order/,
    /bad\.json: turns\[0\]\.reply: expected an obj/,
    /bad\.json: turns\[1\]: needs one of/, /Usage: atoll mock-model/]) assert.match(bad.stderr, part);
  assert.match((await atoll(at, ["mock-model"])).stderr, /FILE: name a script or a recording/);
  assert.match((await atoll(at, ["mock-model", "--record", "x"])).stderr, /--record: goes with --upstream/);
  const withUser = await atoll(at, ["mock-model", "--record", "x", "--upstream", "http://a:b@c"]);
  assert.match(withUser.stderr, /--upstream: an http: or https: URL without user and query/);
  assert.doesNotMatch(withUser.stderr, /a:b@/);
});
