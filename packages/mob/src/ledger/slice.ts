/**
 * What stands in one slice of the ledger (spec: mob 5.6), told so that it is never denied: names by a Bloom filter, kinds and
 * times as they are. Pure.
 */
import { KINDS, type Entry, type EntryFilter, type EntryKind, type EntryQuery } from "./entry.ts";

export interface Slice {
  /** All entries above `after`, up to `to`. */
  readonly after: number;
  readonly to: number;
  readonly since_ms: number;
  readonly until_ms: number;
  readonly kinds: readonly EntryKind[];
  /** Of {@link NAMES}, base64. */
  readonly names: string;
}

/** What is asked for by a name. */
const NAMES = {
  member: ({ member }: Entry) => member, turn_id: ({ turn_id }: Entry) => turn_id, run_id: ({ run_id }: Entry) => run_id,
  session_id: ({ session }: Entry) => session?.id, principal: ({ principal }: Entry) => principal,
} as const satisfies Partial<Record<keyof EntryFilter, (entry: Entry) => string | undefined>>;
type Name = keyof typeof NAMES;
const ALL = Object.keys(NAMES) as readonly Name[];

/** With three names for each entry one in a hundred that is not there looks as if it was. A power of two. */
const BITS_AN_ENTRY = 32;
const PROBES = 5;
const BYTES_MIN = 8;
const BYTES_MAX = 256 * 1_024;
/** With less of its bits set, half of them will do. */
const FULL_ENOUGH = 1 / 4;

/** One that grows. */
export class OpenSlice {
  readonly #after: number;
  readonly #bits: Uint8Array;
  readonly #last: (string | undefined)[] = ALL.map(() => undefined);
  readonly #kinds = new Set<EntryKind>();
  #to: number;
  #sinceMs = Infinity;
  #untilMs = -Infinity;
  entries = 0;

  /** `size`: entries that it will have, nearly. */
  constructor(after: number, size: number) {
    this.#after = this.#to = after;
    const bytes = Math.min(size * BITS_AN_ENTRY / 8, BYTES_MAX);
    this.#bits = new Uint8Array(BYTES_MIN << Math.max(0, Math.ceil(Math.log2(bytes / BYTES_MIN))));
  }

  add(entry: Entry): void {
    this.entries += 1;
    this.#to = entry.seq;
    this.#kinds.add(entry.kind);
    this.#sinceMs = Math.min(this.#sinceMs, entry.ts_ms);
    this.#untilMs = Math.max(this.#untilMs, entry.ts_ms);
    for (let i = 0; i < ALL.length; i++) {
      const name = NAMES[ALL[i] as Name](entry);
      // Most are those of the entry before.
      if (name === undefined || name === this.#last[i]) continue;
      this.#last[i] = name;
      set(this.#bits, i, name);
    }
  }

  close(): Slice {
    return {
      after: this.#after, to: this.#to, since_ms: this.#sinceMs, until_ms: this.#untilMs, kinds: [...this.#kinds],
      names: Buffer.from(folded(this.#bits)).toString("base64"),
    };
  }
}

/** Whether a slice may have what is asked for; undefined: what is asked for is everywhere. */
export function toMayHave(query: EntryQuery): ((slice: Slice) => boolean) | undefined {
  const { classes, kinds, since_at_ms = -Infinity, until_at_ms = Infinity } = query;
  const names = ALL.filter((name) => query[name] !== undefined);
  const anyKind = classes === undefined && kinds === undefined;
  if (names.length === 0 && anyKind && since_at_ms === -Infinity && until_at_ms === Infinity) return undefined;
  const wanted = (kind: EntryKind): boolean => kinds?.includes(kind) !== false && classes?.includes(KINDS[kind]) !== false;
  return (slice) => {
    if (slice.until_ms < since_at_ms || slice.since_ms >= until_at_ms || !slice.kinds.some(wanted)) return false;
    if (names.length === 0) return true;
    const bits = Buffer.from(slice.names, "base64");
    return names.every((name) => isSet(bits, ALL.indexOf(name), query[name] as string));
  };
}

function set(bits: Uint8Array, of: number, name: string): void {
  const hash = hashOf(of, name);
  for (let probe = 0, at = mix(hash), step = mix(~hash) | 1; probe < PROBES; probe++, at += step) {
    const place = at & bits.length * 8 - 1;
    bits[place >> 3] = (bits[place >> 3] as number) | 1 << (place & 7);
  }
}

function isSet(bits: Uint8Array, of: number, name: string): boolean {
  const hash = hashOf(of, name);
  for (let probe = 0, at = mix(hash), step = mix(~hash) | 1; probe < PROBES; probe++, at += step) {
    const place = at & bits.length * 8 - 1;
    if (((bits[place >> 3] as number) & 1 << (place & 7)) === 0) return false;
  }
  return true;
}

/** A place is taken modulo the length: what is set stays set in a half. */
function folded(bits: Uint8Array): Uint8Array {
  let ones = 0;
  for (const byte of bits) for (let left = byte; left !== 0; left &= left - 1) ones += 1;
  if (bits.length <= BYTES_MIN || ones >= bits.length * 8 * FULL_ENOUGH) return bits;
  const half = bits.subarray(0, bits.length / 2).map((byte, i) => byte | (bits[i + bits.length / 2] as number));
  return folded(half);
}

/** FNV-1a of 32 bits. */
function hashOf(of: number, name: string): number {
  let hash = 0x811c9dc5 ^ of;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash;
}

/** Each bit depends on all. */
function mix(hash: number): number {
  let mixed = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  mixed = Math.imul(mixed ^ mixed >>> 13, 0xc2b2ae35);
  return mixed ^ mixed >>> 16;
}
