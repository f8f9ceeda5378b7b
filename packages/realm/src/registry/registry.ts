/**
 * Who is there, and who may see it (spec: node 7.8, 7.10, 7.11).
 *
 * takes what nodes say of themselves; gives candidates, descriptions and news of who came and went; promises that only
 * a node that pings is offered, and that nobody sees whom it may not reach; refuses new entries when it is full; never
 * asks a node.
 */
import { formatNodeId, parseNodeId, type Clock, type StateOp } from "@atoll-run/core";
import {
  mayReach, readMessage, ServiceSpecSchema, writeMessage, type Caller, type Ping, type Principal, type Rule,
  type ServiceSpec,
} from "@atoll-run/core/internal";
import { rulesOf, type NodeRecords } from "../identity/node-record.ts";
import type { RealmLimits } from "../limits.ts";
import type { Background } from "../store/background.ts";
import { fromBase64, put, toBase64, type Records } from "../store/records.ts";
import { isUp, newEntry, type Described, type Entry, type Summary } from "./entry.ts";
import { rank, type RankingQuery } from "./ranking.ts";

export interface PresenceEvent {
  readonly kind: "up" | "down";
  readonly entry: Entry;
  /** Of a down: left, lost, draining, revoked, replaced. */
  readonly reason: string;
}

export interface RegistryParts {
  readonly records: Records;
  readonly nodes: NodeRecords;
  readonly clock: Clock;
  readonly random: () => number;
  readonly background: Background;
  /** Hears who came and went. Contract: never throws. */
  readonly hear: (event: PresenceEvent) => void;
}

/** A peer that asks. */
export type Asker = Extract<Principal, { readonly kind: "peer" }>;

interface EntryRecord {
  readonly spec: Summary | null;
  readonly address: string | null;
  readonly seen_at_ms: number;
}

/** A sign of life is written this seldom: it only says how long a record is kept. */
const SEEN_MS = 3_600_000;

export class Registry {
  readonly #parts: RegistryParts;
  readonly #limits: RealmLimits["registry"];
  readonly #entries = new Map<string, Entry>();
  readonly #byType = new Map<string, Map<string, Entry>>();
  /** Monotonic time of the last ping, in that order. */
  readonly #pinged = new Map<string, number>();
  #timer: Disposable | undefined;
  #closed = false;
  #dropAtMs = 0;

  constructor(parts: RegistryParts, limits: RealmLimits["registry"]) {
    this.#parts = parts;
    this.#limits = limits;
  }

  /** Loads what an earlier process knew; it is stale until its nodes ping. */
  async open(): Promise<void> {
    const { records, nodes, clock } = this.#parts;
    const over: string[] = [];
    for await (const [text, record] of records.all<EntryRecord>("registry")) {
      const node = (await nodes.get(text))?.value;
      const id = parseNodeId(text);
      const isOver = record.seen_at_ms + this.#limits.keepMs <= clock.now();
      if (node === undefined || id === undefined || isOver) {
        over.push(text);
        continue;
      }
      this.#set(newEntry({
        id, text, spec: record.spec ?? undefined, address: record.address ?? undefined, rules: rulesOf(node),
        node_key: node.node_key === null ? undefined : fromBase64(node.node_key),
      }, record.seen_at_ms));
    }
    for (let at = 0; at < over.length; at += 100) {
      await records.commit(over.slice(at, at + 100).flatMap((text) => this.dropOps(text)));
    }
  }

  close(): void {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
  }

  get size(): number {
    return this.#entries.size;
  }

  get up(): number {
    return this.#pinged.size;
  }

  get full(): boolean {
    return this.#entries.size >= this.#limits.entriesMax;
  }

  get(text: string): Entry | undefined {
    return this.#entries.get(text);
  }

  list(): readonly Entry[] {
    return [...this.#entries.values()];
  }

  /** To be committed before `place`. */
  placeOps(described: Described, whole: ServiceSpec | undefined): readonly StateOp[] {
    const spec = whole === undefined ? null : { spec: toBase64(writeMessage(ServiceSpecSchema, whole)) };
    return [this.#toOp(described), put("specs", described.text, spec)];
  }

  #toOp({ text, spec, address }: Described): StateOp {
    const record: EntryRecord = { spec: spec ?? null, address: address ?? null, seen_at_ms: this.#parts.clock.now() };
    return put("registry", text, record);
  }

  /** A node has registered: it is known, and offered from its first ping on. */
  place(described: Described): void {
    this.#lower(described.text, "replaced");
    this.#set(newEntry(described, this.#parts.clock.now()));
  }

  /** The node says how it is. False when it is not registered. */
  ping(text: string, ping: Ping): boolean {
    const before = this.#entries.get(text);
    if (before === undefined) return false;
    const { clock } = this.#parts;
    const now = clock.monotonic();
    const entry: Entry = {
      ...before, pinged_at_ms: now, availability: ping.availability,
      power: finite(ping.powerReserve), backlog: finite(ping.mailboxBacklog),
      sticky: new Set(ping.stickyClientIds.slice(0, this.#limits.stickyMax)), seen_at_ms: clock.now(),
    };
    this.#set(this.#keepSeen(entry));
    this.#pinged.delete(text);
    this.#pinged.set(text, now);
    if (!isUp(before) && isUp(entry)) this.#parts.hear({ kind: "up", entry, reason: "" });
    if (isUp(before) && !isUp(entry)) this.#parts.hear({ kind: "down", entry, reason: "draining" });
    this.#arm();
    return true;
  }

  setRules(text: string, rules: readonly Rule[] | undefined): void {
    const entry = this.#entries.get(text);
    if (entry !== undefined) this.#set({ ...entry, rules });
  }

  /** To be committed before `drop`. */
  dropOps(text: string): readonly StateOp[] {
    return [put("registry", text, null), put("specs", text, null)];
  }

  drop(text: string, reason: string): void {
    this.#lower(text, reason);
    const entry = this.#entries.get(text);
    if (entry === undefined) return;
    this.#entries.delete(text);
    const ofType = this.#byType.get(entry.type);
    ofType?.delete(text);
    if (ofType?.size === 0) this.#byType.delete(entry.type);
  }

  /** Nodes of a type that the asker may reach, best first. */
  candidates(type: string, asker: Asker, query: Omit<RankingQuery, "caller" | "limit"> & { limit: number }): readonly Entry[] {
    const seen = this.#some(this.#byType.get(type)).filter((entry) => this.maySee(entry, asker));
    const limit = query.limit === 0 ? this.#limits.candidatesUsual : Math.min(query.limit, this.#limits.candidatesMax);
    return rank(seen, { ...query, caller: formatNodeId(asker.id), limit }, this.#parts.random);
  }

  /** One entry for each type that the asker may reach. */
  types(manufacturer: string | undefined, asker: Asker, limit: number): readonly Entry[] {
    const found: Entry[] = [];
    let looks = 0;
    for (const type of [...this.#byType.keys()].sort()) {
      if (manufacturer !== undefined && !type.startsWith(`${manufacturer}:`)) continue;
      if (found.length >= Math.min(limit, this.#limits.discoveryMax) || looks >= this.#limits.looksMax) break;
      const one = this.#some(this.#byType.get(type)).find((entry) => isUp(entry) && ++looks > 0 && this.maySee(entry, asker));
      if (one !== undefined) found.push(one);
    }
    return found;
  }

  /** The whole description of a service that the asker may reach. */
  async service(name: string, asker: Asker): Promise<ServiceSpec | undefined> {
    const named = this.list().filter((one) => one.spec?.name === name).slice(0, this.#limits.looksMax);
    const entry = named.find((one) => this.maySee(one, asker));
    const found = entry === undefined ? undefined : await this.#parts.records.get<{ spec: string }>("specs", entry.text);
    const read = found === undefined ? undefined : readMessage(ServiceSpecSchema, fromBase64(found.value.spec));
    return read?.ok ? read.value : undefined;
  }

  maySee(entry: Pick<Entry, "id" | "rules">, asker: Asker): boolean {
    const caller: Caller = { principal: asker, realm: entry.id.realm };
    return mayReach(entry.rules, caller);
  }

  /** All of a type, or a part of a large one, so that no question costs more than its answer is worth. */
  #some(ofType: ReadonlyMap<string, Entry> | undefined): readonly Entry[] {
    const all = [...ofType?.values() ?? []];
    const { looksMax } = this.#limits;
    if (all.length <= looksMax) return all;
    const start = Math.floor(this.#parts.random() * all.length);
    return [...all.slice(start, start + looksMax), ...all.slice(0, Math.max(0, start + looksMax - all.length))];
  }

  #set(entry: Entry): void {
    this.#entries.set(entry.text, entry);
    const ofType = this.#byType.get(entry.type) ?? new Map<string, Entry>();
    this.#byType.set(entry.type, ofType.set(entry.text, entry));
  }

  /** It is not offered any more. */
  #lower(text: string, reason: string): void {
    this.#pinged.delete(text);
    const entry = this.#entries.get(text);
    if (entry?.pinged_at_ms === undefined) return;
    const stale = { ...entry, pinged_at_ms: undefined };
    this.#set(stale);
    if (isUp(entry)) this.#parts.hear({ kind: "down", entry: stale, reason });
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#closed) return;
    const [first] = this.#pinged.values();
    if (first === undefined) return;
    const inMs = Math.max(0, first + this.#limits.pingMsMax - this.#parts.clock.monotonic());
    this.#timer = this.#parts.clock.after(inMs, () => {
      this.#timer = undefined;
      this.#expire();
      this.#arm();
    });
  }

  #expire(): void {
    const before = this.#parts.clock.monotonic() - this.#limits.pingMsMax;
    for (const [text, atMs] of this.#pinged) {
      if (atMs > before) break;
      this.#lower(text, "lost");
    }
    this.#dropOld();
  }

  #dropOld(): void {
    const { clock, background, records } = this.#parts;
    // It looks at all of them, so not each time that one of them is lost.
    if (clock.monotonic() < this.#dropAtMs) return;
    this.#dropAtMs = clock.monotonic() + this.#limits.pingMsMax / 2;
    const before = clock.now() - this.#limits.keepMs;
    const old = this.list().filter((entry) => entry.pinged_at_ms === undefined && entry.seen_at_ms <= before)
      .slice(0, 100);
    for (const { text } of old) this.drop(text, "lost");
    if (old.length > 0) {
      background.run("forgetting old entries", async () => {
        await records.commit(old.flatMap(({ text }) => this.dropOps(text)));
      });
    }
  }

  #keepSeen(entry: Entry): Entry {
    if (entry.seen_at_ms - entry.kept_at_ms < SEEN_MS) return entry;
    const { background, records } = this.#parts;
    background.run("noting a sign of life", async () => {
      if (this.#entries.has(entry.text)) await records.commit([this.#toOp(entry)]);
    });
    return { ...entry, kept_at_ms: entry.seen_at_ms };
  }
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}
