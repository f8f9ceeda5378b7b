/** Gate, peers, inbox and store of a node as they are, over the wire inside a process. */
import { randomBytes } from "node:crypto";
import { formatNodeId, type Clock, type Ids, type NodeId, type StateStore, type Workload } from "@atoll-run/core";
import {
  createGate, createInbox, createLinkTable, createPeers, type Gate, type GateParts, type InboxLife, type MemoryNet, type Peers,
} from "@atoll-run/node/internal";
import { memoryState, seededIds } from "@atoll-run/testkit";
import { ALLOW_ALL, idOf, realClock } from "./harness.ts";

export interface WholeNode extends AsyncDisposable {
  readonly id: NodeId;
  readonly text: string;
  readonly gate: Gate;
  readonly peers: Peers;
  readonly inbox: InboxLife;
  readonly store: StateStore;
}

export async function wholeNode(net: MemoryNet, o: {
  readonly serial: number; readonly workload: Workload; readonly clock?: Clock; readonly ids?: Ids;
  readonly readStream?: GateParts["readStream"];
}): Promise<WholeNode> {
  const { serial, workload, clock = realClock, ids = seededIds(serial) } = o;
  const id = idOf(serial);
  const store = memoryState();
  const report = (): void => undefined;
  const scope = `node-${serial}`;
  const random = Math.random;
  const log = { write: report };
  const gate: Gate = createGate({
    clock, ids, log, random, bytes: (count) => randomBytes(count), self: () => ({ name: scope, id }),
    peers: () => peers, inbox: () => inbox, rules: () => ALLOW_ALL, report,
    outbox: { store, scope, epoch: () => inbox.epoch }, ...o.readStream === undefined ? {} : { readStream: o.readStream },
  });
  const table = createLinkTable({ clock, report, events: gate.events });
  const wire = net.wire({ self: () => id, events: table.wireEvents });
  const peers: Peers = createPeers({ clock, table, report, wires: [wire], book: {
    addresses: async (to) => [{ wire: "memory", address: formatNodeId(to) }], failed: report,
  } });
  const inbox: InboxLife = createInbox({
    store, scope, self: () => scope, clock, ids, random, report, workload: () => workload,
    speaker: (scoped) => gate.outbound.within(scoped), outboxChanged: () => gate.post(),
  });
  await inbox.recover();
  wire.open();
  inbox.open();
  gate.open();
  return {
    id, text: formatNodeId(id), gate, peers, inbox, store,
    [Symbol.asyncDispose]: async () => {
      gate.drain();
      await inbox.drain({ deadlineMs: 1_000 });
      await gate.close();
      await inbox.close();
      await peers[Symbol.asyncDispose]();
      await wire[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

/** A workload of one function for all routes. */
export function workloadOf(dispatch: Workload["dispatch"]): Workload {
  return {
    kind: "linked", concurrency: 64, route: () => ({ policy: {} }), start: async () => undefined, dispatch,
    close: async () => undefined,
  };
}
