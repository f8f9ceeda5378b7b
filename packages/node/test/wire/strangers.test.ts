/**
 * Who is let in, and who is not (spec: node 8, 14.23, 14.24, 14.37; wire 6). Goal: a credential that names a key is
 * worth nothing without proof of that key, made now, for this node, on this connection; what is refused is refused by a
 * code, and costs others nothing. The strangers speak with a client of their own.
 */
import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { after, test } from "node:test";
import { AIdCredentialSchema, toSigningKey, writeMessage } from "@atoll-run/core/internal";
import type { Session } from "@atoll-run/node/internal";
import { until } from "@atoll-run/testkit";
import { bytes, newId, newSession, testRealm } from "./realm.ts";
import { enter, frame, hello, knock, proofOf, shown, testServer, withHello, type Answer, type TestServer } from "./server.ts";

const realm = await testRealm();
const server = await testServer(realm, { limits: { connectionsPerSecond: 10_000, connectionsBurst: 10_000 } });
const ann = await newSession(realm);
after(() => server[Symbol.asyncDispose]());

/** A friend is let in after whatever the stranger did. */
async function stillServes(): Promise<void> {
  const before = server.links.length;
  const { socket } = await enter(server, ann);
  await until(() => server.links.length > before);
  socket.close(1000);
}

async function tampered(session: Session, change: (credential: { keyId: number; claims: Uint8Array; signature: Uint8Array }) => void): Promise<Session> {
  const credential = {
    keyId: session.credential.keyId, claims: Uint8Array.from(session.credential.claims), signature: Uint8Array.from(session.credential.signature),
  };
  change(credential);
  return { ...session, credential_bytes: writeMessage(AIdCredentialSchema, credential) };
}

const flip = (one: Uint8Array, at: number): void => {
  one[at] = (one[at] ?? 0) ^ 1;
};
const revoked = await newSession(realm, { epoch: 4n });
realm.verifier.revoke(`${revoked.id.serial.toString(16)}@101/acme:echo:1.0.0`, 5n);
const bearer = await newSession(realm, { bearer: true });
const elsewhere = await newSession(await testRealm());
const minutes = (count: number): number => Date.now() + count * 60_000;

const CREDENTIAL = 401;
const PROOF = 403;
/** What a stranger shows before the upgrade → status and code. */
const SHOWS: readonly (readonly [title: string, headers: () => Promise<Record<string, string>>, status: number, code: string])[] = [
  ["nothing", async () => ({}), CREDENTIAL, "node.permission_denied"],
  ["headers that are none", async () => ({ ...shown(ann), "X-Actr-Source-ID": "zz" }), CREDENTIAL, "node.permission_denied"],
  ["a credential that is none", async () => ({ ...shown(ann), "X-Actr-Credential": "AAAA" }), CREDENTIAL, "node.permission_denied"],
  ["half of it", async () => ({ "X-Actr-Source-ID": "0a" }), CREDENTIAL, "node.permission_denied"],
  ["a credential of another realm's key", async () => withHello(elsewhere, hello(server)), CREDENTIAL, "node.permission_denied"],
  ["a credential of another key number", async () => withHello(await tampered(ann, (one) => {
    one.keyId = 99;
  }), hello(server)), CREDENTIAL, "node.permission_denied"],
  ["a credential whose claims were changed", async () => withHello(await tampered(ann, ({ claims }) => flip(claims, claims.length - 1)), hello(server)),
    CREDENTIAL, "node.permission_denied"],
  ["a credential whose signature was changed", async () => withHello(await tampered(ann, ({ signature }) => flip(signature, 3)), hello(server)),
    CREDENTIAL, "node.permission_denied"],
  ["an expired credential", async () => withHello(await newSession(realm, { expires_at_ms: minutes(-2) }), hello(server)),
    CREDENTIAL, "node.permission_denied"],
  ["a credential that claims another realm than its id", async () => withHello(await newSession(realm, { realm: 102 }), hello(server)),
    CREDENTIAL, "node.permission_denied"],
  ["a revoked credential", async () => withHello(revoked, hello(server)), CREDENTIAL, "node.permission_denied"],
  ["the credential of another node", async () => withHello({ ...ann, id: newId() }, hello(server)), PROOF, "node.identity_mismatch"],
  ["a stolen credential in the legacy form", async () => shown(ann), PROOF, "node.proof_required"],
  ["a hello for another node", async () => withHello(ann, hello(server, { target: newId() })), PROOF, "node.identity_mismatch"],
  ["a hello of two minutes ago", async () => withHello(ann, hello(server, { at_ms: Date.now() - 125_000 })), PROOF, "node.proof_required"],
  ["a hello from the future", async () => withHello(ann, hello(server, { at_ms: Date.now() + 125_000 })), PROOF, "node.proof_required"],
  ["a hello that is none", async () => withHello(ann, bytes(40)), PROOF, "node.decode_failure"],
  ["a hello that is no text of ours", async () => ({ ...shown(ann), "X-Atoll-Hello": "+/==" }), PROOF, "node.decode_failure"],
];

for (const [title, headers, status, code] of SHOWS) {
  test(`who shows ${title} is refused before the upgrade with ${status} and ${code}`, async () => {
    const before = [server.links.length, server.refused.length];
    const answer = await knock(server.address, await headers());
    assert.deepEqual([answer.status, answer.error], [status, code]);
    await until(() => server.refused.length > (before[1] ?? 0));
    assert.equal(server.refused.at(-1)?.code, code);
    assert.equal(server.links.length, before[0]);
  });
}

/** What it does after the upgrade → close code. `answer.hello` is the server's. */
type Act = (answer: Answer, helloC: Uint8Array) => Promise<void>;
const AFTER: readonly (readonly [title: string, act: Act, code: number])[] = [
  ["proves with a key of its own: the credential was stolen", async ({ socket, hello: helloS }, helloC) => {
    const thief = await toSigningKey(bytes(32));
    socket.send(await proofOf(thief, { hello_c: helloC, hello_s: helloS ?? bytes(1), credential: ann.credential_bytes }));
  }, 4401],
  ["proves for another credential", async ({ socket, hello: helloS }, helloC) => {
    socket.send(await proofOf(ann.key as never, { hello_c: helloC, hello_s: helloS ?? bytes(1), credential: bytes(9) }));
  }, 4401],
  ["sends a message before the proof", async ({ socket }) => {
    socket.send(frame(0, 3, bytes(3)));
  }, 4401],
  ["sends text", async ({ socket }) => {
    socket.send("hello");
  }, 4400],
  ["sends more than a proof can be", async ({ socket }) => {
    socket.send(bytes(300_000));
  }, 4400],
];

for (const [title, act, code] of AFTER) {
  test(`who ${title} is closed with ${code}, and nothing of it was processed`, async () => {
    const before = [server.links.length, server.got.length];
    const helloC = hello(server);
    const answer = await knock(server.address, withHello(ann, helloC));
    assert.equal(answer.status, 101);
    await act(answer, helloC);
    assert.equal((await answer.closed).code, code);
    assert.deepEqual([server.links.length, server.got.length], before);
    await stillServes();
  });
}

test("a handshake that was recorded is worth nothing: neither its proof on a new connection nor its hello again", async () => {
  const nonce = bytes(32);
  const links = server.links.length;
  const first = await enter(server, ann, { nonce });
  await until(() => server.links.length > links);
  const helloC = hello(server, { nonce });
  const again = await knock(server.address, withHello(ann, helloC));
  again.socket.send(first.proof);
  assert.equal((await again.closed).code, 4401);
  const third = await enter(server, ann, { nonce });
  assert.equal((await third.closed).code, 4401);
  assert.equal(server.links.length, links + 1);
  first.socket.close();
});

test("a connection without a proof is ended after the time of a handshake with 4408, and holds up nobody", async () => {
  await using slow = await testServer(realm, { limits: { handshakeMsMax: 1_500 } });
  const silent = await knock(slow.address, withHello(ann, hello(slow)));
  const inBand = await knock(slow.address, {}, { protocols: ["atoll.hello.1"] });
  const friend = await enter(slow, ann);
  await until(() => slow.links.length === 1);
  assert.deepEqual([(await silent.closed).code, (await inBand.closed).code], [4408, 4408]);
  assert.equal(slow.wire.stats().handshakes, 0);
  friend.socket.close();
});

test("an unknown key of the realm, and a realm that does not answer, delay no other handshake", async () => {
  const never = Promise.withResolvers<never>();
  const asked: number[] = [];
  const dead: typeof realm = { ...realm, verifier: { ...realm.verifier, verify: async (credential, o) => {
    if (credential.keyId === 3) return realm.verifier.verify(credential, o);
    asked.push(credential.keyId);
    return never.promise;
  } } };
  await using other = await testServer(dead, { limits: { handshakeMsMax: 3_000 } });
  const strange = await tampered(ann, (one) => {
    one.keyId = 77;
  });
  const stuck = Array.from({ length: 20 }, () => knock(other.address, withHello(strange, hello(other))));
  await until(() => asked.length === 20);
  const friend = await enter(other, ann);
  await until(() => other.links.length === 1);
  const answers = await Promise.all(stuck);
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([503]));
  assert.ok(answers.every(({ retry_after }) => Number(retry_after) >= 1));
  friend.socket.close();
});

test("a bearer is let in from this machine by default, and what it is stands in its link", async () => {
  const answer = await knock(server.address, shown(bearer));
  assert.deepEqual([answer.status, answer.hello], [101, undefined]);
  answer.socket.send(frame(0, 2, Buffer.from("hi")));
  const link = await until(() => server.links.find(({ peer }) => peer.id.serial === bearer.id.serial));
  assert.deepEqual([link.peer.proof, link.peer.features.size, link.inbound], ["bearer", 0, true]);
  await until(() => server.got.some(({ body }) => Buffer.from(body).toString() === "hi"));
  answer.socket.close();
});

const outside = Object.values(networkInterfaces()).flat().find((one) => one?.family === "IPv4" && !one.internal)?.address;

for (const [rule, status] of [["loopback", 403], ["on", 101]] as const) {
  const skip = outside === undefined ? "this machine has only its loopback" : false;
  test(`security.bearer = ${rule}: a legacy peer that knocks from elsewhere gets ${status}`, { skip }, async () => {
    await using open = await testServer(realm, { listen: { host: "0.0.0.0", port: 0 }, plain: "allow", bearer: rule });
    const address = open.address.replace("0.0.0.0", outside ?? "");
    const answer = await knock(address, shown(bearer));
    assert.deepEqual([answer.status, answer.error], [status, status === 101 ? undefined : "node.proof_required"]);
    const friend = await knock(address, withHello(ann, hello(open)));
    assert.equal(friend.status, 101);
    if (status === 101) assert.equal((await until(() => open.links[0])).peer.proof, "bearer");
    answer.socket.terminate();
    friend.socket.terminate();
  });
}

test("security.bearer = off: no bearer is let in, not even from this machine", async () => {
  await using strict = await testServer(realm, { bearer: "off" });
  const answer = await knock(strict.address, shown(bearer));
  assert.deepEqual([answer.status, answer.error], [403, "node.proof_required"]);
});

/** Messages of a proved peer → close code. */
const FRAMES: readonly (readonly [title: string, message: Buffer | string, code: number])[] = [
  ["text", "hello", 4400],
  ["less than a header", Buffer.from([0, 0]), 4400],
  ["an unknown payload type", frame(5, 1, bytes(1)), 4400],
  ["a length that is too short", frame(0, 2, bytes(3)), 4400],
  ["a length that is too long", frame(0, 4, bytes(3)), 4400],
  ["a length over the limit", frame(0, 0xffff_ffff, bytes(3)), 4413],
  ["more than the limit", frame(0, 70_000, bytes(70_000)), 4413],
];

test("a message that is no frame, or too large, ends its connection with 4400 or 4413, and no other", async () => {
  await using small = await testServer(realm, { limits: { messageBytesMax: 65_536, connectionsBurst: 1_000 } });
  const healthy = await enter(small, ann);
  await until(() => small.links.length === 1);
  for (const [title, message, code] of FRAMES) {
    const eve = await newSession(realm);
    const before = small.links.length;
    const { socket, closed } = await enter(small, eve);
    await until(() => small.links.length > before);
    socket.send(message);
    assert.equal((await closed).code, code, title);
  }
  assert.equal(small.got.length, 0);
  healthy.socket.send(frame(0, 65_536, bytes(65_536)));
  await until(() => small.got.length === 1);
  assert.equal(small.got[0]?.body.length, 65_536);
  assert.equal(small.wire.stats().connections, 1);
  healthy.socket.close();
});

test("a message in a thousand pieces is one message; one in too many pieces ends the connection", async () => {
  await using pieces = await testServer(realm, { limits: { fragmentsMax: 1_000 } });
  const { socket } = await enter(pieces, ann);
  const whole = frame(0, 500, bytes(500));
  for (let at = 0; at < whole.length; at++) socket.send(whole.subarray(at, at + 1), { fin: at === whole.length - 1 });
  await until(() => pieces.got.length === 1);
  assert.deepEqual(pieces.got[0]?.body, new Uint8Array(whole.subarray(5)));
  const eve = await newSession(realm);
  const bad = await enter(pieces, eve);
  for (let at = 0; at < 1_100; at++) bad.socket.send(Buffer.of(0), { fin: false });
  assert.equal((await bad.closed).code, 4400);
  socket.close();
});

async function inBandSteps(to: TestServer, session: Session, o: { readonly key?: Pick<NonNullable<Session["key"]>, "sign">; readonly origin?: string } = {}): Promise<Answer> {
  const answer = await knock(to.address, {}, { protocols: ["atoll.hello.1"], ...o.origin === undefined ? {} : { origin: o.origin } });
  if (answer.status !== 101) return answer;
  assert.equal(answer.socket.protocol, "atoll.hello.1");
  const helloC = hello(to);
  answer.socket.send(helloC);
  const helloS = await until(() => answer.messages[0]);
  answer.socket.send(session.credential_bytes);
  const key = o.key ?? session.key;
  if (key !== undefined) answer.socket.send(await proofOf(key, { hello_c: helloC, hello_s: helloS, credential: session.credential_bytes }));
  return answer;
}

test("a browser says hello in its first messages, with the same proofs", async () => {
  const before = server.links.length;
  const answer = await inBandSteps(server, ann);
  answer.socket.send(frame(0, 4, Buffer.from("page")));
  const link = await until(() => server.links[before]);
  assert.deepEqual([link.peer.proof, link.peer.features.has("rpc1"), link.opening?.length], ["key", true, 32]);
  await until(() => server.got.some(({ body }) => Buffer.from(body).toString() === "page"));
  assert.equal(link.send("rpc_signal", Buffer.from("back")), true);
  await until(() => answer.messages.length === 2);
  assert.deepEqual(answer.messages[1], new Uint8Array(frame(1, 4, Buffer.from("back"))));
  answer.socket.close();
});

test("in the in-band form a stolen credential, a bearer and nonsense are refused by close code", async () => {
  const thief = await inBandSteps(server, ann, { key: await toSigningKey(bytes(32)) });
  assert.equal((await thief.closed).code, 4401);
  const keyless = await inBandSteps(server, bearer, { key: await toSigningKey(bytes(32)) });
  assert.equal((await keyless.closed).code, 4401);
  const nonsense = await knock(server.address, {}, { protocols: ["atoll.hello.1"] });
  nonsense.socket.send(bytes(10));
  assert.equal((await nonsense.closed).code, 4400);
  const large = await knock(server.address, {}, { protocols: ["atoll.hello.1"] });
  large.socket.send(bytes(1_000_000));
  assert.equal((await large.closed).code, 4400);
  await stillServes();
});

test("pages of origins that are not named may not connect", async () => {
  await using pages = await testServer(realm, { listen: { host: "127.0.0.1", port: 0, origins: ["https://console.example"] } });
  assert.equal((await inBandSteps(pages, ann, { origin: "https://evil.example" })).status, 403);
  const friend = await inBandSteps(pages, ann, { origin: "https://console.example" });
  await until(() => pages.links.length === 1);
  friend.socket.close();
});

test("what follows the proof in the same breath is not lost", async () => {
  const before = [server.links.length, server.got.length] as const;
  const { socket } = await enter(server, ann);
  for (let at = 0; at < 2_000; at++) socket.send(frame(0, 1, Buffer.of(at & 255)));
  await until(() => server.got.length === before[1] + 2_000);
  assert.deepEqual(server.got.slice(before[1]).map(({ body }) => body[0]), Array.from({ length: 2_000 }, (_, at) => at & 255));
  socket.close();
});

test("a request that wants no WebSocket is told so, and a knock that is broken off leaves nothing", async () => {
  const response = await fetch(server.address.replace("ws:", "http:"));
  assert.equal(response.status, 426);
  for (let at = 0; at < 20; at++) {
    const answer = await knock(server.address, withHello(ann, hello(server)));
    answer.socket.terminate();
  }
  await until(() => server.wire.stats().handshakes === 0);
  await stillServes();
});
