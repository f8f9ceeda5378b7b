/**
 * The wire between nodes of one process (spec: node 4.7, 6).
 *
 * takes bodies as bytes, as any wire does; gives them to the other node without a socket; promises order within a link
 * and that both ends hear its end once; refuses to dial who has not opened; never looks into a body, and never copies
 * one: who sends or gets it does not change it.
 */
import {
  formatNodeId, nodeError, onAbort, parseNodeId, type Clock, type DialOptions, type Link, type NodeError,
  type NodeId, type Wire, type WireEvents,
} from "@atoll-run/core";
import { NODE_LIMITS, type LimitsOf } from "../../limits.ts";
import { memoryLinks, type LinkParts, type MemoryLink } from "./memory-link.ts";
import type { NetTroubles } from "./troubles.ts";
import { Soon } from "./soon.ts";

export interface MemoryNetParts {
  readonly clock: Clock;
  /** Only tests have some. */
  readonly troubles?: NetTroubles;
}

export interface MemoryNet {
  /** The wire of one node. `self` is asked when it opens and when it dials: by then the node has its id. */
  wire(o: { readonly self: () => NodeId; readonly events: WireEvents }): Wire;
  /** Breaks the links between two nodes, of one with all, or all. Named by the texts of their ids. */
  cut(one?: string, other?: string): void;
  /** Whether a node with that text of an id is open here. */
  has(id: string): boolean;
  /** Links that stand. */
  readonly links: number;
}

type MemoryLimits = Pick<LimitsOf<"wire">, "bufferedBytesHigh" | "bufferedBytesLow">;

interface Member {
  readonly id: NodeId;
  readonly events: WireEvents;
  readonly links: Set<MemoryLink>;
}

interface Standing {
  readonly names: readonly [string, string];
  readonly link: MemoryLink;
}

/** How long a node that is not open yet is let alone, milliseconds. */
const RETRY_AFTER_MS = 100;

export function createMemoryNet(parts: MemoryNetParts, limits: MemoryLimits = NODE_LIMITS.wire): MemoryNet {
  const members = new Map<string, Member>();
  const standing = new Set<Standing>();
  const linkParts: LinkParts = {
    ...parts, soon: new Soon(), marks: { highBytes: limits.bufferedBytesHigh, lowBytes: limits.bufferedBytesLow },
  };

  const connect = (self: NodeId, own: Set<MemoryLink>, o: DialOptions): Link => {
    const target = members.get(o.address);
    if (target === undefined) throw notThere(o.address);
    if (formatNodeId(target.id) !== formatNodeId(o.id)) {
      throw nodeError("node.identity_mismatch", `${o.address} is not ${formatNodeId(o.id)}`);
    }
    const [here, there] = memoryLinks(linkParts, self, target.id);
    const entry = { names: [formatNodeId(self), o.address] as const, link: here };
    standing.add(entry);
    own.add(here);
    target.links.add(there);
    void here.ended.then(() => {
      standing.delete(entry);
      own.delete(here);
    });
    void there.ended.then(() => target.links.delete(there));
    here.inbox.hearBy(o.receive(here));
    there.inbox.hearBy(target.events.accepted(there));
    return here;
  };

  return {
    wire: ({ self, events }) => createWire({ members, connect, parts }, self, events),
    cut: (one, other) => {
      const named = (names: readonly string[], name: string | undefined): boolean => name === undefined || names.includes(name);
      for (const { names, link } of standing) {
        if (named(names, one) && named(names, other)) link.cut();
      }
    },
    has: (id) => members.has(id),
    get links() {
      return standing.size;
    },
  };
}

interface Net {
  readonly members: Map<string, Member>;
  readonly parts: MemoryNetParts;
  readonly connect: (self: NodeId, own: Set<MemoryLink>, o: DialOptions) => Link;
}

function createWire(net: Net, self: () => NodeId, events: WireEvents): Wire {
  const links = new Set<MemoryLink>();
  const closing = new AbortController();
  let member: readonly [string, Member] | undefined;
  const shut = (): void => {
    if (member !== undefined && net.members.get(member[0]) === member[1]) net.members.delete(member[0]);
    member = undefined;
  };
  return {
    name: "memory",
    get addresses() {
      return member === undefined ? [] : [member[0]];
    },
    open: () => {
      const id = self();
      const name = formatNodeId(id);
      if (member?.[0] === name) return;
      if (net.members.has(name)) throw nodeError("node.locked", `${name} runs in this process already`);
      member = [name, { id, events, links }];
      net.members.set(...member);
    },
    shut,
    dial: async (o) => {
      const { clock, troubles } = net.parts;
      const from = self();
      const delayMs = troubles === undefined ? 0 : troubles.dial(formatNodeId(from), o.address) ?? Infinity;
      if (delayMs > 0) await pass(clock, delayMs, { withinMs: o.withinMs, signals: [o.signal, closing.signal] });
      o.signal?.throwIfAborted();
      if (closing.signal.aborted) throw nodeError("node.unavailable", "this node is closing");
      return net.connect(from, links, o);
    },
    [Symbol.asyncDispose]: async () => {
      shut();
      closing.abort(nodeError("node.unavailable", "this node is closing"));
      await Promise.all([...links].map((link) => link.close(1000, "closing")));
    },
  };
}

function notThere(address: string): NodeError {
  const known = parseNodeId(address) !== undefined;
  return nodeError("node.unavailable", `${address} is not open in this process`, {
    retry_after_ms: RETRY_AFTER_MS, ...known ? {} : { hint: "The address of a memory wire is the text of a node id." },
  });
}

/** The time that a dial takes. Throws `node.unavailable` when there is none left. */
async function pass(
  clock: Clock, ms: number, o: { readonly withinMs: number; readonly signals: readonly (AbortSignal | undefined)[] },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const late = ms > o.withinMs;
  const timer = clock.after(Math.min(ms, o.withinMs), () => {
    if (late) reject(nodeError("node.unavailable", `no answer within ${o.withinMs} ms`));
    else resolve();
  });
  const listening = o.signals.map((signal) => onAbort(signal, reject));
  try {
    await promise;
  } finally {
    timer[Symbol.dispose]();
    for (const one of listening) one[Symbol.dispose]();
  }
}
