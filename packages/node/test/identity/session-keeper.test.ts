import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { formatNodeId, parseType, Secret, type ActorType, type LogEvent } from "@atoll-run/core";
import {
  createRegistration, createSessionKeeper, createSessionStore, createVerifier, newNodeKey, NODE_LIMITS,
  type Registrant, type RealmDoor,
} from "@atoll-run/node/internal";
import { ManualClock, memoryState, until } from "@atoll-run/testkit";
import { tracerOf } from "../observe/tracer-of.ts";
import { tinyRealm } from "./tiny-realm.ts";

const TYPE = parseType("acme:echo:1.0.0") as ActorType;
const MINUTE = 60_000;
const bytes = (count: number): Uint8Array => Uint8Array.from(randomBytes(count));

async function world() {
  const clock = new ManualClock();
  const realm = await tinyRealm(clock);
  const store = memoryState();
  const key = await newNodeKey(bytes);
  const logged: LogEvent[] = [];
  const told: string[] = [];
  const { tracer, spans } = tracerOf();
  const make = (o: { readonly who?: Partial<Registrant>; readonly on_lost?: "stop" | "restart"; readonly key?: typeof key | null } = {}) => {
    const own = o.key === null ? undefined : o.key ?? key;
    const registration = createRegistration({ door: realm.door as RealmDoor, clock, key: own, bytes }, NODE_LIMITS.identity);
    return createSessionKeeper({
      registration, key: own, clock, tracer, random: () => 0.5, log: { write: (event) => void logged.push(event) },
      sessions: createSessionStore({ store, scope: "echo", epoch: null, clock }),
      verifier: createVerifier({ clock, fetchKey: async () => undefined }, NODE_LIMITS.identity),
      report: (name, fact) => void told.push(`${name} ${"error" in fact ? fact.error.code : "cause" in fact ? fact.cause : ""}`.trim()),
    }, {
      who: { realm: 101, type: TYPE, vouch: { mode: "linked" }, rules: [], ...o.who }, on_lost: o.on_lost ?? "stop",
    }, { credential: NODE_LIMITS.credential });
  };
  return { clock, realm, store, key, logged, told, spans, make };
}

/** Until real work (signatures) that a moved clock has begun is done. */
function settled(condition: () => boolean): Promise<unknown> {
  return until(condition, { withinMs: 10_000 });
}

test("a node registers with a proof of its key, and its session names that key", async () => {
  const { realm, make, told, clock } = await world();
  await using keeper = make();
  assert.throws(() => keeper.current(), { code: "node.unavailable" });
  const session = await keeper.obtain();
  keeper.arm();
  assert.equal(formatNodeId(session.id), "1000@101/acme:echo:1.0.0");
  assert.ok(session.key !== undefined);
  assert.deepEqual([keeper.current(), session.generation, keeper.standing], [session, 1, "good"]);
  assert.deepEqual(realm.asked, ["register"]);
  assert.deepEqual(told, ["credential_renewed"]);
  await keeper[Symbol.asyncDispose]();
  assert.equal(clock.timers, 0);
});

test("after a restart on the same state a node has the same id", async () => {
  const { make } = await world();
  await using first = make();
  const { id } = await first.obtain();
  await using second = make();
  const again = await second.obtain();
  assert.deepEqual(again.id, id);
  assert.equal(again.generation, 2);
});

test("a bearer renews the stored id by its token, a guest by its key", async () => {
  const { make, realm } = await world();
  realm.knobs.legacy = true;
  await using bearer = make({ key: null });
  const { id, key } = await bearer.obtain();
  assert.equal(key, undefined);
  await using again = make({ key: null });
  assert.deepEqual((await again.obtain()).id, id);
  const other = await world();
  const who = { vouch: { mode: "guest", invite: new Secret("invite") } } as const;
  await using guest = other.make({ who });
  await using guestAgain = other.make({ who });
  assert.deepEqual((await guest.obtain()).id, (await guestAgain.obtain()).id);
  assert.deepEqual([realm.asked, other.realm.asked], [["register", "renew"], ["register", "renew"]]);
});

test("another key is another identity: the stored one is left alone", async () => {
  const { make, logged } = await world();
  await using first = make();
  await first.obtain();
  await using second = make({ key: await newNodeKey(bytes) });
  assert.notDeepEqual((await second.obtain()).id, first.current().id);
  assert.equal(logged.some(({ msg }) => msg.includes("new id")), false);
});

test("a bad secret is permission_denied, an identity service that is down is unavailable, and the next start works", async () => {
  const { realm, make, clock } = await world();
  realm.knobs.secret = "right-secret";
  const wrong = { vouch: { mode: "linked", secret: new Secret("wrong-secret") } } as const;
  await assert.rejects(make({ who: wrong }).obtain(), { code: "node.permission_denied" });
  const right = { vouch: { mode: "linked", secret: new Secret("right-secret") } } as const;
  realm.knobs.away = "error";
  await assert.rejects(make({ who: right }).obtain(), { code: "node.unavailable" });
  realm.knobs.away = "silent";
  const silent = assert.rejects(make({ who: right }).obtain(), { code: "node.unavailable" });
  await settled(() => clock.timers > 0);
  await clock.pass(30_000);
  await silent;
  realm.knobs.away = false;
  realm.knobs.refuse = { status: 429, retry_after_secs: 7 };
  await assert.rejects(make({ who: right }).obtain(), { code: "node.overloaded", retry_after_ms: 7_000 });
  realm.knobs.refuse = undefined;
  await using keeper = make({ who: right });
  await keeper.obtain();
  assert.equal(clock.timers, 0);
});

test("with the identity service down from five minutes before the end for ten minutes, the id stays and is renewed later", async () => {
  const { realm, make, clock, told } = await world();
  await using keeper = make();
  const { id } = await keeper.obtain();
  keeper.arm();
  const standings: string[] = [];
  keeper.onStanding((standing) => standings.push(standing));
  let renewed = 0;
  keeper.onRenewed(() => renewed++);
  await clock.pass(54 * MINUTE);
  realm.knobs.away = "error";
  for (let second = 0; second < 660; second += 5) {
    await clock.pass(5_000);
    await settled(() => !keeper.stats().asking);
  }
  assert.deepEqual(standings, ["grace"]);
  assert.deepEqual(keeper.current().id, id);
  assert.ok(keeper.stats().failures >= 8 && keeper.stats().failures < 25, `${keeper.stats().failures} tries`);
  realm.knobs.away = false;
  // Keys are real: their work takes real time, so the clock must not run away from a question that is asked.
  for (let second = 0; second < 90; second += 5) {
    await clock.pass(5_000);
    await settled(() => !keeper.stats().asking);
  }
  await settled(() => renewed === 1);
  assert.deepEqual(standings, ["grace", "good"]);
  assert.deepEqual(keeper.current().id, id);
  assert.deepEqual(told, ["credential_renewed", "credential_expiring lead_time", "credential_renewed"]);
});

test("a renewal that answers with another id is discarded, told, and loses the identity", async () => {
  const { realm, make, told } = await world();
  await using keeper = make();
  const session = await keeper.obtain();
  keeper.arm();
  realm.knobs.foreign = true;
  keeper.refused();
  await settled(() => keeper.standing === "lost");
  assert.equal(keeper.current(), session);
  assert.ok(told.includes("error node.identity_mismatch"));
});

test("401, 403 and 429 are followed as the table says", async () => {
  const { realm, make, clock, told, spans } = await world();
  await using keeper = make();
  const { id } = await keeper.obtain();
  keeper.arm();
  const answered = async (count: number): Promise<void> => {
    await settled(() => keeper.stats().failures === count);
    await clock.pass(0);
  };
  realm.knobs.refuse = { status: 429, retry_after_secs: 7 };
  keeper.warned();
  await answered(1);
  assert.equal(clock.nextMs, 7_000);
  realm.knobs.refuse = { status: 403 };
  await clock.pass(7_000);
  await answered(2);
  assert.equal(clock.nextMs, 5 * MINUTE);
  realm.knobs.refuse = { status: 401 };
  await clock.pass(5 * MINUTE);
  await answered(4);
  assert.equal(keeper.standing, "lost");
  assert.deepEqual(told, [
    "credential_renewed", "credential_expiring warning", "error node.permission_denied", "error node.identity_lost",
  ]);
  assert.deepEqual(spans.map(({ name, facts: { node, kind }, ended }) => [name, node, kind, ended]), [
    ["token", "overloaded"], ["token", "permission_denied"], ["token", "permission_denied"], ["key", "permission_denied"],
  ].map(([by, code]) => ["renew", formatNodeId(id), by, `failed node.${code}`]), "each try is a span");
  assert.equal(clock.timers, 0);
});

test("a lost identity is replaced only by setting, with another id", async () => {
  const { realm, make } = await world();
  await using keeper = make({ on_lost: "restart" });
  const { id } = await keeper.obtain();
  keeper.arm();
  let next = "";
  keeper.onRenewed((session) => (next = formatNodeId(session.id)));
  realm.nodes.clear();
  keeper.refused();
  await settled(() => next !== "");
  assert.notEqual(next, formatNodeId(id));
  assert.equal(keeper.standing, "good");
});

test("nothing that is logged or reported shows a token, a password or a secret", async () => {
  const { realm, make, logged, told } = await world();
  realm.knobs.secret = "very-secret-word";
  const who = { vouch: { mode: "linked", secret: new Secret("very-secret-word") } } as const;
  await using keeper = make({ who });
  await keeper.obtain();
  keeper.arm();
  realm.knobs.refuse = { status: 401 };
  keeper.refused();
  await settled(() => keeper.standing === "lost");
  const text = JSON.stringify([logged, told], (_, value: unknown) => typeof value === "bigint" ? String(value) : value);
  for (const node of realm.nodes.values()) assert.ok(!text.includes(Buffer.from(node.token).toString("base64")));
  assert.ok(!text.includes("very-secret-word") && !text.includes("turn-password"));
});

test("leaving is acknowledged by the realm, or told as not done", async () => {
  const { realm, make } = await world();
  await using keeper = make();
  await keeper.obtain();
  assert.equal(await keeper.unregister(), true);
  realm.knobs.away = "error";
  assert.equal(await keeper.unregister(), false);
});

test("a secret with a line break at its end is told as such, and is not shown", async () => {
  const { make } = await world();
  const secret = new Secret("right-secret\n");
  await assert.rejects(make({ who: { vouch: { mode: "linked", secret } } }).obtain(), (error: Error & { code: string }) =>
    error.code === "node.invalid_argument" && !error.message.includes("right"));
});
