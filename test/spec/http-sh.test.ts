// Block 5.4 and 5.5: http and sh through Lua, against a server and a shell of this machine.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { after, test } from "node:test";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import type { HttpClient } from "@atoll-run/atoll/block";
import { until } from "@atoll-run/testkit";
import { start, valueOf } from "./support.ts";

const ANSWERS: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {
  "/echo": (request, response) => {
    const body: Buffer[] = [];
    request.on("data", (chunk: Buffer) => body.push(chunk)).on("end", () => {
      response.end(JSON.stringify({ method: request.method, headers: request.headers, body: Buffer.concat(body).toString("latin1") }));
    });
  },
  "/teapot": (_, response) => response.writeHead(418).end("short and stout"),
  "/bytes": (_, response) => response.end(Buffer.from([0, 255, 10, 13])),
  "/headers": (_, response) => response.writeHead(200, [["X-Two", "one"], ["X-Two", "two"], ["X-Case", "Kept"]].flat()).end(),
  "/gzip": (_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("unpacked")),
  "/big": (_, response) => response.end("x".repeat(2_000)),
  "/away": (_, response) => response.writeHead(302, { location: "/bytes" }).end(),
  "/slow": () => undefined,
  "/sse": (_, response) => response.writeHead(200, { "content-type": "text/event-stream" })
    .end("\ufeff: comment\r\nevent: greet\r\nid: 7\r\nretry: 50\r\ndata: one\r\ndata: two\r\n\r\ndata: é\n\ndata: last"),
  "/done": (_, response) => response.writeHead(200, { "content-type": "text/event-stream" }).end("data: a\n\ndata: [DONE]\n\ndata: b\n\n"),
  "/pieces": (_, response) => {
    response.writeHead(200, { "content-type": "text/plain" });
    response.write("first");
    setTimeout(() => response.end("second"), 50);
  },
};
const server = createServer((request, response) => {
  const answer = ANSWERS[request.url ?? ""];
  if (answer === undefined) response.writeHead(404).end();
  else answer(request, response);
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as { port: number };
after(() => {
  server.closeAllConnections();
  server.close();
});
const at = (code: string): string => `local at = "http://127.0.0.1:${port}" ${code}`;

test("http.request gives {status, headers, body}", async () => {
  assert.deepEqual(await valueOf(at(`local r = http.request(at .. "/teapot") return {r.status, r.body, type(r.headers)}`)), [418, "short and stout", "table"]);
});

test("no status raises", async () => {
  assert.deepEqual(await valueOf(at(`return {http.request(at .. "/teapot").status, http.request(at .. "/none").status}`)), [418, 404]);
});

test("method, headers and body are sent as they are", async () => {
  const value = await valueOf(at(`local r = std.json.decode(http.request(at .. "/echo", {method = "PUT", headers = {["X-Mine"] = "v"}, body = "a\\0\\xff"}).body) return {r.method, r.headers["x-mine"], #r.body}`));
  assert.deepEqual(value, ["PUT", "v", 4]);
});

test("automatic headers go unless given, and only the non-empty ones", async () => {
  const value = await valueOf(at(`
    local function h(opts) return std.json.decode(http.request(at .. "/echo", opts).body).headers end
    local a, b = h(), h{headers = {["x-trace-id"] = "mine"}}
    return {a["x-trace-id"], a["x-run-id"], a["x-agent-id"] == nil, a["x-agent-name"], a.traceparent ~= nil, b["x-trace-id"]}`),
  { trace: { trace_id: "0af7651916cd43dd8448eb211c80319c", run_id: "run", agent_name: "name" } });
  assert.deepEqual(value, ["0af7651916cd43dd8448eb211c80319c", "run", true, "name", true, "mine"]);
});

test("response headers are lower-case, last wins; headers_all[name] is a list", async () => {
  assert.deepEqual(await valueOf(at(`local r = http.request(at .. "/headers") return {r.headers["x-two"], r.headers_all["x-two"], r.headers["x-case"]}`)),
    ["two", ["one", "two"], "Kept"]);
});

test("the body is exact bytes", async () => {
  assert.equal(await valueOf(at(`return http.request(at .. "/bytes").body == "\\0\\255\\n\\r"`)), true);
});

test("decompress is true by default, and can be false", async () => {
  assert.deepEqual(await valueOf(at(`return {http.request(at .. "/gzip").body, http.request(at .. "/gzip", {decompress = false}).body == "unpacked"}`)), ["unpacked", false]);
});

test("redirect follows, and 0 gives the redirect itself", async () => {
  assert.deepEqual(await valueOf(at(`return {http.request(at .. "/away").status, http.request(at .. "/away", {redirect = 0}).status}`)), [200, 302]);
});

test("max_body drops the connection: response body too large: N bytes (max M)", async () => {
  const value = await valueOf(at(`local ok, e = pcall(http.request, at .. "/big", {max_body = 1000}) return {e.code, tostring(e)}`)) as string[];
  assert.equal(value[0], "http.too_large");
  assert.match(value[1] as string, /^response body too large: \d+ bytes \(max 1000\)$/);
});

test("timeout takes fractions: http timeout after Ns: …", async () => {
  assert.match(await valueOf(at(`return tostring(select(2, pcall(http.request, at .. "/slow", {timeout = 0.25})))`)) as string, /^http timeout after 0\.25s: /);
});

test("in stream mode there is no body, and SSE gives joined text with event, id and retry", async () => {
  const value = await valueOf(at(`
    local got = {}
    local r = http.request(at .. "/sse", {stream = true, on_data = function(data, ev) got[#got + 1] = {data, ev.event or "-", ev.id or "-", ev.retry or 0} end})
    return {r.status, r.body == nil, got}`));
  assert.deepEqual(value, [200, true, [["one\ntwo", "greet", "7", 50], ["é", "-", "7", 0], ["last", "-", "7", 0]]]);
});

test("[DONE] ends the stream", async () => {
  assert.deepEqual(await valueOf(at(`local got = {} http.request(at .. "/done", {stream = true, on_data = function(d) got[#got + 1] = d end}) return got`)), ["a"]);
});

test("return false stops the stream", async () => {
  assert.deepEqual(await valueOf(at(`local got = {} http.request(at .. "/sse", {stream = true, on_data = function(d) got[#got + 1] = d return false end}) return got`)), ["one\ntwo"]);
});

test("on_data may yield, and its errors pass through", async () => {
  assert.deepEqual(await valueOf(at(`local n = 0
    http.request(at .. "/sse", {stream = true, on_data = function() std.time.sleep(0.01) n = n + 1 end})
    local ok, e = pcall(http.request, at .. "/sse", {stream = true, on_data = function() error("mine", 0) end})
    return {n, tostring(e)}`)), [3, "mine"]);
});

test("a stream that is no SSE gives each piece as it comes", async () => {
  assert.equal(await valueOf(at(`local got = "" http.request(at .. "/pieces", {stream = true, on_data = function(d) got = got .. d end}) return got`)), "firstsecond");
});

test("other tasks run while a request waits", async () => {
  assert.equal(await valueOf(at(`local n = 0 local t = std.task.spawn(function() for i = 1, 10 do n = n + 1 std.task.yield() end end)
    pcall(http.request, at .. "/slow", {timeout = 0.2}) t:join() return n`)), 10);
});

test("a task cancel ends a request", async () => {
  const value = await valueOf(at(`local t = std.task.spawn(function() http.request(at .. "/slow") end) std.task.sleep(30) t:abort() return tostring(select(2, pcall(t.join, t)))`));
  assert.equal(value, "task aborted");
});

test("http of the config is what requests are sent with; it stays the host's", async () => {
  const sent: string[] = [];
  let closed = false;
  const http: HttpClient = {
    async send(request) {
      sent.push(`${request.method} ${request.url.href}`);
      return { status: 200, headers: [["x-from", "host"]], body: Readable.from([Buffer.from("mine")]), close: () => undefined };
    },
    [Symbol.asyncDispose]: async () => void (closed = true),
  };
  assert.deepEqual(await valueOf(`local r = http.request("http://any.example/x") return {r.body, r.headers["x-from"]}`, { http }), ["mine", "host"]);
  assert.deepEqual([sent, closed], [["GET http://any.example/x"], false]);
});

// ---- sh

test("sh.exec gives {ok, code, stdout, stderr}; a failing command never raises", async () => {
  assert.deepEqual(await valueOf(`local r = sh.exec("echo out; echo err >&2; exit 3") return {r.ok, r.code, r.stdout, r.stderr}`), [true, 3, "out\n", "err\n"]);
});

test("a signalled command has code -1 and its signal", async () => {
  assert.deepEqual(await valueOf(`local r = sh.exec("kill -TERM $$") return {r.ok, r.code, r.signal}`), [true, -1, "SIGTERM"]);
});

test("a command over its timeout gives ok=false, timeout after Ns, timed_out and the captured part", async () => {
  assert.deepEqual(await valueOf(`local r = sh.exec("echo begun; sleep 60", {timeout = 1.5}) return {r.ok, r.error, r.timed_out, r.stdout}`), [false, "timeout after 1.5s", true, "begun\n"]);
});

test("a directory that is not there is exec error: …", async () => {
  assert.match(await valueOf(`return sh.exec("true", {cwd = "/nowhere"}).error`) as string, /^exec error: /);
});

test("cwd is the project root; env, stdin and args are given", async () => {
  const s = start(`return {sh.exec("pwd").stdout, sh.exec("echo $MINE", {env = {MINE = "m"}}).stdout, sh.exec("cat", {stdin = "in"}).stdout, sh.exec("cat").stdout, sh.exec("printf", {args = {"%s|", "a b", "$c"}}).stdout}`);
  assert.deepEqual((await s.end).result?.value, [`${s.home}\n`, "m\n", "in", "", "a b|$c|"]);
});

test("max_output keeps a part of each stream and says truncated", async () => {
  assert.deepEqual(await valueOf(`local r = sh.exec("seq 1 1000", {max_output = 10}) return {#r.stdout, r.truncated}`), [10, true]);
});

test("detach answers at once, and outlives the run", async () => {
  const s = start(`return sh.exec("sleep 30", {detach = true}).pid`);
  const pid = (await s.end).result?.value as number;
  assert.ok(existsSync(`/proc/${pid}`));
  process.kill(pid, "SIGKILL");
});

test("the end of a task ends its child and what that started", async () => {
  const s = start(`local t = std.task.spawn(function() sh.exec("echo $$ > pid; sleep 60 & echo $! >> pid; wait") end)
    while not (std.fs.exists("pid") and select(2, std.fs.read("pid"):gsub("\\n", "")) == 2) do std.task.sleep(5) end
    t:abort() return std.fs.read("pid")`);
  const pids = String((await s.end).result?.value).trim().split("\n");
  await until(() => pids.every((pid) => !existsSync(`/proc/${pid}`)));
});

test("io.popen and os.execute use the same runner: their children end with the run", async () => {
  const s = start(`local p = io.popen("echo $$; sleep 60") local pid = p:read("l") os.execute("sleep 60 & echo $! > pid") return {pid, std.fs.read("pid")}`);
  const { result } = await s.end;
  const pids = ((result as { value: unknown }).value as string[]).map((pid) => pid.trim());
  await until(() => pids.every((pid) => !existsSync(`/proc/${pid}`)));
});
