/** What goes wrong on the way, and how connections live and end. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer as createTlsServer } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { until, watchHandles } from "@atoll-run/testkit";
import { folder, run, text } from "../ops.ts";
import { listen, serve, serveRaw, web } from "./server.ts";

test("a refused connection and a name without address are connection errors", async (t) => {
  const { port, server } = await serve(t, () => undefined);
  await new Promise((done) => server.close(done));
  const { ops } = web(
    t, {
      resolver: (name) => name === "none.test"
        ? Promise.reject(new Error(`getaddrinfo ENOTFOUND ${name}`)) : Promise.resolve(["127.0.0.1"]),
    },
  );
  const refused = {
    message: /^http connection error: connect ECONNREFUSED/, code: "http.connect", retry: "later",
  };
  await assert.rejects(run(ops, "http.request", [`http://127.0.0.1:${port}/`]), refused);
  await assert.rejects(run(ops, "http.request", [`http://some.test:${port}/`]), refused);
  await assert.rejects(
    run(ops, "http.request", ["http://none.test/"]), {
      message: "http connection error: getaddrinfo ENOTFOUND none.test",
    },
  );
});

test("an answer that is none is a request error, a cut body a body error", async (t) => {
  const odd = await serveRaw(t, (socket) => socket.end("SMTP ready\r\n\r\n"));
  const gone = await serveRaw(t, (socket) => void socket.once("data", () => socket.destroy()));
  const cut = await serveRaw(
    t, (socket) =>
      void socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")),
  );
  const { ops } = web(t);
  await assert.rejects(
    run(ops, "http.request", [odd.url]), { message: /^http request error: /, code: "http.request" },
  );
  await assert.rejects(
    run(ops, "http.request", [gone.url]), { message: /^http request error: /, code: "http.request" },
  );
  await assert.rejects(
    run(ops, "http.request", [cut.url]), { message: /^http read body error: /, code: "http.body" },
  );
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
  const server = createTlsServer(
    { key: await readFile(key), cert: ca }, (_request, response) => void response.end("safe"),
  );
  const port = await listen(t, server as never, "127.0.0.1");
  const resolver = (): Promise<string[]> => Promise.resolve(["127.0.0.1"]);
  const { ops } = web(t, { ca, resolver });
  assert.equal(text((await run(ops, "http.request", [`https://good.test:${port}/`])).body), "safe");
  await assert.rejects(
    run(
      ops, "http.request", [`https://bad.test:${port}/`],
    ), { message: /^http connection error: .*altnames/i },
  );
  await assert.rejects(
    run(
      web(t, { resolver }).ops, "http.request", [`https://good.test:${port}/`],
    ), { message: /^http connection error: /, code: "http.connect" },
  );
});
