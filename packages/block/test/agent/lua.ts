/**
 * Runs Lua code with `agent` at hand against a provider of the test; and what a strict model checks of a
 * history.
 */
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { createIslePool } from "../../src/isle/host/pool.ts";
import { loadLuaModule } from "../../src/isle/lua-module.ts";
import { type ScriptOptions, valueOf } from "../support/run-script.ts";
import type { Provider } from "./provider.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- a test looks into results of every shape
export type Loose = any;

export const KEYS = { ANTHROPIC_API_KEY: "key-of-the-test", OPENAI_API_KEY: "openai-key" };

/** The runs of a test file share threads. */
export const placing = createIslePool(
  loadLuaModule({ cacheFile: join(tmpdir(), "atoll-block-tests", "lua.wasm") }).module, { max: 2 },
);
after(() => placing[Symbol.asyncDispose]());

/** The value of the script; both providers are configured to be that of the test. */
export async function run(p: Provider, source: string, options: ScriptOptions = {}): Promise<Loose> {
  const env = { ...KEYS, ANTHROPIC_BASE_URL: p.url, OPENAI_BASE_URL: `${p.url}/v1`, ...options.env };
  return await valueOf(`local agent = require("agent")\n${source}`, { placing, ...options, env }) as Loose;
}

/**
 * What a strict model checks: roles take turns, every call is answered by the next message and by nothing
 * else.
 */
export function assertStrict(messages: Loose): void {
  let calls: string[] = [];
  for (const [at, { role, content }] of messages.entries()) {
    assert.equal(role, at % 2 === 0 ? "user" : "assistant", `role of message ${at}`);
    const blocks = typeof content === "string" ? [] : content;
    const answered = blocks.filter((block: Loose) => block.type === "tool_result").map(
      (block: Loose) => block.tool_use_id,
    );
    assert.deepEqual(answered.toSorted(), calls.toSorted(), `results in message ${at}`);
    calls = blocks.filter((block: Loose) => block.type === "tool_use").map((block: Loose) => block.id);
  }
}
