import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { formatNodeId } from "@atoll-run/core";
import { ADMIN, ANYONE, connect, join, openRealm } from "./clients.ts";

test("an operator adds realms, sees nodes, registry and metrics, page by page", async () => {
  await using test = await openRealm();
  assert.equal((await test.admin("POST", "realms", { realm: 7, name: "blue" })).status, 200);
  assert.equal((await test.admin("POST", "realms", { realm: 7 })).status, 409);
  const realms = (await test.admin("GET", "realms")).body["realms"] as { realm: number; name: string; has_secret: boolean }[];
  assert.deepEqual(realms.map(({ realm, name, has_secret }) => [realm, name, has_secret]), [[1, "", false], [7, "blue", false]]);
  const nodes = [await join(test, { realm: 7, rules: ANYONE }), await join(test, { bearer: true })];
  const [first] = nodes;
  assert.ok(first);
  await connect(test, first);
  const page = (await test.admin("GET", "nodes?limit=1")).body["nodes"] as { id: string }[];
  const rest = (await test.admin("GET", `nodes?after=${encodeURIComponent(page[0]?.id ?? "")}`)).body["nodes"] as { id: string }[];
  assert.deepEqual([...page, ...rest].map(({ id }) => id).sort(), nodes.map(({ id }) => formatNodeId(id)).sort());
  assert.equal(JSON.stringify([page, rest]).includes("hash"), false, "no hash of a token is shown");
  const { entries, total } = (await test.admin("GET", "registry?type=acme:echo:1.0.0")).body as
    { entries: { id: string; up: boolean; proof: string }[]; total: number };
  assert.equal(total, 2);
  assert.deepEqual(entries.filter(({ up }) => up).map(({ id, proof }) => [id, proof]), [[formatNodeId(first.id), "key"]]);
  const metrics = (await test.admin("GET", "metrics")).body;
  assert.deepEqual([metrics["realm_nodes_registered"], metrics["realm_nodes_up"], metrics["realm_registrations_total"]], [2, 1, 2]);
  const scraped = await test.realm.door.admin({
    method: "GET", path: "/admin/v1/metrics", headers: { authorization: `Bearer ${ADMIN}`, accept: "text/plain;version=0.0.4;q=0.5,*/*;q=0.1" },
  });
  assert.match(scraped.headers["content-type"] ?? "", /^text\/plain/);
  assert.match(Buffer.from(scraped.body).toString(), /^# TYPE atoll_realm_registrations_total counter\natoll_realm_registrations_total 2\n/m);
});

/** Orders that are wrong, and the status they get. */
const WRONG: readonly (readonly [string, string, object | undefined, number])[] = [
  ["POST", "realms", { realm: -1 }, 400], ["POST", "realms", { realm: 1.5 }, 400], ["POST", "realms", {}, 400],
  ["POST", "secrets", { realm: 9 }, 404], ["POST", "invites", { type: "nonsense", ttl_ms: 5_000 }, 400],
  ["POST", "invites", { type: "a:b:1", ttl_ms: 5_000, realm: 9 }, 404], ["POST", "invites", { type: "a:b:1", ttl_ms: 5_000, uses: 0 }, 400],
  ["POST", "revoke", { id: "x" }, 400], ["POST", "revoke", { id: "5@1/a:b:1" }, 404],
  ["PUT", "acl", { id: "5@1/a:b:1", rules: [] }, 404], ["PUT", "acl", { id: "x", rules: [{ effect: "allow" }] }, 400],
  ["PUT", "acl", { id: "x", rules: [{ effect: "allow", from: { type: "nonsense" }, actions: ["*"] }] }, 400],
  ["GET", "nodes?limit=0", undefined, 400], ["GET", "audit?after=x", undefined, 400], ["GET", "nothing", undefined, 404],
  ["POST", "packages", { manufacturer: "acme", key: "AAAA" }, 400], ["POST", "packages", { type: "a:b:1" }, 400],
];

test("wrong orders are refused with what is wrong, and change nothing", async () => {
  await using test = await openRealm();
  const before = (await test.admin("GET", "audit")).body;
  for (const [method, path, body, status] of WRONG) {
    const answer = await test.admin(method, path, body);
    assert.equal(answer.status, status, `${method} ${path} ${JSON.stringify(body)}: ${JSON.stringify(answer.body)}`);
    assert.ok((answer.body["error"] as { message: string }).message.length > 5);
  }
  assert.deepEqual((await test.admin("GET", "audit")).body, before);
});

test("the journal names every change, is read from any place, and drops what is older than 90 days", async () => {
  await using test = await openRealm();
  await test.admin("POST", "secrets", { realm: 1 });
  await test.admin("POST", "keys", {});
  const read = async (query = ""): Promise<{ seq: number; event: string }[]> =>
    (await test.admin("GET", `audit${query}`)).body["entries"] as { seq: number; event: string }[];
  const all = await read();
  assert.deepEqual(all.map(({ event }) => event), ["key_rotated", "realm_added", "secret_rotated", "key_rotated"]);
  assert.deepEqual(await read(`?after=${all[1]?.seq}&limit=1`), [all[2]]);
  test.clock.advance(91 * 86_400_000);
  await test.admin("POST", "secrets", { realm: 1 });
  assert.deepEqual((await read()).map(({ event }) => event), ["secret_rotated"]);
});

test("docs/realm.md names every endpoint of the admin API, and no other", async () => {
  const page = await readFile(new URL("../../../docs/realm.md", import.meta.url), "utf8");
  const told = [...page.matchAll(/^\| `((?:GET|POST|PUT) [a-z]+)` \|/gm)].map(([, name]) => name);
  await using test = await openRealm();
  const { endpoints } = (await test.admin("GET", "")).body as { endpoints: string[] };
  assert.deepEqual([...told].sort(), [...endpoints].sort());
});
