/**
 * A node's side of its realm, put together (spec: node 3.1 steps 7 to 10 and 13, 3.3 steps 1 and 7).
 *
 * takes the way to a realm and who the node is; gives its identity, signaling, discovery and the keys of the realm;
 * promises that each step can be taken back and that nothing runs after `close`; refuses steps out of order; never
 * decides what a lost realm means for the node.
 */
import { nodeError, type Clock, type Log, type StateStore } from "@atoll-run/core";
import { toActrId, type ActrRelay } from "@atoll-run/core/internal";
import type { Tracer } from "../observe/tracer.ts";
import type { Report } from "../hooks/report.ts";
import type { Grant } from "../identity/grant.ts";
import type { RealmDoor } from "../identity/realm-door.ts";
import { createRegistration, type Registrant } from "../identity/registration.ts";
import { createSessionKeeper, type SessionKeeper } from "../identity/session-keeper.ts";
import { createSessionStore } from "../identity/session-store.ts";
import type { NodeKey } from "../identity/session.ts";
import { createVerifier, type Verifier } from "../identity/verifier.ts";
import type { LimitsOf } from "../limits.ts";
import type { Load } from "../recovery/heartbeat.ts";
import { createDirectory, type Directory, type DirectoryOptions } from "./directory.ts";
import { fetchRealmKey } from "./realm-key.ts";
import { createSignaling, type SignalingClient } from "./signaling-client.ts";

export interface RealmClientParts {
  readonly door: RealmDoor;
  /** Undefined: nobody takes spans. */
  readonly tracer?: Tracer | undefined;
  readonly store: StateStore;
  /** Local name of the node: its scope in the store. */
  readonly scope: string;
  /** As `attach` gave it. */
  readonly epoch: number | null;
  readonly key: NodeKey | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly report: Report;
  /** 0 ≤ x < 1. */
  random(): number;
  bytes(count: number): Uint8Array;
  /** An id was revoked: its links have to end. */
  revoked?(id: string, epoch: bigint): void;
  /** A relayed message of a peer that connects; only for wires that need it. */
  relayed?(relay: ActrRelay): void;
}

export interface RealmClientOptions {
  readonly who: Registrant;
  readonly injected?: Grant;
  readonly on_lost?: "stop" | "restart";
  readonly discovery?: DirectoryOptions;
}

export interface RealmClientLimits {
  readonly identity: LimitsOf<"identity">;
  readonly credential: LimitsOf<"credential">;
  readonly signaling: LimitsOf<"signaling">;
  readonly discovery: LimitsOf<"discovery">;
}

export interface RealmClient extends AsyncDisposable {
  readonly session: SessionKeeper;
  readonly verifier: Verifier;
  readonly signaling: SignalingClient;
  /** Discovery for the gate, addresses for the links. */
  readonly directory: Directory;
  /** Steps 7 and 8. */
  register(o?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** Step 9: resolves with the first connection; tries until the signal aborts, and then throws why. */
  connect(o?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** Step 10. */
  arm(): void;
  /** Step 13: resolves when the realm offers this node, or has not answered the first ping. */
  beat(load: () => Load): Promise<boolean>;
  /** Tells the realm the load of now: `draining` ends the offer. False when it did not answer. */
  announce(o?: { readonly signal?: AbortSignal | undefined }): Promise<boolean>;
  /** Leaves the realm; false when it did not acknowledge it. Once. */
  leave(o?: { readonly signal?: AbortSignal | undefined }): Promise<boolean>;
  stats(): Readonly<Record<string, number | boolean>>;
}

export function createRealmClient(
  parts: RealmClientParts, options: RealmClientOptions, limits: RealmClientLimits,
): RealmClient {
  const { door, key, clock, log, report, bytes, random, store, scope, epoch, tracer } = parts;
  const registration = createRegistration({ door, clock, key, bytes }, limits.identity);
  const verifier = createVerifier(
    { clock, fetchKey: (keyId, o) => fetchRealmKey(keyId, { signaling, door, signal: o.signal }) }, limits.identity,
  );
  const sessions = createSessionStore({ store, scope, epoch, clock });
  const session = createSessionKeeper({ registration, sessions, verifier, key, clock, log, report, random, tracer }, {
    who: options.who, on_lost: options.on_lost ?? "stop",
    ...options.injected === undefined ? {} : { injected: options.injected },
  }, limits);
  const signaling: SignalingClient = createSignaling({ door, session, verifier, clock, log, report, random, bytes }, limits.signaling);
  const directory = createDirectory({ signaling, clock }, options.discovery ?? {}, limits.discovery);
  signaling.hear({
    pong: ({ revoked }) => {
      for (const one of revoked) {
        verifier.revoke(one.actorId, one.epoch);
        parts.revoked?.(one.actorId, one.epoch);
      }
    },
    ...parts.relayed === undefined ? {} : { relay: parts.relayed },
  });
  return toClient({ session, verifier, signaling, directory, log });
}

type Rooms = Pick<RealmClient, "session" | "verifier" | "signaling" | "directory"> & { readonly log: Log };

function toClient({ session, verifier, signaling, directory, log }: Rooms): RealmClient {
  let leaving: Promise<boolean> | undefined;
  return {
    session, verifier, signaling, directory,
    register: async (o) => void await session.obtain(o),
    connect: (o = {}) => signaling.start(o),
    arm: () => session.arm(),
    beat: (load) => signaling.beat(load),
    announce: (o) => signaling.ping(o),
    leave: (o = {}) => (leaving ??= leave({ session, signaling, log }, o)),
    stats: () => ({
      ...prefixed("session_", session.stats()), ...prefixed("keys_", verifier.stats()),
      ...prefixed("signaling_", signaling.stats()), ...prefixed("discovery_", directory.stats()),
    }),
    [Symbol.asyncDispose]: async () => {
      // First what others wait for: their questions end with it.
      verifier.close();
      await signaling[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
      await session[Symbol.asyncDispose]();
    },
  };
}

/** On signaling, where who we are is proved already; else to the identity service. */
async function leave(
  { session, signaling, log }: Pick<Rooms, "session" | "signaling" | "log">, o: { readonly signal?: AbortSignal | undefined },
): Promise<boolean> {
  try {
    const { id } = session.current();
    if (!signaling.up) return await session.unregister(o);
    const value = { actrId: toActrId(id), reason: "the node closes" };
    const told = await signaling.ask({ case: "unregisterRequest", value }, o);
    if (told.case === "unregisterResponse" && told.value.result.case === "success") {
      signaling.pause("the node has left");
      return true;
    }
    throw nodeError("node.unavailable", "the realm did not acknowledge it");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.write({ level: "warn", target: "identity", msg: "the node could not leave the realm", fields: { reason } });
    return false;
  }
}

function prefixed<T extends object>(prefix: string, stats: T): Record<string, number | boolean> {
  return Object.fromEntries(Object.entries(stats).map(([name, value]) => [`${prefix}${name}`, value as number | boolean]));
}
