/**
 * Goal: nothing that a stranger sends makes a realm fail. Invariant: each request is answered, each connection either
 * goes on or ends with a code of ours, and the log has no failure. Method: real messages, changed by chance.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { must } from "@atoll-run/core";
import { HELLO_SUBPROTOCOL, writeHelloC, writeSignaling, toActrId } from "@atoll-run/core/internal";
import fc from "fast-check";
import {
  ANYONE, bytes, connect, credentialBytes, dial, helloHeaders, join, newConnection, openRealm, PING, registration, renewal,
  type TestRealm,
} from "./clients.ts";

const RUNS = { numRuns: 150 };

interface Change {
  readonly at: number;
  readonly put: Uint8Array;
  readonly cut: number;
}

const changes = fc.array(fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }), put: fc.uint8Array({ maxLength: 6 }), cut: fc.nat({ max: 8 }),
}), { minLength: 1, maxLength: 3 });

function changed(given: Uint8Array, made: readonly Change[]): Uint8Array {
  return made.reduce<Uint8Array>((all, { at, put, cut }) => {
    const start = Math.floor(at * all.length);
    return new Uint8Array([...all.subarray(0, start), ...put, ...all.subarray(start + cut)]);
  }, given);
}

function assertCalm({ logged }: TestRealm): void {
  assert.deepEqual(logged.filter(({ level }) => level === "error" || level === "warn"), []);
}

const KNOWN = new Set([200, 204, 400, 401, 403, 404, 405, 413, 429]);

test("strange requests to the identity service are answered, whatever is in them", async () => {
  await using test = await openRealm();
  const node = await join(test, { rules: ANYONE });
  const key = must(node.key, "a key");
  const bodies = {
    register: await registration(test.clock, { key, previous: node.id, rules: ANYONE, address: "ws://127.0.0.1:1" }),
    renew: await renewal(test.clock, node.id, { key, token: node.ok.renewalToken }),
    unregister: await renewal(test.clock, node.id, { key }),
  };
  const request = fc.record({ path: fc.constantFrom("register", "renew", "unregister"), made: changes });
  await fc.assert(fc.asyncProperty(request, async ({ path, made }) => {
    const body = changed(bodies[path as keyof typeof bodies], made);
    const { status } = await test.realm.door.ais({ method: "POST", path: `/ais/${path}`, body });
    assert.ok(KNOWN.has(status), `${path}: ${status}`);
  }), RUNS);
  const order = fc.record({ path: fc.constantFrom("realms", "invites", "revoke", "acl", "packages", "secrets"), body: fc.json() });
  await fc.assert(fc.asyncProperty(order, async ({ path, body }) => {
    const answer = await test.admin(path === "acl" ? "PUT" : "POST", path, JSON.parse(body) as object);
    assert.ok(answer.status === 400 || answer.status === 404 || answer.status === 200, `${path} ${body}: ${answer.status}`);
  }), RUNS);
  assertCalm(test);
});

test("strange frames before and after the proof end the connection with a code of ours, or are answered", async () => {
  await using test = await openRealm();
  const node = await join(test, { rules: ANYONE });
  const credential = credentialBytes(node);
  await fc.assert(fc.asyncProperty(fc.nat(2), changes, async (step, made) => {
    const upgrade = await test.realm.door.signaling({ headers: { "sec-websocket-protocol": HELLO_SUBPROTOCOL } });
    assert.ok(upgrade.ok);
    const { connection, take } = newConnection(node);
    const incoming = upgrade.open({ ...take, send: () => undefined });
    const hello = writeHelloC({ nonce: bytes(32), sentAtMs: BigInt(test.clock.now()), features: ["a"], realmId: 1 });
    const frames = [hello, credential, bytes(66)];
    for (const [at, frame] of frames.entries()) incoming.frame(at === step ? changed(frame, made) : frame);
    while (connection.closed === undefined) await new Promise((resolve) => setImmediate(resolve));
    assert.ok([4_400, 4_401, 4_403, 4_413].includes(connection.closed.code), String(connection.closed.code));
    incoming.closed();
  }), RUNS);
  const message = writeSignaling({ envelopeId: "e", flow: { case: "actrToServer", value: {
    source: toActrId(node.id), credential: must(node.ok.credential, "a credential"), payload: PING as never,
  } } });
  let connection = await connect(test, node);
  await fc.assert(fc.asyncProperty(changes, async (made) => {
    connection.incoming.frame(changed(message, made));
    if (connection.closed === undefined) await connection.ask(PING).catch(() => undefined);
    if (connection.closed === undefined) return;
    assert.ok([4_400, 4_401].includes(connection.closed.code), String(connection.closed.code));
    connection = await connect(test, node);
  }), RUNS);
  assertCalm(test);
  assert.equal(test.realm.stats().signaling_connections, 1);
});

test("strange headers of an upgrade are refused before it", async () => {
  await using test = await openRealm();
  const node = await join(test);
  const { headers } = helloHeaders(node, test.clock);
  const header = fc.record({ name: fc.constantFrom(...Object.keys(headers)), made: changes });
  await fc.assert(fc.asyncProperty(header, async ({ name, made }) => {
    const strange = Buffer.from(changed(Buffer.from(headers[name] ?? ""), made)).toString("latin1");
    const dialled = await dial(test, node, { headers: { ...headers, [name]: strange } });
    if (dialled.ok) dialled.connection.incoming.closed();
    else assert.ok([400, 401, 403].includes(dialled.code), String(dialled.code));
  }), RUNS);
  assertCalm(test);
});
