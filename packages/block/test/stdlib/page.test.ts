// Goal: every example of docs/blocks.md runs as it stands and prints what the page says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { memoryKv, type MockAnswerer } from "@atoll-run/testkit";
import { EMBEDDED_BLOCKS } from "../../src/stdlib/embedded.ts";
import { project } from "../require/project.ts";
import { runLua } from "../support/run-script.ts";
import { file, model } from "./loop.ts";

const PAGE = readFileSync(new URL("../../../../docs/blocks.md", import.meta.url), "utf8");
const EXAMPLE = /^## (\w+)\n(?:(?!^## )[^])*?^```lua\n([^]*?)^```\n```text\n([^]*?)^```$/gm;

/** What the model says in each example. */
const SAYS: Readonly<Record<string, MockAnswerer>> = {
  agent: ({ toolResults: [seen] }) => ({
    reply: seen === undefined ? { tool_calls: [{ name: "weather", input: { city: "Bergen" } }] } : { text: `Take one: ${seen}.` },
  }),
  session: ({ messages, text }) => ({
    reply: { text: messages.length > 1 && text.includes("out of bread") ? "Bread." : "Noted." },
  }),
  compile_loop: (_, count) => ({ reply: { text: file(count === 1 ? "eco hello" : "echo hello", "sh") } }),
  coding_agent: () => ({ reply: { text: file("echo $((19 + 23))", "sh") } }),
  lshape: () => undefined,
};

const examples = [...PAGE.matchAll(EXAMPLE)];

test("each standard block has an example on its page", () => {
  const blocks = Object.keys(EMBEDDED_BLOCKS).filter((name) => !name.includes("."));
  assert.deepEqual(examples.map(([, name]) => name).sort(), blocks.sort());
  assert.equal([...PAGE.matchAll(/^```lua$/gm)].length, blocks.length);
});

for (const [, name = "", source = "", prints = ""] of examples) {
  test(`the example of ${name} prints what its page says`, async (t) => {
    const { url } = await model(t, SAYS[name] ?? (() => undefined));
    const { stdout, error } = await runLua(source, {
      projectRoot: await project(t, {}), stores: { kv: memoryKv },
      env: {
        PATH: process.env["PATH"] ?? "", ANTHROPIC_API_KEY: "k", ANTHROPIC_BASE_URL: url, OPENAI_API_KEY: "k", OPENAI_BASE_URL: url,
      },
    });
    assert.equal(error?.message, undefined);
    assert.equal(stdout, prints);
  });
}
