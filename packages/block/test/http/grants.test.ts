/**
 * Redirects, and what restricted mode lets through: real servers on loopback, a resolver that the test moves.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { run, text } from "../ops.ts";
import { serve, web } from "./server.ts";

test("redirects are followed up to the limit, 303 and a redirected POST become GET, 307 keeps method and body", async (t) => {
  const { url, seen } = await serve(t, async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    const [, code, rest = ""] = /^\/(\d+)(.*)$/.exec(request.url ?? "") ?? [];
    if (code !== undefined) response.writeHead(
      Number(code), { location: rest === "" ? "/end" : rest }
    ).end("moved");
    else response.end(`${request.method} ${request.url} ${body}`);
  });
  const { ops } = web(t);
  const sent = async (method: string, path: string): Promise<string> =>
    text(
      (
        await run(ops, "http.request", [url + path, { method, body: method === "GET" ? undefined : "b" }])
      ).body,
    );
  assert.equal(await sent("GET", "/301/302/307/308/end"), "GET /end ");
  assert.equal(await sent("POST", "/301"), "GET /end ");
  assert.equal(await sent("PUT", "/303"), "GET /end ");
  assert.equal(await sent("POST", "/307"), "POST /end b");
  assert.equal(await sent("PUT", "/308"), "PUT /end b");
  assert.equal(seen.at(-1)?.headers["content-length"], "1");
});

test("redirect = 0 or false gives the redirect itself, one too many raises", async (t) => {
  const { url } = await serve(
    t, (_request, response) => response.writeHead(302, { location: "/again" }).end(),
  );
  const { ops } = web(t);
  assert.equal((await run(ops, "http.request", [url, { redirect: 0 }])).headers.location, "/again");
  assert.equal((await run(ops, "http.request", [url, { redirect: false }])).status, 302);
  await assert.rejects(
    run(ops, "http.request", [url]), {
      message: "http request error: too many redirects (max 10)", code: "http.request",
    },
  );
  await assert.rejects(
    run(ops, "http.request", [url, { redirect: 2 }]), {
      message: "http request error: too many redirects (max 2)",
    },
  );
});

test("a redirect to what is not HTTP raises in both modes", async (t) => {
  const { url, port } = await serve(
    t, (_request, response) => response.writeHead(302, { location: "file:///etc/passwd" }).end(),
  );
  await assert.rejects(run(web(t).ops, "http.request", [url]), { code: "http.request" });
  const { ops } = web(t, { grants: [`net:127.0.0.1:${port}`] });
  await assert.rejects(run(ops, "http.request", [url]), { code: "grant.denied" });
});

test("credentials are dropped on another origin and kept on the same", async (t) => {
  const other = await serve(t, (_request, response) => response.end("other"));
  const { url, seen } = await serve(t, (request, response) => {
    if (request.url === "/same") response.writeHead(302, { location: "/here" }).end();
    else if (request.url === "/away") response.writeHead(
      302, { location: `http://user:pw@127.0.0.1:${other.port}/` },
    ).end();
    else response.end();
  });
  const { ops } = web(t);
  const headers = {
    Authorization: "Bearer x", Cookie: "a=b", "X-Api-Key": "k", "X-Session-Token": "t", "X-Plain": "p",
  };
  await run(ops, "http.request", [`${url}/same`, { headers }]);
  await run(ops, "http.request", [`${url}/away`, { headers }]);
  const kept = seen.find((request) => request.url === "/here");
  assert.equal(kept?.headers.authorization, "Bearer x");
  assert.equal(kept?.headers["x-api-key"], "k");
  const arrived = other.seen[0]?.headers ?? {};
  assert.equal(arrived["x-plain"], "p");
  for (
    const name of ["authorization", "cookie", "x-api-key", "x-session-token"]
  ) assert.equal(name in arrived, false, name);
});

test("Given a granted name that resolves to a metadata address, then denied, and nothing is connected to", async (t) => {
  const { ops, denials } = web(
    t, { grants: ["net:granted.test"], resolver: () => Promise.resolve(["169.254.169.254"]) },
  );
  await assert.rejects(run(ops, "http.request", ["http://granted.test/latest/meta-data/"]), {
    message: "denied: net connect to 169.254.169.254:80 (metadata address); needs grant net:169.254.169.254:80",
    code: "grant.denied",
  });
  assert.equal(denials.length, 1);
});

test("Given a granted name that redirects to an ungranted host, then denied at that hop", async (t) => {
  const inner = await serve(t, (_request, response) => response.end("secret"));
  const { url, port, seen } = await serve(t, (request, response) => {
    const to = request.url === "/name"
      ? `http://evil.test:${inner.port}/` : `http://127.0.0.1:${inner.port}/`;
    response.writeHead(302, { location: to }).end();
  });
  const { ops } = web(
    t, { grants: [`net:127.0.0.1:${port}`], resolver: () => Promise.resolve(["127.0.0.1"]) },
  );
  await assert.rejects(run(ops, "http.request", [`${url}/name`]), {
    message: `denied: net connect to evil.test:${inner.port} (host not granted); needs grant net:evil.test:${inner.port}`,
  });
  await assert.rejects(run(ops, "http.request", [`${url}/address`]), {
    message: `denied: net connect to 127.0.0.1:${inner.port} (loopback address); needs grant net:127.0.0.1:${inner.port}`,
  });
  assert.equal(seen.length, 2);
  assert.equal(inner.seen.length, 0);
});

test("a name is resolved once for a connection: an answer that changes after the check changes nothing", async (t) => {
  const { port, seen } = await serve(t, (_request, response) => response.end("granted"));
  const other = await serve(t, (_request, response) => response.end("inside"), "127.0.0.2");
  const answers: string[][] = [["127.0.0.1"], ["127.0.0.2"], ["127.0.0.2"]];
  let asked = 0;
  const resolver = (): Promise<string[]> => Promise.resolve(answers[Math.min(asked++, 2)] ?? []);
  const { ops } = web(
    t, {
      grants: [`net:flip.test:${port}`, `net:127.0.0.1:${port}`, `net:flip.test:${other.port}`], resolver,
    },
  );
  assert.equal(text((await run(ops, "http.request", [`http://flip.test:${port}/`])).body), "granted");
  assert.equal(asked, 1);
  assert.equal(seen.length, 1);
  await assert.rejects(run(ops, "http.request", [`http://flip.test:${other.port}/`]), {
    message: `denied: net connect to 127.0.0.2:${other.port} (loopback address); needs grant net:127.0.0.2:${other.port}`,
  });
  assert.equal(other.seen.length, 0);
});

test("an answer that changes between a redirect's hops is checked again at each hop", async (t) => {
  const inner = await serve(t, (_request, response) => response.end("inside"), "127.0.0.2");
  const outer = await serve(
    t, (_request, response) => response.writeHead(302, { location: `http://flip.test:${inner.port}/` }).end(),
  );
  let asked = 0;
  const resolver = (): Promise<string[]> => Promise.resolve([asked++ === 0 ? "127.0.0.1" : "127.0.0.2"]);
  const { ops } = web(t, { grants: ["net:flip.test", `net:127.0.0.1:${outer.port}`], resolver });
  await assert.rejects(
    run(ops, "http.request", [`http://flip.test:${outer.port}/`]), { code: "grant.denied" },
  );
  assert.equal(asked, 2);
  assert.equal(inner.seen.length, 0);
});

test("of several addresses only those that pass are connected to", async (t) => {
  const good = await serve(t, (_request, response) => response.end("good"), "127.0.0.1");
  const { ops } = web(t, {
    grants: ["net:mixed.test", `net:127.0.0.1:${good.port}`],
    resolver: () => Promise.resolve(["127.0.0.2", "10.0.0.5", "::1", "127.0.0.1"]),
  });
  assert.equal(text((await run(ops, "http.request", [`http://mixed.test:${good.port}/`])).body), "good");
});

test("a name that is not granted is never resolved", async (t) => {
  const asked: string[] = [];
  const resolver = (name: string): Promise<string[]> => {
    asked.push(name);
    return Promise.resolve(["127.0.0.1"]);
  };
  const { ops } = web(t, { grants: ["net:private"], resolver });
  await assert.rejects(run(ops, "http.request", ["http://c2VjcmV0.evil.test/"]), { code: "grant.denied" });
  assert.deepEqual(asked, []);
});

test("a kept connection does not serve a name of another origin", async (t) => {
  const { port } = await serve(t, (_request, response) => response.end("x"));
  const { ops } = web(
    t, { grants: [`net:127.0.0.1:${port}`, "net:a.test"], resolver: () => Promise.resolve(["127.0.0.1"]) },
  );
  await run(ops, "http.request", [`http://a.test:${port}/`]);
  await assert.rejects(run(ops, "http.request", [`http://b.test:${port}/`]), { code: "grant.denied" });
});

test("a Host header does not change where a request goes", async (t) => {
  const { url, port, seen } = await serve(t, (_request, response) => response.end("x"));
  const { ops } = web(t, { grants: [`net:127.0.0.1:${port}`] });
  await run(ops, "http.request", [url, { headers: { Host: "other.test" } }]);
  assert.equal(seen[0]?.headers.host, "other.test");
});
