/** What is left of servers and calls when they are over: nothing. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { describe, test } from "node:test";
import { everythingOver, lives, PLACES, start, value } from "./support.ts";

test("servers are closed in parallel: three that must be killed take no longer than one", async () => {
  const { run: block, end } = start(`
    for _, name in ipairs{"a", "b", "c"} do raw(name, "ignore-close") end
    return 1`);
  const pids: number[] = [];
  block.on("child:up", ({ pid }) => pids.push(pid));
  const { result } = await end;
  for (const name of ["a", "b", "c"]) assert.ok(result?.unfinished.includes(`mcp server '${name}'`), name);
  assert.deepEqual(pids.map(lives), [false, false, false]);
});

test("a server that ends when its input does is not in unfinished", async () => {
  const { end } = start(`raw("r") return 1`);
  assert.deepEqual((await end).result?.unfinished, []);
});

test("what a server forked is gone with it", async () => {
  const { end, printed } = start(`
    mcp.connect("f", "sh", {"-c", "sleep 600 & echo $! >&2; exec \\"$0\\" \\"$1\\"", NODE, RAW})
    local r = mcp.call("f", "die", {})
    print(r.error)
    mcp.connect("g", "sh", {"-c", "sleep 600 & echo $! >> " .. DIR .. "; exec \\"$0\\" \\"$1\\"", NODE, RAW})
    local pid = std.fs.read(DIR)
    print(pid)
    return 1`, { globals: { DIR: `${process.env["TMPDIR"] ?? "/tmp"}/atoll-mcp-${process.pid}.pid` } });
  assert.ok((await end).result);
  const pid = Number(printed().trim().split("\n").at(-1));
  assert.ok(pid > 1);
  assert.equal(lives(pid), false);
});

test("a run that is cancelled in a call and in a connect ends, and leaves no process", async () => {
  const { run: block, end } = start(`
    std.task.spawn(function() mcp.connect("m", NODE, {RAW, "mute"}) end)
    raw("r")
    mcp.call("r", "hang", {})`);
  const pids: number[] = [];
  const both = Promise.withResolvers<void>();
  block.on("child:up", ({ pid }) => {
    if (pids.push(pid) === 2) both.resolve();
  });
  await both.promise;
  block.cancel();
  assert.equal((await end).error?.code, "run.cancelled");
  assert.deepEqual(pids.map(lives), [false, false]);
});

describe("over HTTP", () => {
  test("a call that timed out gives its place back: others are not held up by a server that hangs", async () => {
    const hanging = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { id, method } = JSON.parse(Buffer.concat(chunks).toString() || "{}") as { id?: number; method?: string };
      if (method === "tools/call") return;
      if (id === undefined) return void response.writeHead(request.method === "POST" ? 202 : 405).end();
      const result = { protocolVersion: "2025-06-18", capabilities: {}, serverInfo: { name: "h", version: "1" } };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
    }).listen(0, "127.0.0.1");
    await once(hanging, "listening");
    const { port } = hanging.address() as { port: number };
    try {
      assert.deepEqual(await value(`
        mcp.connect_http("h", URL)
        local codes = {}
        for _ = 1, 5 do table.insert(codes, mcp.call("h", "x", {}, {timeout_ms = 150}).code) end
        table.insert(codes, http.request(URL).status)
        return codes`, { globals: { URL: `http://127.0.0.1:${port}/mcp` }, limits: { httpOpenMax: 3 } }),
      [...Array.from({ length: 5 }, () => "mcp.timeout"), 405]);
    } finally {
      hanging.closeAllConnections();
      hanging.close();
    }
  });

  for (const transport of ["streamableHttp", "sse"] as const) {
    test(`a server that dies in a call ends it, over ${transport}`, async () => {
      const server = await everythingOver(transport);
      try {
        const { run: block, end } = start(`
          mcp.connect_http("e", URL, {transport = KIND})
          mcp.on_progress(function() bus.emit("begun") end)
          return mcp.call("e", "trigger-long-running-operation", {duration = 20, steps = 200})`, {
          globals: { URL: server.url, KIND: transport === "sse" ? "sse" : "http" },
          autoServe: true, hostHandlers: { begun: async () => await server[Symbol.asyncDispose]() },
        });
        const { result } = await end;
        const { ok, code } = (result?.value ?? {}) as { ok?: boolean; code?: string };
        assert.deepEqual([ok, ["mcp.rpc", "mcp.server_exited"].includes(code ?? "")], [false, true], code);
        assert.equal(block.stats().open_calls, 0);
      } finally {
        await server[Symbol.asyncDispose]();
      }
    });
  }

  test("the session is ended at the server", async () => {
    await using server = await everythingOver("streamableHttp");
    const seen: string[] = [];
    const proxy = createServer((request, response) => {
      seen.push(request.method ?? "");
      const { method = "GET", headers } = request;
      const target = new URL(request.url ?? "/", server.url);
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
        void fetch(target, {
          method, headers: { ...headers as Record<string, string>, host: target.host, connection: "close" },
          ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
        }).then(async (reply) => {
          response.writeHead(reply.status, Object.fromEntries(reply.headers));
          for await (const chunk of reply.body ?? []) response.write(chunk);
          response.end();
        }).catch(() => response.destroy());
      });
    }).listen(0, "127.0.0.1");
    await once(proxy, "listening");
    const { port } = proxy.address() as { port: number };
    try {
      assert.equal(await value(`
        mcp.connect_http("e", URL)
        return texts(mcp.call("e", "echo", {message = "x"}))`, { globals: { URL: `http://127.0.0.1:${port}/mcp` } }), "Echo: x");
      assert.ok(seen.includes("DELETE"), seen.join(" "));
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });
});

test("callbacks of a handler isle that is gone are forgotten, and those of the new one are heard", async () => {
  const { run: block, end } = start(`
    bus.on("go", function(ev)
      local got = 0
      mcp.on_tools_list_changed("r", function() got = got + 1 end)
      if ev.payload == "die" then while true do end end
      mcp.connect("r", PLACE.node, {PLACE.raw})
      mcp.call("r", "changed", {})
      for _ = 1, 2000 do if got > 0 then break end std.time.sleep(0.01) end
      return got
    end, {timeout_ms = 2000})
    bus.serve()`, { globals: { PLACE: { node: PLACES.NODE, raw: PLACES.RAW } } });
  await block.ready;
  await assert.rejects(block.request("go", "die"));
  assert.equal(await block.request("go", "live"), 1);
  void block.stop();
  await end;
});
