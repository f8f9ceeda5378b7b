/** What a node is made of, and what it is told to be. */
import type { ActorType, Clock, Fault, Ids, Link, Log, NodeId, StateStore, Wire, WireEvents } from "@atoll-run/core";
import type { Rule } from "@atoll-run/core/internal";
import type { Discovery } from "../gate/outbound-parts.ts";
import type { Report } from "../hooks/report.ts";
import type { Session } from "../identity/session.ts";
import type { Load } from "../recovery/heartbeat.ts";
import type { NetworkInput } from "../recovery/network-input.ts";
import type { ConfiguredPolicies } from "../mailbox/policy.ts";
import type { ProcessRoom } from "../mailbox/room.ts";
import type { Tracer } from "../observe/tracer.ts";
import type { Directory } from "../signaling/directory.ts";
import type { AddressBook, Peers } from "../transport/peers.ts";
import type { NodeLimitsSet } from "./node-limits.ts";
import type { StepWatch } from "./start-scope.ts";

export interface NodeParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** So many random bytes, fit for keys. */
  readonly bytes: (count: number) => Uint8Array;
  /** Open, and its opener's: a node detaches from it and leaves it open. */
  readonly store: StateStore;
  /** Without it the node is local: it has no id, no key and no peers. */
  readonly network?: (o: NetworkContext) => Network;
  /** Another node of this process by its name. */
  readonly named?: (name: string) => NodeId | undefined;
  /** Shared by the nodes of a process: their mailboxes fill one room. */
  readonly room?: ProcessRoom;
  /** Free bytes where the store is. */
  readonly freeBytes?: () => Promise<number>;
  readonly watch?: StepWatch;
  /** Takes spans; absent: the SDK of OpenTelemetry that the program has registered, if it has. */
  readonly tracer?: Tracer;
}

/** What a node gives to its network. */
export interface NetworkContext {
  readonly settings: NodeSettings;
  readonly report: Report;
  /** As `attach` gave it; known from step 2 on. */
  readonly epoch: () => number;
  /** For the wires. */
  readonly events: WireEvents;
  readonly peers: () => Peers;
  /** Undefined: nobody takes spans. */
  readonly tracer: Tracer | undefined;
  /** How full the mailbox is; for the heartbeat. */
  readonly load: () => Pick<Load, "queued" | "running" | "hard_max">;
}

/**
 * Everything between a node and others: keys, wires, registration, signaling, heartbeat. Each method is a step of the
 * start or of the end; what it did not begin it can close all the same, more than once.
 */
export interface Network {
  /** Key and stored identity (2). Throws `node.permission_denied` when others can read the key. */
  load(o: Call): Promise<void>;
  /** Binds listeners, which answer 503 (5). Throws `node.bind_failed`. */
  listen(o: Call): Promise<readonly Wire[]>;
  /** Registers (6, 7, 8). Throws `node.permission_denied`, `node.overloaded`, `node.unavailable`, `node.decode_failure`. */
  register(o: Call): Promise<Session>;
  /** The session that counts now. */
  session(): Session;
  /** Signaling (9), until it stands or the signal aborts. */
  connect(o: Call): Promise<void>;
  readonly book: AddressBook;
  readonly discovery: Discovery | undefined;
  readonly watch?: Directory["watch"];
  /** What the host knows of the machine's network (5.9). */
  readonly input?: NetworkInput;
  /** A peer shows a renewed credential on that link; throws to refuse it. */
  refresh?(link: Link, payload: Uint8Array): Promise<void>;
  /** Begins to renew (10). */
  arm(): void;
  /** Listeners accept (12). */
  open(): void;
  /** Heartbeat and watch of the machine's network (13): from its first ping on the node is offered to others. */
  beat(): Promise<void>;
  /** No new connections; tells the realm that the node is not to be offered. False: it did not hear. */
  drain(o: Call): Promise<boolean>;
  /** Signs off. False: the realm did not acknowledge. */
  unregister(o: Call): Promise<boolean>;
  close(o: Call): Promise<void>;
  health(): NetworkHealth;
  /** The identity is lost and will not come back: the node has to end. */
  onLost(hear: (fault: Fault) => void): void;
  stats(): Readonly<Record<string, number>>;
}

export interface Call {
  readonly signal: AbortSignal;
}

export interface NetworkHealth {
  readonly signaling: "up" | "down" | "none";
  /** Since when it is down, on the monotonic clock. */
  readonly signaling_down_since_ms?: number;
  /** `good`; `grace`: no new connections go out; `expired`, `lost`. */
  readonly identity: "good" | "grace" | "expired" | "lost";
  /** Where others can dial it. */
  readonly addresses: readonly string[];
}

/** `full`: every commit is on the disk; `normal`: the last may be lost with the power; `memory`: nothing is kept. */
export type Durability = "full" | "normal" | "memory";

export interface HealthPlace {
  readonly host: string;
  /** 0 = any that is free. */
  readonly port: number;
  /** `/metrics` too; default true. */
  readonly metrics?: boolean;
}

export interface NodeSettings {
  /** Local name, 1-64 of `A-Z a-z 0-9 . _ -`: rows and documents stand under it. */
  readonly name: string;
  readonly type: ActorType;
  /** Says what a commit survives, and where the data lies; told at start and by `health`. */
  readonly durability: Durability;
  readonly dir?: string;
  /** Who may reach it; none: nobody but the host of this node. */
  readonly rules?: readonly Rule[];
  /** By route, `*` for all others. */
  readonly routes?: ConfiguredPolicies;
  readonly limits?: NodeLimitsSet;
  /** Who builds a workload that has died: the node (default), or its host by `rebuild` of the handle. */
  readonly restart?: "node" | "host";
  /** Where `/healthz`, `/readyz` and `/metrics` are served; absent: nowhere. */
  readonly health?: HealthPlace;
}
