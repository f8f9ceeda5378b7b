/** Goal: what is bounded is bounded, what is unknown is not free. Method: tables. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { exhausted, isNearlyUsed, linesOf, tighter } from "../../src/usage/budget.ts";
import { priceOf, usageOfCall } from "../../src/usage/prices.ts";
import { addUsage, NO_USAGE, use, usedToday, leftOfDay } from "../../src/usage/usage.ts";

const DAY = 86_400_000;
const PRICES = { "claude-*": { input: 1, output: 5 }, "claude-big": { input: 10, output: 50, cache_read: 1, cache_write: 20 } };

test("the price of a model is that of the name that says most of it, and nobody makes one up", () => {
  assert.deepEqual(["claude-big", "claude-small", "gpt"].map((model) => priceOf(PRICES, model)?.input), [10, 1, undefined]);
});

test("what was in a cache costs its own price, whether a provider counts it beside the input or within", () => {
  const answer = (input_tokens: number, cache_beside_input: number) => ({ stop_reason: "end_turn" as const, usage: {
    input_tokens, output_tokens: 100, cache_read_tokens: 2_000, cache_write_tokens: 1_000, cache_beside_input,
  } });
  const cost_usd = (500 * 10 + 2_000 * 1 + 1_000 * 20 + 100 * 50) / 1e6;
  for (const given of [answer(500, 3_000), answer(3_500, 0)]) {
    assert.deepEqual(usageOfCall(given, PRICES["claude-big"]), { tokens_in: 3_500, tokens_out: 100, cost_usd });
  }
  assert.equal(usageOfCall(answer(500, 0), undefined).cost_usd, null);
});

test("a cost that is not known makes the sum unknown, never 0", () => {
  assert.equal(addUsage({ ...NO_USAGE, cost_usd: 1 }, { cost_usd: null, tokens_in: 3 }).cost_usd, null);
  assert.equal(addUsage({ ...NO_USAGE, cost_usd: null }, { cost_usd: 2 }).cost_usd, null);
  const [line] = linesOf({ day: { cost_usd: 5 } }, { turn: NO_USAGE, day: { ...NO_USAGE, cost_usd: null }, life: NO_USAGE });
  assert.deepEqual([line?.used, exhausted([line as NonNullable<typeof line>], ["cost_usd"])], [null, line]);
});

test("a day begins anew at midnight UTC and is not given twice to a clock that is set back; a life goes on", () => {
  const first = use(undefined, { turns: 1 }, DAY - 1);
  const second = use(first, { turns: 1 }, DAY);
  assert.deepEqual([second.today.turns, second.life.turns], [1, 2]);
  assert.equal(use(second, { turns: 1 }, DAY - 1).today.turns, 2);
  assert.deepEqual([usedToday(second, DAY).turns, usedToday(second, 2 * DAY).turns, leftOfDay(DAY + 1)], [1, 0, DAY - 1]);
});

test("of two budgets the tighter line counts, and a line of one of them too", () => {
  assert.deepEqual(tighter({ day: { tokens: 10, turns: 5 } }, { day: { tokens: 20, tool_calls: 1 }, life: { turns: 9 } }), {
    turn: {}, day: { tokens: 10, turns: 5, tool_calls: 1 }, life: { turns: 9 },
  });
  assert.deepEqual([tighter(null, { day: {} }), tighter({ day: {} }, undefined), tighter(null, null)], [{ day: {} }, { day: {} }, null]);
});

test("a line is used up when it is reached, and nearly so from four fifths on", () => {
  const line = (used: number) => ({ per: "day", of: "tokens", used, limit: 10 }) as const;
  assert.deepEqual([7, 8, 9, 10].map((used) => [isNearlyUsed(line(used)), exhausted([line(used)], ["tokens"]) !== undefined]), [
    [false, false], [true, false], [true, false], [true, true],
  ]);
  assert.equal(exhausted([line(10)], ["turns"]), undefined);
});
