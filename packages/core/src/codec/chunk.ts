/**
 * One chunk of a stream, or one step that steers it (spec: wire 2, 3.1).
 *
 * takes a `Chunk` or bytes; gives the other; promises the same as the envelope; refuses with
 * `codec.malformed`; never reads `timestamp_ms`, which is the application's.
 */
import { malformed, tooLarge } from "../core-fault.ts";
import { WIRE_LIMITS } from "../protocol/wire-limits.ts";
import { METADATA_SHAPE, type MetadataEntry } from "./envelope.ts";
import { ERROR_SHAPE, type WireError } from "./error-record.ts";
import { toRead, type Read } from "./read.ts";
import { readRecord } from "./read-record.ts";
import { defineShape, field, words } from "./shape.ts";
import { writeRecord } from "./write-record.ts";

export interface StreamOpen {
  readonly name: string;
  readonly mode: "reliable" | "latency_first";
  readonly window_bytes: bigint;
  readonly window_chunks: number;
  readonly remaining_ms?: number;
  readonly headers: readonly MetadataEntry[];
  readonly content_type?: string;
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly resume_from?: bigint;
}

/** Exactly one step. `credit` is cumulative since the open; the first one accepts the stream. */
export type StreamControl =
  | { readonly open: StreamOpen }
  | { readonly credit: { readonly bytes: bigint; readonly chunks: bigint } }
  | { readonly ack: { readonly through: bigint } }
  | { readonly end: { readonly final_sequence: bigint } }
  | { readonly reset: { readonly error: WireError } };

export interface Chunk {
  /** 1–256 bytes. */
  readonly stream_id: string;
  /** Data from 1 by 1; 0 with a control. */
  readonly sequence: bigint;
  /** When read, a view of the bytes that were given; empty with a control. */
  readonly payload: Uint8Array;
  readonly metadata: readonly MetadataEntry[];
  readonly timestamp_ms?: bigint;
  /** Ours: never sent to a peer without `stream1`, which would hand an empty chunk to its application. */
  readonly control?: StreamControl;
}

const STEP = { oneof: "step" };

export const CONTROL_SHAPES = {
  open: defineShape("actr.StreamControl.Open", [
    field("1! name text"), field("2! mode enum", { values: words({ 0: "reliable", 1: "latency_first" }) }),
    field("3! window_bytes u64"), field("4! window_chunks u32"), field("5? remaining_ms count"),
    field("6* headers message", { shape: METADATA_SHAPE }), field("7? content_type text"),
    field("8? traceparent text"), field("9? tracestate text"), field("10? resume_from u64"),
  ]),
  credit: defineShape("actr.StreamControl.Credit", [field("1! bytes u64"), field("2! chunks u64")]),
  ack: defineShape("actr.StreamControl.Ack", [field("1! through u64")]),
  end: defineShape("actr.StreamControl.End", [field("1! final_sequence u64")]),
  reset: defineShape("actr.StreamControl.Reset", [field("1! error message", { shape: ERROR_SHAPE })]),
} as const;

export const CONTROL_SHAPE = defineShape("actr.StreamControl", [
  field("1? open message", { shape: CONTROL_SHAPES.open, ...STEP }),
  field("2? credit message", { shape: CONTROL_SHAPES.credit, ...STEP }),
  field("3? ack message", { shape: CONTROL_SHAPES.ack, ...STEP }),
  field("4? end message", { shape: CONTROL_SHAPES.end, ...STEP }),
  field("5? reset message", { shape: CONTROL_SHAPES.reset, ...STEP }),
]);

export const CHUNK_SHAPE = defineShape("actr.DataChunk", [
  field("1! stream_id text"), field("2! sequence u64"), field("3! payload bytes"),
  field("4* metadata message", { shape: METADATA_SHAPE }), field("5? timestamp_ms i64"),
  field("1000? control message", { shape: CONTROL_SHAPE }),
]);

/** Reads one chunk of at most `bytesMax` bytes. */
export function readChunk(bytes: Uint8Array, bytesMax: number = WIRE_LIMITS.messageBytesMax): Read<Chunk> {
  return toRead(() => {
    if (bytes.length > bytesMax) throw tooLarge("a chunk", bytes.length, bytesMax);
    // The shape gives every field that the type names, with that type.
    const chunk = readRecord(CHUNK_SHAPE, bytes) as unknown as Chunk;
    check(chunk);
    return chunk;
  });
}

/**
 * The bytes of a chunk; `extensions` says whether the peer has announced `stream1`. Throws `codec.malformed`
 * for a chunk that the other end would refuse, and for a control where there is no `stream1`.
 */
export function writeChunk(chunk: Chunk, o: { readonly extensions: boolean }): Uint8Array {
  check(chunk);
  if (chunk.control !== undefined && !o.extensions) throw wrong();
  return writeRecord(CHUNK_SHAPE, chunk, o);
}

function check({ control, payload, sequence }: Chunk): void {
  if (control === undefined) return;
  if (Object.keys(control).length !== 1 || payload.length > 0 || sequence !== 0n) throw wrong();
}

function wrong(): Error {
  return malformed({ what: CHUNK_SHAPE.name, rule: "control", field: "control" });
}
