/**
 * Conformance of `Wire`. Goal: a link is between two nodes that are who they say, carries bodies both ways in order,
 * and tells its end once to each side.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatNodeId, type Lane } from "@atoll-run/core";
import { until } from "../until.ts";
import { bytes, link, startPair, startPeer, texts, type WireUnderTest } from "./wire-under-test.ts";

const LANES: readonly Lane[] = ["rpc_reliable", "rpc_signal", "stream_reliable"];

/** Registers the tests with node:test. */
export function wireChapters(under: WireUnderTest): void {
  describe(`${under.name}: wire`, { concurrency: false }, () => {
    linkChapter(under);
    bodyChapter(under);
    endChapter(under);
    doorChapter(under);
  });
}

function linkChapter(under: WireUnderTest): void {
  test("each end of a link knows who the other is, by proof, what it can, and who dialled", async () => {
    const pair = await startPair(under);
    const { out, came } = await link(pair);
    assert.equal(formatNodeId(out.link.peer.id), formatNodeId(pair.bob.id));
    assert.equal(formatNodeId(came.link.peer.id), formatNodeId(pair.ann.id));
    for (const { link } of [out, came]) {
      assert.equal(link.peer.proof, "key");
      assert.equal(link.wire, pair.ann.wire.name);
      assert.ok(link.peer.features.has("rpc1") && link.peer.features.has("stream1") && link.peer.features.has("refresh1"));
      assert.ok(link.peer.expires_at_ms > 0);
    }
    assert.deepEqual([out.link.inbound, came.link.inbound], [false, true]);
  });

  test("a link to somebody else than was meant is refused as identity_mismatch", async () => {
    const { ann, bob } = await startPair(under);
    await assert.rejects(ann.dial(bob, { id: { ...bob.id, serial: bob.id.serial + 99n } }), { code: "node.identity_mismatch" });
    assert.deepEqual(bob.accepted, []);
  });

  test("two nodes may have several links, and the end of one is not that of another", async () => {
    const pair = await startPair(under);
    const [first, second] = [await link(pair), await link(pair)];
    await first.out.link.close(1000, "enough");
    assert.equal(second.out.link.send("rpc_reliable", bytes("still here")), true);
    await until(() => second.came.got.length === 1);
    assert.deepEqual(second.came.ends, []);
  });
}

function bodyChapter(under: WireUnderTest): void {
  test("bodies go both ways, whoever dialled, in order within each lane", async () => {
    const { out, came } = await link(await startPair(under));
    const sent: string[] = [];
    for (let at = 0; at < 200; at++) {
      const lane = LANES[at % LANES.length] ?? "rpc_reliable";
      sent.push(`${lane} ${at}`);
      assert.equal(out.link.send(lane, bytes(String(at))), true);
      assert.equal(came.link.send(lane, bytes(String(at))), true);
    }
    await until(() => came.got.length === 200 && out.got.length === 200);
    for (const lane of LANES) {
      const of = (all: readonly string[]): readonly string[] => all.filter((one) => one.startsWith(`${lane} `));
      assert.deepEqual(of(texts(came)), of(sent));
      assert.deepEqual(of(texts(out)), of(sent));
    }
  });

  test("empty bodies and bodies of 1 MiB arrive as they were sent, on every lane of bytes", async () => {
    const { out, came } = await link(await startPair(under));
    const large = new Uint8Array(1_048_576).map((_, at) => at * 7);
    for (const lane of [...LANES, "stream_latency_first"] as const) {
      out.link.send(lane, new Uint8Array());
      out.link.send(lane, large);
      await until(() => came.got.length === 2);
      assert.deepEqual(came.got.map((one) => one.lane), [lane, lane]);
      assert.equal(came.got[0]?.body.length, 0);
      assert.deepEqual(came.got[1]?.body, large);
      came.got.length = 0;
    }
  });

  test("what is sent at once after a dial is not lost", async () => {
    const { ann, bob } = await startPair(under);
    const out = await ann.dial(bob);
    out.link.send("rpc_reliable", bytes("at once"));
    const came = await until(() => bob.accepted[0]);
    await until(() => came.got.length === 1);
    assert.deepEqual(texts(came), ["rpc_reliable at once"]);
  });

  test("above the high mark a sender waits until the reader has caught up", async () => {
    const { out, came } = await link(await startPair(under));
    await out.link.drained();
    assert.equal(out.link.bufferedBytes, 0);
    const chunk = new Uint8Array(262_144);
    let sent = 0;
    while (out.link.bufferedBytes <= 1_048_576 && sent < 400) {
      out.link.send("rpc_reliable", chunk);
      sent++;
    }
    assert.ok(out.link.bufferedBytes > 1_048_576, "the buffer shows what waits");
    await out.link.drained();
    assert.ok(out.link.bufferedBytes <= 262_144, `${out.link.bufferedBytes} bytes wait`);
    await until(() => came.got.length === sent);
  });

  test("a probe is answered by a peer that lives", async () => {
    const { out, came } = await link(await startPair(under));
    assert.equal(await out.link.probe(30_000), true);
    assert.equal(await came.link.probe(30_000), true);
  });
}

function endChapter(under: WireUnderTest): void {
  test("what was sent before an orderly end arrives, and both ends hear the code once", async () => {
    const { out, came } = await link(await startPair(under));
    for (let at = 0; at < 50; at++) out.link.send("rpc_reliable", bytes(String(at)));
    await out.link.close(4503, "draining");
    await until(() => came.ends.length > 0);
    assert.equal(came.got.length, 50);
    assert.deepEqual(came.ends, [{ code: 4503, reason: "draining", broken: false }]);
    assert.deepEqual(out.ends.map((end) => end.code), [4503]);
    await out.link.close(1000, "again");
    assert.equal(out.ends.length, 1);
  });

  test("after the end nothing is taken, nobody waits and no probe is answered", async () => {
    const { out, came } = await link(await startPair(under));
    await came.link.close(1000, "enough");
    await until(() => out.ends.length > 0);
    for (const { link } of [out, came]) {
      assert.equal(link.send("rpc_reliable", bytes("x")), false);
      await link.drained();
      assert.equal(await link.probe(30_000), false);
    }
  });

  test("a break without a word is told at both ends as broken", async () => {
    const pair = await startPair(under);
    const { out, came } = await link(pair);
    under.cut(pair.bob);
    await until(() => out.ends.length > 0 && came.ends.length > 0);
    assert.deepEqual([out.ends[0]?.broken, out.ends[0]?.code], [true, 1006]);
    assert.equal(came.ends[0]?.broken, true);
  });

  test("a wire that is disposed ends its links and can be dialled no more", async () => {
    const pair = await startPair(under);
    const { out, came } = await link(pair);
    await pair.bob.wire[Symbol.asyncDispose]();
    await until(() => out.ends.length > 0 && came.ends.length > 0);
    assert.equal(out.ends[0]?.broken, false);
    assert.deepEqual(pair.bob.wire.addresses, []);
    await assert.rejects(pair.ann.dial(pair.bob), { code: "node.unavailable", retry: "later" });
    await pair.bob.wire[Symbol.asyncDispose]();
  });
}

function doorChapter(under: WireUnderTest): void {
  test("before it is open a node is not there yet: unavailable, with a time to come again", async () => {
    const [ann, bob] = [await startPeer(under), await startPeer(under)];
    await assert.rejects(ann.dial(bob), (fault: { code: string; retry_after_ms?: number }) => {
      assert.equal(fault.code, "node.unavailable");
      assert.ok((fault.retry_after_ms ?? 0) > 0);
      return true;
    });
    bob.wire.open();
    bob.wire.open();
    assert.equal(bob.wire.addresses.length, 1);
    await ann.dial(bob);
  });

  test("a wire that is shut takes nobody new, and its links go on", async () => {
    const pair = await startPair(under);
    const { out, came } = await link(pair);
    pair.bob.wire.shut();
    await assert.rejects(pair.ann.dial(pair.bob), (fault: { code: string }) => /unavailable|draining/.test(fault.code));
    out.link.send("rpc_reliable", bytes("on"));
    await until(() => came.got.length === 1);
    const back = pair.bob.dial(pair.ann);
    await assert.doesNotReject(back);
  });

  test("where nobody listens a dial fails as unavailable, and nothing may have run", async () => {
    const pair = await startPair(under);
    await pair.bob.wire[Symbol.asyncDispose]();
    await assert.rejects(pair.ann.dial(pair.bob), (fault: { code: string; uncertain?: boolean }) => {
      assert.equal(fault.code, "node.unavailable");
      assert.notEqual(fault.uncertain, true);
      return true;
    });
  });

  test("a dial that is given up by its signal ends with that reason and leaves no link", async () => {
    const { ann, bob } = await startPair(under);
    const reason = new Error("not any more");
    await assert.rejects(ann.dial(bob, { signal: AbortSignal.abort(reason) }), reason);
    await ann.dial(bob);
    await until(() => bob.accepted.filter(({ ends }) => ends.length === 0).length === 1);
  });
}
