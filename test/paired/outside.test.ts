/** Lua and TypeScript side by side: HTTP, commands, files and grants. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before } from "node:test";
import { type Pair, pairs } from "./pairs.ts";

let server: Server;
let url = "";
before(async () => {
  server = createServer((request, response) => {
    const { url: path, method, headers } = request;
    if (path === "/sse") {
      response.writeHead(200, { "content-type": "text/event-stream" }).end("event: a\ndata: 1\ndata: 2\nid: 7\n\ndata: é\n\n");
    } else if (path === "/large") response.end("x".repeat(5_000));
    else if (path === "/bytes") response.end(Buffer.from([0xff, 0, 1]));
    else if (path === "/slow") setTimeout(() => response.end(), 60_000).unref();
    else {
      let body = "";
      request.on("data", (part: Buffer) => (body += part.toString()));
      request.on("end", () => response.writeHead(path === "/missing" ? 404 : 200, { "x-seen": String(headers["x-mine"]) }).end(`${method} ${body}`));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

/** The script knows the server as `url`. */
const served = { get config() { return { globals: { url } }; } };
const TS_URL = "const { url } = globalThis as any;\n";
const NONE = { grants: [] };

const TABLE: readonly Pair[] = [
  { title: "a request has status, headers and body", ...served,
    lua: `local r = http.request(url .. "/a", {method = "POST", body = "é", headers = {["x-mine"] = "1"}}) return {r.status, r.body, r.headers["x-seen"]}`,
    ts: `${TS_URL} const r = await http.request(url + "/a", { method: "POST", body: "é", headers: { "x-mine": "1" } }); export default [r.status, r.body, r.headers["x-seen"]]` },
  { title: "no status raises", ...served, lua: `return http.request(url .. "/missing").status`, ts: `${TS_URL} export default (await http.request(url + "/missing")).status` },
  { title: "a body over its limit is http.too_large", ...served, lua: `return try(http.request, url .. "/large", {max_body = 100})[1]`,
    ts: `${TS_URL} export default (await attempt(() => http.request(url + "/large", { max_body: 100 })))[0]` },
  { title: "bytes that are no text arrive as they are", ...served, lua: `local b = http.request(url .. "/bytes").body return {b:byte(1, -1)}`,
    ts: `${TS_URL} export default [...(await http.request(url + "/bytes")).body as any]` },
  { title: "events of a stream reach the callback, which may wait", ...served, lua: `local seen = {}
    http.request(url .. "/sse", {stream = true, on_data = function(data, ev) std.task.sleep(1) seen[#seen + 1] = {data, ev.event or "-", ev.id or "-"} end})
    return seen`,
    ts: `${TS_URL} const seen: unknown[] = [];
    await http.request(url + "/sse", { stream: true, on_data: async (data: any, ev: any) => { await std.task.sleep(1); seen.push([data, ev.event ?? "-", ev.id ?? "-"]); } } as any);
    export default seen` },
  { title: "a request that takes too long is http.timeout", ...served, lua: `return try(http.request, url .. "/slow", {timeout = 0.05})[1]`,
    ts: `${TS_URL} export default (await attempt(() => http.request(url + "/slow", { timeout: 0.05 })))[0]` },
  { title: "what is no address of the web is refused", lua: `return try(http.request, "nonsense")`, ts: `export default attempt(() => http.request("nonsense"))` },
  { title: "a command gives code and output, and never raises", lua: `local r = sh.exec("echo out; echo err >&2; exit 3") return {r.ok, r.code, r.stdout, r.stderr}`,
    ts: `const r = await sh.exec("echo out; echo err >&2; exit 3") as any; export default [r.ok, r.code, r.stdout, r.stderr]` },
  { title: "a command has its own environment, folder and input", files: { "sub/x": "" },
    lua: `local r = sh.exec("cat; echo $A; basename $PWD", {stdin = "in\\n", env = {A = "1"}, cwd = "sub"}) return r.stdout`,
    ts: `export default (await sh.exec("cat; echo $A; basename $PWD", { stdin: "in\\n", env: { A: "1" }, cwd: "sub" }) as any).stdout` },
  { title: "a command that takes too long is ended", lua: `local r = sh.exec("echo a; sleep 60", {timeout = 0.3}) return {r.ok, r.error, r.timed_out, r.stdout}`,
    ts: `const r = await sh.exec("echo a; sleep 60", { timeout: 0.3 }) as any; export default [r.ok, r.error, r.timed_out, r.stdout]` },
  { title: "files are written, read, listed and removed", lua: `local fs = std.fs
    fs.mkdir("a/b") fs.write("a/b/x.txt", "é") fs.append("a/b/x.txt", "!")
    return {fs.read("a/b/x.txt"), fs.exists("a"), fs.is_dir("a/b"), fs.is_file("a/b/x.txt"), fs.list("a"), #fs.walk("a"), fs.metadata("a/b/x.txt").size, fs.remove("a"), fs.exists("a")}`,
    ts: `const fs = std.fs;
    await fs.mkdir("a/b"); await fs.write("a/b/x.txt", "é"); await fs.append("a/b/x.txt", "!");
    export default [await fs.read("a/b/x.txt"), await fs.exists("a"), await fs.isDir("a/b"), await fs.isFile("a/b/x.txt"), await fs.list("a"), (await fs.walk("a")).length, (await fs.metadata("a/b/x.txt")).size, await fs.remove("a"), await fs.exists("a")]` },
  { title: "bytes pass through files", lua: `std.fs.write_binary("x", "\\255\\0a") return {std.fs.read_binary("x"):byte(1, -1)}`,
    ts: `await std.fs.writeBinary("x", new Uint8Array([255, 0, 97])); export default [...await std.fs.readBinary("x")]` },
  { title: "a file that is not there is fs.not_found", lua: `return try(std.fs.read, "missing")`, ts: `export default attempt(() => std.fs.read("missing"))` },
  { title: "without grants every door is closed with the same words", config: NONE,
    lua: `return {try(std.fs.read, "/etc/passwd"), try(std.fs.write, "x", "y"), try(http.request, "http://example.com"), sh.exec("id"), std.env.get("PATH") == nil}`,
    ts: `export default [await attempt(() => std.fs.read("/etc/passwd")), await attempt(() => std.fs.write("x", "y")), await attempt(() => http.request("http://example.com")), await sh.exec("id"), (await std.env.get("PATH")) === undefined]` },
  { title: "a grant opens its folder and no other", config: { grants: ["fs.read:data"] }, files: { "data/a": "1", "b": "2" },
    lua: `return {try(std.fs.read, "data/a"), try(std.fs.read, "b")}`,
    ts: `export default [await attempt(() => std.fs.read("data/a")), await attempt(() => std.fs.read("b"))]` },
  { title: "private addresses are denied to a name that is granted", config: { grants: ["net:localhost"] },
    lua: `return try(http.request, "http://127.0.0.1:9/")`, ts: `export default attempt(() => http.request("http://127.0.0.1:9/"))` },
  { title: "what is always allowed works without grants", config: NONE,
    lua: `std.kv.set("n", "k", {1}) tool.register("t", {}, function() return 1 end) return {std.kv.get("n", "k"), tool.call("t"), std.json.encode({a = 1})}`,
    ts: `await std.kv.set("n", "k", [1]); tool.register("t", {} as any, () => 1); export default [await std.kv.get("n", "k"), await tool.call("t"), std.json.encode({ a: 1 })]` },
  { title: "a guard answers in place of a call", lua: `return tool.call("pay", {sum = 1})`, ts: `export default tool.call("pay", { sum: 1 })`,
    config: { hostTools: [{ name: "pay", description: "", input_schema: {}, handler: () => "paid" }], guard: async () => ({ answer: "held" }) } },
];
pairs(TABLE);
