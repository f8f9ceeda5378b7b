import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import {
  isRecording, type MockExchange, type MockModel, readRecording, RECORDING_HEAD, until,
} from "@atoll-run/testkit";
import { anthropicBody, askAnthropic, askOpenai, json, mock, openaiBody } from "./support.ts";

interface Recorder {
  readonly model: MockModel;
  readonly lines: string[];
  exchanges(): readonly MockExchange[];
}

/** A mock that stands between the test and `upstream`. */
async function recorder(t: TestContext, upstream: string,
  secrets: readonly string[] = []): Promise<Recorder> {
  const lines = [RECORDING_HEAD];
  const model = await mock(t,
    { record: { upstream, save: (exchange) => void lines.push(JSON.stringify(exchange)) }, secrets });
  return { model, lines, exchanges() {
    const read = readRecording(lines.join("\n"));
    assert.ok(read.ok);
    return read.exchanges;
  } };
}

test("what a provider answered is passed on, recorded and replayed byte for byte, streams and errors too",
  async (t) => {
  const provider = await mock(t,
    { turns: [{ reply: { text: "one" } }, { reply: { text: "two, as a stream" } },
    { error: { status: 429, retry_after: 3 } }] });
  const { model, lines, exchanges } = await recorder(t, provider.url);
  const calls = async (url: string): Promise<unknown[]> => {
    const answers = [];
    for (const ask of [() => askAnthropic(url), () => askOpenai(url, openaiBody({ stream: true })), () =>
      askOpenai(url)]) {
      const answer = await ask();
      answers.push([answer.status, answer.headers.get("content-type"), answer.headers.get("retry-after"),
        await answer.text()]);
    }
    return answers;
  };
  const real = await calls(model.url);
  await until(() => lines.length === 4);
  assert.ok(isRecording(lines.join("\n")));
  const replay = await mock(t, { replay: { exchanges: exchanges() } });
  assert.deepEqual(await calls(replay.url), real);
  assert.equal(replay.left(), 0);
  assert.equal(provider.requests[0]?.headers["x-api-key"], "sk-ant-key");
});

test("no key is in a recording: not in headers, query, bodies or answers", async (t) => {
  const secrets = { header: "sk-ant-MARK1", query: "MARK2-query", body: "MARK3-body", env: "MARK4-env",
    cookie: "MARK5-set" };
  const provider = createServer((_request, response) => {
    response.setHeader("set-cookie", secrets.cookie);
    response.end(JSON.stringify({ error: { message: `bad key ${secrets.header}, saw ${secrets.env}` } }));
  });
  await new Promise<void>((resolve) => void provider.listen(0, "127.0.0.1", resolve));
  t.after(() => provider.close());
  const { model, lines } = await recorder(t, `http://127.0.0.1:${(provider.address() as AddressInfo).port}`,
    [secrets.env]);
  const { mcp_servers: _, ...plain } = anthropicBody({ mcp_servers: 1 });
  const body = { ...plain, mcp_servers: [{ authorization_token: secrets.body }],
    system: `uses ${secrets.query} and ${secrets.env}` };
  const answer = await fetch(`${model.url}/v1/messages?api-key=${secrets.query}`,
    { method: "POST", body: JSON.stringify(body),
    headers: { "x-api-key": secrets.header, "authorization": `Bearer ${secrets.header}`,
      "cookie": "a=MARK6-cookie",
      "proxy-authorization": "Basic MARK7", "x-custom-token": "MARK8-token",
        "x-organization": "MARK9-unknown" } });
  assert.match(await answer.text(), /MARK1/, "the client gets what the provider said");
  await until(() => lines.length === 2);
  assert.doesNotMatch(lines.join("\n"), /MARK/);
  assert.match(lines[1] ?? "", /"x-api-key":"\[REDACTED\]"/);
});

test("a request that is not in the recording is told where it differs; in order anything goes", async (t) => {
  const provider = await mock(t, { turns: [{ reply: { text: "one" }, times: "any" }] });
  const { model, lines, exchanges } = await recorder(t, provider.url);
  await (await askAnthropic(model.url)).text();
  await until(() => lines.length === 2);
  const other = anthropicBody({ messages: [{ role: "user", content: "Hello?" }] });
  const strict = await mock(t, { replay: { exchanges: exchanges() } });
  const refused = await askAnthropic(strict.url, other);
  assert.equal(refused.status, 400);
  assert.equal((await json(refused)).error.message,
    "mock model: the request is not in the recording; the next one there differs at body.messages[0].content");
  const free = await mock(t, { replay: { exchanges: exchanges(), match: "order" } });
  assert.equal((await askAnthropic(free.url, other)).status, 200);
  assert.equal((await json(askAnthropic(free.url, other))).error.message,
    "mock model: no more answers for /v1/messages are recorded");
});

test("a provider that cannot be reached, or cuts its answer, hurts nobody else", async (t) => {
  const nobody = await recorder(t, "http://127.0.0.1:1");
  assert.equal((await askAnthropic(nobody.model.url)).status, 502);
  const provider = await mock(t, { turns: [{ broken: "drop_half" }, { reply: { text: "fine" } }] });
  const { model, lines, exchanges } = await recorder(t, provider.url);
  await assert.rejects(async () => (await askAnthropic(model.url)).text(), TypeError);
  assert.equal((await askAnthropic(model.url)).status, 200);
  await until(() => lines.length === 3);
  const replay = await mock(t, { replay: { exchanges: exchanges() } });
  await assert.rejects(async () => (await askAnthropic(replay.url)).text(), TypeError);
});

test("a file that is no recording is refused with its line", () => {
  assert.deepEqual(readRecording("x"), { ok: false, problem: "line 1: this is no recording" });
  assert.deepEqual(readRecording(`${RECORDING_HEAD}\n{}\n`),
    { ok: false, problem: "line 2: this is no exchange" });
});
