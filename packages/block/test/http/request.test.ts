/** `http.request` without streams, against real servers on loopback. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { until } from "@atoll-run/testkit";
import type { BlockError } from "../../src/errors.ts";
import { run } from "../ops.ts";
import { serve, web } from "./server.ts";

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
  const { url } = await serve(
    t, (request, response) => response.writeHead(Number(request.url?.slice(1))).end("words"),
  );
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
  await run(
    ops, "http.request", [
      `${url}/p?q=1#part`, {
        method: "put", headers: { "X-A": "grün", "X-N": 7 }, body: Uint8Array.of(0, 255),
      },
    ],
  );
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
  const trace = {
    trace_id: "0af7651916cd43dd8448eb211c80319c", run_id: "r1", agent_id: "", agent_name: "Ada",
  };
  await run(ops, "http.request", [url], { trace });
  await run(ops, "http.request", [url, { headers: { "X-Run-Id": "mine", Traceparent: "given" } }], { trace });
  await run(ops, "http.request", [url]);
  const [first, second, third] = seen;
  assert.equal(first?.headers["x-trace-id"], trace.trace_id);
  assert.equal(first?.headers["x-run-id"], "r1");
  assert.equal(first?.headers["x-agent-name"], "Ada");
  assert.equal("x-agent-id" in (first?.headers ?? {}), false);
  assert.match(
    String(first?.headers["traceparent"]), /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/,
  );
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
  const { url } = await serve(
    t, (_request, response) => response.writeHead(200, { "content-length": 5_000 }).write("x"),
  );
  await assert.rejects(run(web(t).ops, "http.request", [url, { max_body: 100 }]), {
    message: "response body too large: 5000 bytes (max 100)",
  });
});

test("max_body counts after decompression: a bomb stops early", async (t) => {
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  const { url } = await serve(
    t, (_request, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(bomb),
  );
  await assert.rejects(run(
    web(t).ops, "http.request", [url, { max_body: 1_000_000 }],
  ), (error: BlockError) => {
    assert.equal(error.code, "http.too_large");
    assert.ok(Number(error.facts["bytes"]) < 2_000_000);
    return true;
  });
});

test("a restricted script cannot raise max_body", async (t) => {
  const { url, port } = await serve(t, (_request, response) => response.end("x".repeat(2_000)));
  const { ops } = web(t, { grants: [`net:127.0.0.1:${port}`], limits: { httpBodyBytesMax: 1_000 } });
  await assert.rejects(
    run(ops, "http.request", [url, { max_body: 1e9 }]), {
      message: "response body too large: 2000 bytes (max 1000)",
    },
  );
});

const CODINGS: readonly (readonly [string, (plain: Buffer) => Buffer])[] = [
  ["gzip", gzipSync], ["deflate", deflateSync], ["deflate", deflateRawSync], ["br", brotliCompressSync],
  ["zstd", zstdCompressSync], [
    "gzip, br", (plain) => brotliCompressSync(gzipSync(plain)),
  ], ["identity", (plain) => plain],
];
for (const [name, encode] of CODINGS) {
  test(`a body encoded as ${name} (${encode.name}) is decoded`, async (t) => {
    const plain = Buffer.from("words ".repeat(10_000));
    const { url, seen } = await serve(
      t, (_request, response) => response.writeHead(200, { "content-encoding": name }).end(encode(plain)),
    );
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
  const { url } = await serve(
    t, (request, response) =>
      response.writeHead(request.method === "HEAD" ? 200 : 204, { "content-encoding": "gzip" }).end(),
  );
  const { ops } = web(t);
  assert.equal((await run(ops, "http.request", [url, { method: "HEAD" }])).body.length, 0);
  assert.equal((await run(ops, "http.request", [url])).body.length, 0);
});

test("broken encoding is a body error", async (t) => {
  const { url } = await serve(
    t, (_request, response) => response.writeHead(200, { "content-encoding": "gzip" }).end("not gzip"),
  );
  await assert.rejects(
    run(web(t).ops, "http.request", [url]), { message: /^http read body error: /, code: "http.body" },
  );
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
