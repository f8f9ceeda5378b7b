/** `atoll mcp` as clients meet it: a process and the SDK's own client, over stdio and HTTP. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { test, type TestContext } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { CreateMessageRequestSchema, ElicitRequestSchema,
  LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { until } from "@atoll-run/testkit";
import { atoll, isAlive, type Place, place, PROGRAM, type Started, startAtoll } from "./support/cli.ts";

const TOOLS = String.raw`
print("loading")
tool.register("add", {description = "Adds.", input_schema = {type = "object",
  properties = {a = {type = "number"}}}},
  function(input) return tostring(input.a + input.b) end)
tool.register("fail", {description = "Fails."}, function() error("no luck", 0) end)
tool.register("table", {}, function() return {n = 9007199254740993, list = {1, 2}} end)
tool.register("whole", {}, function()
  return {content = {{type = "image", data = "AA==", mimeType = "image/png"}}, is_error = true}
end)
tool.register("nothing", {}, function() end)
tool.register("shell", {}, function() return sh.exec("echo hi").stdout or sh.exec("echo hi").error end)
tool.register("slow", {}, function(_, call)
  call.progress(1, 4, "begun")
  call.log("warning", {step = 1}, "slow")
  std.kv.set("mcp", "slow", "begun")
  local _ <close> = setmetatable({}, {__close = function() ended = true end})
  std.time.sleep(600)
end)
tool.register("ended", {}, function() return tostring(ended) end)
tool.register("state", {}, function() return std.kv.get("mcp", "slow") end)
tool.register("ask", {}, function(_, call)
  local said = call.sample({messages = {{role = "user", content = {type = "text", text = "2+2?"}}},
    maxTokens = 9})
  local chosen = call.elicit("Which?", {type = "object", properties = {x = {type = "string"}}})
  return said.content.text .. " " .. chosen.action .. " " .. chosen.content.x
end)
`;

function project(t: TestContext): Place {
  const at = place(t);
  at.file("blocks/calc/init.lua", TOOLS);
  at.file("blocks/zoo/init.lua",
    'require("calc"); tool.register("bark", {description = "Barks."}, function() return "woof" end)');
  at.file("blocks/broken/init.lua", "this is not Lua");
  at.file("blocks/nothing.lua", "error('is no folder')");
  at.file("docs/guide.md", "Text first.\n# The guide\n");
  return at;
}

interface Connected {
  readonly client: Client;
  readonly pid: number;
  stderr(): string;
}

function newClient(): Client {
  return new Client({ name: "test", version: "1" }, { capabilities: { sampling: {}, elicitation: {} } });
}

async function connect(t: TestContext, at: Place, args: readonly string[] = [], env: Record<string,
  string> = {}): Promise<Connected> {
  const transport = new StdioClientTransport({
    command: process.execPath, args: [PROGRAM, "mcp", ...args], cwd: at.cwd, stderr: "pipe",
    env: { PATH: process.env["PATH"] ?? "", HOME: at.home, ATOLL_HOME: at.path("home"), ...env },
  });
  let told = "";
  transport.stderr?.on("data", (chunk: Buffer) => {
    told += chunk.toString("utf8");
  });
  const client = newClient();
  await client.connect(transport);
  t.after(() => client.close());
  return { client, pid: transport.pid ?? 0, stderr: () => told };
}

type Result = { content: { type: string; text: string }[]; isError?: boolean; structuredContent?: unknown };

async function call(client: Client, name: string, args: Record<string, unknown> = {}): Promise<Result> {
  return await client.callTool({ name, arguments: args }) as Result;
}

test("every tool of blocks/*/init.lua is served under the name of its block, with its schema", async (t) => {
  const { client, stderr } = await connect(t, project(t));
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map(({ name }) => name), ["calc__add", "calc__fail", "calc__table", "calc__whole",
    "calc__nothing", "calc__shell", "calc__slow", "calc__ended", "calc__state",
    "calc__ask", "zoo__bark"]);
  assert.deepEqual(tools[0], { name: "calc__add", description: "Adds.",
    inputSchema: { type: "object", properties: { a: { type: "number" } } } });
  assert.deepEqual(tools[1]?.inputSchema, { type: "object" });
  await until(() => /block 'broken' cannot be served: .*broken/.test(stderr()));
  assert.match(stderr(), /^loading$/m);
});

test("what a handler returns becomes text, structured content, a whole result or an error", async (t) => {
  const { client } = await connect(t, project(t));
  assert.deepEqual(await call(client, "calc__add", { a: 1, b: 2 }),
    { content: [{ type: "text", text: "3" }] });
  assert.deepEqual(await call(client, "calc__fail"), { content: [{ type: "text", text: "no luck" }],
    isError: true });
  const table = await call(client, "calc__table");
  assert.deepEqual((table.structuredContent as { list: unknown }).list, [1, 2]);
  assert.match(table.content[0]?.text ?? "", /"n":9007199254740993/);
  assert.deepEqual(await call(client, "calc__whole"), {
    content: [{ type: "image", data: "AA==", mimeType: "image/png" }], isError: true });
  assert.deepEqual(await call(client, "calc__nothing"), { content: [] });
  assert.deepEqual((await call(client, "calc__none")).content[0]?.text, "tool not found: calc__none");
});

test("blocks are restricted; a grant on the command line widens them", async (t) => {
  const at = project(t);
  const closed = await connect(t, at);
  assert.match((await call(closed.client, "calc__shell")).content[0]?.text ?? "",
    /^denied: .* needs grant run:sh$/);
  const open = await connect(t, at, ["--grant", "run:sh"]);
  assert.equal((await call(open.client, "calc__shell")).content[0]?.text, "hi\n");
});

test("calls run beside each other, tell progress and log, and end when they are cancelled", async (t) => {
  const { client } = await connect(t, project(t));
  const logs: unknown[] = [];
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void logs.push(params));
  const gone = new AbortController();
  const progress: unknown[] = [];
  const slow = client.callTool({ name: "calc__slow", arguments: {} }, undefined, {
    signal: gone.signal, onprogress: (fact) => void progress.push(fact) });
  const cancelled = assert.rejects(slow);
  await until(() => progress.length === 1 && logs.length === 1);
  assert.deepEqual(progress, [{ progress: 1, total: 4, message: "begun" }]);
  assert.deepEqual(logs, [{ level: "warning", logger: "slow", data: { step: 1 } }]);
  await until(async () => (await call(client, "calc__state")).content[0]?.text === "begun");
  assert.equal((await call(client, "calc__ended")).content[0]?.text, "nil");
  gone.abort();
  await cancelled;
  await until(async () => (await call(client, "calc__ended")).content[0]?.text === "true");
  assert.equal((await call(client, "zoo__bark")).content[0]?.text, "woof");
});

test("a handler may ask the client's model and its user", async (t) => {
  const { client } = await connect(t, project(t));
  client.setRequestHandler(CreateMessageRequestSchema, () =>
    ({ model: "m", role: "assistant", content: { type: "text", text: "four" } }));
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: { x: "this one" } }));
  assert.equal((await call(client, "calc__ask")).content[0]?.text, "four accept this one");
});

test("documents of the project and of Atoll are resources", async (t) => {
  const { client } = await connect(t, project(t));
  const { resources } = await client.listResources();
  assert.deepEqual(resources[0], { uri: "docs://project/guide.md", name: "project/guide.md",
    title: "The guide",
    mimeType: "text/markdown", size: 24 });
  assert.ok(resources.some(({ uri }) => uri === "docs://atoll/cli.md"));
  const { contents } = await client.readResource({ uri: "docs://project/guide.md" });
  assert.deepEqual(contents, [{ uri: "docs://project/guide.md", mimeType: "text/markdown",
    text: "Text first.\n# The guide\n" }]);
  for (const uri of ["docs://project/..%2Fblocks%2Fcalc%2Finit.lua", "docs://project/none.md"]) {
    await assert.rejects(client.readResource({ uri }), { code: -32_002 });
  }
});

test("a script's tools are served too, and a block that dies is started again", async (t) => {
  const at = project(t);
  at.file("tools/extra.lua", `
    tool.register("die", {}, function() local t = {} while true do t[#t + 1] = string.rep("x",
      1e6) .. #t end end)
    tool.register("live", {}, function() return "alive" end)`);
  const { client } = await connect(t, at, ["--script", "tools/extra.lua", "--memory", "16"]);
  const died = await call(client, "extra__die");
  assert.equal(died.isError, true);
  assert.match(died.content[0]?.text ?? "", /memory/);
  assert.equal((await call(client, "extra__live")).content[0]?.text, "alive");
});

test("with plain names tools keep theirs; of two blocks with one name the first is served", async (t) => {
  const at = place(t);
  for (const name of ["a", "b"]) {
    at.file(`blocks/${name}/init.lua`, `tool.register("who", {}, function() return "${name}" end)`);
  }
  const { client, stderr } = await connect(t, at, ["--plain-names"]);
  assert.deepEqual((await client.listTools()).tools.map(({ name }) => name), ["who"]);
  assert.equal((await call(client, "who")).content[0]?.text, "a");
  await until(() => /block 'b' cannot be served: its tool 'who' is already one of a/.test(stderr()));
});

test("the program ends when its client goes", async (t) => {
  const { client, pid } = await connect(t, project(t));
  await client.listTools();
  await client.close();
  await until(() => !isAlive(pid), { withinMs: 30_000 });
});

test("a program that is killed leaves no child of a tool", async (t) => {
  const at = place(t);
  at.file("blocks/job/init.lua",
    'tool.register("run", {}, function() sh.exec("echo $$ > pid; exec sleep 600", {timeout = 600}) end)');
  const { client, pid } = await connect(t, at, ["--grant", "run:sh"]);
  call(client, "job__run").catch(() => undefined);
  const child = await until(() => {
    const text = existsSync(at.path("pid")) ? readFileSync(at.path("pid"), "utf8") : "";
    return text.endsWith("\n") ? Number(text) : undefined;
  }, { withinMs: 50_000 });
  process.kill(pid, "SIGKILL");
  await until(() => !isAlive(child), { withinMs: 30_000 });
});

interface Web extends Started {
  readonly url: string;
  readonly token: string | undefined;
}

async function serveHttp(t: TestContext, at: Place, args: readonly string[] = [], env: Record<string,
  string> = {}): Promise<Web> {
  const started = startAtoll(at, ["mcp", "--http", "0", ...args], { env });
  t.after(async () => {
    started.child.kill("SIGTERM");
    await started.end;
  });
  const [, url = "", token] = await until(
    () => /^serving (\S+)\n(?:token (\S+)\n)?/m.exec(started.stderr()), { withinMs: 50_000 });
  return { ...started, url, token };
}

async function connectHttp(t: TestContext, { url, token }: Web): Promise<Client> {
  const client = newClient();
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(url),
    { requestInit: { headers } }) as unknown as Transport);
  t.after(() => client.close());
  return client;
}

test("over HTTP each client has a block of its own, behind a token", async (t) => {
  const at = project(t);
  at.file("blocks/count/init.lua",
    'local n = 0 tool.register("up", {}, function() n = n + 1 return tostring(n) end)');
  const web = await serveHttp(t, at);
  const [one, two] = [await connectHttp(t, web), await connectHttp(t, web)];
  assert.equal((await call(one, "count__up")).content[0]?.text, "1");
  assert.equal((await call(one, "count__up")).content[0]?.text, "2");
  assert.equal((await call(two, "count__up")).content[0]?.text, "1");
  await assert.rejects(connectHttp(t, { ...web, token: undefined }), /needs the token/);
  await assert.rejects(connectHttp(t, { ...web, token: `${web.token}x` }), /needs the token/);
});

test("a token of the environment is taken and printed nowhere, nor seen by scripts", async (t) => {
  const at = project(t);
  const token = "env-token-0123456789";
  at.file("blocks/env/init.lua",
    'tool.register("get", {}, function() return os.getenv("ATOLL_MCP_TOKEN") or "none" end)');
  const web = await serveHttp(t, at, ["--grant", "env"], { ATOLL_MCP_TOKEN: token });
  assert.equal(web.token, undefined);
  const client = await connectHttp(t, { ...web, token });
  assert.equal((await call(client, "env__get")).content[0]?.text, "none");
  assert.ok(!web.stderr().includes(token));
});

function status(url: string, headers: Record<string, string>, path = "/mcp",
  method = "POST"): Promise<number | undefined> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers: { "content-type": "application/json",
      accept: "application/json, text/event-stream", ...headers } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.once("error", reject);
    sent.end('{"jsonrpc":"2.0","id":1,"method":"ping"}');
  });
}

test("foreign hosts and origins, unknown sessions and other paths are refused", async (t) => {
  const { url } = await serveHttp(t, project(t), ["--no-token"]);
  const { host } = new URL(url);
  assert.equal(await status(url, { host: "evil.example" }), 403);
  assert.equal(await status(url, { host, origin: "https://evil.example" }), 403);
  assert.equal(await status(url, { host, origin: "null" }), 403);
  assert.equal(await status(url, { host }, "/"), 404);
  assert.equal(await status(url, { host, "mcp-session-id": "no-such" }), 404);
  assert.equal(await status(url, { host }, "/mcp", "GET"), 400);
  assert.equal(await status(url, { host, origin: `http://${host}` }), 400, "a request before the hello");
});

test("wrong flags are refused, all at once", async (t) => {
  const at = project(t);
  const wrong = await atoll(at, ["mcp", "a", "b", "--http", "0.0.0.0:0", "--no-token", "--log-to", "stdout",
    "--grant", "fly"]);
  assert.equal(wrong.code, 2);
  for (const part of [/b: one project at a time/, /--no-token: only on this machine/,
    /--log-to: standard output belongs/,
    /--grant: .*fly/]) assert.match(wrong.stderr, part);
  assert.match((await atoll(at, ["mcp", "--no-token"])).stderr, /--no-token: goes with --http/);
  assert.match((await atoll(at, ["mcp", "-s", "x.ts"])).stderr, /--script: x\.ts: tools are served of Lua scripts only/);
  assert.match((await atoll(at, ["mcp", "--http", "x"])).stderr, /--http: port/);
  assert.match((await atoll(at, ["mcp", "--http", "0", "--token", "short"])).stderr,
    /--token: needs at least 16 characters/);
  const none = await atoll(at, ["mcp", "nowhere"]);
  assert.deepEqual([none.code, none.stdout], [2, ""]);
  assert.match(none.stderr, /^atoll: config error: DIR: 'nowhere': No such file or directory\n/);
});

test("atoll run loads nothing of it", () => {
  const main = readFileSync(new URL("../bin/main.ts", import.meta.url), "utf8");
  assert.doesNotMatch(main, /^import .*mcp/m);
});
