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
import { entryEvent, figuresEvent, liveEvent, rowEvent } from "./events.ts";
import { METRICS, ROSTER, topicsOf, topicsOfLive, type Hearing } from "./hearing.ts";
import type { Figures } from "./metrics.ts";
import type { Rights } from "./rights.ts";
import { Group, join, RowPiece, Seat, type Piece } from "./seat.ts";

export interface BroadcastParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly rights: Pick<Rights, "version">;
  /** How the mob is. */
  readonly figures: () => Figures;
}

const CHUNK_MS = 25;
/** More than that is not waited for. */
const CHUNK_BYTES = 32_768;
/** Between figures: each costs a look at all members. */
const FIGURES_MS = 1_000;

export class Broadcast {
  readonly #parts: BroadcastParts;
  readonly #groups = new Map<string, Group>();
  readonly #byTopic = new Map<string, Set<Group>>();
  #reading: AbortController | undefined;
  /** Every entry up to there was handed to its groups. */
  #at = 0;
  #version: number;
  /** Figures that are due. */
  #due: Disposable | undefined;
  #figuredAtMs = -Infinity;

  constructor(parts: BroadcastParts) {
    this.#parts = parts;
    this.#version = parts.rights.version;
  }

  /** Where other rules count by now, everybody begins anew; before each entry this is asked by itself. */
  look(): void {
    const { version } = this.#parts.rights;
    if (version === this.#version) return;
    this.#version = version;
    // What is told with it was theirs.
    for (const group of this.#groups.values()) this.#dismiss(group);
  }

  #dismiss(group: Group): void {
    this.#flush(group);
    for (const seat of group.seats) seat.free();
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
    this.#due?.[Symbol.dispose]();
    this.#due = undefined;
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
        if ("live" in one) this.#tell(topicsOfLive(one), { seq: this.#at, of: "signal", text: () => liveEvent(one), hears: ({ live }) => live(one) });
        else if ("gap" in one) return this.#over(reading);
        else {
          this.#renew(one);
          this.#at = one.seq;
          // The rows first: with the cursor one has all of it.
          this.#touch(one);
          this.#tell(topicsOf(one), { seq: one.seq, of: "entry", text: () => entryEvent(one, this.#parts.ledger), hears: ({ entry }) => entry(one) });
          for (const group of this.#byTopic.get(ROSTER) ?? []) this.#plan(group);
          this.#measure();
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
      group.clear();
      group.told = this.#at;
      for (const seat of group.seats) seat.free();
    }
  }

  /** Whoever has rows that are to be told anew reads that entry alone, and what comes before it in his own time. */
  #renew(entry: Entry): void {
    for (const group of this.#byTopic.get(ROSTER) ?? []) {
      if (group.hearing.rows?.renews(entry) !== true) continue;
      this.#dismiss(group);
      group.told = entry.seq;
    }
  }

  /** Something has happened. */
  #measure(): void {
    if (!this.#byTopic.has(METRICS)) return;
    const { clock } = this.#parts;
    this.#due ??= clock.after(Math.max(0, this.#figuredAtMs + FIGURES_MS - clock.monotonic()), () => {
      this.#due = undefined;
      this.#figuredAtMs = clock.monotonic();
      this.#tell([METRICS], { seq: this.#at, of: "figures", text: () => figuresEvent(this.#parts.figures(), this.#at), hears: () => true });
    });
  }

  #touch(entry: Entry): void {
    const { seq } = entry;
    for (const group of this.#byTopic.get(ROSTER) ?? []) {
      const { hearing: { rows, entry: hears } } = group;
      if (rows === undefined || seq <= group.told) continue;
      const touched = rows.touched(entry);
      const cursor = this.#parts.ledger.cursor(seq);
      const last = touched.length > 0 && !hears(entry) ? touched.at(-1) : undefined;
      for (const member of touched) {
        const piece = new RowPiece(seq, () => {
          const row = group.rows.get(member) === piece ? rows.of(member) : undefined;
          return row === undefined ? "" : rowEvent(row, { cursor, moves: member === last });
        });
        group.addRow(member, piece);
      }
    }
  }

  /** Written once, however many hear it. */
  #tell(topics: readonly string[], { seq, of, text, hears }: {
    readonly seq: number; readonly of: Piece["of"]; readonly text: () => string; readonly hears: (hearing: Hearing) => boolean;
  }): void {
    let piece: Piece | undefined;
    const told = new Set<Group>();
    for (const topic of topics) {
      for (const group of this.#byTopic.get(topic) ?? []) {
        if (told.has(group)) continue;
        told.add(group);
        if (of === "entry" && seq <= group.told || !hears(group.hearing)) continue;
        piece ??= toPiece({ seq, of, text: text() });
        group.add(piece);
        this.#plan(group);
      }
    }
  }

  /** Not between what belongs to one entry. */
  #plan(group: Group): void {
    if (group.pieces.length === 0) return;
    if (group.bytes >= CHUNK_BYTES) return this.#flush(group);
    const { clock } = this.#parts;
    group.timer ??= clock.after(Math.max(0, group.toldAtMs + CHUNK_MS - clock.monotonic()), () => this.#flush(group));
  }

  #flush(group: Group): void {
    group.timer?.[Symbol.dispose]();
    group.timer = undefined;
    const { pieces, told: from } = group;
    for (const piece of pieces) if (piece instanceof RowPiece) piece.render();
    group.clear();
    group.told = this.#at;
    group.toldAtMs = this.#parts.clock.monotonic();
    const chunk = join(pieces);
    for (const seat of [...group.seats]) seat.hear({ pieces, chunk, from, upTo: this.#at });
  }
}

function toPiece(piece: Omit<Piece, "bytes">): Piece {
  return { ...piece, bytes: Buffer.byteLength(piece.text) };
}
