/** `http.request` without streams, against real servers on loopback. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer as createTlsServer } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { until, watchHandles } from "@atoll-run/testkit";
import type { BlockError } from "../../src/errors.ts";
import { folder, run, text } from "../ops.ts";
import { listen, serve, serveRaw, web } from "./server.ts";

test("http.request gives status, lower-case headers with the last value, and the exact body", async (t) => {
  const { url } = await serve(t, (_request, response) => {
    response.setHeader("X-Twice", ["one", "two"]);
    response.writeHead(201, { "Content-Type": "application/octet-stream" });
    response.end(Buffer.from([0, 255, 195, 40]));
  });
  const { ops } = web(t);
  const result = await run(ops, "http.request", [url]);
  assert.equal(result.status, 201);
  assert.equal(result.headers["content-type"], "application/octet-stream");
  assert.equal(result.headers["x-twice"], "two");
  assert.deepEqual(result.headers_all["x-twice"], ["one", "two"]);
  assert.deepEqual([...result.body], [0, 255, 195, 40]);
  assert.deepEqual(Object.keys(result).sort(), ["body", "headers", "headers_all", "status"]);
});

test("no status raises", async (t) => {
  const { url } = await serve(t, (request, response) => response.writeHead(Number(request.url?.slice(1))).end("words"));
  const { ops } = web(t);
  for (const status of [204, 304, 400, 404, 500, 503]) {
    assert.equal((await run(ops, "http.request", [`${url}/${status}`])).status, status);
  }
});

test("method, headers and body are sent as they are", async (t) => {
  const bodies: Buffer[] = [];
  const { url, seen } = await serve(t, async (request, response) => {
    bodies.push(Buffer.concat(await request.toArray()));
    response.end();
  });
  const { ops } = web(t);
  await run(ops, "http.request", [`${url}/p?q=1#part`, { method: "put", headers: { "X-A": "grün", "X-N": 7 }, body: Uint8Array.of(0, 255) }]);
  await run(ops, "http.request", [url, { method: "POST", body: "text" }]);
  const [put, post] = seen;
  assert.equal(put?.method, "PUT");
  assert.equal(put?.url, "/p?q=1");
  assert.equal(Buffer.from(String(put?.headers["x-a"]), "latin1").toString(), "grün");
  assert.equal(put?.headers["x-n"], "7");
  assert.deepEqual(bodies.map((body) => [...body]), [[0, 255], [...Buffer.from("text")]]);
  assert.equal(post?.headers["content-length"], "4");
});

test("the automatic headers are sent unless given, and only when they are not empty", async (t) => {
  const { url, seen } = await serve(t, (_request, response) => response.end());
  const { ops } = web(t);
  const trace = { trace_id: "0af7651916cd43dd8448eb211c80319c", run_id: "r1", agent_id: "", agent_name: "Ada" };
  await run(ops, "http.request", [url], { trace });
  await run(ops, "http.request", [url, { headers: { "X-Run-Id": "mine", Traceparent: "given" } }], { trace });
  await run(ops, "http.request", [url]);
  const [first, second, third] = seen;
  assert.equal(first?.headers["x-trace-id"], trace.trace_id);
  assert.equal(first?.headers["x-run-id"], "r1");
  assert.equal(first?.headers["x-agent-name"], "Ada");
  assert.equal("x-agent-id" in (first?.headers ?? {}), false);
  assert.match(String(first?.headers["traceparent"]), /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
  assert.equal(second?.headers["x-run-id"], "mine");
  assert.equal(second?.headers["traceparent"], "given");
  assert.equal("x-trace-id" in (third?.headers ?? {}), false);
  assert.match(String(third?.headers["traceparent"]), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});

test("userinfo in the URL becomes basic authorization and does not stay in the URL", async (t) => {
  const { port, seen } = await serve(t, (_request, response) => response.end());
  await run(web(t).ops, "http.request", [`http://me:p%40ss@127.0.0.1:${port}/`]);
  assert.equal(seen[0]?.headers.authorization, `Basic ${Buffer.from("me:p@ss").toString("base64")}`);
});

const WRONG: readonly (readonly [unknown, unknown, RegExp])[] = [
  ["http://x/", { method: "G ET" }, /^invalid HTTP method 'G ET': /],
  ["http://x/", { method: "CONNECT" }, /^invalid HTTP method 'CONNECT': /],
  ["not a url", undefined, /^http request error: invalid URL$/],
  ["http://x/", { headers: { "a b": "c" } }, /^http request error: invalid header name 'a b'$/],
  ["http://x/", { headers: { a: "b\r\nc: d" } }, /^http request error: invalid value of header 'a'$/],
  ["http://x/", { stream: true }, /^http\.request: stream needs an on_data function$/],
  ["http://x/", { timeout: "soon" }, /^http\.request: opts\.timeout must be a number, got string$/],
  ["http://x/", { body: {} }, /^http\.request: opts\.body must be a string, got table$/],
];
for (const [url, opts, words] of WRONG) {
  test(`http.request(${JSON.stringify(url)}, ${JSON.stringify(opts)}) raises ${words.source}`, async (t) => {
    await assert.rejects(run(web(t).ops, "http.request", [url as string, opts as never]), { message: words });
  });
}

test("Given a server sending 64 MiB, when requested, then the error comes after at most 11 MiB were read", async (t) => {
  let sent = 0;
  const { url, server } = await serve(t, (_request, response) => {
    const chunk = Buffer.alloc(65_536);
    const more = (): void => {
      while (sent < 64 * 1_048_576 && !response.destroyed) {
        sent += chunk.length;
        if (!response.write(chunk)) return void response.once("drain", more);
      }
    };
    more();
  });
  let received = 0;
  server.on("connection", (socket) => socket.once("close", () => (received += socket.bytesWritten)));
  await assert.rejects(run(web(t).ops, "http.request", [url]), (error: BlockError) => {
    assert.match(error.message, /^response body too large: \d+ bytes \(max 10485760\)$/);
    assert.equal(error.code, "http.too_large");
    assert.ok(Number(error.facts["bytes"]) <= 11 * 1_048_576);
    return true;
  });
  await until(() => received > 0, { what: "the connection dropped" });
  assert.ok(received < 64 * 1_048_576);
});

test("a declared length beyond max_body is refused before anything is read", async (t) => {
  const { url } = await serve(t, (_request, response) => response.writeHead(200, { "content-length": 5_000 }).write("x"));
  await assert.rejects(run(web(t).ops, "http.request", [url, { max_body: 100 }]), {
    message: "response body too large: 5000 bytes (max 100)",
  });
});

test("max_body counts after decompression: a bomb stops early", async (t) => {
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  const { url } = await serve(t, (_request, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(bomb));
  await assert.rejects(run(web(t).ops, "http.request", [url, { max_body: 1_000_000 }]), (error: BlockError) => {
    assert.equal(error.code, "http.too_large");
    assert.ok(Number(error.facts["bytes"]) < 2_000_000);
    return true;
  });
});

test("a restricted script cannot raise max_body", async (t) => {
  const { url, port } = await serve(t, (_request, response) => response.end("x".repeat(2_000)));
  const { ops } = web(t, { grants: [`net:127.0.0.1:${port}`], limits: { httpBodyBytesMax: 1_000 } });
  await assert.rejects(run(ops, "http.request", [url, { max_body: 1e9 }]), { message: "response body too large: 2000 bytes (max 1000)" });
});

const CODINGS: readonly (readonly [string, (plain: Buffer) => Buffer])[] = [
  ["gzip", gzipSync], ["deflate", deflateSync], ["deflate", deflateRawSync], ["br", brotliCompressSync],
  ["zstd", zstdCompressSync], ["gzip, br", (plain) => brotliCompressSync(gzipSync(plain))], ["identity", (plain) => plain],
];
for (const [name, encode] of CODINGS) {
  test(`a body encoded as ${name} (${encode.name}) is decoded`, async (t) => {
    const plain = Buffer.from("words ".repeat(10_000));
    const { url, seen } = await serve(t, (_request, response) => response.writeHead(200, { "content-encoding": name }).end(encode(plain)));
    const result = await run(web(t).ops, "http.request", [url]);
    assert.ok(plain.equals(result.body));
    if (name !== "identity") assert.equal("content-encoding" in result.headers, false);
    assert.equal(seen[0]?.headers["accept-encoding"], "gzip, deflate, br, zstd");
  });
}

test("with decompress = false, or a coding nobody knows, the body stays as it came", async (t) => {
  const packed = gzipSync("words");
  const { url, seen } = await serve(t, (request, response) =>
    response.writeHead(200, { "content-encoding": request.url === "/odd" ? "odd" : "gzip" }).end(packed));
  const { ops } = web(t);
  const result = await run(ops, "http.request", [url, { decompress: false }]);
  assert.ok(packed.equals(result.body));
  assert.equal(result.headers["content-encoding"], "gzip");
  assert.equal("accept-encoding" in (seen[0]?.headers ?? {}), false);
  assert.ok(packed.equals((await run(ops, "http.request", [`${url}/odd`])).body));
});

test("an answer without a body is not decoded", async (t) => {
  const { url } = await serve(t, (request, response) => response.writeHead(request.method === "HEAD" ? 200 : 204, { "content-encoding": "gzip" }).end());
  const { ops } = web(t);
  assert.equal((await run(ops, "http.request", [url, { method: "HEAD" }])).body.length, 0);
  assert.equal((await run(ops, "http.request", [url])).body.length, 0);
});

test("broken encoding is a body error", async (t) => {
  const { url } = await serve(t, (_request, response) => response.writeHead(200, { "content-encoding": "gzip" }).end("not gzip"));
  await assert.rejects(run(web(t).ops, "http.request", [url]), { message: /^http read body error: /, code: "http.body" });
});

test("timeout takes fractions and counts the whole request, body included", async (t) => {
  const { url } = await serve(t, (request, response) => {
    if (request.url === "/drip") {
      const timer = setInterval(() => response.write("."), 20);
      response.once("close", () => clearInterval(timer));
    }
  });
  const { ops } = web(t);
  for (const path of ["/hang", "/drip"]) {
    await assert.rejects(run(ops, "http.request", [`${url}${path}?key=hidden`, { timeout: 0.2 }]), {
      message: `http timeout after 0.2s: GET ${url}${path}`, code: "http.timeout", retry: "later",
    });
  }
});

test("a refused connection and a name without address are connection errors", async (t) => {
  const { port, server } = await serve(t, () => undefined);
  await new Promise((done) => server.close(done));
  const { ops } = web(t, { resolver: (name) => name === "none.test" ? Promise.reject(new Error(`getaddrinfo ENOTFOUND ${name}`)) : Promise.resolve(["127.0.0.1"]) });
  const refused = { message: /^http connection error: connect ECONNREFUSED/, code: "http.connect", retry: "later" };
  await assert.rejects(run(ops, "http.request", [`http://127.0.0.1:${port}/`]), refused);
  await assert.rejects(run(ops, "http.request", [`http://some.test:${port}/`]), refused);
  await assert.rejects(run(ops, "http.request", ["http://none.test/"]), { message: "http connection error: getaddrinfo ENOTFOUND none.test" });
});

test("an answer that is none is a request error, a cut body a body error", async (t) => {
  const odd = await serveRaw(t, (socket) => socket.end("SMTP ready\r\n\r\n"));
  const gone = await serveRaw(t, (socket) => void socket.once("data", () => socket.destroy()));
  const cut = await serveRaw(t, (socket) => void socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")));
  const { ops } = web(t);
  await assert.rejects(run(ops, "http.request", [odd.url]), { message: /^http request error: /, code: "http.request" });
  await assert.rejects(run(ops, "http.request", [gone.url]), { message: /^http request error: /, code: "http.request" });
  await assert.rejects(run(ops, "http.request", [cut.url]), { message: /^http read body error: /, code: "http.body" });
});

test("a cancel ends the request with its own reason and drops the connection", async (t) => {
  const { url, sockets } = await serveRaw(t, () => undefined);
  const { ops } = web(t);
  const stop = new AbortController();
  const waiting = run(ops, "http.request", [url], { signal: stop.signal });
  await until(() => sockets.size === 1, { what: "the connection" });
  const reason = new Error("task cancelled");
  stop.abort(reason);
  await assert.rejects(waiting, (error) => error === reason);
  await until(() => sockets.size === 0, { what: "the connection dropped" });
});

test("open requests are bounded: the next one waits", async (t) => {
  let open = 0;
  let most = 0;
  const { url } = await serve(t, (_request, response) => {
    most = Math.max(most, ++open);
    setTimeout(() => {
      open--;
      response.end();
    }, 20);
  });
  const { ops } = web(t, { limits: { httpOpenMax: 2 } });
  await Promise.all(Array.from({ length: 8 }, () => run(ops, "http.request", [url])));
  assert.equal(most, 2);
});

test("a failed, refused or redirected request gives its place back", async (t) => {
  const { url } = await serve(t, (request, response) => {
    if (request.url === "/move") response.writeHead(302, { location: "/end" }).end("moved");
    else if (request.url === "/big") response.end("x".repeat(10_000));
    else if (request.url === "/cut") request.socket.destroy();
    else response.end("end");
  });
  const { ops } = web(t, { limits: { httpOpenMax: 1, httpBodyBytesMax: 1_000 } });
  for (let round = 0; round < 3; round++) {
    assert.equal(text((await run(ops, "http.request", [`${url}/move`])).body), "end");
    await assert.rejects(run(ops, "http.request", [`${url}/big`]), { code: "http.too_large" });
    await assert.rejects(run(ops, "http.request", [`${url}/cut`]), { code: "http.request" });
    await assert.rejects(run(ops, "http.request", ["http://127.0.0.1:1/"]), { code: "http.connect" });
  }
});

test("connections are used again within a client and gone after it is closed", async (t) => {
  let connections = 0;
  const { url, server } = await serve(t, (_request, response) => response.end("x"));
  server.on("connection", () => connections++);
  const handles = watchHandles();
  const { ops, client } = web(t);
  for (let i = 0; i < 20; i++) await run(ops, "http.request", [url]);
  assert.ok(connections < 5, `${connections} connections`);
  const hanging = run(ops, "http.request", ["http://10.255.255.1/"]).catch((error: Error) => error.message);
  await client[Symbol.asyncDispose]();
  assert.match(String(await hanging), /closed|http connection error|http request error/);
  server.closeAllConnections();
  await handles.check();
});

test("proxy variables are not read", async (t) => {
  const { url } = await serve(t, (_request, response) => response.end("direct"));
  process.env["HTTP_PROXY"] = process.env["http_proxy"] = "http://127.0.0.1:1";
  t.after(() => {
    delete process.env["HTTP_PROXY"];
    delete process.env["http_proxy"];
  });
  assert.equal(text((await run(web(t).ops, "http.request", [url])).body), "direct");
});

test("https checks the certificate against the name of the URL, whatever address it has", async (t) => {
  const dir = await folder(t);
  const [key, cert] = [join(dir, "key"), join(dir, "cert")];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
    "-subj", "/CN=good.test", "-addext", "subjectAltName=DNS:good.test", "-keyout", key, "-out", cert], { stdio: "ignore" });
  const ca = await readFile(cert, "utf8");
  const server = createTlsServer({ key: await readFile(key), cert: ca }, (_request, response) => void response.end("safe"));
  const port = await listen(t, server as never, "127.0.0.1");
  const resolver = (): Promise<string[]> => Promise.resolve(["127.0.0.1"]);
  const { ops } = web(t, { ca, resolver });
  assert.equal(text((await run(ops, "http.request", [`https://good.test:${port}/`])).body), "safe");
  await assert.rejects(run(ops, "http.request", [`https://bad.test:${port}/`]), { message: /^http connection error: .*altnames/i });
  await assert.rejects(run(web(t, { resolver }).ops, "http.request", [`https://good.test:${port}/`]), { message: /^http connection error: /, code: "http.connect" });
});
