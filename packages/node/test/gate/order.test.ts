/** Goal: what one node asks another reaches it in the order in which it was asked, whatever each ask has waited for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatNodeId, type Wire } from "@atoll-run/core";
import { createLinkTable, createPeers, NODE_LIMITS } from "@atoll-run/node/internal";
import { ManualClock } from "@atoll-run/testkit";
import { bytes, testNet, testNode, text } from "./harness.ts";

const LIMITS = { ...NODE_LIMITS.transport, ...NODE_LIMITS.wire };

test("when a peer is back, what was asked first goes first, also where a later one was to be tried again before it", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  const wires: Wire[] = [];
  const report = (): void => undefined;
  const node = (serial: number): ReturnType<typeof testNode> => testNode(net, {
    serial, clock, makePeers: (self, events) => {
      const table = createLinkTable({ clock, report, events }, LIMITS);
      const wire = net.wire({ self: () => self, events: table.wireEvents });
      wires.push(wire);
      return createPeers({
        clock, report, table, wires: [wire],
        book: { addresses: async (to) => [{ wire: "memory", address: formatNodeId(to) }], failed: () => undefined },
      }, LIMITS);
    },
  });
  await using a = node(1);
  await using b = node(2);
  const told: Promise<unknown>[] = [];
  const tell = (n: number): void => void told.push(a.gate.outbound.root.tell({ to: b.text, route: "acme.Echo.Note", payload: bytes(String(n)) }));
  wires[0]?.open();
  // In vain at once and after a second: it rests until the third.
  tell(1);
  await clock.pass(1_500);
  tell(2);
  tell(3);
  await clock.pass(999);
  assert.equal(b.inbox.arrivals.length, 0);
  // The others are tried again while it rests, and the peer is there by then.
  wires[1]?.open();
  await clock.pass(1);
  tell(4);
  await clock.pass(10);
  await Promise.all(told);
  assert.deepEqual(b.inbox.arrivals.map(({ envelope }) => text(envelope.payload ?? bytes(""))), ["1", "2", "3", "4"]);
  for (const wire of wires) await wire[Symbol.asyncDispose]();
});
