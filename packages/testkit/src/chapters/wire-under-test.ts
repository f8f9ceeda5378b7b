/** What the chapters of `Wire` are given, and the nodes that they start. */
import { after } from "node:test";
import type { DialOptions, Lane, Link, LinkEnd, NodeId, Receive, Wire, WireEvents } from "@atoll-run/core";
import { until } from "../until.ts";

export interface WireNode {
  readonly id: NodeId;
  readonly wire: Wire;
  /** Where the others dial it, also before it is open. */
  readonly address: string;
  /** The key that its realm names for it. */
  readonly node_key?: Uint8Array;
}

export interface WireUnderTest {
  /** Title of the chapters. */
  readonly name: string;
  /** A node of one realm, with a wire that listens and is not open yet. The chapters close the wire. */
  start(events: WireEvents): Promise<WireNode>;
  /** Breaks every link of that node without a word. */
  cut(node: WireNode): void;
}

/** One end of a link, and what came in at it. */
export interface Seen {
  readonly link: Link;
  readonly got: { readonly lane: Lane; readonly body: Uint8Array }[];
  readonly ends: LinkEnd[];
}

export interface Peer extends WireNode {
  /** Links that came in. */
  readonly accepted: Seen[];
  dial(to: WireNode, o?: Partial<DialOptions>): Promise<Seen>;
}

export interface Pair {
  readonly ann: Peer;
  readonly bob: Peer;
}

function see(link: Link): readonly [Seen, Receive] {
  const seen: Seen = { link, got: [], ends: [] };
  void link.ended.then((end) => seen.ends.push(end));
  return [seen, (lane, body) => seen.got.push({ lane, body })];
}

export async function startPeer(under: WireUnderTest): Promise<Peer> {
  const accepted: Seen[] = [];
  const node = await under.start({
    accepted: (link) => {
      const [seen, receive] = see(link);
      accepted.push(seen);
      return receive;
    },
  });
  after(() => node.wire[Symbol.asyncDispose]());
  return {
    ...node, accepted,
    dial: async (to, o = {}) => {
      let dialled: Seen | undefined;
      const link = await node.wire.dial({
        id: to.id, address: to.address, withinMs: 30_000, ...to.node_key === undefined ? {} : { node_key: to.node_key },
        receive: (one) => {
          const [seen, receive] = see(one);
          dialled = seen;
          return receive;
        },
        ...o,
      });
      if (dialled === undefined || dialled.link !== link) throw new Error("receive was not asked for the link");
      return dialled;
    },
  };
}

/** Two nodes, both open. */
export async function startPair(under: WireUnderTest): Promise<Pair> {
  const [ann, bob] = [await startPeer(under), await startPeer(under)];
  ann.wire.open();
  bob.wire.open();
  return { ann, bob };
}

/** Ann has dialled Bob; the two ends. */
export async function link({ ann, bob }: Pair): Promise<{ readonly out: Seen; readonly came: Seen }> {
  const before = bob.accepted.length;
  const out = await ann.dial(bob);
  const came = await until(() => bob.accepted[before], { what: "the link at the other end" });
  return { out, came };
}

export function texts(seen: Seen): string[] {
  return seen.got.map(({ lane, body }) => `${lane} ${new TextDecoder().decode(body)}`);
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
