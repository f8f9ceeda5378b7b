/**
 * Histories are valid whatever came before, and waits between tries are as they are said to be: pure
 * functions.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { blocksOf, closed, openCalls, readMessages, sendable, withPrompt, withResult } from "../../src/agent/history.ts";
import { type Block, isToolResult, isToolUse, type Message } from "../../src/agent/model-port.ts";
import { retryAfter, retryDelay } from "../../src/agent/retry.ts";
import { collectTools } from "../../src/agent/tools.ts";

/** Conversations with tool calls, of whose results some are missing and some are out of order. */
const HISTORY = fc.array(fc.record({
  tools: fc.integer({ min: 0, max: 3 }), answered: fc.uniqueArray(fc.integer({ min: 0, max: 2 })),
  says: fc.boolean(), silent: fc.boolean(),
}), { maxLength: 6 }).map((turns) => {
  const messages: Message[] = [{ role: "user", content: "go" }];
  for (const [turn, { tools, answered, says, silent }] of turns.entries()) {
    const calls: Block[] = Array.from(
      { length: tools }, (_, i) => ({ type: "tool_use", id: `t${turn}_${i}`, name: "x", input: {} }),
    );
    messages.push({ role: "assistant", content: [{ type: "text", text: silent ? "" : "hm" }, ...calls] });
    const results: Block[] = answered.filter((i) => i < tools).map(
      (i) => ({ type: "tool_result", tool_use_id: `t${turn}_${i}`, content: "x" }),
    );
    const said: Block[] = says ? [{ type: "text", text: "and" }] : [];
    if (results.length + said.length > 0) messages.push({ role: "user", content: [...said, ...results] });
  }
  return messages;
});

function answeredEverywhere(messages: readonly Message[]): boolean {
  return messages.every((message, at) => {
    const calls = blocksOf(message.content).filter(isToolUse).map(({ id }) => id);
    const next = messages[at + 1];
    const results = next === undefined ? [] : blocksOf(next.content).filter(isToolResult).map(
      (result) => result.tool_use_id,
    );
    return message.role === "user" || calls.every((id) => results.includes(id));
  });
}

test("a closed history answers every call in the next message, and keeps everything that was there", () => {
  fc.assert(fc.property(HISTORY, (messages) => {
    const whole = closed(messages, "interrupted");
    assert.ok(answeredEverywhere(whole));
    const count = (list: readonly Message[], type: string): number =>
      list.flatMap(({ content }) => blocksOf(content)).filter((block) => block.type === type).length;
    for (const type of ["text", "tool_use"]) assert.equal(count(whole, type), count(messages, type));
    assert.ok(answeredEverywhere(withPrompt(whole, "more")));
    assert.equal(withPrompt(whole, "more").at(-1)?.role, "user");
    assert.deepEqual(closed(whole, "again"), whole);
  }));
});

test("results added one by one, in any order, stand in the order of the calls", () => {
  fc.assert(fc.property(fc.shuffledSubarray(["a", "b", "c", "d"], { minLength: 4 }), (order) => {
    let messages: readonly Message[] = [
      { role: "user", content: "go" },
      { role: "assistant", content: ["a", "b", "c", "d"].map((id) => ({ type: "tool_use", id, name: "x", input: {} })) },
    ];
    for (const [done, id] of order.entries()) {
      assert.equal(openCalls(messages).length, 4 - done);
      messages = withResult(messages, { type: "tool_result", tool_use_id: id, content: id });
    }
    assert.deepEqual(openCalls(messages), []);
    assert.deepEqual(
      blocksOf(messages[2]?.content ?? "").map((block) => (block as { content?: unknown }).content),
      ["a", "b", "c", "d"],
    );
  }));
});

test("what is sent has no empty text and no empty message", () => {
  fc.assert(fc.property(HISTORY, (messages) => {
    for (const { content } of sendable([...messages, { role: "assistant", content: "" }])) {
      const blocks = blocksOf(content);
      assert.ok(
        blocks.length > 0 && blocks.every(
          (block) => block.type !== "text" || (block as { text?: unknown }).text !== "",
        ),
      );
    }
  }));
});

test("messages from outside: an empty Lua table is no message; other shapes are refused", () => {
  assert.deepEqual(readMessages({}), []);
  assert.deepEqual(readMessages([]), []);
  for (const wrong of ["x", 1, { a: 1 }, [{ role: "robot", content: "x" }], [{ role: "user", content: 1 }], [null]]) assert.equal(readMessages(wrong), undefined);
});

test("tries wait 0.5 s, doubling to 8 s, over the upper half of it; what the server says wins, up to 60 s", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 20 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (again, random) => {
    const whole = Math.min(500 * 2 ** (again - 1), 8_000);
    const ms = retryDelay(again, undefined, () => random);
    assert.ok(ms >= whole / 2 && ms <= whole);
  }));
  assert.equal(retryDelay(1, 1_000, () => 0), 1_000);
  assert.equal(retryDelay(1, 3_600_000, () => 0), 60_000);
});

test("Retry-After is seconds, fractions of them, or a date; retry-after-ms is more exact", () => {
  const after = (headers: Record<string, string>): number | undefined => retryAfter(
    (name) => headers[name], Date.parse("2026-01-01T00:00:00Z"),
  );
  assert.equal(after({ "retry-after": "1" }), 1_000);
  assert.equal(after({ "retry-after": "0.25" }), 250);
  assert.equal(after({ "retry-after": "Thu, 01 Jan 2026 00:00:07 GMT" }), 7_000);
  assert.equal(after({ "retry-after": "Thu, 01 Jan 2025 00:00:07 GMT" }), 0);
  assert.equal(after({ "retry-after": "1", "retry-after-ms": "30" }), 30);
  assert.equal(after({ "retry-after": "soon" }), undefined);
  assert.equal(after({}), undefined);
});

test("of tools with one name the first wins, and groups choose before that", () => {
  const tool = (name: string, group?: string): { name: string; group?: string } => (
    { name, ...(group === undefined ? {} : { group }) }
  );
  const lists = [[tool("a", "x"), tool("b")], [tool("a"), tool("c", "y")]];
  assert.deepEqual(collectTools(lists, undefined), [tool("a", "x"), tool("b"), tool("c", "y")]);
  assert.deepEqual(collectTools(lists, ["default"]), [tool("b"), tool("a")]);
});
