/** The node's side of a realm and the realm itself, in one process and over real sockets. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { formatNodeId, must, parseType, Secret, type Clock, type StateStore } from "@atoll-run/core";
import type { Rule } from "@atoll-run/core/internal";
import {
  createHttpDoor, createProcessDoor, createRealmClient, newNodeKey, NODE_LIMITS, type NodeKey, type RealmClient, type RealmDoor,
} from "@atoll-run/node/internal";
import { createRealm, type Realm, type RealmParts } from "@atoll-run/realm";
import { memoryState, until } from "@atoll-run/testkit";

const TOKEN = "token-of-this-test";
const bytes = (count: number): Uint8Array => Uint8Array.from(randomBytes(count));
const log = { write: () => undefined };
const clock: Clock = {
  now: () => Date.now(), monotonic: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, Math.min(ms, 0x7fff_ffff));
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
const IDLE = { queued: 0, running: 0, hard_max: 100, idle_shares: [1], draining: false };
const FRIENDS: readonly Rule[] = [{ effect: "allow", from: { type: "acme:*:*", realm: "self" }, actions: ["*"] }];

interface Home {
  readonly store: StateStore;
  readonly key: NodeKey;
  readonly revoked: string[];
}

async function newHome(): Promise<Home> {
  return { store: memoryState(), key: await newNodeKey(bytes), revoked: [] };
}

async function up(door: RealmDoor, home: Home, type: string, address?: string): Promise<RealmClient> {
  const client = createRealmClient({
    door, store: home.store, scope: "node", epoch: null, key: home.key, clock, log, bytes, random: Math.random,
    report: () => undefined, revoked: (id) => void home.revoked.push(id),
  }, { who: {
    realm: 1, type: must(parseType(type), "a type"), vouch: { mode: "linked" }, rules: FRIENDS,
    ...address === undefined ? {} : { ws_address: address },
  } }, NODE_LIMITS);
  const signal = AbortSignal.timeout(30_000);
  await client.register({ signal });
  await client.connect({ signal });
  client.arm();
  assert.ok(await client.beat(() => IDLE));
  return client;
}

async function admin(realm: Realm, path: string, order: object): Promise<void> {
  const body = new TextEncoder().encode(JSON.stringify(order));
  const answer = await realm.door.admin({ method: "POST", path: `/admin/v1/${path}`, body, headers: { authorization: `Bearer ${TOKEN}` } });
  assert.equal(answer.status, 200);
}

const DOORS: Readonly<Record<string, (realm: Realm) => Promise<RealmDoor>>> = {
  "in one process": async (realm) => {
    await realm.open();
    return createProcessDoor(realm.door as Parameters<typeof createProcessDoor>[0]);
  },
  "over sockets": async (realm) => {
    const addresses = must(await realm.open({ listen: { public: { host: "127.0.0.1", port: 0 } } }), "addresses");
    return createHttpDoor({ clock }, addresses, NODE_LIMITS);
  },
};

for (const [where, open] of Object.entries(DOORS)) {
  test(`${where}, nodes register, find and watch each other, keep their ids, and hear who was revoked`, async () => {
    const parts: RealmParts = { store: memoryState(), clock, random: Math.random, bytes, log, adminToken: new Secret(TOKEN) };
    await using realm = createRealm(parts);
    const door = await open(realm);
    const homes = { bank: await newHome(), client: await newHome() };
    await using client = await up(door, homes.client, "acme:client:1.0.0");
    const bank = await up(door, homes.bank, "acme:bank:1.0.0", "ws://127.0.0.1:7");
    const id = bank.session.current().id;
    const watch = client.directory.watch("acme:bank:1.0.0");
    assert.deepEqual((await watch.next()).value, { is: "up", id: formatNodeId(id) });
    const found = await client.directory.addresses(id, { deadlineMs: 10_000 });
    assert.deepEqual(found.map(({ address, node_key }) => [address, node_key]), [["ws://127.0.0.1:7", homes.bank.key.publicKey]]);
    assert.ok(await client.verifier.verify(bank.session.current().credential));

    assert.ok(await bank.leave());
    await bank[Symbol.asyncDispose]();
    assert.deepEqual((await watch.next()).value, { is: "down", id: formatNodeId(id) });
    await using again = await up(door, homes.bank, "acme:bank:1.0.0");
    assert.equal(formatNodeId(again.session.current().id), formatNodeId(id), "the same key has the same id");
    assert.deepEqual((await watch.next()).value, { is: "up", id: formatNodeId(id) });

    await admin(realm, "revoke", { id: formatNodeId(id), reason: "test" });
    assert.deepEqual((await watch.next()).value, { is: "down", id: formatNodeId(id) });
    await until(() => homes.client.revoked.length > 0, { what: "the news of the revocation" });
    assert.deepEqual(homes.client.revoked, [formatNodeId(id)]);
    await assert.rejects(client.verifier.verify(again.session.current().credential), { code: "node.permission_denied" });
    await watch[Symbol.asyncDispose]();
  });
}
