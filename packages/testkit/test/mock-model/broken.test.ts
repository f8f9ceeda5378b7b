import assert from "node:assert/strict";
import { test } from "node:test";
import { MOCK_BREAKS, readMockScript, startMockModel, until, watchHandles } from "@atoll-run/testkit";
import { anthropicBody, askAnthropic, askOpenai, dataOf, json, mock, openaiBody } from "./support.ts";

const reply = { text: "a text that is long enough to be cut in two" };
const stream = { stream: true };

test("a truncated answer ends cleanly in its middle", async (t) => {
  const { url } = await mock(t, { turns: [{ broken: "truncated", reply, times: "any" }] });
  const whole = await (await askAnthropic(url)).text();
  assert.throws(() => JSON.parse(whole), SyntaxError);
  const events = dataOf(await (await askAnthropic(url, anthropicBody(stream))).text());
  assert.equal(events[0].type, "message_start");
  assert.ok(!events.some(({ type }) => type === "message_stop"));
  assert.ok(!(await (await askOpenai(url, openaiBody(stream))).text()).includes("[DONE]"));
});

test("a dropped connection is an error of the connection, before or behind the head", async (t) => {
  const { url } = await mock(t, { turns: [{ broken: "drop" }, { broken: "drop_half", times: "any" }] });
  await assert.rejects(askAnthropic(url), TypeError);
  for (const body of [anthropicBody(), anthropicBody(stream)]) {
    const answer = await askAnthropic(url, body);
    assert.equal(answer.status, 200);
    await assert.rejects(answer.text(), TypeError);
  }
});

test("a hanging answer hangs until the client gives up or the mock is closed", async (t) => {
  const handles = watchHandles();
  const model = await mock(t, { turns: [{ broken: "hang", times: 2 }, { broken: "hang_half" },
    { delay_ms: 3_600_000 }] });
  const gone = new AbortController();
  const first = fetch(`${model.url}/v1/messages`, { method: "POST", body: JSON.stringify(anthropicBody()),
    headers: { "x-api-key": "k", "anthropic-version": "2023-06-01" }, signal: gone.signal });
  const aborted = assert.rejects(first, { name: "AbortError" });
  await until(() => model.count === 1);
  gone.abort();
  await aborted;
  const hanging = [askAnthropic(model.url)];
  const early = Promise.allSettled(hanging);
  await until(() => model.count === 2);
  const half = await askAnthropic(model.url, anthropicBody(stream));
  const cut = assert.rejects(half.text(), TypeError);
  hanging.push(askAnthropic(model.url));
  const all = Promise.allSettled(hanging);
  await until(() => model.count === 4);
  await model.close();
  await cut;
  await early;
  for (const { status } of await all) assert.equal(status, "rejected");
  await model.close();
  await handles.check();
});

test("bad JSON, missing parts, nothing at all, and an error in the middle", async (t) => {
  const { url } = await mock(t, { turns: [
    { broken: "bad_json", times: 2 }, { broken: "missing_choices", times: 2 }, { broken: "empty" },
    { broken: "error_half", times: 2 },
      { raw: { status: 502, body: "<html>", headers: { "content-type": "text/html" } } },
  ] });
  await assert.rejects(json(askOpenai(url)), SyntaxError);
  assert.match(await (await askOpenai(url, openaiBody(stream))).text(), /\ndata: \{"not": json\n\n$/);
  assert.equal("choices" in await json(askOpenai(url)), false);
  assert.equal("content" in await json(askAnthropic(url)), false);
  assert.equal(await (await askOpenai(url)).text(), "");
  const events = dataOf(await (await askAnthropic(url, anthropicBody(stream))).text());
  assert.deepEqual(events.at(-1), { type: "error", error: { type: "overloaded_error",
    message: "Overloaded" } });
  assert.equal((await askOpenai(url)).status, 500);
  const raw = await askOpenai(url);
  assert.deepEqual([raw.status, raw.headers.get("content-type"), await raw.text()],
    [502, "text/html", "<html>"]);
});

test("shapes of gateways: object arguments, no id, arguments that are no JSON", async (t) => {
  const tool_calls = [{ name: "a", id: null, arguments_object: true, input: { x: 1 } },
    { name: "b", arguments_text: "{bad" }];
  const { url } = await mock(t, { turns: [{ reply: { tool_calls } }] });
  const [{ message }] = (await json(askOpenai(url))).choices;
  assert.deepEqual(message.tool_calls.map((call: { function: { arguments: unknown } }) =>
    call.function.arguments),
    [{ x: 1 }, "{bad"]);
  assert.deepEqual([message.content, "id" in message.tool_calls[0]], [null, false]);
});

test("a script file is read with every mistake named", () => {
  const wrong = readMockScript(JSON.stringify({ turn: [], turns: [{}, { error: { status: 99 }, times: 0 },
    { reply: { tool_calls: [{}] }, broken: "x" }] }));
  assert.deepEqual(wrong, { ok: false, problems: [
    "turn: there is no such field", "turns[1].error.status: expected a status from 200 to 599",
    'turns[1].times: expected a whole number from 1, or "any"',
      "turns[2].reply.tool_calls[0].name: is missing",
    `turns[2].broken: expected ${MOCK_BREAKS.join(", ")}`, "turns[0]: needs one of reply, error, broken, raw",
  ] });
  assert.deepEqual(readMockScript('{"turns": [\n oops]}'),
    { ok: false, problems: ['line 2: expected a value, found "o"'] });
  assert.equal(readMockScript('{"turns": [{"reply": {"text": "hi"}}]}').ok, true);
});

test("a port that is taken is an error, and the mock leaves nothing open", async (t) => {
  const { url } = await mock(t, { turns: [] });
  await assert.rejects(startMockModel({ script: { turns: [] }, port: Number(new URL(url).port) }),
    { code: "EADDRINUSE" });
});
