/** A table of requests that the services refuse: each with the words they refuse it in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { anthropicBody, askAnthropic, askOpenai, type Body, json, mock, openaiBody } from "./support.ts";

const user = (content: unknown): Body => ({ role: "user", content });
const assistant = (content: unknown, more: Body = {}): Body => ({ role: "assistant", content, ...more });
const use = (id: string, input: unknown = {}): Body => ({ type: "tool_use", id, name: "t", input });
const result = (id: string): Body => ({ type: "tool_result", tool_use_id: id, content: "ok" });
const text = (words: string): Body => ({ type: "text", text: words });
const schema = { type: "object" };

const ANTHROPIC: readonly (readonly [what: string, body: Body, message: string])[] = [
  ["no max_tokens", { max_tokens: undefined }, "max_tokens: Field required"],
  ["no messages at all", { messages: [] }, "messages: at least one message is required"],
  ["a field that does not exist", { foo: 1 }, "foo: Extra inputs are not permitted"],
  ["context management without its beta", { context_management: {} },
    "context_management: Extra inputs are not permitted"],
  ["an assistant first", { messages: [assistant("Hi")] }, 'messages: first message must use the "user" role'],
  ["a system message", { messages: [{ role: "system", content: "x" }] },
    'messages: Unexpected role "system". The Messages '
    + 'API accepts a top-level `system` parameter, not "system" as an input message role.'],
  ["empty content in the middle", { messages: [user("a"), assistant([]), user("b")] },
    "messages.1: all messages must have non-empty content except for the optional final assistant message"],
  ["an empty text block", { messages: [user([text("")])] },
    "messages: text content blocks must be non-empty"],
  ["white space only", { messages: [user([text(" ")])] },
    "messages: text content blocks must contain non-whitespace text"],
  ["white space at the end of a prefill", { messages: [user("a"), assistant("b ")] },
    "messages: final assistant content cannot end with trailing whitespace"],
  ["a tool use without a result", { messages: [user("a"), assistant([use("x")]), user("b")] },
    "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: x. Each `tool_use` block must "
    + "have a corresponding `tool_result` block in the next message."],
  ["a tool use at the end", { messages: [user("a"), assistant([use("x"), use("y")])] },
    "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: x, y. Each `tool_use` block must "
    + "have a corresponding `tool_result` block in the next message."],
  ["a result without a tool use", { messages: [user([text("a"), result("z")])] },
    "messages.0.content.1: unexpected `tool_use_id` found in `tool_result` blocks: z. Each `tool_result` block must have a "
    + "corresponding `tool_use` block in the previous message."],
  ["two results of one call", { messages: [user("a"), assistant([use("x")]),
    user([result("x"), result("x")])] },
    "messages.2.content: each tool_use must have a single result. Found multiple `tool_result` blocks with id: x"],
  ["one id twice", { messages: [user("a"), assistant([use("x"), use("x")]), user([result("x")])] },
    "messages.1: `tool_use` ids must be unique"],
  ["a list as input", { messages: [user("a"), assistant([use("x", [])]), user([result("x")])] },
    "messages.1.content.0.tool_use.input: Input should be a valid dictionary"],
  ["a bad tool name", { tools: [{ name: "a b", input_schema: schema }] },
    "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"],
  ["a tool without a schema", { tools: [{ name: "a" }] }, "tools.0.custom.input_schema: Field required"],
  ["a tool twice", { tools: [{ name: "a", input_schema: schema }, { name: "a", input_schema: schema }] },
    "tools: Tool names must be unique."],
  ["five cache marks",
    { system: [1, 2, 3, 4, 5].map((n) => ({ ...text(`s${n}`), cache_control: { type: "ephemeral" } })) },
    "A maximum of 4 blocks with cache_control may be provided. Found 5."],
];

for (const [what, more, message] of ANTHROPIC) {
  test(`Anthropic refuses ${what}`, async (t) => {
    const { url, requests } = await mock(t, { turns: [{ reply: { text: "x" } }] });
    const answer = await askAnthropic(url, anthropicBody(more));
    assert.equal(answer.status, 400);
    const { error, type } = await json(answer);
    assert.deepEqual([type, error], ["error", { type: "invalid_request_error", message }]);
    assert.equal(requests[0]?.refused, message);
  });
}

const call = (id: string, args: unknown = "{}"): Body =>
  ({ id, type: "function", function: { name: "t", arguments: args } });
const tool = (id: string): Body => ({ role: "tool", tool_call_id: id, content: "ok" });
const open = (ids: string): string =>
  "An assistant message with 'tool_calls' must be followed by tool messages responding to "
  + `each 'tool_call_id'. The following tool_call_ids did not have response messages: ${ids}`;

const OPENAI: readonly (readonly [what: string, body: Body, message: string, param: string | null,
  code: string | null])[] = [
  ["no model", { model: undefined }, "you must provide a model parameter", null, null],
  ["no messages", { messages: undefined }, "Missing required parameter: 'messages'.", "messages",
    "missing_required_parameter"],
  ["an empty list of tools", { tools: [] },
    "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an "
    + "empty array instead.", "tools", "empty_array"],
  ["an unknown role", { messages: [{ role: "x", content: "a" }] },
    "Invalid value: 'x'. Supported values are: 'system', "
    + "'assistant', 'user', 'function', 'tool', and 'developer'.", "messages[0].role", "invalid_value"],
  ["no content", { messages: [user(null)] }, "Invalid value for 'content': expected a string, got null.",
    "messages.[0].content", null],
  ["a call without an answer",
    { messages: [user("a"), assistant(null, { tool_calls: [call("x"), call("y")] }), tool("x"),
    user("b")] }, open("y"), "messages.[3].role", null],
  ["a call at the end", { messages: [user("a"), assistant(null, { tool_calls: [call("x")] })] }, open("x"),
    "messages.[2].role", null],
  ["an answer without a call", { messages: [user("a"), tool("x")] },
    "Invalid parameter: messages with role 'tool' must be a "
    + "response to a preceeding message with 'tool_calls'.", "messages.[1].role", null],
  ["arguments that are no text", { messages: [user("a"), assistant(null, { tool_calls: [call("x", {})] }),
    tool("x")] },
    "Invalid type for 'messages[1].tool_calls[0].function.arguments': expected a string, but got an object instead.",
    "messages[1].tool_calls[0].function.arguments", "invalid_type"],
  ["no calls in a list of calls", { messages: [user("a"), assistant("b", { tool_calls: [] })] },
    "Invalid 'messages[1].tool_calls': empty array. Expected an array with minimum length 1, but got an empty array instead.",
    "messages[1].tool_calls", "empty_array"],
  ["stream options without a stream", { stream_options: {} },
    "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options", null],
];

for (const [what, more, message, param, code] of OPENAI) {
  test(`OpenAI refuses ${what}`, async (t) => {
    const { url } = await mock(t, { turns: [{ reply: { text: "x" } }] });
    const answer = await askOpenai(url, openaiBody(more));
    assert.equal(answer.status, 400);
    assert.deepEqual(await json(answer), { error: { message, type: "invalid_request_error", param, code } });
  });
}

test("valid histories of both APIs are taken", async (t) => {
  const { url } = await mock(t, { turns: [{ reply: { text: "fine" }, times: "any" }] });
  const tools = [{ name: "t", description: "d", input_schema: schema }];
  const answers = [
    await askAnthropic(url, anthropicBody({ tools, system: "s", temperature: 0.5, messages: [user("a"),
      assistant([text("b"), use("x"), use("y")]), user([result("y"), result("x"), text("go on")])] })),
    await askAnthropic(url,
      anthropicBody({ messages: [user("a"), user("b"), assistant("c"), assistant([use("x")]),
      user([result("x")]), user("d")] })),
    await askAnthropic(url, anthropicBody({ context_management: { edits: [] } }),
      { "anthropic-beta": "context-management-2025-06-27" }),
    await askOpenai(url,
      openaiBody({ tools: [{ type: "function", function: { name: "t", parameters: schema } }],
      messages: [{ role: "system", content: "s" }, user("a"),
        assistant(null, { tool_calls: [call("x"), call("y")] }),
        tool("y"), tool("x"), user([{ type: "text", text: "b" }])] })),
  ];
  for (const answer of answers) assert.equal(answer.status, 200, await answer.text());
});

test("without strict mode anything is taken", async (t) => {
  const { url } = await mock(t, { strict: false, turns: [{ reply: { text: "fine" }, times: "any" }] });
  assert.equal((await askAnthropic(url, { messages: [] })).status, 200);
  const anonymous = await fetch(`${url}/v1/chat/completions`, { method: "POST", body: "{}" });
  assert.equal(anonymous.status, 200);
  assert.equal((await fetch(`${url}/v1/messages`, { method: "POST", body: "{" })).status, 400);
});
