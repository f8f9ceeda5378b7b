/** `http.request` in stream mode: what the callback gets, when it stops, and that it sets the pace. */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test, type TestContext } from "node:test";
import { createGzip } from "node:zlib";
import { until } from "@atoll-run/testkit";
import type { Value } from "../../src/bridges/op.ts";
import type { BlockError } from "../../src/errors.ts";
import { run, text } from "../ops.ts";
import { serve, serveRaw, web, type WebSetup } from "./server.ts";

type Got = readonly [Value, Record<string, Value>];

interface Streamed {
  readonly got: Got[];
  readonly result: Record<string, unknown>;
}

interface StreamSetup extends WebSetup {
  readonly opts?: Record<string, Value>;
  readonly answer?: (got: readonly Got[]) => Value | Promise<Value>;
  readonly signal?: AbortSignal;
}

/** Asks for `url` in stream mode and keeps what the callback got. */
async function stream(t: TestContext, url: string, setup: StreamSetup = {}): Promise<Streamed> {
  const got: Got[] = [];
  const callback = async (ref: number, args: readonly unknown[]): Promise<Value> => {
    assert.equal(ref, 42);
    got.push(args as unknown as Got);
    return await setup.answer?.(got);
  };
  const { ops } = web(t, setup);
  const call = { callback, ...(setup.signal ? { signal: setup.signal } : {}) };
  const result = await run(ops, "http.request", [url, { stream: true, on_data: 42, ...setup.opts }], call);
  return { got, result };
}

const SSE = { "content-type": "text/event-stream; charset=utf-8" };

function pieces(response: ServerResponse, ...parts: readonly (string | Uint8Array)[]): void {
  const [first, ...rest] = parts;
  if (first === undefined) return void response.end();
  response.write(first, () => setImmediate(() => pieces(response, ...rest)));
}

for (const sleeps of [false, true]) {
  const title = "Given SSE with CRLF, a split multi-byte character, two data lines and an id, then one call gets joined text and id"
    + (sleeps ? ", also when the callback sleeps" : "");
  test(title, async (t) => {
    const bytes = Buffer.from(
      "id: 7\r\ndata: grün\r\ndata: second\r\n\r\nevent: more\r\nretry: 5\r\ndata: x\r\n\r\n",
    );
    const cut = bytes.indexOf(0xc3) + 1;
    const { url } = await serve(t, (_request, response) => {
      response.writeHead(200, SSE);
      pieces(response, bytes.subarray(0, cut), bytes.subarray(cut));
    });
    const nap = (): Promise<Value> => new Promise((done) => setTimeout(() => done(undefined), 30));
    const { got, result } = await stream(t, url, sleeps ? { answer: nap } : {});
    assert.deepEqual(got, [["grün\nsecond", { id: "7" }], ["x", { id: "7", event: "more", retry: 5 }]]);
    assert.deepEqual(Object.keys(result).sort(), ["headers", "headers_all", "status"]);
  });
}

test("a pending event at a clean end is delivered", async (t) => {
  const { url } = await serve(
    t, (_request, response) => response.writeHead(200, SSE).end("data: one\n\ndata: last"),
  );
  assert.deepEqual((await stream(t, url)).got.map(([data]) => data), ["one", "last"]);
});

test("[DONE] ends the stream without a call and drops the connection", async (t) => {
  let open = 0;
  const { url, server } = await serve(t, (_request, response) => {
    response.writeHead(200, SSE);
    response.write("data: one\n\ndata: [DONE]\n\ndata: after\n\n");
  });
  server.on("connection", (socket) => {
    open++;
    socket.once("close", () => open--);
  });
  assert.deepEqual((await stream(t, url)).got.map(([data]) => data), ["one"]);
  await until(() => open === 0, { what: "the connection dropped" });
});

test("return false stops the stream", async (t) => {
  const { url } = await serve(t, (_request, response) => {
    response.writeHead(200, SSE);
    response.write("data: 1\n\ndata: 2\n\ndata: 3\n\n");
  });
  const { got, result } = await stream(t, url, { answer: (got) => got.length < 2 });
  assert.deepEqual(got.map(([data]) => data), ["1", "2"]);
  assert.equal(result["status"], 200);
});

test("a content type other than SSE gives each piece as it comes, with an empty table", async (t) => {
  const { url } = await serve(t, (_request, response) => {
    response.writeHead(401, { "content-type": "application/json" });
    pieces(response, Buffer.from("data: no\n\n"), Uint8Array.of(0, 255));
  });
  const { got, result } = await stream(t, url);
  assert.equal(result["status"], 401);
  assert.deepEqual(got.map(([, ev]) => ev), got.map(() => ({})));
  const all = Buffer.concat(got.map(([data]) => data as Uint8Array));
  assert.deepEqual([...all], [...Buffer.from("data: no\n\n"), 0, 255]);
});

test("without a content type the stream is read as SSE", async (t) => {
  const { url } = await serveRaw(
    t, (socket) => void socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\n\r\ndata: x\n\n")),
  );
  assert.deepEqual((await stream(t, url)).got, [["x", {}]]);
});

test("an encoded stream is decoded as it comes", async (t) => {
  const { url } = await serve(t, (_request, response) => {
    response.writeHead(200, { ...SSE, "content-encoding": "gzip" });
    const zip = createGzip();
    zip.pipe(response);
    zip.write("data: early\n\n");
    zip.flush();
  });
  const { got } = await stream(t, url, { answer: () => false });
  assert.deepEqual(got, [["early", {}]]);
});

test("the callback sets the pace: the server cannot send far ahead of it", async (t) => {
  let sent = 0;
  const chunk = Buffer.alloc(65_536, "x");
  const { url } = await serve(t, (_request, response) => {
    response.writeHead(200, { "content-type": "application/octet-stream" });
    const more = (): void => {
      while (sent < 500 * chunk.length && !response.destroyed) {
        sent += chunk.length;
        if (!response.write(chunk)) return void response.once("drain", more);
      }
    };
    more();
  });
  let before = -1;
  const held = async (got: readonly Got[]): Promise<Value> => {
    if (got.length > 1) return false;
    // Buffers of both kernels and libraries fill; then nothing moves any more.
    await until(() => before === (before = sent) && sent > 0, { everyMs: 100, what: "the server held up" });
    return true;
  };
  await stream(t, url, { answer: held });
  assert.ok(sent < 400 * chunk.length, `${sent} bytes sent ahead`);
});

test("timeout counts until the headers, then between chunks, and not while the callback runs", async (t) => {
  const { url } = await serve(t, (request, response) => {
    if (request.url === "/silent") return;
    response.writeHead(200, SSE);
    let left = 6;
    const timer = setInterval(() => {
      response.write(`data: ${left}\n\n`);
      if (--left > 0) return;
      clearInterval(timer);
      if (request.url === "/steady") response.end();
    }, 100);
    response.once("close", () => clearInterval(timer));
  });
  const opts = { timeout: 1.5 };
  assert.equal((await stream(t, `${url}/steady`, { opts })).got.length, 6);
  const message = (path: string): object => (
    { message: `http timeout after 1.5s: GET ${url}${path}`, code: "http.timeout" }
  );
  await assert.rejects(stream(t, `${url}/silent`, { opts }), message("/silent"));
  await assert.rejects(stream(t, `${url}/stalls`, { opts }), message("/stalls"));
  const slow = (): Promise<Value> => new Promise((done) => setTimeout(() => done(false), 2_000));
  assert.equal((await stream(t, `${url}/steady`, { opts, answer: slow })).got.length, 1);
});

test("one event may have 1 MiB: more raises after those before it were delivered", async (t) => {
  const { url } = await serve(t, (_request, response) => {
    response.writeHead(200, SSE);
    response.write(`data: fine\n\ndata: ${"x".repeat(2_000)}`);
  });
  const got: Value[] = [];
  const answer = (all: readonly Got[]): Value => void got.push(all.at(-1)?.[0]);
  await assert.rejects(stream(
    t, url, { answer, limits: { sseEventBytesMax: 1_000 } },
  ), (error: BlockError) => {
    assert.match(error.message, /^http stream read error: event too large: \d+ bytes \(max 1000\)$/);
    assert.equal(error.code, "http.too_large");
    return true;
  });
  assert.deepEqual(got, ["fine"]);
});

test("a cut stream is a stream error", async (t) => {
  const { url } = await serveRaw(t, (socket) => void socket.once("data", () => {
    socket.end(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: x\n\n\r\n",
    );
  }));
  await assert.rejects(stream(t, url), { message: /^http stream read error: /, code: "http.body" });
});

test("an error of the callback ends the request and passes unchanged", async (t) => {
  const { url, sockets } = await serveRaw(t, (socket) => void socket.once("data", () => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x\n\n");
  }));
  const mine = new Error("script says no");
  await assert.rejects(stream(t, url, { answer: () => Promise.reject(mine) }), (error) => error === mine);
  await until(() => sockets.size === 0, { what: "the connection dropped" });
});

test("a cancel ends a stream that waits for its next chunk", async (t) => {
  const { url, sockets } = await serveRaw(t, (socket) => void socket.once("data", () => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x\n\n");
  }));
  const stop = new AbortController();
  const reason = new Error("task cancelled");
  const answer = (): Value => void setImmediate(() => stop.abort(reason));
  await assert.rejects(stream(t, url, { answer, signal: stop.signal }), (error) => error === reason);
  await until(() => sockets.size === 0, { what: "the connection dropped" });
});

test("a stream that ends gives its place back", async (t) => {
  const { url } = await serve(t, (_request, response) => response.writeHead(200, SSE).end("data: x\n\n"));
  const { ops } = web(t, { limits: { httpOpenMax: 1 } });
  for (let i = 0; i < 3; i++) {
    await run(
      ops, "http.request", [url, { stream: true, on_data: 1 }], {
        callback: () => Promise.resolve(i !== 1),
      },
    );
  }
  assert.equal(text((await run(ops, "http.request", [url])).body), "data: x\n\n");
});
