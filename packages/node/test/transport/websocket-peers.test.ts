/**
 * Peers over WebSockets (spec: node 6.2, 6.3, 6.8, 14.31; hooks of section 5). Goal: one connection serves both ways,
 * a legacy one serves answers only, and a crowd that comes back at once is let in without harm to those who are there.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatNodeId, type Link, type LinkEnd, type NodeId } from "@atoll-run/core";
import { readEnvelope, type SigningKey } from "@atoll-run/core/internal";
import {
  createLinkTable, createPeers, NODE_LIMITS, openWebSocketWire, refreshPeers, takeRefresh, type LinkTableParts, type Peers, type PeersLimits, type Session,
  type WebSocketWire,
} from "@atoll-run/node/internal";
import { seededIds, until } from "@atoll-run/testkit";
import { realClock } from "../wire/clock.ts";
import { bytes, newSession, sourceOf, testRealm } from "../wire/realm.ts";
import { frame, knock, shown } from "../wire/server.ts";

const realm = await testRealm();
const LIMITS: PeersLimits = { ...NODE_LIMITS.transport, ...NODE_LIMITS.wire };
type EventName = Parameters<LinkTableParts["report"]>[0];
const addresses = new Map<string, string>();

interface Node extends AsyncDisposable {
  readonly session: Session;
  readonly id: NodeId;
  readonly name: string;
  readonly peers: Peers;
  readonly wire: WebSocketWire;
  readonly got: string[];
  readonly raw: Uint8Array[];
  readonly ups: Link[];
  readonly downs: LinkEnd[];
  readonly told: (readonly [EventName, unknown])[];
  say(to: Pick<Node, "id">, text: string, o?: { readonly via?: Link; readonly deadlineMs?: number }): Promise<Link>;
}

async function node(more: Partial<typeof NODE_LIMITS.wire & { connectionsPerSecond: number }> | Record<string, number> = {}, session?: Session): Promise<Node> {
  const own = session ?? await newSession(realm);
  const [got, ups, downs, told]: [string[], Link[], LinkEnd[], (readonly [EventName, unknown])[]] = [[], [], [], []];
  const raw: Uint8Array[] = [];
  const limits = { ...LIMITS, ...more };
  const report = (name: EventName, fact: unknown): void => {
    told.push([name, fact]);
  };
  const table = createLinkTable({
    clock: realClock, report, events: {
      frame: (_link, _lane, body) => {
        raw.push(body);
        got.push(new TextDecoder().decode(body));
      },
      up: (link) => ups.push(link),
      down: (_link, end) => downs.push(end),
    },
  }, limits);
  const wire = await openWebSocketWire({
    clock: realClock, bytes, session: sourceOf(own), verifier: realm.verifier, events: table.wireEvents,
  }, { listen: { host: "127.0.0.1", port: 0 } }, { ...NODE_LIMITS.wire, ...more });
  wire.open();
  const name = formatNodeId(own.id);
  addresses.set(name, wire.addresses[0] ?? "");
  const peers = createPeers({
    clock: realClock, report, table, wires: [wire], book: {
      addresses: async (id) => {
        const address = addresses.get(formatNodeId(id));
        return address === undefined ? [] : [{ wire: "websocket", address }];
      }, failed: () => undefined,
    },
  }, limits);
  return {
    session: own, id: own.id, name, peers, wire, got, raw, ups, downs, told,
    say: (to, text, o = {}) => peers.send(to.id, "rpc_reliable", Buffer.from(text), { deadlineMs: 30_000, ...o }),
    [Symbol.asyncDispose]: async () => {
      await peers[Symbol.asyncDispose]();
      await wire[Symbol.asyncDispose]();
      assert.equal(wire.stats().connections, 0);
    },
  };
}

test("two aware peers speak both ways over one WebSocket, whoever dialled", async () => {
  await using ann = await node();
  await using bob = await node();
  await Promise.all(Array.from({ length: 100 }, (_, at) => ann.say(bob, `to bob ${at}`)));
  await until(() => bob.got.length === 100);
  await Promise.all(Array.from({ length: 100 }, (_, at) => bob.say(ann, `to ann ${at}`)));
  await until(() => ann.got.length === 100);
  assert.deepEqual(ann.got, Array.from({ length: 100 }, (_, at) => `to ann ${at}`));
  assert.deepEqual([ann.peers.stats().links, bob.peers.stats().links, bob.peers.stats().dials], [1, 1, 0]);
  assert.equal(ann.ups[0]?.peer.proof, "key");
});

test("connections are reported in both directions, the inbound one only once its peer is proved", async () => {
  await using ann = await node();
  await using bob = await node();
  const stranger = await knock(bob.wire.addresses[0] ?? "", {});
  assert.equal(stranger.status, 401);
  assert.deepEqual(bob.told, []);
  const link = await ann.say(bob, "hi");
  await until(() => bob.told.length === 2);
  await link.close(1000, "enough");
  await until(() => bob.told.length === 3);
  const facts = (peer: string, direction: string): object => ({ peer, direction, proof: "key" });
  const names = ["websocket_connecting", "websocket_connected", "websocket_disconnected"];
  assert.deepEqual(bob.told, names.map((name) => [name, facts(ann.name, "in")]));
  await until(() => ann.told.length === 3);
  assert.deepEqual(ann.told.map(([name]) => name), names);
  assert.deepEqual(ann.told[2], ["websocket_disconnected", facts(bob.name, "out")]);
});

test("a legacy node that dialled hears only answers on its connection; for anything else it must be dialled", async () => {
  await using bob = await node();
  const legacy = await newSession(realm, { bearer: true });
  const { socket, messages } = await knock(bob.wire.addresses[0] ?? "", shown(legacy));
  socket.send(frame(0, 3, Buffer.from("ask")));
  await until(() => bob.got.includes("ask"));
  const [via] = bob.ups;
  assert.ok(via);
  assert.equal(bob.peers.current(legacy.id), undefined);
  await assert.rejects(bob.say({ id: legacy.id }, "a call"), { code: "node.unavailable" });
  await bob.say({ id: legacy.id }, "answer", { via });
  await until(() => messages.length === 1);
  assert.deepEqual(messages[0], new Uint8Array(frame(0, 6, Buffer.from("answer"))));
  socket.close();
});

test("when both dial at once each has a link to send on, and nothing is lost", async () => {
  await using ann = await node();
  await using bob = await node();
  await Promise.all([
    ...Array.from({ length: 50 }, (_, at) => ann.say(bob, `a${at}`)), ...Array.from({ length: 50 }, (_, at) => bob.say(ann, `b${at}`)),
  ]);
  await until(() => ann.got.length === 50 && bob.got.length === 50);
  assert.deepEqual(bob.got, Array.from({ length: 50 }, (_, at) => `a${at}`));
  assert.ok(ann.peers.links().length <= 2);
});

test("a revocation ends the lanes of a peer, and with the old credential it does not come back", async () => {
  await using ann = await node();
  await using bob = await node();
  await ann.say(bob, "hi");
  await until(() => bob.peers.links(ann.name).length === 1);
  realm.verifier.revoke(ann.name, 9n);
  bob.peers.revoke(ann.name, 9n);
  await until(() => bob.peers.links().length === 0 && ann.peers.links().length === 0);
  assert.deepEqual(ann.downs.map(({ code, broken }) => [code, broken]), [[4401, true]]);
  await assert.rejects(ann.say(bob, "again"), { code: "node.permission_denied" });
  assert.equal(bob.peers.stats().revoked, 1);
});

test("a renewed credential is shown to the peers that are there, and its link outlives the revocation of the older one", async () => {
  await using ann = await node();
  await using bob = await node();
  await ann.say(bob, "hi");
  const came = await until(() => bob.ups[0]);
  await until(() => bob.raw.length === 1);
  const renewed = await newSession(realm, { id: ann.id, key: ann.session.key as SigningKey, epoch: 12n });
  await refreshPeers({ ids: seededIds(), peers: ann.peers }, renewed, 10_000);
  await until(() => bob.raw.length === 2);
  const envelope = readEnvelope(bob.raw[1] ?? new Uint8Array());
  assert.ok(envelope.ok);
  assert.deepEqual([envelope.value.route_key, envelope.value.direction], ["atoll.sys.v1.Refresh", "request"]);
  await takeRefresh({ verifier: realm.verifier, peers: () => bob.peers }, came, envelope.value.payload ?? new Uint8Array());
  bob.peers.revoke(ann.name, 12n);
  await ann.say(bob, "still here");
  await until(() => bob.got.includes("still here"));
  bob.peers.revoke(ann.name, 13n);
  await until(() => bob.downs.length === 1);
});

test("a peer that is not open yet is found as soon as it opens, with a hint when to come again", async () => {
  await using ann = await node();
  const closed = await newSession(realm);
  await using bob = await node({}, closed);
  bob.wire.shut();
  await assert.rejects(ann.say(bob, "x"), (fault: { code: string; retry_after_ms?: number }) =>
    fault.code === "node.draining" && (fault.retry_after_ms ?? 0) > 0);
  assert.equal(ann.peers.stats().dials_failed, 1);
});

test("a crowd that comes back at once is let in bit by bit; who is there is served meanwhile, and all come in", async () => {
  await using server = await node({ connectionsPerSecond: 60, connectionsBurst: 20, linksPerPeerMax: 4 });
  await using healthy = await node();
  await healthy.say(server, "there");
  const crowd = await Promise.all(Array.from({ length: 10 }, () => node()));
  const refused = new Set<string>();
  const come = async (one: Node): Promise<void> => {
    for (;;) {
      try {
        await one.say(server, "back");
        return;
      } catch (error) {
        const { code, retry_after_ms = 0 } = error as { code: string; retry_after_ms?: number };
        refused.add(code);
        assert.ok(retry_after_ms > 0, code);
        await new Promise((resolve) => setTimeout(resolve, retry_after_ms * Math.random()));
      }
    }
  };
  let most = 0;
  // Each comes six times: all but the newest four of its links are replaced.
  for (let round = 0; round < 6; round++) {
    const waves = crowd.map(come);
    await healthy.say(server, `healthy ${round}`);
    await Promise.all(waves);
    most = Math.max(most, server.peers.stats().links);
    await Promise.all(crowd.map((one) => one.peers.drop(server.name, 1000, "away")));
  }
  await until(() => server.got.filter((text) => text === "back").length === 60);
  assert.equal(server.got.filter((text) => text.startsWith("healthy")).length, 6);
  assert.ok(most <= 11, `${most} links`);
  assert.deepEqual([...refused].filter((code) => code !== "node.overloaded"), []);
  await until(() => server.peers.stats().links === 1);
  await Promise.all(crowd.map((one) => one[Symbol.asyncDispose]()));
});
