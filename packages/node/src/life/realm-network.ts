/**
 * A node among others: its realm, its wires and its key, as steps of its life (spec: node 3.1, 3.3, 5, 6.1).
 *
 * takes the ways to a realm and to peers; gives a network; promises that each step can be taken back and that nothing
 * runs after `close`; refuses steps out of order; never loses the identity that an earlier start had.
 */
import {
  formatNodeId, must, nodeError, withDeadline, type Clock, type Fault, type Ids, type Link, type Log, type NodeId,
  type StateStore, type Wire,
} from "@atoll-run/core";
import type { NodeKey, Session } from "../identity/session.ts";
import type { RealmDoor } from "../identity/realm-door.ts";
import { refreshPeers, takeRefresh } from "../identity/proofs.ts";
import type { Registrant, Vouch } from "../identity/registration.ts";
import type { Load } from "../recovery/heartbeat.ts";
import { interfacesText } from "../recovery/interfaces.ts";
import { performNetworkAction } from "../recovery/network-actions.ts";
import { createNetworkWatch, type NetworkInput, type NetworkWatch } from "../recovery/network-input.ts";
import type { Ranking } from "../signaling/candidates.ts";
import { createRealmClient, type RealmClient } from "../signaling/realm-client.ts";
import type { AddressBook, PeerAddress } from "../transport/peers.ts";
import type { MemoryNet } from "../wire/memory/memory-net.ts";
import { openWebSocketWire, type WebSocketOptions, type WebSocketWire } from "../wire/websocket/websocket-wire.ts";
import { idleShares } from "./idle-shares.ts";
import { nodeLimits, type NodeLimits } from "./node-limits.ts";
import type { Call, Network, NetworkContext, NetworkHealth } from "./parts.ts";

/** Close code of wire 6.5. */
const EXPIRED = 4_401;
const REFRESH_MS_MAX = 5_000;

export interface RealmNetworkParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly random: () => number;
  readonly bytes: (count: number) => Uint8Array;
  readonly store: StateStore;
  readonly door: RealmDoor;
  /** Loads or makes the key of the node. */
  readonly key: () => Promise<NodeKey>;
  /** Joins the nodes of this process; they are reached by it before any other wire. */
  readonly net?: MemoryNet;
}

export interface RealmNetworkOptions {
  /** Number of the realm. */
  readonly realm: number;
  readonly vouch: Vouch;
  /** Absent: no WebSockets at all. */
  readonly webSocket?: WebSocketOptions;
  readonly onLost?: "stop" | "restart";
  /** False: the realm offers this node to nobody. Default true. */
  readonly visible?: boolean;
  /** Where it stands: said to the realm, and what is near is asked for from there. */
  readonly place?: Place;
  /** What decides between candidates, the first before the next. */
  readonly ranking?: readonly Ranking[];
}

/** Degrees. */
export interface Place {
  readonly region?: string;
  readonly latitude?: number;
  readonly longitude?: number;
}

export function realmNetwork(parts: RealmNetworkParts, options: RealmNetworkOptions): (o: NetworkContext) => Network {
  return (context) => new RealmNetwork(parts, options, context);
}

class RealmNetwork implements Network {
  readonly #parts: RealmNetworkParts;
  readonly #options: RealmNetworkOptions;
  readonly #context: NetworkContext;
  readonly #limits: NodeLimits;
  #client: RealmClient | undefined;
  #webSocket: WebSocketWire | undefined;
  #wires: Wire[] = [];
  #registered = false;
  #draining = false;
  #lost: (fault: Fault) => void = () => undefined;
  #changes: NetworkWatch | undefined;
  /** What is told to links; nobody waits for it but the end of the node. */
  #telling: Promise<void> = Promise.resolve();

  constructor(parts: RealmNetworkParts, options: RealmNetworkOptions, context: NetworkContext) {
    this.#parts = parts;
    this.#options = options;
    this.#context = context;
    this.#limits = nodeLimits(context.settings.limits);
  }

  /** Free share of the event loop since the last ping, and of the memory. */
  readonly #idle = idleShares();

  readonly book: AddressBook = {
    addresses: (id, o) => this.#addresses(id, o),
    failed: (id, address) => this.#client?.directory.failed(id, address),
  };

  readonly input: NetworkInput = {
    report: (event) => this.#changes?.report(event) ?? Promise.reject(nodeError("node.wrong_state", "the node does not run")),
  };

  refresh(link: Link, payload: Uint8Array): Promise<void> {
    return takeRefresh({ verifier: this.#must().verifier, peers: this.#context.peers }, link, payload);
  }

  get discovery(): RealmClient["directory"] | undefined {
    return this.#client?.directory;
  }

  watch(...asked: Parameters<RealmClient["directory"]["watch"]>): ReturnType<RealmClient["directory"]["watch"]> {
    return this.#must().directory.watch(...asked);
  }

  async load(_o: Call): Promise<void> {
    const key = await this.#parts.key();
    const { settings, report, epoch, peers, tracer } = this.#context;
    const { place, ranking, onLost = "stop" } = this.#options;
    this.#client = createRealmClient({
      ...this.#parts, scope: settings.name, epoch: epoch(), key, report, tracer, revoked: (id, since) => peers().revoke(id, since),
    }, {
      who: this.#registrant(), on_lost: onLost,
      discovery: { ...place === undefined ? {} : { location: place }, ...ranking === undefined ? {} : { ranking } },
    }, this.#limits);
  }

  async listen(_o: Call): Promise<readonly Wire[]> {
    const { net, clock, bytes } = this.#parts;
    const { events } = this.#context;
    const { session, verifier } = this.#must();
    if (net !== undefined) this.#wires.push(net.wire({ self: () => session.current().id, events }));
    if (this.#options.webSocket !== undefined) {
      this.#webSocket = await openWebSocketWire({ clock, bytes, session, verifier, events }, this.#options.webSocket,
        this.#limits.wire);
      this.#wires.push(this.#webSocket);
    }
    return this.#wires;
  }

  async register({ signal }: Call): Promise<Session> {
    const client = this.#must();
    this.#registered = true;
    await client.register({ signal });
    return this.session();
  }

  session(): Session {
    return this.#must().session.current();
  }

  async connect({ signal }: Call): Promise<void> {
    await this.#must().connect({ signal });
  }

  arm(): void {
    const { session } = this.#must();
    const { onLost = "stop" } = this.#options;
    session.onStanding((standing) => {
      // Peers would close them as well, each in its own time. A node that ends closes them itself, after its replies.
      if (standing === "expired" || standing === "lost" && onLost === "restart") {
        this.#tell(() => this.#context.peers().drop(undefined, EXPIRED, "the credential is over"));
      }
      if (standing === "lost" && onLost === "stop") {
        this.#lost(nodeError("node.identity_lost", "the realm does not know this node any more"));
      }
    });
    session.onRenewed((renewed) => {
      const { ids } = this.#parts;
      this.#tell(() => refreshPeers({ ids, peers: this.#context.peers() }, renewed, REFRESH_MS_MAX));
    });
    session.arm();
  }

  open(): void {
    for (const wire of this.#wires) wire.open();
  }

  async beat(): Promise<void> {
    const { clock, log, door } = this.#parts;
    const { signaling } = this.#must();
    await signaling.beat(() => this.#load());
    this.#changes = createNetworkWatch({
      clock, log, interfaces: interfacesText,
      perform: (action, { signal }) => performNetworkAction(
        action, { signaling, peers: this.#context.peers() }, { limits: this.#limits.recovery, signal },
      ),
    }, this.#limits.recovery);
    // A realm of this machine is reached whatever becomes of its interfaces.
    if (door.remote) this.#changes.start();
  }

  async drain({ signal }: Call): Promise<boolean> {
    this.#draining = true;
    for (const wire of this.#wires) wire.shut();
    return await this.#client?.announce({ signal }) ?? true;
  }

  async unregister({ signal }: Call): Promise<boolean> {
    if (!this.#registered || this.#client === undefined) return true;
    this.#registered = false;
    return await this.#client.leave({ signal });
  }

  async close(_o: Call): Promise<void> {
    await this.#changes?.[Symbol.asyncDispose]();
    await Promise.all(this.#wires.map((wire) => wire[Symbol.asyncDispose]()));
    await this.#client?.[Symbol.asyncDispose]();
    await this.#telling;
  }

  health(): NetworkHealth {
    const client = this.#client;
    const downSinceMs = client?.signaling.downSinceMs;
    return {
      signaling: client?.signaling.up === true ? "up" : "down", identity: client?.session.standing ?? "good",
      ...downSinceMs === undefined ? {} : { signaling_down_since_ms: downSinceMs },
      addresses: this.#wires.flatMap(({ addresses }) => addresses),
    };
  }

  onLost(hear: (fault: Fault) => void): void {
    this.#lost = hear;
  }

  stats(): Readonly<Record<string, number>> {
    const client = Object.entries(this.#client?.stats() ?? {}).map(([name, value]) => [name, Number(value)] as const);
    const socket = Object.entries(this.#webSocket?.stats() ?? {}).map(([name, value]) => [`websocket_${name}`, value as number] as const);
    return Object.fromEntries([...client, ...socket]);
  }

  /** The address is that of the listener, which is bound by the time of the registration. */
  #registrant(): Registrant {
    const { realm, vouch, place } = this.#options;
    const { type, rules = [] } = this.#context.settings;
    const service = place === undefined ? {} : { service: { name: type.name, fingerprint: "", tags: tagsOf(place) } };
    const address = (): string | undefined => this.#webSocket?.addresses[0];
    return { realm, type, vouch, rules, ...service, get ws_address() {
      return address();
    } } as Registrant;
  }

  async #addresses(id: NodeId, o: Parameters<AddressBook["addresses"]>[1]): Promise<readonly PeerAddress[]> {
    const { standing } = this.#must().session;
    if (standing !== "good") throw nodeError("node.unavailable", "the credential of this node has run out: no new connections");
    const name = formatNodeId(id);
    if (this.#parts.net?.has(name) === true) return [{ wire: "memory", address: name }];
    const barrier = this.#changes?.barrier;
    if (barrier !== undefined) {
      const { clock } = this.#parts;
      const ms = Math.min(o.deadlineMs, this.#limits.recovery.resultMsMax);
      await withDeadline(() => barrier, { clock, ms, signal: o.signal, what: "the change of the network" });
    }
    return await this.#must().directory.addresses(id, o);
  }

  #tell(work: () => Promise<void>): void {
    this.#telling = this.#telling.then(work).catch((error: unknown) => {
      const fields = { reason: error instanceof Error ? error.message : String(error) };
      this.#parts.log.write({ level: "warn", target: "network", msg: "links were not told of the credential", fields });
    });
  }

  #load(): Load {
    return { ...this.#context.load(), idle_shares: this.#idle(), draining: this.#draining || this.#options.visible === false };
  }

  #must(): RealmClient {
    return must(this.#client, "a network is loaded before anything else");
  }
}

/** The protocol has no field for the place of a node: a realm of ours reads it from these tags. */
function tagsOf({ region, latitude, longitude }: Place): string[] {
  return [
    ...region === undefined ? [] : [`region=${region}`],
    ...latitude === undefined || longitude === undefined ? [] : [`geo=${latitude},${longitude}`],
  ];
}
