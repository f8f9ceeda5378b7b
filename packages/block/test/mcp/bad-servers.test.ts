/** Servers that hang, die, flood, answer garbage or never begin: none of them hurts a call to another. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { describe, test } from "node:test";
import { run, start, value } from "./support.ts";

describe("a server that answers nonsense", () => {
  test("lines that are no messages are passed over, with a warning, and the call goes on", async () => {
    const { result, log } = await run(`
      raw("r", "noisy")
      return texts(mcp.call("r", "garbage"))`);
    assert.equal(result?.value, "still here");
    const warnings = log.filter(({ level, target }) => level === "warn" && target === "mcp").map(({ msg }) => msg);
    assert.ok(warnings.includes("output that is no message: hello, I am a server"), warnings.join("\n"));
  });

  test("a result of the wrong shape is an error of the call", async () => {
    const r = await value(`raw("r") return mcp.call("r", "garbage_result")`) as { error: string; code: string };
    assert.match(r.error, /^MCP error: call_tool 'garbage_result' on 'r': invalid answer: content: /);
    assert.equal(r.code, "mcp.rpc");
  });

  test("an answer that is neither a result nor an error ends the call", async () => {
    const r = await value(`
      raw("r")
      return {mcp.call("r", "no_result").error, mcp.call("r", "no_error").error, mcp.call("r", "echo", {}).ok}`);
    const text = (tool: string): string => `MCP error: call_tool '${tool}' on 'r': invalid answer: neither a result nor an error`;
    assert.deepEqual(r, [text("no_result"), text("no_error"), true]);
  });

  test("an error of the server is told with its text", async () => {
    assert.deepEqual(await value(`raw("r") return mcp.call("r", "fail")`), {
      ok: false, code: "mcp.rpc", error: "MCP error: call_tool 'fail' on 'r': no such luck",
    });
  });
});

describe("a server that floods", () => {
  test("an answer of more than 10 MiB is refused, and the server goes on", async () => {
    const [big, after] = await value(`
      raw("r")
      local big = mcp.call("r", "big", {bytes = 11 * 1024 * 1024})
      return {big.error, mcp.call("r", "echo", {}).ok}`) as unknown[];
    assert.match(String(big), /^MCP error: call_tool 'big' on 'r': message too large: \d+ bytes \(max 10485760\)$/);
    assert.equal(after, true);
  });

  test("an answer of 5 MiB arrives whole", async () => {
    assert.equal(await value(`raw("r") return #texts(mcp.call("r", "big", {bytes = 5 * 1024 * 1024}))`), 5 * 1024 * 1024);
  });

  test("a line without an end holds no memory, and calls to another server go on", async () => {
    const before = process.memoryUsage().rss;
    const [late, done] = await value(`
      raw("r") raw("quick")
      local late, done
      std.task.scope(function(scope)
        scope:spawn(function() late = mcp.call("r", "endless_line", {}, {timeout_ms = 1500}).code end)
        scope:spawn(function()
          done = 0
          for i = 1, 50 do done = done + (mcp.call("quick", "echo", {i = i}).ok and 1 or 0) end
        end)
      end)
      return {late, done}`) as unknown[];
    assert.deepEqual([late, done], ["mcp.timeout", 50]);
    assert.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024);
  });

  test("notifications beyond 128 that wait are dropped with a warning, and those before come in order", async () => {
    const { result, log } = await run(`
      local heard = {}
      mcp.on_resource_update(function(e) std.time.sleep(0.001) heard[#heard + 1] = e.uri end)
      raw("r")
      mcp.call("r", "flood", {count = 5000})
      until_true(function() return #heard >= 129 end)
      for i = 1, #heard do
        local n, before = tonumber(heard[i]:sub(3)), i > 1 and tonumber(heard[i - 1]:sub(3)) or 0
        assert(n > before, heard[i])
      end
      return mcp.call("r", "echo", {}).ok`);
    assert.equal(result?.value, true);
    const text = "mcp.on_resource_update: notification channel full, dropping notification";
    assert.ok(log.some(({ level, target, msg }) => level === "warn" && target === "mcp" && msg === text));
  });
});

describe("a server that hangs", () => {
  test("one that never answers initialize ends in a timeout, with a warning, and leaves nothing", async () => {
    const { result, log } = await run(`
      local ok, e = pcall(mcp.connect, "m", NODE, {RAW, "mute"}, {timeout_ms = 1500})
      return {tostring(e), e.code, mcp.call("m", "echo", {}).code}`);
    assert.deepEqual(result?.value, ["timeout: initialize 'm' timed out after 1.5s", "mcp.timeout", "mcp.unknown_server"]);
    assert.ok(log.some(({ level, msg }) => level === "warn" && msg === "mcp initialize timed out"));
  });

  test("one that never reads its input holds nobody up", async () => {
    assert.equal(await value(`
      local code
      std.task.scope(function(scope)
        scope:spawn(function() code = select(2, pcall(mcp.connect, "d", NODE, {RAW, "deaf"}, {timeout_ms = 2500})).code end)
        scope:spawn(function() raw("r") for i = 1, 20 do assert(mcp.call("r", "echo", {}).ok) end end)
      end)
      return code`), "mcp.timeout");
  });

  test("each call under way has its own time, whichever began first", async () => {
    assert.deepEqual(await value(`
      raw("r")
      local codes = {}
      std.task.scope(function(scope)
        for _, ms in ipairs{60000, 400, 200, 600} do
          scope:spawn(function()
            local code = mcp.call("r", "hang", {}, {timeout_ms = ms}).code
            codes[#codes + 1] = ms .. " " .. code
            if ms == 600 then mcp.disconnect("r") end
          end)
        end
      end)
      return codes`),
    ["200 mcp.timeout", "400 mcp.timeout", "600 mcp.timeout", "60000 mcp.server_exited"]);
  });

  test("a task that is cancelled in a call ends at once", async () => {
    assert.equal(await value(`
      raw("r")
      local ok, e = pcall(std.task.with_timeout, 300, function() mcp.call("r", "hang", {}) end)
      local seen = texts(mcp.call("r", "seen"))
      return tostring(ok) .. " " .. (seen:find("notifications/cancelled", 1, true) and "told" or "not told")`),
    "false told");
  });
});

describe("a server that dies", () => {
  test("all its calls end, and it can be connected again under its name", async () => {
    assert.deepEqual(await value(`
      raw("r")
      local codes = {}
      std.task.scope(function(scope)
        for _ = 1, 5 do scope:spawn(function() table.insert(codes, mcp.call("r", "hang", {}).code) end) end
        scope:spawn(function() std.task.yield() mcp.call("r", "die", {}) end)
      end)
      raw("r")
      return {table.concat(codes, " "), mcp.call("r", "echo", {}).ok}`),
    [Array.from({ length: 5 }, () => "mcp.server_exited").join(" "), true]);
  });

  test("a program that is none and one that ends before its answer are told apart", async () => {
    assert.deepEqual(await value(`
      local function try(...) local _, e = pcall(mcp.connect, "x", ...) return tostring(e) .. " / " .. e.code end
      return {try("no-such-program-here"), try("sh", {"-c", "echo why >&2; exit 4"})}`), [
      "MCP error: spawn 'no-such-program-here': No such file or directory / mcp.spawn_failed",
      "MCP error: initialize 'x': server 'x' exited (code 4): why / mcp.handshake",
    ]);
  });

  test("a name in use closes the old server first", async () => {
    const { run: block, end } = start(`raw("r") raw("r") return mcp.call("r", "echo", {}).ok`);
    const states: string[] = [];
    block.on("mcp:state", ({ server, state }) => states.push(`${server} ${state}`));
    assert.equal((await end).result?.value, true);
    assert.deepEqual(states, ["r up", "r down", "r up", "r down"]);
  });
});

describe("a server over HTTP that fails", () => {
  /** Speaks JSON until `tools/call`, which is the test's. */
  async function faulty(call: (response: ServerResponse) => void): Promise<AsyncDisposable & { url: string }> {
    const server = createServer(async (request, response) => {
      if (request.method !== "POST") return void response.writeHead(405).end();
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { id, method } = JSON.parse(Buffer.concat(chunks).toString()) as { id?: number; method: string };
      if (id === undefined) return void response.writeHead(202).end();
      if (method === "tools/call") return call(response);
      const result = { protocolVersion: "2025-06-18", capabilities: {}, serverInfo: { name: "f", version: "1" } };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
      return undefined;
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    return {
      url: `http://127.0.0.1:${port}/mcp`,
      [Symbol.asyncDispose]: async () => {
        server.closeAllConnections();
        server.close();
        await once(server, "close");
      },
    };
  }

  const CALL = `mcp.connect_http("f", URL) return mcp.call("f", "x", {}, {timeout_ms = 20000}).error`;

  test("a stream that ends before the answer ends the call", async () => {
    await using server = await faulty((response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(": begun\n\n");
      setImmediate(() => response.destroy());
    });
    const error = await value(CALL, { globals: { URL: server.url } });
    assert.match(String(error), /^MCP error: call_tool 'x' on 'f': /);
  });

  test("an answer that is too large ends the call", async () => {
    await using server = await faulty((response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, " ")));
        response.once("drain", more);
      };
      more();
    });
    const error = await value(CALL, { globals: { URL: server.url } });
    assert.match(String(error), /^MCP error: call_tool 'x' on 'f': .*message too large: \d+ bytes/);
  });

  test("a status that is an error is told", async () => {
    await using server = await faulty((response) => void response.writeHead(500).end("out of order"));
    assert.match(String(await value(CALL, { globals: { URL: server.url } })), /^MCP error: call_tool 'x' on 'f': .*out of order/);
  });

  test("nobody listens: connect_http says so with the URL but not what is secret in it", async () => {
    const error = await value(`
      local ok, e = pcall(mcp.connect_http, "n", "http://user:hidden@127.0.0.1:9/mcp?key=hidden", {timeout_ms = 20000})
      return {tostring(e), e.code}`) as string[];
    assert.match(String(error[0]), /^MCP error: http connect 'n' to http:\/\/127\.0\.0\.1:9\/mcp: .*ECONNREFUSED/);
    assert.equal(error[1], "mcp.handshake");
  });
});
