/** Makes the rooms of a node, in the order in which they need each other. Nothing is opened, bound or stored here. */
import { formatNodeId, nodeError, type DispatchContext, type Fault, type NodeId, type Workload } from "@atoll-run/core";
import { judge } from "@atoll-run/core/internal";
import { createInbox, type InboxLife } from "../dispatch/create-inbox.ts";
import { createGate, type Gate } from "../gate/gate.ts";
import type { Discovery } from "../gate/outbound-parts.ts";
import { createHookStream, type HookStream } from "../hooks/hook-stream.ts";
import { senderOf } from "../mailbox/message.ts";
import { ConnectionWatch } from "../observe/connection-watch.ts";
import { Figures } from "../observe/figures.ts";
import { withSpan } from "../observe/side-spans.ts";
import { createLinkTable } from "../transport/create-peers.ts";
import type { LinkTable } from "../transport/link-table.ts";
import type { Peers } from "../transport/peers.ts";
import type { NodeLimits } from "./node-limits.ts";
import type { Network, NodeParts, NodeSettings } from "./parts.ts";
import { withSideContext, type SideParts, type SideScope } from "./side-context.ts";

/** What there is only after its step. */
export interface Later {
  id: NodeId | undefined;
  peers: Peers | undefined;
}

export interface Rooms {
  readonly hooks: HookStream;
  readonly gate: Gate;
  readonly inbox: InboxLife;
  readonly table: LinkTable;
  readonly network: Network | undefined;
  readonly later: Later;
  readonly figures: Figures;
  readonly connections: ConnectionWatch;
  /** Text of the id, or the local name. */
  readonly self: () => string;
  /** Runs what is no message: hooks and streams. */
  readonly side: (
    o: SideScope, run: (context: DispatchContext) => Promise<void> | undefined,
  ) => Promise<void> | undefined;
}

/** `lost`: the node must end. */
export function createRooms(parts: NodeParts, settings: NodeSettings, o: {
  readonly workload: Workload; readonly lost: (fault: Fault) => void; readonly limits: NodeLimits;
}): Rooms {
  const { workload, lost, limits } = o;
  const { clock, log, store, tracer } = parts;
  const { name, rules } = settings;
  const later: Later = { id: undefined, peers: undefined };
  const self = (): string => later.id === undefined ? name : formatNodeId(later.id);
  const figures = new Figures();
  const connections = new ConnectionWatch({ clock, figures, tracer, self });
  const hooks = createHookStream({ clock, log, times: figures.hook, first: connections.hear }, limits.hooks);
  const { report } = hooks;
  const inbox: InboxLife = createInbox({
    store, scope: name, self, clock, ids: parts.ids, random: parts.random, log, report, figures, tracer, lost, workload: () => workload,
    speaker: (scope) => gate.outbound.within(scope), policies: settings.routes, shared: parts.room,
    freeBytes: parts.freeBytes, outboxChanged: () => gate.post(),
    mayDo: (principal, kind, route) => judge(rules, { principal, realm: later.id?.realm ?? 0 }, { kind, name: route }).allowed,
  }, settings.limits);
  const gate: Gate = createGate({
    clock, log, ids: parts.ids, random: parts.random, bytes: parts.bytes, self: () => ({ name, id: later.id }),
    peers: () => later.peers ?? noPeers(), inbox: () => inbox, rules: () => rules,
    ...parts.named === undefined ? {} : { named: parts.named },
    discovery: { candidates: (type, o) => discovery().candidates(type, o), failed: (type, id) => discovery().failed?.(type, id) },
    outbox: { store, scope: name, epoch: () => inbox.epoch, buried: (letter) => inbox.buried(letter) }, report, figures, tracer,
    refresh: (link, payload) => network?.refresh?.(link, payload) ?? Promise.reject(noRefresh()),
    readStream: (stream, { leftMs, ...scope }) => side({
      ...scope, limitMs: leftMs, what: `stream ${stream.name}`,
      span: { name: "stream", peer: senderOf(stream.peer), route: stream.name, kind: "read" },
    },
      (context) => workload.stream?.(stream, context) ?? Promise.reject(noStream(stream.name))),
  }, limits);
  const table = createLinkTable({ clock, report, events: gate.events }, { ...limits.transport, ...limits.wire });
  const network: Network | undefined = parts.network?.({
    settings, report, tracer, epoch: () => inbox.epoch, events: table.wireEvents, peers: () => later.peers ?? noPeers(),
    load: () => {
      const { running } = inbox.stats();
      return { queued: inbox.depth - (running ?? 0), running: running ?? 0, hard_max: limits.mailbox.hardRowsMax };
    },
  });
  const discovery = (): Discovery => network?.discovery ?? NO_REALM;
  const sideParts: SideParts = {
    clock, store, scope: name, self, outbound: () => gate.outbound, apply: (writes) => inbox.apply(writes),
  };
  const side: Rooms["side"] = tracer === undefined ? (o, run) => withSideContext(sideParts, o, run)
    : (o, run) => withSpan({ tracer, self }, o, (traced) => withSideContext(sideParts, traced, run));
  return { hooks, gate, inbox, table, network, later, self, side, figures, connections };
}

const NO_REALM: Discovery = {
  candidates: () => Promise.reject(nodeError("node.unavailable", "this node has no realm to ask", {
    hint: "Give the id or the name of a node.",
  })),
};

function noRefresh(): Error {
  return nodeError("node.unknown_route", "this node knows no credentials");
}

function noStream(name: string): Error {
  return nodeError("node.unknown_route", `this node reads no stream ${name}`);
}

function noPeers(): never {
  throw nodeError("node.connection_not_ready", "this node has no connections yet", { retry_after_ms: 100 });
}
