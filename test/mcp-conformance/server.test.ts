// Goal: `atoll mcp` is an MCP server by the word of the protocol's makers.
// Invariant: every server scenario passes, or is skipped for a reason that is written here and still true.
// Method: their program against ours over HTTP, with a project whose block has the tools they ask for by
// name.
import assert from "node:assert/strict";
import { test } from "node:test";
import { conformance, scenarios, serveFixture } from "./conformance.ts";

const NO_PROMPTS = "atoll mcp serves tools and documents, no prompts";
const OWN_URIS = "asks for resources under names of its own; atoll mcp serves docs:// only";
const NO_SUBSCRIPTIONS = "a document is read anew at each read: atoll mcp offers no subscriptions";

const SKIPPED: Readonly<Record<string, string>> = {
  "completion-complete": "atoll mcp has nothing to complete: no prompts, no templates",
  "prompts-list": NO_PROMPTS, "prompts-get-simple": NO_PROMPTS, "prompts-get-with-args": NO_PROMPTS,
  "prompts-get-embedded-resource": NO_PROMPTS, "prompts-get-with-image": NO_PROMPTS,
  "resources-read-text": OWN_URIS, "resources-read-binary": OWN_URIS,
  "resources-templates-read": "atoll mcp lists every document: no templates",
  "resources-subscribe": NO_SUBSCRIPTIONS, "resources-unsubscribe": NO_SUBSCRIPTIONS,
  "server-sse-polling": "a block cannot close the stream of its own call; atoll mcp keeps no events to resume from",
};

test("the conformance program, server side", async (t) => {
  const url = await serveFixture(t);
  const names = await scenarios("server");
  assert.ok(names.length >= 32, names.join(" "));
  for (const name of Object.keys(SKIPPED)) assert.ok(names.includes(name),
    `${name} is skipped and does not exist`);
  const { text } = await conformance(["server", "--url", url, "--suite", "all"], 150_000);
  for (const name of names) {
    const reason = SKIPPED[name];
    await t.test(`scenario ${name}`, { skip: reason ?? false }, () => {
      const line = new RegExp(`^(.) ${name}: (\\d+) passed, (\\d+) failed`, "m").exec(text);
      assert.deepEqual([line?.[1], line?.[3]], ["✓", "0"], text.slice(-8_000));
      assert.notEqual(line?.[2], "0");
    });
  }
  await t.test("what is skipped would fail: the reasons are still true", () => {
    for (const name of Object.keys(SKIPPED)) assert.match(text, new RegExp(`^✗ ${name}:`, "m"));
  });
});
