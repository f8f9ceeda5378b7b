/** Requests as clients send them. */
import type { TestContext } from "node:test";
import { type MockModel, type MockModelOptions, type MockScript, startMockModel } from "@atoll-run/testkit";

export type Body = Record<string, unknown>;

export async function mock(t: TestContext, o: MockModelOptions | MockScript): Promise<MockModel> {
  const model = await startMockModel("turns" in o ? { script: o } : o as MockModelOptions);
  t.after(() => model.close());
  return model;
}

const USER = [{ role: "user", content: "Hello" }];

export function anthropicBody(more: Body = {}): Body {
  return { model: "claude-test", max_tokens: 100, messages: USER, ...more };
}

export function openaiBody(more: Body = {}): Body {
  return { model: "gpt-test", messages: USER, ...more };
}

export function askAnthropic(
  url: string, body: Body = anthropicBody(), headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/v1/messages`, { method: "POST", body: JSON.stringify(body), headers: {
    "content-type": "application/json", "x-api-key": "sk-ant-key", "anthropic-version": "2023-06-01",
      ...headers } });
}

export function askOpenai(
  url: string, body: Body = openaiBody(), headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/chat/completions`, { method: "POST", body: JSON.stringify(body), headers: {
    "content-type": "application/json", "authorization": "Bearer sk-openai-key", ...headers } });
}

/** Tests look into answers of many shapes. */
// oxlint-disable-next-line typescript/no-explicit-any
export async function json(answer: Response | Promise<Response>): Promise<any> {
  return await (await answer).json();
}

/** The JSON texts of the `data:` lines. */
// oxlint-disable-next-line typescript/no-explicit-any
export function dataOf(stream: string): any[] {
  return stream.split("\n").filter((line) => line.startsWith("data: ") && line !== "data: [DONE]")
    .map((line) => JSON.parse(line.slice(6)));
}
