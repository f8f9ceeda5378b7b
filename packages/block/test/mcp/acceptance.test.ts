/** Lines M1 to M4, H4 and the MCP half of I6 of the specification (block 12). */
import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { once } from "node:events";
import { describe, test } from "node:test";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { lives, run, start, value } from "./support.ts";

interface Seen {
  readonly method: string;
  readonly params?: { readonly [key: string]: unknown };
}

async function seenBy(source: string): Promise<readonly Seen[]> {
  return JSON.parse(String(await value(source))) as Seen[];
}

describe("M1", () => {
  test("a server that records initialize sees sampling, roots and elicitation", async () => {
    const [first] = await seenBy(`raw("r") return texts(mcp.call("r", "seen"))`);
    assert.equal(first?.method, "initialize");
    assert.deepEqual(first.params?.["capabilities"], { sampling: {}, roots: { listChanged: true }, elicitation: { form: {} } });
  });

  test("a capability that opts.capabilities withholds is not advertised", async () => {
    const [first] = await seenBy(`
      mcp.connect("r", NODE, {RAW}, {capabilities = {sampling = false}})
      return texts(mcp.call("r", "seen"))`);
    assert.deepEqual(first?.params?.["capabilities"], { roots: { listChanged: true }, elicitation: { form: {} } });
  });

  test("given custom headers and a server that speaks only SSE, connect_http works", async () => {
    await using server = await sseOnly();
    const result = await value(`
      mcp.connect_http("s", URL, {transport = "sse", headers = {["x-team"] = "blue"}, auth_header = "tok-1234567"})
      return texts(mcp.call("s", "hello"))`, { globals: { URL: server.url } });
    assert.equal(result, "hello to you");
    assert.ok(server.headers.length >= 3, "a stream, initialize, the call");
    for (const headers of server.headers) {
      assert.equal(headers["x-team"], "blue");
      assert.equal(headers.authorization, "Bearer tok-1234567");
    }
  });
});

/** A server with the old transport only, and the headers of all requests it got. */
async function sseOnly(): Promise<AsyncDisposable & { url: string; headers: IncomingHttpHeaders[] }> {
  const headers: IncomingHttpHeaders[] = [];
  const streams = new Map<string, SSEServerTransport>();
  const server = createServer((request, response) => {
    headers.push(request.headers);
    const url = new URL(request.url ?? "/", "http://local");
    if (request.method === "GET" && url.pathname === "/sse") {
      const transport = new SSEServerTransport("/messages", response);
      streams.set(transport.sessionId, transport);
      const mcp = new McpServer({ name: "old", version: "1" });
      mcp.registerTool("hello", {}, () => ({ content: [{ type: "text", text: "hello to you" }] }));
      void mcp.connect(transport);
      return;
    }
    void streams.get(url.searchParams.get("sessionId") ?? "")?.handlePostMessage(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}/sse`, headers,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

describe("M2", () => {
  test("when a hanging tool times out, the server gets the cancel of that id", async () => {
    const messages = await seenBy(`
      raw("r")
      local id
      local r = mcp.call("r", "hang", {}, {timeout_ms = 300, on_id = function(got) id = got end})
      assert(r.ok == false and r.code == "mcp.timeout", r.error)
      assert(r.error == "timeout: call_tool 'hang' on 'r' timed out after 300ms", r.error)
      until_true(function() return id end)
      mcp.call("r", "echo", {id = id})
      return texts(mcp.call("r", "seen"))`);
    const hang = messages.find(({ params }) => params?.["name"] === "hang");
    const cancelled = messages.find(({ method }) => method === "notifications/cancelled");
    const named = messages.find(({ params }) => params?.["name"] === "echo")?.params?.["arguments"] as { id: number };
    assert.ok(cancelled, "a cancel came");
    assert.equal(cancelled.params?.["requestId"], (hang as { id?: number }).id);
    assert.equal(named.id, (hang as { id?: number }).id, "on_id named it too");
  });

  test("a call to another server completes while one hangs", async () => {
    const order = await value(`
      raw("slow") raw("quick")
      local order = {}
      std.task.scope(function(scope)
        scope:spawn(function() mcp.call("slow", "hang", {}, {timeout_ms = 1500}) order[#order + 1] = "slow" end)
        scope:spawn(function()
          for i = 1, 20 do assert(mcp.call("quick", "echo", {i = i}).ok) end
          order[#order + 1] = "quick"
        end)
      end)
      return table.concat(order, " ")`);
    assert.equal(order, "quick slow");
  });
});

test("M3: a sampling handler that uses http.request and a captured table gives the server its text", async () => {
  const server = createServer((_request, response) => response.end("from the web")).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as { port: number };
    const answer = await value(`
      local captured = {name = "captured"}
      mcp.set_sampling_handler(function(server, params)
        local asked = std.json.decode(params).messages[1].content.text
        local body = http.request(URL).body
        return {content = {type = "text", text = table.concat({server, asked, body, captured.name}, " | ")}}
      end)
      raw("r")
      return texts(mcp.call("r", "ask", {method = "sampling/createMessage", params = {
        maxTokens = 10, messages = {{role = "user", content = {type = "text", text = "who?"}}}}}))`,
    { globals: { URL: `http://127.0.0.1:${port}/` } });
    assert.deepEqual((JSON.parse(String(answer)) as { result: unknown }).result, {
      model: "unknown", role: "assistant", content: { type: "text", text: "r | who? | from the web | captured" },
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test("M4: when a server exits in a call, the call ends and names the exit code and the last words", async () => {
  const [first, second] = await value(`
    raw("r")
    local r, again = mcp.call("r", "die"), mcp.call("r", "echo")
    return {{r.ok, r.error, r.code}, {again.ok, again.error, again.code}}`) as unknown[][];
  assert.deepEqual(first, [false, "MCP error: server 'r' exited (code 3): it is over", "mcp.server_exited"]);
  assert.deepEqual(second, first);
});

test("H4: a script error stays the script's, and a server that ignores close is in unfinished and gone", async () => {
  const { run: block, end } = start(`
    raw("stubborn", "ignore-close")
    error("mine")`);
  const pids: number[] = [];
  let unfinished: readonly string[] = [];
  block.on("child:up", ({ pid }) => pids.push(pid));
  block.on("ended", (fact) => (unfinished = fact.unfinished));
  const { error } = await end;
  assert.match(error?.message ?? "", /^script error: .*mine/);
  assert.ok(unfinished.includes("mcp server 'stubborn'"), unfinished.join(", "));
  assert.equal(pids.length, 1);
  assert.equal(lives(pids[0] as number), false);
});

describe("I6", () => {
  test("9007199254740993 through an MCP echo is unchanged and still an integer", async () => {
    assert.equal(await value(`
      raw("r")
      local r = mcp.call("r", "echo_text", {n = 9007199254740993})
      local n = r.structured_content.n
      return n == 9007199254740993 and math.type(n) == "integer"`), true);
  });

  test("2^63-1 and floats without a fraction come back as they went", async () => {
    assert.equal(await value(`
      raw("r")
      local c = mcp.call("r", "echo_text", {max = math.maxinteger, f = 8.0, i = 8, s = "8.0"}).structured_content
      return table.concat({c.max == math.maxinteger and "max" or "?", math.type(c.f), math.type(c.i), c.s}, " ")`),
    "max float integer 8.0");
  });
});

test("a call that ends well says so in two ab.obs lines", async () => {
  const { log } = await run(`raw("r") mcp.call("r", "echo", {}) mcp.call("r", "fail", {})`);
  const lines = log.filter(({ fields }) => fields?.["prefix"] === "ab.obs")
    .map(({ level, target, fields }) => [level, target, fields?.["event"], fields?.["server"], fields?.["tool"], fields?.["ok"]]);
  assert.deepEqual(lines, [
    ["info", "lua", "mcp_call", "r", "echo", undefined], ["info", "lua", "mcp_result", "r", "echo", true],
    ["info", "lua", "mcp_call", "r", "fail", undefined], ["info", "lua", "mcp_result", "r", "fail", false],
  ]);
});
