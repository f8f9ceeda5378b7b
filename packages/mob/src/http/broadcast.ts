/**
 * What is new in the ledger, for many readers at once (spec: mob 11.7).
 *
 * takes seats, each with its topics and its place; gives those of equal topics one chunk of bytes, at most every 25 ms; promises
 * a seat that is taken every entry of its topics after its place, once and in order; refuses a seat to whoever is behind: he
 * reads the ledger at his own pace; never waits for a reader: one that cannot take a chunk loses its seat, and nothing else; nor tells
 * anything by rules that count no more: all lose their seats then.
 */
import type { Clock } from "@atoll-run/core";
import type { Entry, Gap, Live } from "../ledger/entry.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { entryEvent, liveEvent } from "./events.ts";
import type { Hearing } from "./hearing.ts";
import type { Rights } from "./rights.ts";
import { topicsOf, topicsOfLive } from "./hearing.ts";

export interface BroadcastParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly rights: Pick<Rights, "version">;
}

export interface Seated {
  /** False: it cannot take that now; its seat is free, and its place is as before. Must not throw. */
  hear(chunk: Uint8Array): boolean;
  /** The seat is gone. */
  left(): void;
}

const CHUNK_MS = 25;
/** More than that is not waited for. */
const CHUNK_BYTES = 32_768;

interface Piece {
  /** Of a live signal: the entry that it came after. */
  readonly seq: number;
  readonly text: string;
  readonly bytes: number;
  readonly live: boolean;
}

interface Told {
  readonly pieces: readonly Piece[];
  /** All of them. */
  readonly chunk: Uint8Array;
  /** Entries after that, up to this one. */
  readonly from: number;
  readonly upTo: number;
}

/** Seats that hear the same. */
class Group {
  readonly hearing: Hearing;
  readonly seats = new Set<Seat>();
  pieces: Piece[] = [];
  bytes = 0;
  /** Everything up to there was told. */
  told: number;
  toldAtMs = -Infinity;
  timer: Disposable | undefined;

  constructor(hearing: Hearing, at: number) {
    this.hearing = hearing;
    this.told = at;
  }
}

export class Seat implements Disposable {
  /** What its reader has: every entry up to there. */
  at: number;
  /** Live signals that were told while it was free. */
  missed = 0;
  readonly #group: Group;
  readonly #gone: () => void;
  #reader: Seated | undefined;

  constructor(group: Group, at: number, gone: () => void) {
    this.#group = group;
    this.at = at;
    this.#gone = gone;
    group.seats.add(this);
  }

  /** False: entries after its place have been told already, read on. */
  take(reader: Seated): boolean {
    if (this.at < this.#group.told) return false;
    this.#reader = reader;
    return true;
  }

  free(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.left();
  }

  hear({ pieces, chunk, from, upTo }: Told): void {
    if (this.#reader === undefined) return this.#miss(pieces);
    // It may have read on by itself before it was seated.
    const own = this.at <= from ? chunk : join(pieces.filter(({ seq, live }) => (live ? seq >= this.at : seq > this.at)));
    if (own.length === 0 || this.#reader.hear(own)) this.at = Math.max(this.at, upTo);
    else {
      this.#miss(pieces);
      this.free();
    }
  }

  #miss(pieces: readonly Piece[]): void {
    for (const { live } of pieces) if (live) this.missed += 1;
  }

  [Symbol.dispose](): void {
    this.#reader = undefined;
    this.#group.seats.delete(this);
    this.#gone();
  }
}

export class Broadcast {
  readonly #parts: BroadcastParts;
  readonly #groups = new Map<string, Group>();
  readonly #byTopic = new Map<string, Set<Group>>();
  #reading: AbortController | undefined;
  /** Every entry up to there was handed to its groups. */
  #at = 0;
  #version: number;

  constructor(parts: BroadcastParts) {
    this.#parts = parts;
    this.#version = parts.rights.version;
  }

  /** Where other rules count by now, everybody begins anew; before each entry this is asked by itself. */
  look(): void {
    const { version } = this.#parts.rights;
    if (version === this.#version) return;
    this.#version = version;
    for (const group of this.#groups.values()) {
      // That was told while it was theirs.
      this.#flush(group);
      for (const seat of group.seats) seat.free();
    }
  }

  /** A free seat. */
  join(hearing: Hearing, at: number): Seat {
    this.#read();
    const { key } = hearing;
    const group = this.#groups.get(key) ?? this.#addGroup(hearing);
    const seat: Seat = new Seat(group, at, () => {
      if (group.seats.size === 0 && this.#groups.get(key) === group) this.#dropGroup(key, group);
    });
    return seat;
  }

  #addGroup(hearing: Hearing): Group {
    const group = new Group(hearing, this.#at);
    this.#groups.set(hearing.key, group);
    for (const topic of hearing.topics) this.#byTopic.set(topic, (this.#byTopic.get(topic) ?? new Set()).add(group));
    return group;
  }

  #dropGroup(key: string, group: Group): void {
    group.timer?.[Symbol.dispose]();
    this.#groups.delete(key);
    for (const topic of group.hearing.topics) {
      const groups = this.#byTopic.get(topic);
      if (groups?.delete(group) === true && groups.size === 0) this.#byTopic.delete(topic);
    }
    if (this.#groups.size > 0) return;
    this.#reading?.abort();
    this.#reading = undefined;
  }

  /** One reader for all, while there is anybody. */
  #read(): void {
    if (this.#reading !== undefined) return;
    const reading = this.#reading = new AbortController();
    const { ledger } = this.#parts;
    this.#at = ledger.head;
    void this.#hand(ledger.subscribe({}, { signal: reading.signal }), reading);
  }

  async #hand(entries: AsyncIterable<Entry | Gap | Live>, reading: AbortController): Promise<void> {
    try {
      for await (const one of entries) {
        if (reading.signal.aborted) return;
        this.look();
        if ("live" in one) this.#tell(topicsOfLive(one), { seq: this.#at, live: true, text: () => liveEvent(one), hears: ({ live }) => live(one) });
        else if ("gap" in one) return this.#over(reading);
        else {
          this.#at = one.seq;
          this.#tell(topicsOf(one), { seq: one.seq, live: false, text: () => entryEvent(one, this.#parts.ledger), hears: ({ entry }) => entry(one) });
        }
      }
    } catch {
      // The store is away: each reader finds out by itself, and goes on from its own place.
      this.#over(reading);
    }
  }

  /** Everybody reads on alone until he is at the head, from where all begin anew. */
  #over(reading: AbortController): void {
    if (this.#reading !== reading) return;
    this.#reading = undefined;
    this.#read();
    for (const group of this.#groups.values()) {
      group.timer?.[Symbol.dispose]();
      group.timer = undefined;
      group.pieces = [];
      group.bytes = 0;
      group.told = this.#at;
      for (const seat of group.seats) seat.free();
    }
  }

  /** Written once, however many hear it. */
  #tell(topics: readonly string[], { seq, live, text, hears }: {
    readonly seq: number; readonly live: boolean; readonly text: () => string; readonly hears: (hearing: Hearing) => boolean;
  }): void {
    let piece: Piece | undefined;
    const told = new Set<Group>();
    for (const topic of topics) {
      for (const group of this.#byTopic.get(topic) ?? []) {
        if (told.has(group)) continue;
        told.add(group);
        if (!hears(group.hearing)) continue;
        piece ??= toPiece({ seq, live, text: text() });
        this.#add(group, piece);
      }
    }
  }

  #add(group: Group, piece: Piece): void {
    group.pieces.push(piece);
    group.bytes += piece.bytes;
    if (group.bytes >= CHUNK_BYTES) return this.#flush(group);
    const { clock } = this.#parts;
    group.timer ??= clock.after(Math.max(0, group.toldAtMs + CHUNK_MS - clock.monotonic()), () => this.#flush(group));
  }

  #flush(group: Group): void {
    group.timer?.[Symbol.dispose]();
    group.timer = undefined;
    const { pieces, told: from } = group;
    group.pieces = [];
    group.bytes = 0;
    group.told = this.#at;
    group.toldAtMs = this.#parts.clock.monotonic();
    const chunk = join(pieces);
    for (const seat of [...group.seats]) seat.hear({ pieces, chunk, from, upTo: this.#at });
  }
}

function toPiece(piece: Omit<Piece, "bytes">): Piece {
  return { ...piece, bytes: Buffer.byteLength(piece.text) };
}

function join(pieces: readonly Piece[]): Uint8Array {
  return Buffer.from(pieces.map(({ text }) => text).join(""));
}
