/**
 * The loop of `agent.run` from a Lua script: where it stops, with which history, and what it tells (block
 * 6.1).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertStrict, KEYS, type Loose, run } from "./lua.ts";
import { calls, provider as open, says } from "./provider.ts";

test("a prompt is answered: content, usage, turns, messages, and why it stopped", async (t) => {
  const p = await open(t);
  p.script(says("hello"));
  const r = await run(p, `return agent.run{prompt = "hi", system = "be kind"}`);
  assert.deepEqual(r, {
    ok: true, content: "hello", num_turns: 1, stopped_by: "end_turn",
    usage: { input_tokens: 10, output_tokens: 5, total_tokens: 15, cache_read_tokens: 0, cache_write_tokens: 0 },
    messages: [{ role: "user", content: "hi" }, { role: "assistant", content: [{ type: "text", text: "hello" }] }],
  });
  assert.equal(p.asked[0]?.path, "/v1/messages");
});

test("a tool that the model asks for runs in the isle and its result goes back", async (t) => {
  const p = await open(t);
  p.script(calls([["add", { a: 1, b: 2 }]]), says("3"));
  const r = await run(p, `
    local seen = 0
    tool.register("add", {description = "adds", input_schema = {properties = {a = {type = "number"}}}}, function(i)
      seen = seen + 1
      return i.a + i.b
    end)
    local r = agent.run{prompt = "1+2"}
    return {r = r, seen = seen}`);
  assert.equal(r.seen, 1);
  assert.equal(r.r.content, "3");
  assert.deepEqual(p.asked[1]?.body.messages[2], {
    role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: "3" }],
  });
});

// ---- stops

test("A2: open tool calls at max_iterations get `not run: max_iterations reached`, so the messages can be sent again", async (t) => {
  const p = await open(t);
  p.script(calls([["look", {}]]), calls([["look", {}], ["look", {}]], {}, 1), says("done"));
  const r = await run(p, `
    tool.register("look", {description = "looks"}, function() return "seen" end)
    local r = agent.run{prompt = "go", max_iterations = 1}
    return {r, agent.run{prompt = "again", history = r.messages}}`);
  assert.equal(r[0].ok, true);
  assert.equal(r[0].stopped_by, "max_iterations");
  assert.equal(r[0].num_turns, 2);
  assert.deepEqual(r[0].messages.at(-1), {
    role: "user",
    content: ["t2", "t3"].map(
      (id) => (
        { type: "tool_result", tool_use_id: id, content: "not run: max_iterations reached", is_error: true }
      ),
    ),
  });
  assertStrict(p.asked.at(-1)?.body.messages);
  assert.equal(r[1].content, "done");
});

for (const [name, option, bound] of [
  ["max_tokens_budget counts input and output tokens", "max_tokens_budget = 15", "budget"],
  ["budget_counts all adds cache tokens", `max_tokens_budget = 100, budget_counts = "all"`, "budget"],
  ["max_wall_ms bounds the run", "max_wall_ms = 0", "wall"],
] as const) {
  test(`${name}: the run stops with ok before the next round, and warns`, async (t) => {
    const p = await open(t);
    const usage =
      { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 90, cache_creation_input_tokens: 7 };
    p.script(calls([["look", {}]], { usage }));
    const r = await run(p, `
      local ran = 0
      tool.register("look", {}, function() ran = ran + 1 return "seen" end)
      local r = agent.run{prompt = "go", ${option}}
      r.ran = ran
      return r`);
    assert.deepEqual([r.ok, r.stopped_by, r.ran, r.num_turns], [true, bound, 0, 1]);
    assert.equal(r.messages.at(-1).content[0].content, `not run: ${bound} reached`);
    assert.deepEqual(r.usage, {
      input_tokens: 10, output_tokens: 5, total_tokens: 15, cache_read_tokens: 90, cache_write_tokens: 7,
    });
  });
}

test("a budget of input and output tokens does not count cache tokens", async (t) => {
  const p = await open(t);
  const usage = { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 9000 };
  p.script(calls([["look", {}]], { usage }), says("done", { usage }));
  const r = await run(p, `
    tool.register("look", {}, function() return "seen" end)
    return agent.run{prompt = "go", max_tokens_budget = 100}`);
  assert.deepEqual([r.stopped_by, r.content], ["end_turn", "done"]);
});

for (const [stop_reason, stopped] of [["max_tokens", "max_tokens"], ["end_turn", "end_turn"]] as const) {
  test(`${stop_reason} with an open tool call stops and closes the call`, async (t) => {
    const p = await open(t);
    p.script(calls([["look", {}]], { stop_reason }));
    const r = await run(p, `
      tool.register("look", {}, function() error("must not run") end)
      return agent.run{prompt = "go"}`);
    assert.deepEqual([r.ok, r.stopped_by], [true, stopped]);
    assert.equal(r.messages.at(-1).content[0].content, `not run: ${stopped} reached`);
  });
}

test("refusal stops the run, and is no success", async (t) => {
  const p = await open(t);
  p.script(says("I cannot", { stop_reason: "refusal" }));
  const r = await run(p, `return agent.run{prompt = "go"}`);
  assert.deepEqual(
    [r.ok, r.stopped_by, r.error, r.content], [false, "refusal", "the model refused to answer", "I cannot"],
  );
});

test("pause_turn continues with the same history", async (t) => {
  const p = await open(t);
  p.script(says("wait", { stop_reason: "pause_turn" }), says("done"));
  const r = await run(p, `return agent.run{prompt = "go"}`);
  assert.deepEqual([r.content, r.num_turns], ["done", 2]);
  assert.deepEqual(
    p.asked[1]?.body.messages.at(-1), { role: "assistant", content: [{ type: "text", text: "wait" }] },
  );
});

test("a soft cancel ends the run with stopped_by cancelled and a valid history", async (t) => {
  const p = await open(t);
  p.script(calls([["wait", {}], ["wait", {}]]));
  const r = await run(p, `
    local cancel
    tool.register("wait", {}, function() cancel() std.task.sleep(60000) end)
    local r
    pcall(std.task.scope, function(scope)
      cancel = function() scope:cancel() end
      scope:spawn(function() r = agent.run{prompt = "go"} end)
    end)
    return r`);
  assert.deepEqual([r.ok, r.stopped_by, r.error_code], [false, "cancelled", "run.cancelled"]);
  assertStrict(r.messages);
  assert.deepEqual(
    r.messages.at(-1).content.map((one: Loose) => one.content),
    ["tool error: cancelled", "not run: cancelled"],
  );
});

// ---- callbacks and context

test("on_turn hears every turn; its errors only warn", async (t) => {
  const p = await open(t);
  p.script(
    calls([["look", { at: 1 }]]), says("done", { context_management: { applied_edits: [{ type: "x" }] } }),
  );
  const r = await run(p, `
    tool.register("look", {}, function() return "seen" end)
    local turns = {}
    local r = agent.run{prompt = "go", on_turn = function(info) turns[#turns + 1] = info error("ignored") end}
    return {turns, r.ok}`);
  assert.equal(r[1], true);
  const usage =
    { input_tokens: 10, output_tokens: 5, total_tokens: 15, cache_read_tokens: 0, cache_write_tokens: 0 };
  assert.deepEqual(r[0], [
    { turn_number: 1, content: "", tool_calls: [{ id: "t1", name: "look", input: { at: 1 } }], usage },
    { turn_number: 2, content: "done", tool_calls: [], usage, context_management: { applied_edits: [{ type: "x" }] } },
  ]);
});

test("A4: of two runs in parallel tasks each child tool sees its own model, in tasks it starts too", async (t) => {
  const p = await open(t);
  p.script((response, asked) => {
    const isFirst = asked.body.messages.length === 1;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(
      JSON.stringify(isFirst ? calls([["who", {}]]) : says(asked.body.messages.at(-1).content[0].content)),
    );
  });
  const r = await run(p, `
    local function model() local top = agent._llm_ctx_top() return top and top.model end
    tool.register("who", {}, function()
      local first = model()
      std.task.sleep(5)
      local inner = std.task.spawn(function() return model() end):join()
      return tostring(first) .. " " .. tostring(model()) .. " " .. tostring(inner) .. " " .. coroutine.wrap(model)()
    end)
    local a = std.task.spawn(function() return agent.run{prompt = "go", model = "m-a"}.content end)
    local b = std.task.spawn(function() return agent.run{prompt = "go", model = "m-b"}.content end)
    return {a:join(), b:join(), tostring(agent._llm_ctx_top())}`);
  assert.deepEqual(r, ["m-a m-a m-a m-a", "m-b m-b m-b m-b", "nil"]);
});

test("a handler, and a coroutine, can run an agent with tools of their own isle", async (t) => {
  const p = await open(t);
  p.script((response, asked) => {
    const { messages } = asked.body;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(
      JSON.stringify(
        messages.length === 1 ? calls([["where", {}]]) : says(messages.at(-1).content[0].content),
      ),
    );
  });
  const { startLua } = await import("../support/run-script.ts");
  const started = startLua(`
    tool.register("where", {}, function() return "main" end)
    bus.on("ask", function(ev)
      tool.register("where", {}, function() std.task.sleep(1) return "handler" end)
      return require("agent").run{prompt = ev.payload}.content
    end)
    local inner = coroutine.wrap(function() coroutine.yield(require("agent").run{prompt = "x"}.content) end)()
    bus.on("inner", function() return inner end)
    bus.serve()`, { env: { ...KEYS, ANTHROPIC_BASE_URL: p.url } });
  assert.equal(await started.run.request("ask", "hi"), "handler");
  assert.equal(await started.run.request("inner", null), "main");
  await started.run.stop();
});

// ---- histories

test("history precedes the prompt; calls that nobody answered are closed", async (t) => {
  const p = await open(t);
  p.script(says("ok"));
  await run(p, `agent.run{prompt = "go on", history = {
    {role = "user", content = "hi"},
    {role = "assistant", content = {{type = "tool_use", id = "a", name = "look", input = {}}, {type = "tool_use", id = "b", name = "look", input = {}}}},
    {role = "user", content = {{type = "tool_result", tool_use_id = "b", content = "seen"}}},
  }}`);
  const messages = p.asked[0]?.body.messages;
  assertStrict(messages);
  assert.deepEqual(
    messages.at(-1).content.map((one: Loose) => one.content ?? one.text),
    ["seen", "not run: interrupted", "go on"],
  );
});

test("history that is no list of messages is refused before anything is asked", async (t) => {
  const p = await open(t);
  const r = await run(
    p,
    `return {agent.run{prompt = "x", history = "no"}, agent.run{prompt = "x", history = {{role = "robot"}}}}`,
  );
  for (const one of r) assert.deepEqual([one.ok, one.error], [false, "history must be a table (messages array)"]);
  assert.equal(p.asked.length, 0);
});

test("without a prompt the result says `prompt is required`", async (t) => {
  const p = await open(t);
  const r = await run(p, `return {agent.run{}, agent.run(), agent.run{prompt = ""}}`);
  for (const one of r) assert.deepEqual([one.ok, one.error, one.stopped_by, one.num_turns], [false, "prompt is required", "error", 0]);
});

test("an option of the wrong type is an error in the result that names it", async (t) => {
  const p = await open(t);
  const r = await run(
    p, `return {agent.run{prompt = "x", max_tokens = "many"}, agent.run{prompt = "x", provider = "nobody"}}`,
  );
  assert.deepEqual(r.map((one: Loose) => [one.error, one.error_code]), [
    ["agent.run: opts.max_tokens must be a non-negative number, got string", "agent.invalid"],
    ["unknown provider 'nobody' (expected 'anthropic' or 'openai')", "agent.invalid"],
  ]);
});
