/**
 * WebSockets between nodes, full duplex, whoever dialled (spec: node 6.2 to 6.6, 8; wire 5, 6).
 *
 * takes addresses to dial and a place to listen; gives links to proved peers; promises that nothing of a stranger is
 * processed and that each waits for nobody else; refuses plain text beyond this machine unless it is allowed, peers
 * without proof, and what is too much; never looks into a body.
 */
import {
  nodeError, onAbort, type Clock, type DialOptions, type Link, type NodeError, type Receive, type Wire, type WireEvents,
} from "@atoll-run/core";
import { FRAME_HEADER_BYTES } from "@atoll-run/core/internal";
import { Chance } from "../../identity/chance.ts";
import { Greetings, type BearerRule, type GreetingParts } from "../../identity/hello.ts";
import { NODE_LIMITS, type LimitsOf } from "../../limits.ts";
import type { Came } from "./accept.ts";
import { Attempt } from "./attempt.ts";
import { dial, type DialParts } from "./dial.ts";
import { WebSocketLink, type LinkBounds } from "./link.ts";
import { Listener, type ListenOptions } from "./listener.ts";
import { checkListen, type PlainRule } from "./places.ts";
import { OnePerTurn } from "../one-per-turn.ts";
import { Standing } from "./standing.ts";
import { createUpgrader, type SocketLimits } from "./ws.ts";

export interface WebSocketParts extends GreetingParts {
  readonly clock: Clock;
  readonly events: WireEvents;
}

export interface WebSocketOptions {
  /** Absent: this node only dials. */
  readonly listen?: ListenOptions | undefined;
  /** Default `loopback`. */
  readonly plain?: PlainRule | undefined;
  /** Default `loopback`. */
  readonly bearer?: BearerRule | undefined;
  /** PEM of authorities to trust instead of those of the platform. */
  readonly ca?: readonly string[] | undefined;
}

export interface WebSocketStats {
  readonly connections: number;
  /** Connections that are not proved yet. */
  readonly handshakes: number;
  readonly accepted: number;
  readonly refused: number;
}

export interface WebSocketWire extends Wire {
  stats(): WebSocketStats;
}

/** Binds if there is where to listen. Throws `node.invalid_argument`, `node.bind_failed`. */
export async function openWebSocketWire(
  parts: WebSocketParts, o: WebSocketOptions = {}, limits: LimitsOf<"wire"> = NODE_LIMITS.wire,
): Promise<WebSocketWire> {
  const wire = new NodeWebSockets(parts, o, limits);
  await wire.bind();
  return wire;
}

class NodeWebSockets implements WebSocketWire {
  readonly name = "websocket";
  readonly #parts: WebSocketParts;
  readonly #o: WebSocketOptions;
  readonly #limits: LimitsOf<"wire">;
  readonly #greetings: Greetings;
  readonly #standing: Standing;
  readonly #sockets: SocketLimits;
  readonly #bounds: LinkBounds;
  readonly #dialling: DialParts;
  readonly #masks: Chance;
  #closing: NodeError | undefined;
  /** Dials that run, and how each is given up. */
  readonly #dials = new Map<Attempt, Promise<Link>>();
  readonly #counts = { accepted: 0, refused: 0 };
  #listener: Listener | undefined;

  constructor(parts: WebSocketParts, o: WebSocketOptions, limits: LimitsOf<"wire">) {
    this.#parts = parts;
    this.#o = o;
    this.#limits = limits;
    this.#greetings = new Greetings(parts, o.bearer ?? "loopback");
    this.#standing = new Standing(parts.clock, limits);
    const { messageBytesMax, bufferedBytesHigh, bufferedBytesLow, fragmentsMax, closeMsMax } = limits;
    this.#sockets = { payloadMax: messageBytesMax + FRAME_HEADER_BYTES, fragmentsMax, closeMsMax };
    this.#masks = new Chance(parts.bytes);
    this.#dialling = { greetings: this.#greetings, plain: o.plain ?? "loopback", ca: o.ca, sockets: this.#sockets };
    this.#bounds = { messageBytesMax, highBytes: bufferedBytesHigh, lowBytes: bufferedBytesLow };
  }

  get addresses(): readonly string[] {
    return this.#listener === undefined ? [] : [this.#listener.address];
  }

  async bind(): Promise<void> {
    const { listen, plain = "loopback" } = this.#o;
    if (listen === undefined) return;
    checkListen(listen, plain);
    this.#listener = await Listener.open({
      clock: this.#parts.clock, greetings: this.#greetings, standing: this.#standing, upgrader: createUpgrader(this.#sockets), turns: new OnePerTurn(),
      bytesMax: this.#limits.handshakeBytesMax,
      came: (came) => {
        this.#counts.accepted++;
        this.#link(came, true, (link) => this.#parts.events.accepted(link));
      },
      refused: (fault, remote) => {
        this.#counts.refused++;
        this.#parts.events.refused?.(fault, remote);
      },
    }, { listen, limits: this.#limits });
  }

  open(): void {
    this.#listener?.open();
  }

  shut(): void {
    this.#listener?.shut();
  }

  async dial(o: DialOptions): Promise<Link> {
    if (this.#closing !== undefined) throw this.#closing;
    o.signal?.throwIfAborted();
    if (this.#standing.full) throw nodeError("node.overloaded", "this node has too many connections", { retry_after_ms: this.#limits.retryAfterMs });
    using _attempt = this.#standing.attempt();
    const late = (): NodeError => nodeError("node.unavailable", `no answer of ${o.address} within ${o.withinMs} ms`);
    const attempt = new Attempt(this.#parts.clock, { ms: o.withinMs, late });
    using _given = onAbort(o.signal, (reason) => attempt.abort(reason));
    return await attempt.run(() => {
      const dialled = this.#dial(attempt, o);
      this.#dials.set(attempt, dialled);
      return dialled;
    });
  }

  async #dial(attempt: Attempt, o: DialOptions): Promise<Link> {
    try {
      return this.#link(await dial(this.#dialling, o, attempt), false, o.receive);
    } finally {
      this.#dials.delete(attempt);
    }
  }

  stats(): WebSocketStats {
    return { connections: this.#standing.links.size, handshakes: this.#standing.attempts, ...this.#counts };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reason = nodeError("node.unavailable", "this node is closing", { retry_after_ms: this.#limits.retryAfterMs });
    this.#closing ??= reason;
    for (const attempt of this.#dials.keys()) attempt.abort(reason);
    const listener = this.#listener;
    this.#listener = undefined;
    await Promise.allSettled([...this.#dials.values(), listener?.stop()]);
    await Promise.all([...this.#standing.links].map((link) => link.close(1000, "closing")));
    await listener?.[Symbol.asyncDispose]();
  }

  #link({ peer, early, ...came }: Came, inbound: boolean, receive: (link: Link) => Receive): Link {
    const link = new WebSocketLink({
      ...came, peer, inbound, clock: this.#parts.clock, rate: this.#standing.rateOf(peer.id), bounds: this.#bounds, masks: this.#masks,
      left: this.#standing.remove,
    });
    this.#standing.add(link);
    link.start(receive(link), early);
    return link;
  }
}
