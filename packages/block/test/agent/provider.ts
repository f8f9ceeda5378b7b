/**
 * A model provider on loopback for tests of the agent loop: it says what the test tells it to, one reply
 * after the other, and keeps what it was asked.
 */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

// oxlint-disable-next-line typescript/no-explicit-any -- a test looks into bodies of every shape
type Loose = any;

export interface Asked {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Loose;
  readonly text: string;
  readonly at: number;
}

/** A whole JSON body, or a function that answers by itself. */
export type Say = object | ((response: ServerResponse, asked: Asked) => void | Promise<void>);

export interface Provider {
  readonly url: string;
  readonly asked: Asked[];
  /** Said in order; the last one again and again. */
  script(...replies: readonly Say[]): void;
}

export async function provider(t: TestContext): Promise<Provider> {
  const asked: Asked[] = [];
  let replies: Say[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const text = Buffer.concat(pieces).toString();
      const one = { path: request.url ?? "", headers: request.headers, body: JSON.parse(text) as Loose, text, at: performance.now() };
      asked.push(one);
      const say = replies.length > 1 ? replies.shift() : replies[0];
      if (say === undefined) status(500, "the test has nothing to say")(response);
      else if (typeof say === "function") void say(response, one);
      else json(response, 200, say);
    });
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked,
    script: (...next) => {
      replies = [...next];
    },
  };
}

export function json(response: ServerResponse, code: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(code, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

export function status(code: number, message = "no", headers: Record<string, string> = {}): (response: ServerResponse) => void {
  return (response) => json(
    response, code, { type: "error", error: { type: "some_error", message } }, headers,
  );
}

/** Events, each written on its own. */
export function events(list: readonly unknown[], end = ""): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const data of list) {
      const type = (data as { type?: string }).type;
      response.write(`${type === undefined ? "" : `event: ${type}\n`}data: ${JSON.stringify(data)}\n\n`);
    }
    response.end(end);
  };
}

const USAGE = { input_tokens: 10, output_tokens: 5 };

/** A whole reply of Anthropic's API. */
export function says(text: string, more: object = {}): object {
  return { id: "msg", type: "message", role: "assistant", content: [{ type: "text", text }], stop_reason: "end_turn", usage: USAGE, ...more };
}

/** One that asks for tools: `[name, input]` each; ids `t1`, `t2`, … after `from`. */
export function calls(list: readonly (readonly [string, unknown])[], more: object = {}, from = 0): object {
  const content = list.map(([name, input], i) => ({ type: "tool_use", id: `t${from + i + 1}`, name, input }));
  return { id: "msg", type: "message", role: "assistant", content, stop_reason: "tool_use", usage: USAGE, ...more };
}

/** A whole reply of Chat Completions. */
export function completes(message: object, finish_reason = "stop", more: object = {}): object {
  return {
    id: "c", object: "chat.completion",
    choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason }],
    usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }, ...more,
  };
}
