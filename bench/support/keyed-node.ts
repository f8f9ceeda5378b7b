/**
 * Whole nodes for benches that need no realm: one key signs the credentials of all, and every process can make them.
 * Everything but registration and signaling is what users run.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { formatNodeId, type Clock, type NodeId, type StateStore, type Wire, type Workload } from "@atoll-run/core";
import type { Network, NetworkContext, NodeHandle } from "@atoll-run/node";
import type { LimitsOf, Peers, Session, Verifier, WebSocketWire } from "@atoll-run/node/internal";
import { coreInternal, node as internal, nodeDoor, testkit } from "./built.ts";

export const CLOCK: Clock = {
  now: () => Date.now(), monotonic: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, Math.min(ms, 2 ** 31 - 1));
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
const KEY_ID = 1;
const HOUR_MS = 3_600_000;
/** Its rate is a limit of service, not of speed; a bench measures the latter. */
const UNLIMITED: LimitsOf<"wire"> = {
  ...internal.NODE_LIMITS.wire, connectionsMax: 100_000, connectionsPerSecond: 1e6, connectionsBurst: 1e6,
  peerMessagesPerSecond: 1e9, peerMessagesBurst: 1e9,
};
const signer = await coreInternal.toSigningKey(new Uint8Array(32).fill(1));

export function bytes(count: number): Uint8Array {
  return new Uint8Array(randomBytes(count));
}

export function verifier(): Verifier {
  return internal.createVerifier({
    clock: CLOCK, fetchKey: async () => ({ publicKey: signer.publicKey }),
  }, internal.NODE_LIMITS.identity);
}

/** Of the node with that number; the same key in every process. */
export async function sessionOf(serial: number): Promise<Session> {
  const id: NodeId = { realm: 1, serial: BigInt(serial), type: { manufacturer: "acme", name: "bench", version: "1.0.0" } };
  const key = await coreInternal.toSigningKey(new Uint8Array(32).map((_, at) => (serial >> at * 8) & 0xff));
  const expires_at_ms = Date.now() + HOUR_MS;
  const claims = coreInternal.writeMessage(coreInternal.IdentityClaimsSchema, {
    realmId: 1, actorId: formatNodeId(id), expiresAt: BigInt(Math.floor(expires_at_ms / 1_000)), epoch: 1n, nodeKey: key.publicKey,
  });
  const credential = coreInternal.create(coreInternal.AIdCredentialSchema, { keyId: KEY_ID, claims, signature: await signer.sign(claims) });
  const credential_bytes = coreInternal.writeMessage(coreInternal.AIdCredentialSchema, credential);
  return { id, credential, credential_bytes, key, expires_at_ms, generation: 1 };
}

export interface KeyedNode extends AsyncDisposable {
  readonly handle: NodeHandle;
  readonly peers: Peers;
  /** Where others dial it. */
  readonly address: string;
}

export interface KeyedNodeOptions {
  readonly serial: number;
  readonly workload: Workload;
  readonly store?: StateStore;
  /** By the text of an id. */
  readonly addresses?: Readonly<Record<string, string>>;
}

/** Runs and listens on the loopback interface. */
export async function openKeyedNode({ serial, workload, store, addresses = {} }: KeyedNodeOptions): Promise<KeyedNode> {
  const session = await sessionOf(serial);
  let network: KeyedNetwork | undefined;
  const node = await nodeDoor.createNode({
    clock: CLOCK, ids: { uuid4: randomUUID, uuid7: randomUUID }, log: { write: () => undefined }, random: Math.random, bytes,
    store: store ?? testkit.memoryState(), network: (context) => network = new KeyedNetwork(context, { session, addresses }),
  }, {
    name: `bench-${serial}`, type: session.id.type, durability: store === undefined ? "memory" : "full",
    rules: [{ effect: "allow", from: { type: "*:*:*", realm: "any" }, actions: ["*"] }],
  }).attach(workload);
  const handle = await node.start();
  if (network === undefined) throw new Error("a node that has started has a network");
  const { context } = network;
  return {
    handle, address: network.health().addresses[0] ?? "", get peers() {
      return context.peers();
    },
    [Symbol.asyncDispose]: () => handle[Symbol.asyncDispose](),
  };
}

interface KeyedParts {
  readonly session: Session;
  readonly addresses: Readonly<Record<string, string>>;
}

class KeyedNetwork implements Network {
  readonly context: NetworkContext;
  readonly #parts: KeyedParts;
  #wire: WebSocketWire | undefined;
  readonly discovery = undefined;
  readonly book: Network["book"] = {
    addresses: async (id) => {
      const address = this.#parts.addresses[formatNodeId(id)];
      return address === undefined ? [] : [{ wire: "websocket", address }];
    },
    failed: () => undefined,
  };

  constructor(context: NetworkContext, parts: KeyedParts) {
    this.context = context;
    this.#parts = parts;
  }

  async listen(): Promise<readonly Wire[]> {
    this.#wire = await internal.openWebSocketWire({
      clock: CLOCK, bytes, verifier: verifier(), events: this.context.events,
      session: { current: () => this.#parts.session, onRenewed: () => ({ [Symbol.dispose]: () => undefined }) },
    }, { listen: { host: "127.0.0.1", port: 0 } }, UNLIMITED);
    return [this.#wire];
  }

  async register(): Promise<Session> {
    return this.#parts.session;
  }

  session(): Session {
    return this.#parts.session;
  }

  open(): void {
    this.#wire?.open();
  }

  async drain(): Promise<boolean> {
    this.#wire?.shut();
    return true;
  }

  async unregister(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    await this.#wire?.[Symbol.asyncDispose]();
  }

  health(): ReturnType<Network["health"]> {
    return { signaling: "up", identity: "good", addresses: this.#wire?.addresses ?? [] };
  }

  stats(): Readonly<Record<string, number>> {
    return {};
  }

  async load(): Promise<void> {}
  async connect(): Promise<void> {}
  async beat(): Promise<void> {}
  arm(): void {}
  onLost(): void {}
}
