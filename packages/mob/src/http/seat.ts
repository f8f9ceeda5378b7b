/** Those who hear the same, and what they are to be told next (spec: mob 11.7). */
import type { Hearing } from "./hearing.ts";

export interface Seated {
  /** False: it cannot take that now; its seat is free, and its place is as before. Must not throw. */
  hear(chunk: Uint8Array): boolean;
  /** The seat is gone. */
  left(): void;
}

export interface Piece {
  /** Of a live signal: the entry that it came after. */
  readonly seq: number;
  /** Of a row: as it is when it is told, once, however many entries have touched it meanwhile. */
  readonly text: string;
  readonly bytes: number;
  /** What is live is not stored: who has not heard signals has lost them, figures come again. */
  readonly of: "entry" | "row" | "signal" | "figures";
}

/** Nearly what a row takes, and what one that is not told any more does. */
const ROW_BYTES = 512;
const REPLACED_BYTES = 64;

export class RowPiece implements Piece {
  readonly of = "row";
  readonly bytes = ROW_BYTES;
  readonly seq: number;
  text = "";
  readonly #render: () => string;

  constructor(seq: number, render: () => string) {
    this.seq = seq;
    this.#render = render;
  }

  render(): void {
    this.text = this.#render();
  }
}

export interface Told {
  readonly pieces: readonly Piece[];
  /** All of them. */
  readonly chunk: Uint8Array;
  /** Entries after that, up to this one. */
  readonly from: number;
  readonly upTo: number;
}

/** Seats that hear the same. */
export class Group {
  readonly hearing: Hearing;
  readonly seats = new Set<Seat>();
  pieces: Piece[] = [];
  /** By member: the last of them in {@link pieces}, which alone is told. */
  readonly rows = new Map<string, RowPiece>();
  bytes = 0;
  /** Everything up to there was told. */
  told: number;
  toldAtMs = -Infinity;
  timer: Disposable | undefined;

  constructor(hearing: Hearing, at: number) {
    this.hearing = hearing;
    this.told = at;
  }

  add(piece: Piece): void {
    this.pieces.push(piece);
    this.bytes += piece.bytes;
  }

  /** Instead of the one before it of that member. */
  addRow(member: string, piece: RowPiece): void {
    if (this.rows.has(member)) this.bytes -= ROW_BYTES - REPLACED_BYTES;
    this.rows.set(member, piece);
    this.add(piece);
  }

  clear(): void {
    this.pieces = [];
    this.rows.clear();
    this.bytes = 0;
  }
}

export class Seat implements Disposable {
  /** What its reader has: every entry up to there. */
  at: number;
  /** Live signals that were told while it was free. */
  missed = 0;
  /** Its reader has not the last figures. */
  stale = true;
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
    const own = this.at <= from ? chunk : join(pieces.filter(({ seq, of }) => (of === "signal" || of === "figures" ? seq >= this.at : seq > this.at)));
    if (own.length === 0 || this.#reader.hear(own)) this.at = Math.max(this.at, upTo);
    else {
      this.#miss(pieces);
      this.free();
    }
  }

  #miss(pieces: readonly Piece[]): void {
    for (const { of } of pieces) {
      if (of === "signal") this.missed += 1;
      if (of === "figures") this.stale = true;
    }
  }

  [Symbol.dispose](): void {
    this.#reader = undefined;
    this.#group.seats.delete(this);
    this.#gone();
  }
}

export function join(pieces: readonly Piece[]): Uint8Array {
  return Buffer.from(pieces.map(({ text }) => text).join(""));
}
