/**
 * Goal: whoever an OpenID provider knows is known, and nobody else. Invariants: the key says which algorithm counts; keys are asked for
 * once an hour, and for an unknown one once in 30 s; each refusal has its reason; rules say what he may. Method: a real issuer over HTTP
 * with real keys, a real server; time is ours.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { get as getOverTls } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { AccessRules } from "@atoll-run/mob";
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type JWK } from "jose";
import { realClock } from "../support.ts";
import { ROUTES, served } from "./served.ts";

type Signing = Parameters<SignJWT["sign"]>[0];

const access: AccessRules = { admins: ["root@x.example"], rules: [
  { effect: "allow", principals: [], groups: ["ops"], actions: ["*.view"], members: null, profiles: null, labels: null },
  { effect: "allow", principals: ["service:ci"], groups: [], actions: ["member.view"], members: ["open"], profiles: null, labels: null },
] };

/** An issuer that counts how often it is asked; `keys` may be changed. */
async function issuer(t: TestContext) {
  const asked = { discovery: 0, keys: 0 };
  const state: { keys: JWK[]; say?: string; down?: boolean } = { keys: [] };
  const server = createServer((request, response) => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    if (state.down === true) return void response.writeHead(500).end();
    const keys = request.url === "/keys";
    asked[keys ? "keys" : "discovery"] += 1;
    response.writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify(keys ? { keys: state.keys } : { issuer: state.say ?? url, jwks_uri: `${url}/keys` }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => new Promise((resolve) => void server.close(resolve)));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, state };
}

async function pair(alg: string, kid: string): Promise<{ readonly sign: Signing; readonly jwk: JWK }> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { sign: privateKey, jwk: { ...await exportJWK(publicKey), kid } };
}

async function door(t: TestContext, more: object = {}) {
  const provider = await issuer(t);
  let by = 0;
  const clock = { ...realClock, now: () => realClock.now() + by, monotonic: () => realClock.monotonic() + by };
  const house = await served(t, { clock, access, http: { oidc: { issuer: provider.url, audience: "atoll", emails: ["*@x.example"], services: ["ci"], ...more } } });
  const nowS = () => Math.floor(clock.now() / 1_000);
  const token = (key: Signing, header: { alg: string; kid?: string }, claims: object = {}): Promise<string> =>
    new SignJWT({ iss: provider.url, aud: "atoll", sub: "u1", exp: nowS() + 60, email: "Ann@X.example", ...claims } as never).setProtectedHeader(header).sign(key);
  const as = async (bearer: string, path = "/v1/access/whoami") => {
    const { status, body } = await house.ask("GET", path, { role: null, headers: { authorization: `Bearer ${bearer}` } });
    return { status, body, reason: body.error?.data.facts.reason as string | undefined };
  };
  return { ...house, provider, token, as, nowS, pass: (ms: number) => { by += ms; } };
}

test("a person is known by e-mail, a program by its id, with RS256, ES256, EdDSA and, of an issuer on this machine, HS256; rules say what they may", async (t) => {
  const { provider, token, as, ask } = await door(t);
  const secret = Buffer.alloc(32, 7);
  const all = [await pair("RS256", "rs"), await pair("ES256", "es"), await pair("EdDSA", "ed"), { sign: secret as Signing, jwk: { kty: "oct", k: secret.toString("base64url"), kid: "hs" } }];
  provider.state.keys = all.map(({ jwk }) => jwk);
  for (const [n, alg] of ["RS256", "ES256", "EdDSA", "HS256"].entries()) {
    const { sign, jwk: { kid = "" } } = all[n] as typeof all[0];
    const { status, body } = await as(await token(sign, { alg, kid }, { groups: ["ops", 7] }));
    assert.deepEqual([status, body], [200, { principal: "ann@x.example", role: "none", groups: ["ops"], local: false, read_only: false }], alg);
  }
  const [{ sign }] = all as [typeof all[0]];
  const rs = { alg: "RS256", kid: "rs" };
  const program = await token(sign, rs, { email: undefined, azp: "ci", sub: "x" });
  assert.equal((await as(program)).body.principal, "service:ci");
  assert.deepEqual((await as(program, "/v1/members")).body.members.map(({ id }: { id: string }) => id), ["open"]);
  assert.equal((await as(await token(sign, rs, { groups: ["ops"] }), "/v1/members")).body.members.length, 2);
  assert.equal((await as(await token(sign, rs), "/v1/members")).body.error.data.code, "mob.denied");
  assert.equal((await as(await token(sign, rs, { email: "root@x.example" }), "/v1/verify")).status, 200);
  // The token of this machine counts as before; a page signs in with a token, and has a cookie.
  assert.equal((await ask("GET", "/v1/verify")).status, 200);
  const signed = await ask("POST", "/v1/session", { role: null, headers: { authorization: `Bearer ${await token(sign, rs)}` }, body: {} });
  assert.deepEqual([signed.status, signed.body.principal], [200, "ann@x.example"]);
  assert.deepEqual(provider.asked, { discovery: 1, keys: 1 });
});

test("each refusal has its reason: of the credential, the token, its time, its key, its name", async (t) => {
  const { provider, token, as, nowS, ask } = await door(t);
  const [good, other, es] = [await pair("RS256", "good"), await pair("RS256", "good"), await pair("ES256", "es")];
  const small: JWK = { ...good.jwk, kid: "small", n: "AQAB" };
  provider.state.keys = [good.jwk, es.jwk, small, { ...good.jwk, kid: "other-use", use: "enc" }, { ...good.jwk, kid: "other-alg", alg: "RS512" }, { kty: "EC", crv: "P-256", kid: "broken", x: "AA", y: "AA" }];
  const rs = { alg: "RS256", kid: "good" };
  const valid = await token(good.sign, rs);
  const signature = valid.lastIndexOf(".") + 1;
  const cases: readonly [bearer: string, reason: string | undefined][] = [
    [valid, undefined],
    [await token(good.sign, rs, { exp: nowS() - 20 }), undefined],
    [await token(good.sign, rs, { nbf: nowS() + 20 }), undefined],
    [await token(good.sign, rs, { aud: ["other", "atoll"] }), undefined],
    [await token(good.sign, rs, { exp: nowS() - 40 }), "expired"],
    [await token(good.sign, rs, { nbf: nowS() + 60 }), "invalid_token"],
    [await token(good.sign, rs, { exp: undefined }), "invalid_token"],
    [await token(good.sign, rs, { aud: "other" }), "invalid_token"],
    [await token(good.sign, rs, { aud: undefined }), "invalid_token"],
    [await token(good.sign, rs, { iss: "https://login.example" }), "provider_not_supported"],
    [await token(good.sign, rs, { iss: undefined }), "provider_not_supported"],
    [await token(other.sign, rs), "invalid_token"],
    [`${valid.slice(0, signature)}${valid[signature] === "A" ? "B" : "A"}${valid.slice(signature + 1)}`, "invalid_token"],
    [new UnsecuredJWT({ iss: provider.url, aud: "atoll", email: "ann@x.example" }).setExpirationTime(nowS() + 60).encode(), "jwks_key_not_found"],
    // The key says which algorithm counts: its public half is no secret to sign with.
    [await token(Buffer.from(JSON.stringify(good.jwk).padEnd(64)), { alg: "HS256", kid: "good" }), "invalid_token"],
    [await token(es.sign, { alg: "ES256", kid: "good" }), "invalid_token"],
    [await token(good.sign, { alg: "RS256", kid: "es" }), "invalid_token"],
    [await token(good.sign, { alg: "RS256", kid: "no" }), "jwks_key_not_found"],
    [await token(good.sign, { alg: "RS256" }), "jwks_key_not_found"],
    [await token(good.sign, { alg: "RS256", kid: "other-use" }), "jwks_key_not_found"],
    [await token(good.sign, { alg: "RS256", kid: "other-alg" }), "invalid_jwks_key_material"],
    [await token(es.sign, { alg: "ES256", kid: "broken" }), "invalid_jwks_key_material"],
    [await token(good.sign, { alg: "RS256", kid: "small" }), "invalid_jwks_key_material"],
    [await token(good.sign, rs, { email: undefined, sub: undefined }), "missing_token_identity"],
    [await token(good.sign, rs, { email_verified: false }), "missing_token_identity"],
    [await token(good.sign, rs, { email: "ann@y.example" }), "email_not_allowlisted"],
    [await token(good.sign, rs, { email: undefined, azp: "cd" }), "service_identity_not_allowlisted"],
    ["a.b.c", "invalid_token"], ["wrong", "invalid_token"], [`${valid}.x`, "invalid_token"],
  ];
  for (const [n, [bearer, reason]] of cases.entries()) assert.equal((await as(bearer)).reason, reason, `case ${n}: ${reason ?? "known"}`);
  const { status, body } = await ask("GET", "/v1/status", { role: null, headers: { authorization: "Bearer two words" } });
  assert.deepEqual([status, body.error.data.facts.reason], [401, "invalid_token_header"]);
});

test("every route but the public ones refuses a token that is over, of another audience or of an unknown key, and says why", async (t) => {
  const { provider, token, ask, nowS } = await door(t);
  const key = await pair("EdDSA", "k");
  provider.state.keys = [key.jwk];
  const ed = { alg: "EdDSA", kid: "k" };
  const cases = [
    [await token(key.sign, ed, { exp: nowS() - 60 }), "expired"], [await token(key.sign, ed, { aud: "other" }), "invalid_token"],
    [await token(key.sign, { alg: "EdDSA", kid: "other" }), "jwks_key_not_found"],
  ] as const;
  for (const [verb, path] of ROUTES) {
    for (const [bearer, reason] of cases) {
      const { status, body } = await ask(verb, path, { role: null, headers: { authorization: `Bearer ${bearer}` } });
      assert.deepEqual([status, body.error.data.code, body.error.data.facts.reason], [401, "mob.unauthenticated", reason], `${verb} ${path}`);
    }
  }
});

test("HS256 is for issuers of this machine, and an issuer elsewhere has https", async (t) => {
  const key = Buffer.alloc(32, 1);
  const { as, token } = await door(t, { issuer: "https://login.example" });
  assert.equal((await as(await token(key, { alg: "HS256", kid: "k" }, { iss: "https://login.example" }))).reason, "hs256_not_allowed");
  for (const url of ["http://login.example", "login.example", "ftp://127.0.0.1"]) await assert.rejects(served(t, { access, http: { oidc: { issuer: url, audience: "atoll" } } }), { code: "mob.invalid_params" }, url);
});

test("keys are asked for once an hour, and for an unknown one once in 30 s at most, however many ask", async (t) => {
  const { provider, token, as, pass } = await door(t);
  const [one, two] = [await pair("ES256", "one"), await pair("ES256", "two")];
  provider.state.keys = [one.jwk];
  const know = async (key: { sign: Signing; jwk: JWK }) => (await as(await token(key.sign, { alg: "ES256", kid: key.jwk.kid ?? "" }))).reason;
  assert.deepEqual(await Promise.all(Array.from({ length: 20 }, () => know(one))), Array.from({ length: 20 }, () => undefined));
  assert.equal(provider.asked.keys, 1);
  // Turned over: the new one is found, but not at once, and strangers make no flood.
  provider.state.keys = [two.jwk];
  assert.equal(await know(two), "jwks_key_not_found");
  assert.equal(provider.asked.keys, 1);
  pass(30_001);
  assert.deepEqual(await Promise.all(Array.from({ length: 20 }, () => know(two))), Array.from({ length: 20 }, () => undefined));
  assert.deepEqual([await know(one), provider.asked.keys], ["jwks_key_not_found", 2]);
  pass(3_600_001);
  assert.deepEqual([await know(two), provider.asked.keys], [undefined, 3]);
});

test("an issuer that is away, or says that it is another, is told as that, and not asked again by everybody", async (t) => {
  const { provider, token, as, pass } = await door(t);
  const key = await pair("ES256", "k");
  provider.state.keys = [key.jwk];
  const ask = async () => (await as(await token(key.sign, { alg: "ES256", kid: "k" }))).body;
  provider.state.down = true;
  const { error } = await ask();
  assert.deepEqual([error.code, error.data.code, error.data.retry, error.data.facts.what], [-32012, "mob.unavailable", "later", "issuer"]);
  provider.state.down = false;
  assert.equal((await ask()).error.data.code, "mob.unavailable");
  assert.equal(provider.asked.discovery, 0);
  pass(30_001);
  assert.equal((await ask()).principal, "ann@x.example");
  pass(3_600_001);
  provider.state.say = "https://other.example";
  assert.match((await ask()).error.message, /it says that it is https:\/\/other\.example/);
});

test("beyond this machine it is heard only where it is known who comes, and where nobody can read along; the token of this machine counts at its own door alone", async (t) => {
  const { provider, token, as, http } = await door(t, {});
  assert.equal(http.beyond, undefined);
  const key = await pair("ES256", "k");
  provider.state.keys = [key.jwk];
  assert.equal((await as(await token(key.sign, { alg: "ES256", kid: "k" }))).status, 200);
  const oidc = { issuer: provider.url, audience: "atoll" };
  const refused = async (more: object): Promise<string> => served(t, { access, http: { host: "0.0.0.0", ...more } }).then(() => "served", (error: Error) => error.message);
  assert.match(await refused({}), /^http\.host: 0\.0\.0\.0 is beyond this machine, and the token of this machine does not count there$/);
  assert.match(await refused({ oidc }), /^http\.host: on 0\.0\.0\.0 anybody could read along$/);
  assert.match(await refused({ oidc, trustedProxies: [] }), /anybody could read along/);
  assert.match(await refused({ oidc, trustedProxies: ["10.0.0.0/8", "proxy"] }), /"proxy" is no address of a proxy/);
  assert.match(await served(t, { http: { oidc } }).then(() => "served", (error: Error) => error.message), /^http\.oidc_issuer: whom an issuer knows may nothing without rules$/);

  const outer = await served(t, { access, http: { host: "0.0.0.0", oidc, trustedProxies: ["127.0.0.0/8"], hosts: ["mob.example"] } });
  assert.equal(outer.http.beyond, "https://mob.example");
  const bearer = await token(key.sign, { alg: "ES256", kid: "k" });
  const get = (path: string, authorization: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${outer.http.port}${path}`, { headers: { authorization: `Bearer ${authorization}` }, ...init });
  assert.notEqual(new URL(outer.http.url).port, String(outer.http.port));
  assert.equal((await get("/v1/access/whoami", bearer)).status, 200);
  assert.equal((await get("/v1/status", "token-of-viewer")).status, 200);
  assert.equal((await get("/v1/status", "token-of-admin")).status, 401);
  assert.equal((await outer.ask("GET", "/v1/status")).status, 200);
  const link = new URL(outer.http.link());
  assert.equal(link.origin, outer.http.url);
  const ticket = (at: string) => fetch(`${at}/v1/session`, { method: "POST", body: JSON.stringify({ ticket: link.hash.replace("#ticket=", "") }) });
  assert.equal((await ticket(`http://127.0.0.1:${outer.http.port}`)).status, 401);
  const signed = await get("/v1/session", bearer, { method: "POST" });
  assert.match(signed.headers.get("set-cookie") ?? "", /; HttpOnly; SameSite=Strict; Max-Age=43200; Secure$/);

  const closed = await served(t, { access, http: { host: "0.0.0.0", oidc, trustedProxies: ["10.1.2.3"] } });
  await assert.rejects(fetch(`http://127.0.0.1:${closed.http.port}/healthz`));
  assert.equal((await closed.ask("GET", "/healthz", { role: null })).status, 200);
});

/** Undefined where there is no openssl. */
function certificate(t: TestContext): { readonly cert: string; readonly key: string } | undefined {
  const folder = mkdtempSync(join(tmpdir(), "atoll-mob-tls-"));
  t.after(() => rmSync(folder, { recursive: true }));
  try {
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout", "key.pem", "-out", "cert.pem",
      "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"], { cwd: folder, stdio: "ignore" });
  } catch {
    return undefined;
  }
  return { cert: readFileSync(join(folder, "cert.pem"), "utf8"), key: readFileSync(join(folder, "key.pem"), "utf8") };
}

test("with a certificate it has TLS beyond this machine, and speaks plainly to nobody there", async (t) => {
  const made = certificate(t);
  if (made === undefined) return t.skip("there is no openssl here");
  const { cert, key } = made;
  const provider = await issuer(t);
  const { http } = await served(t, { access, http: { host: "0.0.0.0", oidc: { issuer: provider.url, audience: "atoll" }, tls: { cert, key } } });
  const answer = await new Promise<string>((resolve, reject) => {
    getOverTls({ host: "127.0.0.1", port: http.port, path: "/healthz", ca: cert, headers: { host: "localhost" } }, (response) => {
      response.setEncoding("utf8").on("data", resolve);
    }).on("error", reject);
  });
  assert.equal(answer, "ok");
  await assert.rejects(fetch(`http://127.0.0.1:${http.port}/healthz`));
});
