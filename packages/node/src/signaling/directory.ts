/**
 * Who has a type and where it is (spec: node 5.14, 5.16).
 *
 * takes types and ids; gives candidates, addresses and presence; promises to ask the realm once for what many want, and
 * to forget what was told gone or did not answer; refuses with what the realm refuses; never offers an address that is
 * older than 5 minutes.
 */
import {
  formatNodeId, formatType, nodeError, withDeadline, type Candidate, type Clock, type DiscoverAsk, type NodeId,
} from "@atoll-run/core";
import { fromActrId } from "@atoll-run/core/internal";
import type { LimitsOf } from "../limits.ts";
import type { AddressBook, PeerAddress } from "../transport/peers.ts";
import { candidatesAsk, readType, toFound, type Found, type Wishes } from "./candidates.ts";
import { Presence, type PresenceEvent } from "./presence.ts";
import type { Told } from "./questions.ts";
import type { SignalingClient } from "./signaling-client.ts";

export interface DirectoryParts {
  readonly signaling: Pick<SignalingClient, "ask" | "hear">;
  readonly clock: Clock;
}

export interface DirectoryOptions extends Wishes {
  /** Candidates of one answer; default 8. */
  readonly candidates?: number;
  readonly cacheMs?: number;
  /** Fingerprints of the lock file by type: what is not in it is no dependency of this node. */
  readonly locked?: Readonly<Record<string, string>>;
}

export interface Directory extends AddressBook, AsyncDisposable {
  /** The best first. Throws `node.unavailable`, `node.dependency_not_found`, `node.invalid_argument`. */
  candidates(type: string, o?: DiscoverAsk): Promise<readonly Candidate[]>;
  failed(type: string, id: string): void;
  failed(id: NodeId, address: string): void;
  /** Who of that type comes and goes, from now on; first those that are there. */
  watch(type: string, o?: { readonly signal?: AbortSignal | undefined }): AsyncIterableIterator<PresenceEvent, undefined> & AsyncDisposable;
  stats(): { readonly types: number; readonly nodes: number; readonly questions: number; readonly watches: number };
}

export function createDirectory(parts: DirectoryParts, options: DirectoryOptions, limits: LimitsOf<"discovery">): Directory {
  return new RealmDirectory(parts, options, limits);
}

interface Cached {
  /** How many were asked for. */
  readonly asked: number;
  readonly candidates: readonly Candidate[];
  /** Monotonic milliseconds. */
  readonly until_ms: number;
}

interface Known {
  readonly addresses: readonly PeerAddress[];
  readonly until_ms: number;
}

class RealmDirectory implements Directory {
  readonly #parts: DirectoryParts;
  readonly #options: DirectoryOptions;
  readonly #limits: LimitsOf<"discovery">;
  readonly #types = new Map<string, Cached>();
  readonly #nodes = new Map<string, Known>();
  readonly #flights = new Map<string, Promise<readonly Found[]>>();
  readonly #presence: Presence;
  readonly #hearing: Disposable;
  #questions = 0;

  constructor(parts: DirectoryParts, options: DirectoryOptions, limits: LimitsOf<"discovery">) {
    this.#parts = parts;
    this.#options = options;
    this.#limits = limits;
    this.#presence = new Presence({
      clock: parts.clock, ask: (payload) => parts.signaling.ask(payload),
      list: async (type) => (await this.#ask(type, limits.addressesOfTypeMax, undefined)).map(({ candidate }) => candidate.id),
    }, limits);
    this.#hearing = parts.signaling.hear({
      connected: () => this.#presence.connected(), news: (told) => this.#news(told),
    });
  }

  async candidates(type: string, o: DiscoverAsk = {}): Promise<readonly Candidate[]> {
    this.#checkLock(type);
    const limit = Math.min(o.limit ?? this.#limits.candidatesMax, this.#limits.addressesOfTypeMax);
    const wanted = Math.max(limit, this.#options.candidates ?? this.#limits.candidatesMax);
    const cached = this.#types.get(type);
    const isFresh = cached !== undefined && cached.until_ms > this.#parts.clock.monotonic();
    if (isFresh && limit <= cached.asked) return cached.candidates.slice(0, limit);
    const found = await this.#ask(type, wanted, o);
    return found.slice(0, limit).map(({ candidate }) => candidate);
  }

  async addresses(
    id: NodeId, o: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<readonly PeerAddress[]> {
    const known = this.#address(formatNodeId(id));
    if (known !== undefined) return known;
    // The realm is asked by type; whom it does not offer (draining, or not for us) has no address.
    await this.#ask(formatType(id.type), this.#limits.addressesOfTypeMax, o);
    return this.#address(formatNodeId(id)) ?? [];
  }

  /** Of a node (its address did not answer), or of a type (a candidate could not be reached). */
  failed(what: NodeId | string, detail: string): void {
    if (typeof what === "string") {
      this.#types.delete(what);
      this.#nodes.delete(detail);
      this.#presence.doubt(what);
      return;
    }
    const text = formatNodeId(what);
    const known = this.#nodes.get(text);
    const type = formatType(what.type);
    this.#types.delete(type);
    this.#presence.doubt(type);
    if (known === undefined) return;
    const addresses = known.addresses.filter(({ address }) => address !== detail);
    if (addresses.length === 0) this.#nodes.delete(text);
    else this.#nodes.set(text, { ...known, addresses });
  }

  watch(type: string, o: { readonly signal?: AbortSignal | undefined } = {}): ReturnType<Directory["watch"]> {
    readType(type);
    return this.#presence.watch(type, o.signal);
  }

  stats(): ReturnType<Directory["stats"]> {
    return { types: this.#types.size, nodes: this.#nodes.size, questions: this.#questions, watches: this.#presence.watches };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hearing[Symbol.dispose]();
    await this.#presence.close();
    this.#types.clear();
    this.#nodes.clear();
  }

  #wishes(type: string): Wishes {
    const fingerprint = this.#options.locked?.[type];
    return fingerprint === undefined ? this.#options : { ...this.#options, fingerprint };
  }

  #checkLock(type: string): void {
    const { locked } = this.#options;
    if (locked === undefined || Object.hasOwn(locked, type)) return;
    throw nodeError("node.dependency_not_found", `${type} is not in the lock file`, {
      facts: { service_name: type }, hint: "Add it to the dependencies of this node, or leave the lock out.",
    });
  }

  #address(text: string): readonly PeerAddress[] | undefined {
    const known = this.#nodes.get(text);
    return known !== undefined && known.until_ms > this.#parts.clock.monotonic() ? known.addresses : undefined;
  }

  /** One question for all that want the same at one time. */
  async #ask(type: string, count: number, o: DiscoverAsk | undefined): Promise<readonly Found[]> {
    const key = `${type} ${count}`;
    const flight = this.#flights.get(key) ?? this.#question(key, type, count);
    const { clock } = this.#parts;
    const ms = o?.deadlineMs ?? Infinity;
    return withDeadline(() => flight, { clock, ms, signal: o?.signal, what: `discovery of ${type}` }).catch((error: unknown) => {
      if ((error as { readonly code?: unknown }).code !== "core.timed_out") throw error;
      throw nodeError("node.timed_out", `discovery of ${type} took longer than ${ms} ms`, { cause: error });
    });
  }

  #question(key: string, type: string, count: number): Promise<readonly Found[]> {
    this.#questions++;
    const ask = async (): Promise<readonly Found[]> => {
      const told = await this.#parts.signaling.ask(candidatesAsk(readType(type), count, this.#wishes(type)));
      const found = toFound(told);
      this.#remember(type, count, found);
      return found;
    };
    const flight = ask().finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    // Whoever waits hears it; when all have gone, nobody has to.
    flight.catch(() => undefined);
    return flight;
  }

  #remember(type: string, asked: number, found: readonly Found[]): void {
    const now = this.#parts.clock.monotonic();
    const cacheMs = found.length === 0 ? this.#limits.cacheEmptyMs : this.#options.cacheMs ?? this.#limits.cacheMs;
    const candidates = found.map(({ candidate }) => candidate);
    keep(this.#types, type, { asked, candidates, until_ms: now + cacheMs }, this.#limits.typesMax);
    for (const { id, ws_addresses, node_key, ttl_ms } of found) {
      const addresses = ws_addresses.map((address): PeerAddress =>
        ({ wire: "websocket", address, ...node_key === undefined ? {} : { node_key } }));
      const until_ms = now + Math.min(ttl_ms ?? Infinity, this.#limits.addressMs);
      keep(this.#nodes, formatNodeId(id), { addresses, until_ms }, this.#limits.nodesMax);
    }
  }

  #news(told: Told): void {
    if (told.case !== "actrUpEvent" && told.case !== "actrDownEvent") return;
    const { actorId } = told.value;
    const id = actorId === undefined ? undefined : fromActrId(actorId);
    if (id === undefined) return;
    const type = formatType(id.type);
    const text = formatNodeId(id);
    this.#types.delete(type);
    // It may have come back elsewhere.
    this.#nodes.delete(text);
    this.#presence.heard(type, text, told.case === "actrUpEvent" ? "up" : "down");
  }
}

function keep<T>(map: Map<string, T>, key: string, value: T, max: number): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= max) break;
    map.delete(oldest);
  }
}
