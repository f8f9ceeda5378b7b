/** Two gates and a net between them: real links, an inbox that is a function of the route. */
import {
  formatNodeId, nodeError, parseNodeId, type Clock, type Link, type LogEvent, type NodeId, type Wire,
} from "@atoll-run/core";
import { toWireError, type Rule } from "@atoll-run/core/internal";
import { createGate, createMemoryNet, NODE_LIMITS, type Gate, type GateParts, type MemoryNet } from "@atoll-run/node/internal";
import { seededIds, seededRandom } from "@atoll-run/testkit";
import type { Admission, Arrival, Inbox, Settled } from "../../src/mailbox/inbox.ts";
import type { Body, Peers, PeersEvents } from "../../src/transport/peers.ts";

export const ALLOW_ALL: readonly Rule[] = [{ effect: "allow", from: { type: "*:*:*", realm: "any" }, actions: ["*"] }];

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
export const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

export function idOf(serial: number, type = "acme:echo:1.0.0", realm = 101): NodeId {
  return parseNodeId(`${serial.toString(16)}@${realm}/${type}`) as NodeId;
}

/** Timers of the real clock that a test need not wait for. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

export type Handle = (arrival: Arrival) => Promise<Settled> | Settled | "never";

/** Answers by a function; remembers answers by sender, route and request id, as the real one does. */
export class TestInbox implements Inbox {
  readonly arrivals: Arrival[] = [];
  readonly unread: { reason: string; sender: string }[] = [];
  readonly #handle: Handle;
  readonly #seen = new Map<string, Promise<Settled>>();
  /** Gives a fault to refuse the next ones. */
  refuse: ((arrival: Arrival) => Error | undefined) | undefined;

  constructor(handle: Handle) {
    this.#handle = handle;
  }

  get depth(): number {
    return this.arrivals.length;
  }

  admit(arrival: Arrival): Promise<Admission> {
    const refused = this.refuse?.(arrival);
    // Faults are made by the test.
    if (refused !== undefined) return Promise.resolve({ is: "refused", fault: refused as ReturnType<typeof nodeError> });
    const { sender, envelope } = arrival;
    const key = JSON.stringify([sender.kind === "peer" ? formatNodeId(sender.id) : "", envelope.route_key, envelope.request_id]);
    const known = this.#seen.get(key);
    if (known !== undefined) return Promise.resolve({ is: "duplicate", settled: known });
    this.arrivals.push(arrival);
    const given = this.#handle(arrival);
    const settled = given === "never" ? new Promise<Settled>(() => undefined) : Promise.resolve(given);
    this.#seen.set(key, settled);
    return Promise.resolve({ is: "accepted", queue_len: 1, settled });
  }

  unreadable(o: { readonly reason: "frame_undecodable" | "envelope_invalid"; readonly sender: string }): void {
    this.unread.push({ reason: o.reason, sender: o.sender });
  }
}

export const reply = (value: string): Settled => ({ is: "reply", payload: bytes(value) });
export const error = (fault: ReturnType<typeof nodeError>): Settled => ({ is: "error", error: toWireError(fault) });

/** Says what it was asked. */
export const echo: Handle = ({ envelope }) => ({ is: "reply", payload: envelope.payload ?? new Uint8Array() });

/** Peers as the gate needs them, over one wire; dials when there is no link. */
class SmallPeers implements Peers {
  readonly #wire: Wire;
  readonly #events: PeersEvents;
  readonly #o: { readonly legacy: boolean; readonly bearers: readonly number[] };
  readonly #links = new Map<string, Link[]>();

  constructor(net: MemoryNet, o: { readonly self: NodeId; readonly legacy: boolean; readonly bearers: readonly number[] }, events: PeersEvents) {
    const { self } = o;
    this.#events = events;
    this.#o = o;
    this.#wire = net.wire({ self: () => self, events: { accepted: (link) => this.#join(link) } });
    this.#wire.open();
  }

  async send(to: NodeId, lane: Parameters<Link["send"]>[0], body: Body, o: { via?: Link; deadlineMs: number }): Promise<Link> {
    const link = o.via ?? this.current(to) ?? await this.#dial(to);
    const made = typeof body === "function" ? body(link) : body;
    if (!link.send(lane, made)) throw nodeError("node.unavailable", "the link has ended");
    return link;
  }

  sendNow(): undefined {}

  current(to: NodeId): Link | undefined {
    return this.#links.get(formatNodeId(to))?.at(-1);
  }

  links(id?: string): readonly Link[] {
    return id === undefined ? [...this.#links.values()].flat() : this.#links.get(id) ?? [];
  }

  renewed(): void {}
  revoke(): void {}
  stats(): never {
    throw new Error("nobody counts here");
  }

  async drop(id: string | undefined, code: number, reason: string): Promise<void> {
    await Promise.all(this.links(id).map((link) => link.close(code, reason)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#wire[Symbol.asyncDispose]();
  }

  async #dial(to: NodeId): Promise<Link> {
    let joined: Link | undefined;
    await this.#wire.dial({ id: to, address: formatNodeId(to), withinMs: 1_000, receive: (link) => {
      const receive = this.#join(link);
      joined = this.current(to);
      return receive;
    } });
    if (joined === undefined) throw nodeError("node.unavailable", "no link");
    return joined;
  }

  #join(raw: Link): (lane: Parameters<Link["send"]>[0], body: Uint8Array) => void {
    const isBearer = this.#o.bearers.includes(Number(raw.peer.id.serial));
    const peer = { ...raw.peer, ...this.#o.legacy ? { features: new Set() } : {}, ...isBearer ? { proof: "bearer" } : {} };
    const link: Link = this.#o.legacy || isBearer ? Object.assign(Object.create(raw), { peer }) : raw;
    const key = formatNodeId(link.peer.id);
    this.#links.set(key, [...this.#links.get(key) ?? [], link]);
    this.#events.up(link);
    void link.ended.then((end) => {
      this.#links.set(key, (this.#links.get(key) ?? []).filter((one) => one !== link));
      this.#events.down(link, end);
    });
    return (lane, body) => this.#events.frame(link, lane, body);
  }
}

export interface TestNode extends AsyncDisposable {
  readonly id: NodeId;
  readonly text: string;
  readonly gate: Gate;
  readonly inbox: TestInbox;
  readonly peers: Peers;
  readonly log: LogEvent[];
}

export interface TestNodeOptions extends Partial<GateParts> {
  readonly serial: number;
  readonly type?: string;
  /** Default 101. */
  readonly realm?: number;
  /** Serials of those whose links carry no proof of a key. */
  readonly bearers?: readonly number[];
  readonly handle?: Handle;
  readonly clock?: Clock;
  readonly legacy?: boolean;
  readonly shut?: boolean;
  /** Default: small ones, over the net. */
  readonly makePeers?: (self: NodeId, events: PeersEvents) => Peers;
  readonly streamLimits?: Partial<Record<keyof typeof NODE_LIMITS.streams, number>>;
  readonly limits?: Partial<Record<keyof typeof NODE_LIMITS.gate, number>>;
}

export function testNode(net: MemoryNet, o: TestNodeOptions): TestNode {
  const id = idOf(o.serial, o.type, o.realm);
  const inbox = new TestInbox(o.handle ?? echo);
  const log: LogEvent[] = [];
  const random = seededRandom(o.serial);
  const gate = createGate({
    clock: realClock, ids: seededIds(o.serial), log: { write: (event) => log.push(event) },
    random: () => random() / 2 ** 32, bytes: (count) => Uint8Array.from({ length: count }, () => random() & 0xff),
    self: () => ({ name: `node-${o.serial}`, id }), peers: () => peers, inbox: () => inbox,
    rules: () => ALLOW_ALL, ...o,
  }, { gate: { ...NODE_LIMITS.gate, ...o.limits }, streams: { ...NODE_LIMITS.streams, ...o.streamLimits } });
  const peers: Peers = o.makePeers?.(id, gate.events)
    ?? new SmallPeers(net, { self: id, legacy: o.legacy === true, bearers: o.bearers ?? [] }, gate.events);
  if (o.shut !== true) gate.open();
  return {
    id, text: formatNodeId(id), gate, inbox, peers, log,
    [Symbol.asyncDispose]: async () => {
      await gate.close();
      await peers[Symbol.asyncDispose]();
    },
  };
}

export function testNet(clock: Clock = realClock): MemoryNet {
  return createMemoryNet({ clock });
}
