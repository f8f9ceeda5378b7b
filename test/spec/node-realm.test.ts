// A node and its realm, both real: identity, signaling, discovery, recovery (spec: node 3.1, 5.7, 5.13 to 5.16, 8; 14).
import assert from "node:assert/strict";
import { createServer, connect as dialTcp, type Socket } from "node:net";
import { test } from "node:test";
import { formatNodeId, Secret } from "@atoll-run/core";
import { writeHelloC, writeNodeId } from "@atoll-run/core/internal";
import { createHttpDoor, createProcessDoor, newNodeKey, NODE_LIMITS } from "@atoll-run/node/internal";
import { ManualClock, memoryState, until, watchHandles } from "@atoll-run/testkit";
import { bytes, IDLE, makeClient, openRealm, systemClock } from "./node-world.ts";

const BANK = "acme:bank:1.0.0";

for (const way of ["inside the process", "over the network"] as const) {
  test(`a node registers, is found, finds others, and leaves: ${way}`, async () => {
    const handles = watchHandles();
    const { realm, door } = await openRealm(systemClock, way === "over the network" ? { port: 0 } : {});
    const bank = await makeClient(door, systemClock, { type: BANK, address: "ws://127.0.0.1:4444/" });
    const shop = await makeClient(door, systemClock, { type: "acme:shop:1.0.0" });
    await Promise.all([bank.up(), shop.up()]);
    const { id, key } = bank.client.session.current();
    const [found] = await shop.client.directory.candidates(BANK);
    assert.deepEqual([found?.id, found?.availability], [formatNodeId(id), "full"]);
    const [address] = await shop.client.directory.addresses(id, { deadlineMs: 5_000 });
    assert.deepEqual(address, { wire: "websocket", address: "ws://127.0.0.1:4444/", node_key: key?.publicKey });
    const said = await shop.client.verifier.verify(bank.client.session.current().credential);
    assert.deepEqual([said.id, said.node_key], [id, key?.publicKey]);
    const watch = shop.client.directory.watch(BANK);
    assert.deepEqual((await watch.next()).value, { is: "up", id: formatNodeId(id) });
    assert.equal(await bank.client.leave(), true);
    assert.deepEqual((await watch.next()).value, { is: "down", id: formatNodeId(id) });
    assert.deepEqual(await shop.client.directory.candidates(BANK), []);
    assert.deepEqual([bank.faults, shop.faults], [[], []]);
    await Promise.all([bank.client[Symbol.asyncDispose](), shop.client[Symbol.asyncDispose]()]);
    await realm.close();
    await handles.check();
  });
}

test("a bad secret and a realm that is down give typed errors, and the next start works on the same state", async () => {
  const clock = new ManualClock();
  const { realm, door, admin } = await openRealm(clock);
  const made = await admin("POST", "secrets", { realm: 1 });
  const secret = String(made["secret"]);
  const [store, key] = [memoryState(), await newNodeKey(bytes)];
  const make = (vouch: string, via = door) => makeClient(via, clock, { store, key, vouch: { mode: "linked", secret: new Secret(vouch) } });
  const bad = await make("not-the-secret");
  await assert.rejects(bad.up(), { code: "node.permission_denied" });
  await bad.client[Symbol.asyncDispose]();
  const nowhere = createHttpDoor({ clock: systemClock }, {
    ais_url: "http://127.0.0.1:1/ais", signaling_url: "ws://127.0.0.1:1/signaling/ws",
  }, NODE_LIMITS);
  const down = await make(secret, nowhere);
  await assert.rejects(down.up(), { code: "node.unavailable" });
  await down.client[Symbol.asyncDispose]();
  const good = await make(secret);
  await good.up();
  const { id } = good.client.session.current();
  await good.client.leave();
  await good.client[Symbol.asyncDispose]();
  const again = await make(secret);
  await again.up();
  assert.deepEqual(again.client.session.current().id, id);
  await again.client[Symbol.asyncDispose]();
  await realm.close();
  assert.equal(clock.timers, 0);
});

test("a renewal keeps the id and is shown to signaling; with a rotated key and the realm offline, known keys verify", async () => {
  const clock = new ManualClock();
  const { realm, door, admin } = await openRealm(clock);
  const one = await makeClient(door, clock);
  const two = await makeClient(door, clock);
  await Promise.all([one.up(), two.up()]);
  const before = one.client.session.current();
  await admin("POST", "keys");
  await clock.pass(61_000);
  one.client.session.refused();
  await until(() => one.client.session.current() !== before);
  const after = one.client.session.current();
  assert.deepEqual(after.id, before.id);
  assert.equal(after.credential.keyId, before.credential.keyId + 1);
  // Whoever has never seen the key asks for it once, and keeps it.
  await two.client.verifier.verify(after.credential);
  assert.equal(await one.client.announce(), true);
  await realm.close();
  await two.client.verifier.verify(after.credential);
  await two.client.verifier.verify(before.credential);
  const unknown = { ...after.credential, keyId: 999 };
  const asked = assert.rejects(two.client.verifier.verify(unknown), { code: "node.unavailable" });
  await two.client.verifier.verify(after.credential);
  await asked;
  await Promise.all([one.client[Symbol.asyncDispose](), two.client[Symbol.asyncDispose]()]);
  assert.equal(clock.timers, 0);
});

test("a guest comes with an invite, once, and renews by its key alone", async () => {
  const clock = new ManualClock();
  const { realm, door, admin } = await openRealm(clock);
  const { token } = await admin("POST", "invites", { realm: 1, type: "acme:guest:1.0.0", ttl_ms: 60_000, uses: 1 });
  const vouch = { mode: "guest", invite: new Secret(String(token)) } as const;
  const [store, key] = [memoryState(), await newNodeKey(bytes)];
  const guest = await makeClient(door, clock, { type: "acme:guest:1.0.0", vouch, store, key });
  await guest.up();
  const { id } = guest.client.session.current();
  const second = await makeClient(door, clock, { type: "acme:guest:1.0.0", vouch });
  await assert.rejects(second.up(), { code: "node.permission_denied" });
  guest.client.session.refused();
  await until(() => guest.client.session.current().generation === 2);
  await guest.client[Symbol.asyncDispose]();
  const again = await makeClient(door, clock, { type: "acme:guest:1.0.0", vouch, store, key });
  await again.client.register();
  assert.deepEqual(again.client.session.current().id, id);
  await Promise.all([second.client[Symbol.asyncDispose](), again.client[Symbol.asyncDispose]()]);
  await realm.close();
});

test("a revoked node is told of to all others, and its credential counts no more", async () => {
  const clock = new ManualClock();
  const { realm, door, admin } = await openRealm(clock);
  const one = await makeClient(door, clock);
  const two = await makeClient(door, clock);
  await Promise.all([one.up(), two.up()]);
  const { id, credential } = one.client.session.current();
  await two.client.verifier.verify(credential);
  await admin("POST", "revoke", { id: formatNodeId(id) });
  await until(() => two.revoked.length === 1);
  await assert.rejects(two.client.verifier.verify(credential), { code: "node.permission_denied" });
  await until(() => !one.client.signaling.up);
  await Promise.all([one.client[Symbol.asyncDispose](), two.client[Symbol.asyncDispose]()]);
  await realm.close();
});

test("a realm that is killed and restarted on its state is found again, and half-open connections are noticed", async () => {
  const store = memoryState();
  const first = await openRealm(systemClock, { store, port: 0 });
  const target = { port: Number(new URL(first.addresses?.url ?? "").port), deaf: false };
  await using proxy = await openProxy(target);
  const door = createHttpDoor({ clock: systemClock }, {
    ais_url: `http://127.0.0.1:${proxy.port}/ais`, signaling_url: `ws://127.0.0.1:${proxy.port}/signaling/ws`,
  }, { ...NODE_LIMITS, signaling: { ...NODE_LIMITS.signaling, pingMs: 250, deadMs: 1_000 } });
  const node = await makeClient(door, systemClock, { limits: { reconnectMs: 20, reconnectMsMax: 50 } });
  await node.up();
  await first.realm.close();
  proxy.cut();
  await until(() => !node.client.signaling.up);
  const second = await openRealm(systemClock, { store, port: 0 });
  target.port = Number(new URL(second.addresses?.url ?? "").port);
  await until(() => node.client.signaling.up);
  target.deaf = true;
  await until(() => !node.client.signaling.up);
  target.deaf = false;
  proxy.cut();
  await until(() => node.client.signaling.up);
  assert.ok(node.told.filter((name) => name === "signaling_disconnected").length >= 2);
  await node.client[Symbol.asyncDispose]();
  await second.realm.close();
});

test("two hundred nodes whose realm was restarted come back spread out", async () => {
  const clock = new ManualClock();
  const store = memoryState();
  let current = await openRealm(clock, { store });
  const door = createProcessDoor({
    ais: (ask) => current.realm.door.ais(ask), signaling: (o) => current.realm.door.signaling(o),
  });
  const nodes = await Promise.all(Array.from({ length: 200 }, () => makeClient(door, clock)));
  await Promise.all(nodes.map(({ up }) => up()));
  await current.realm.close();
  assert.equal(nodes.filter(({ client }) => client.signaling.up).length, 0);
  current = await openRealm(clock, { store });
  const back: number[] = [];
  for (let second = 0; back.at(-1) !== 200 && second < 120; second++) {
    await clock.pass(100);
    // Signatures are made in real time, while the clock of the test stands.
    await until(() => nodes.every(({ told }) => told.at(-1) !== "signaling_connecting"));
    back.push(nodes.filter(({ client }) => client.signaling.up).length);
  }
  assert.equal(back.at(-1), 200);
  assert.ok((back[0] ?? 200) < 100, `in the first tenth of a second came ${back[0]}`);
  await Promise.all(nodes.map(({ client }) => client[Symbol.asyncDispose]()));
  await current.realm.close();
  assert.equal(clock.timers, 0);
});

test("a recorded hello opens no signaling, nor does a credential without its key or under another id", async () => {
  const clock = new ManualClock();
  const { realm, door } = await openRealm(clock);
  const recorded: { headers: Readonly<Record<string, string>>; frames: Uint8Array[] }[] = [];
  const victim = await makeClient({
    ...door, dial: async (o) => {
      const entry = { headers: o.headers, frames: [] as Uint8Array[] };
      recorded.push(entry);
      const pipe = await door.dial(o);
      return { ...pipe, bufferedBytes: 0, send: (frame) => {
        entry.frames.push(frame);
        pipe.send(frame);
      } };
    },
  }, clock);
  await victim.up();
  const [{ headers, frames } = { headers: {}, frames: [] }] = recorded;
  /** Frames that came, and the code of the end. */
  const replay = async (shown: Readonly<Record<string, string>>, sent: readonly Uint8Array[]) => {
    const came: Uint8Array[] = [];
    const ended = Promise.withResolvers<number>();
    const hear = { frame: (frame: Uint8Array) => void came.push(frame), ended: (code: number) => ended.resolve(code) };
    const pipe = await door.dial({ headers: shown, query: {}, hear, signal: new AbortController().signal });
    for (const frame of sent) pipe.send(frame);
    return { code: await ended.promise, came: came.length };
  };
  await assert.rejects(replay(headers, frames), { code: "node.permission_denied" });
  const fresh = writeHelloC({ nonce: bytes(32), sentAtMs: BigInt(clock.now()), realmId: 1, features: [] });
  const renewed = { ...headers, "x-atoll-hello": Buffer.from(fresh).toString("base64url") };
  assert.deepEqual(await replay(renewed, frames), { code: 4_401, came: 0 });
  const { "x-atoll-hello": _hello, ...bare } = headers;
  await assert.rejects(replay(bare, []), { code: "node.permission_denied" });
  const other = Buffer.from(writeNodeId({ ...victim.client.session.current().id, serial: 1n })).toString("hex");
  await assert.rejects(replay({ ...headers, "x-actr-source-id": other }, frames), { code: "node.permission_denied" });
  assert.ok(victim.client.signaling.up);
  await victim.client[Symbol.asyncDispose]();
  await realm.close();
});

interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** Ends what is connected. */
  cut(): void;
}

/** Carries bytes to the target; deaf, it takes them and says nothing. */
async function openProxy(target: { readonly port: number; readonly deaf: boolean }): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
    return socket;
  };
  const server = createServer((incoming) => {
    const outgoing = keep(dialTcp(target.port, "127.0.0.1"));
    keep(incoming).on("data", (data) => target.deaf || outgoing.write(data)).on("close", () => outgoing.destroy());
    outgoing.on("data", (data) => target.deaf || incoming.write(data)).on("close", () => incoming.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const cut = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    port: typeof address === "object" && address !== null ? address.port : 0, cut,
    [Symbol.asyncDispose]: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("a node that drains is offered to nobody", async () => {
  const clock = new ManualClock();
  const { realm, door } = await openRealm(clock);
  const bank = await makeClient(door, clock, { type: BANK });
  const shop = await makeClient(door, clock);
  await shop.up();
  await bank.client.register();
  await bank.client.connect();
  let draining = false;
  await bank.client.beat(() => ({ ...IDLE, draining }));
  assert.equal((await shop.client.directory.candidates(BANK)).length, 1);
  draining = true;
  assert.equal(await bank.client.announce(), true);
  await clock.pass(30_000);
  await until(async () => (await shop.client.directory.candidates(BANK)).length === 0);
  await Promise.all([bank.client[Symbol.asyncDispose](), shop.client[Symbol.asyncDispose]()]);
  await realm.close();
});
