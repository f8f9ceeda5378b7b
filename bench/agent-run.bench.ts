/** Issue B, agent run: what the loop costs over the bare requests it makes. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { randomUUID } from "node:crypto";
import type { Agents, BlockRun } from "@atoll-run/block";
import type { Bench, Row } from "../tools/bench/bench.ts";
import { clock, createBenchBlock, LUA_CACHE, script } from "./support/blocks.ts";
import { block } from "./support/built.ts";
import { ratioRow, rounds, takeTurns } from "./support/figures.ts";
import { onAllCores, onOneCore } from "./support/one-core.ts";

const RUNS = 20;
const SYSTEM = "You add numbers.";
const PROMPT = "What is 1 + 2?";
const SCHEMA = { type: "object", properties: { a: { type: "number" }, b: { type: "number" } } };
const DESCRIPTION = "Adds two numbers.";

const LUA = `
local agent = require("agent")
tool.register("add", {description = "${DESCRIPTION}", input_schema = {
  type = "object", properties = {a = {type = "number"}, b = {type = "number"}},
}}, function(i) return i.a + i.b end)
bus.on("run", function()
  for _ = 1, ${RUNS} do
    local r = agent.run{prompt = "${PROMPT}", system = "${SYSTEM}"}
    if r.content ~= "it is 3" then error(r.error or r.content) end
  end
end, {isle = "main"})
bus.serve()`;

export const bench: Bench = {
  name: "agent run", unit: "×", issue: "B",
  question: "What does a run of an agent with two calls of a model cost, against a bare loop of fetch that makes the same two?",
  bars: [{ name: "from TypeScript", atMost: 1.5 }, { name: "from Lua", atMost: 1.5 }],
  async run({ quick }) {
    const alone = onOneCore();
    const rows = await measure(quick, alone ? "" : ", cores not chosen");
    if (!alone) {
      return { rows: rows.map((row) => ({ ...row, name: row.name.replace(", cores not chosen", "") })) };
    }
    onAllCores();
    return { rows: [...rows, ...await measure(quick, ", cores not chosen")] };
  },
};

async function measure(quick: boolean, how: string): Promise<Row[]> {
  const thread = new Worker(new URL("./support/mock-model-thread.ts", import.meta.url));
  const [url] = await once(thread, "message") as [string];
  const env = { ANTHROPIC_API_KEY: "key", ANTHROPIC_BASE_URL: url };
  try {
    const { module } = block.loadLuaModule({ cacheFile: LUA_CACHE });
    await using agents = block.createAgents({ clock, ids: { uuid4: randomUUID, uuid7: randomUUID }, env });
    await using run = createBenchBlock(block.ownThreads(module)).start({ ...script(LUA), env });
    await run.ready;
    const times = await takeTurns({
      bare: () => mean(() => bareLoop(url)), typescript: () => mean(() => agentRun(agents)),
      lua: () => luaRuns(run),
    }, rounds(quick));
    return [ratioRow(`from TypeScript${how}`, times.typescript, times.bare), ratioRow(`from Lua${how}`, times.lua, times.bare)];
  } finally {
    await thread.terminate();
  }
}

async function luaRuns(run: BlockRun): Promise<number> {
  const begun = performance.now();
  await run.request("run", null);
  return (performance.now() - begun) / RUNS;
}

/** Milliseconds of one run, the mean of some. */
async function mean(once: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  for (let i = 0; i < RUNS; i++) await once();
  return (performance.now() - begun) / RUNS;
}

async function agentRun(agents: Agents): Promise<void> {
  const tools = [{
    name: "add", description: DESCRIPTION, input_schema: SCHEMA,
    handler: (input: unknown) => {
      const { a, b } = input as { a: number; b: number };
      return a + b;
    },
  }];
  const result = await agents.run({ prompt: PROMPT, system: SYSTEM, tools });
  if (result.content !== "it is 3") throw new Error(result.error ?? result.content);
}

interface Reply {
  readonly content: readonly { readonly type: string; readonly id?: string; readonly text?: string; readonly input?: { a: number; b: number } }[];
}

/** What a program would write that needs no loop: two requests and the sum between them. */
async function bareLoop(url: string): Promise<void> {
  const messages: unknown[] = [{ role: "user", content: PROMPT }];
  for (let turn = 0; turn < 2; turn++) {
    const response = await fetch(`${url}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": "key", "anthropic-version": "2023-06-01" },
      body: JSON.stringify({
        model: "claude-haiku-4-5-20251001", max_tokens: 4096, system: SYSTEM, messages,
        tools: [{ name: "add", description: DESCRIPTION, input_schema: SCHEMA }],
      }),
    });
    const { content } = await response.json() as Reply;
    messages.push({ role: "assistant", content });
    const results = content.flatMap(({ id, input }) =>
      (input === undefined ? [] : [{ type: "tool_result", tool_use_id: id, content: String(input.a + input.b) }]));
    if (results.length > 0) messages.push({ role: "user", content: results });
    else if (content[0]?.text !== "it is 3") throw new Error("the model said something else");
  }
}
