import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "@atoll-run/core";
import { NODE_LIMITS, performNetworkAction, type NetworkAction } from "@atoll-run/node/internal";
import { toActrId, writeSignaling } from "@atoll-run/core/internal";
import { until } from "@atoll-run/testkit";
import fc from "fast-check";
import { IDLE, world } from "./world.ts";

test("a node greets its realm, is connected when the realm has answered, and closes without a trace", async () => {
  const { client, told, clock, signaling, up } = await world();
  await up();
  assert.ok(client.signaling.up);
  assert.deepEqual(told, ["signaling_connecting 1", "signaling_connected", "credential_renewed"]);
  assert.deepEqual(signaling.asked, ["getSigningKeyRequest"]);
  await client[Symbol.asyncDispose]();
  assert.deepEqual([clock.timers, signaling.open.size, client.signaling.up], [0, 0, false]);
  assert.equal(told.at(-1), "signaling_disconnected the node closes");
});

test("a realm that has not proved its key is not ours", async () => {
  const w = await world();
  const { client, signaling, clock } = w;
  await client.register();
  signaling.knobs.impostor = true;
  const end = new AbortController();
  const started = assert.rejects(client.connect({ signal: end.signal }), { code: "node.identity_mismatch" });
  await until(() => w.faults.length > 0);
  end.abort(new Error("out of time"));
  await started;
  assert.equal(client.signaling.up, false);
  await client[Symbol.asyncDispose]();
  assert.equal(clock.timers, 0);
});

test("with signaling black-holed a start fails as unavailable, and the next one works", async () => {
  const w = await world();
  const { client, signaling, clock } = w;
  await client.register();
  signaling.knobs.silent = true;
  const end = new AbortController();
  const started = client.connect({ signal: end.signal }).catch((error: unknown) => error);
  await w.passUntil(() => w.faults.length > 0, 1_000);
  end.abort(new Error("60 s are over"));
  const fault = await started;
  assert.ok(isFault(fault) && fault.code === "node.unavailable", String(fault));
  signaling.knobs.silent = false;
  const again = client.connect();
  await w.passUntil(() => client.signaling.up);
  await again;
  await client[Symbol.asyncDispose]();
  assert.equal(clock.timers, 0);
});

test("a lost connection comes back with waits that double from 1 to 60 s, all of them jittered", async () => {
  const w = await world({ random: 0.999 });
  await w.up();
  const { signaling, clock, client } = w;
  w.realm.knobs.away = "error";
  const began = signaling.dials.length;
  signaling.cut(1_006, "gone");
  assert.equal(client.signaling.up, false);
  await w.passUntil(() => signaling.dials.length >= began + 10, 500);
  const at = signaling.dials.slice(began);
  const waits = at.map((ms, index) => Math.round((ms - (at[index - 1] ?? ms)) / 1_000)).slice(1);
  assert.deepEqual(waits.slice(0, 6), [2, 4, 8, 16, 32, 60]);
  assert.ok(waits.slice(6).every((wait) => wait === 60), String(waits));
  w.realm.knobs.away = false;
  await w.passUntil(() => client.signaling.up, 1_000);
  assert.ok(w.told.includes("signaling_disconnected gone"));
  assert.deepEqual(w.logged.filter((line) => line.includes("signaling")), ["warn signaling is lost", "info signaling is back"]);
  await client[Symbol.asyncDispose]();
  assert.equal(clock.timers, 0);
});

test("429 and 503 pause by what the realm says", async () => {
  const w = await world({ random: 0 });
  const { client, signaling } = w;
  await client.register();
  signaling.knobs.refuse = { status: 503, retry_after_ms: 7_000 };
  const started = client.connect();
  await w.passUntil(() => signaling.dials.length >= 3, 250);
  const [a = 0, b = 0, c = 0] = signaling.dials;
  assert.ok(b - a >= 7_000 && b - a < 9_000 && c - b >= 7_000, `${b - a} ${c - b}`);
  signaling.knobs.refuse = undefined;
  await w.passUntil(() => client.signaling.up);
  await started;
  signaling.knobs.fail = { code: 429, as: "envelope" };
  await assert.rejects(client.signaling.ask({ case: "discoveryRequest", value: {} }), { code: "node.overloaded" });
  signaling.knobs.fail = undefined;
  const hasty = client.signaling.ask({ case: "discoveryRequest", value: {} }, { ms: 2_000 });
  await assert.rejects(hasty, { code: "node.overloaded", retry_after_ms: 3_000 });
  const asked = signaling.asked.length;
  const patient = assert.rejects(client.signaling.ask({ case: "discoveryRequest", value: {} }), { code: "node.invalid_argument" });
  assert.equal(signaling.asked.length, asked);
  await w.clock.pass(3_000);
  await patient;
  await client[Symbol.asyncDispose]();
});

test("a question ends after 5 s, and with its connection", async () => {
  const w = await world();
  await w.up();
  const { client, signaling, clock } = w;
  signaling.knobs.silent = true;
  const late = assert.rejects(client.signaling.ask({ case: "discoveryRequest", value: {} }), { code: "node.timed_out" });
  await clock.pass(5_000);
  await late;
  const cut = assert.rejects(client.signaling.ask({ case: "discoveryRequest", value: {} }), { code: "node.unavailable" });
  await clock.pass(1_000);
  signaling.cut(1_006, "gone");
  await cut;
  await assert.rejects(client.signaling.ask({ case: "discoveryRequest", value: {} }), { code: "node.unavailable" });
  await client[Symbol.asyncDispose]();
  assert.equal(clock.timers, 0);
});

test("a node pings at the interval of its realm, and the suggested one from then on", async () => {
  const w = await world();
  await w.up();
  const { client, signaling, clock } = w;
  assert.equal(await client.beat(() => IDLE), true);
  await clock.pass(40_000);
  assert.equal(signaling.pings.length, 3);
  signaling.knobs.suggest_secs = 5;
  await clock.pass(20_000);
  const before = signaling.pings.length;
  await clock.pass(25_000);
  assert.ok(signaling.pings.length >= before + 4, `${signaling.pings.length - before} pings in 25 s`);
  await client[Symbol.asyncDispose]();
  assert.equal(clock.timers, 0);
});

test("a ping that the realm did not take is made again when the realm wants it, not at the next turn", async () => {
  const w = await world();
  await w.up();
  const { client, signaling, clock } = w;
  signaling.knobs.fail = { code: 429 };
  assert.equal(await client.beat(() => IDLE), true);
  signaling.knobs.fail = undefined;
  await clock.pass(2_999);
  assert.equal(signaling.pings.length, 1);
  await clock.pass(1);
  await until(() => signaling.pings.length === 2);
  await client[Symbol.asyncDispose]();
  assert.equal(clock.timers, 0);
});

test("three pings without an answer end the connection, and another one is opened", async () => {
  const w = await world();
  await w.up();
  const { client, signaling } = w;
  await client.beat(() => IDLE);
  signaling.knobs.silent = true;
  await w.passUntil(() => !client.signaling.up, 1_000);
  assert.ok(w.told.includes("signaling_disconnected the realm does not answer"));
  signaling.knobs.silent = false;
  await w.passUntil(() => client.signaling.up, 1_000);
  await client[Symbol.asyncDispose]();
});

test("a warning in a Pong renews the credential, and the next ping shows the new one at once", async () => {
  const w = await world();
  await w.up();
  const { client, signaling } = w;
  signaling.knobs.warn = true;
  const first = client.session.current();
  const pings = signaling.pings.length;
  await client.beat(() => IDLE);
  signaling.knobs.warn = false;
  await until(() => client.session.current() !== first && signaling.pings.length >= pings + 2);
  assert.ok(w.told.includes("credential_expiring warning"));
  await client[Symbol.asyncDispose]();
});

test("401 on signaling renews the credential", async () => {
  const w = await world();
  await w.up();
  w.signaling.cut(4_401, "the credential is over");
  await until(() => w.told.includes("credential_expiring refused"));
  await w.passUntil(() => w.client.signaling.up);
  await w.client[Symbol.asyncDispose]();
});

test("revocations of a Pong, asked for or not, refuse older credentials and are told", async () => {
  const w = await world();
  await w.up();
  const { client, realm, signaling, revoked, clock } = w;
  const id = "1000@101/acme:echo:1.0.0";
  const credential = await realm.signer.sign({ expires_at_ms: clock.now() + 60_000, actor_id: id });
  await client.verifier.verify(credential);
  signaling.tell({ case: "pong", value: { seq: 1n, revoked: [{ actorId: id, epoch: 3n }] } });
  await assert.rejects(client.verifier.verify(credential), { code: "node.permission_denied" });
  assert.deepEqual(revoked, [`${id} 3`]);
  await client[Symbol.asyncDispose]();
});

test("a realm that has forgotten the node gets it again, with the same id", async () => {
  const w = await world();
  await w.up();
  const { client, signaling, realm } = w;
  const { id } = client.session.current();
  signaling.knobs.fail = { code: 404 };
  await client.beat(() => IDLE);
  signaling.knobs.fail = undefined;
  await until(() => realm.asked.filter((path) => path === "register").length === 2);
  await until(() => client.session.current().generation === 2);
  assert.deepEqual(client.session.current().id, id);
  await client[Symbol.asyncDispose]();
});

test("leaving is acknowledged on signaling, without it by the identity service, and nothing connects again", async () => {
  const one = await world();
  await one.up();
  assert.equal(await one.client.leave(), true);
  assert.equal(one.signaling.asked.at(-1), "unregisterRequest");
  const dials = one.signaling.dials.length;
  await one.clock.pass(120_000);
  assert.equal(one.signaling.dials.length, dials);
  await one.client[Symbol.asyncDispose]();
  const two = await world();
  await two.client.register();
  assert.equal(await two.client.leave(), true);
  assert.equal(two.realm.asked.at(-1), "unregister");
  await two.client[Symbol.asyncDispose]();
});

test("a frame that is no envelope ends the connection, not the node", async () => {
  const w = await world();
  await w.up();
  const [session] = w.signaling.open;
  session?.raw(new Uint8Array([1, 2, 3]));
  assert.equal(w.client.signaling.up, false);
  await w.passUntil(() => w.client.signaling.up);
  await w.client[Symbol.asyncDispose]();
});

test("network actions: a probe that is answered changes nothing, forced ones connect anew, offline waits for its end", async () => {
  const w = await world();
  await w.up();
  const { client, signaling } = w;
  await client.beat(() => IDLE);
  const dropped: string[] = [];
  const parts = { signaling: client.signaling, peers: { drop: async (_id: unknown, _code: number, why: string) => void dropped.push(why) } };
  const act = (action: NetworkAction): Promise<void> =>
    performNetworkAction(action, parts, { limits: NODE_LIMITS.recovery, signal: new AbortController().signal });
  const dials = (): number => signaling.dials.length;
  await act("probe");
  await act("noop");
  assert.deepEqual([dials(), dropped], [1, []]);
  await act("force_reconnect");
  await w.passUntil(() => client.signaling.up);
  assert.deepEqual([dials(), dropped], [2, ["the network has changed"]]);
  await act("offline");
  await w.clock.pass(120_000);
  assert.deepEqual([dials(), client.signaling.up], [2, false]);
  await act("restore");
  await w.passUntil(() => client.signaling.up);
  signaling.knobs.silent = true;
  const probing = act("probe");
  await w.clock.pass(1_000);
  await probing;
  assert.equal(client.signaling.up, false);
  await client[Symbol.asyncDispose]();
  assert.equal(w.clock.timers, 0);
});

test("towards a realm that greets no credential stands in the URL, towards a legacy one it does", async () => {
  const aware = await world();
  await aware.up();
  const [dial] = aware.signaling.dialled;
  assert.deepEqual(dial?.query, {});
  assert.ok(dial?.headers["x-atoll-hello"] !== undefined);
  await aware.client[Symbol.asyncDispose]();
  const legacy = await world();
  legacy.realm.knobs.legacy = true;
  await legacy.client.register();
  const end = new AbortController();
  const started = legacy.client.connect({ signal: end.signal }).catch(() => undefined);
  await until(() => legacy.signaling.dialled.length > 0);
  end.abort(new Error("seen"));
  await started;
  const [old] = legacy.signaling.dialled;
  assert.deepEqual(Object.keys(old?.query ?? {}), ["actor_id", "key_id", "claims", "signature"]);
  assert.deepEqual(old?.headers, {});
  await legacy.client[Symbol.asyncDispose]();
});

test("whatever bytes come on signaling, the node goes on: it drops them or connects anew", async () => {
  const w = await world();
  await w.up();
  const good = writeSignaling({ envelopeId: "env-1", replyFor: "env-9", flow: { case: "serverToActr", value: {
    target: toActrId(w.client.session.current().id), payload: { case: "pong", value: { seq: 1n } },
  } } });
  const frames = fc.sample(fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, byte]) => Uint8Array.from(good, (one, index) => index === at ? byte : one)),
  ), { numRuns: 40, seed: 7 });
  for (const frame of frames) {
    for (const session of w.signaling.open) session.raw(frame);
    await w.passUntil(() => w.client.signaling.up && w.signaling.open.size > 0, 1_000);
  }
  assert.ok(w.client.signaling.stats().dropped > 0);
  assert.equal(w.client.session.standing, "good");
  await w.client[Symbol.asyncDispose]();
  assert.equal(w.clock.timers, 0);
});
