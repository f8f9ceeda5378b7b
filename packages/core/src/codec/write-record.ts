/**
 * A record → bytes of one protobuf message, canonical: known fields in ascending order, every required one
 * written. Throws `codec.malformed` for what the reader at the other end would have to refuse.
 */
import { malformed } from "../core-fault.ts";
import type { Fault } from "../fault.ts";
import { must } from "../must.ts";
import { ByteWriter } from "./byte-writer.ts";
import { cutText } from "./cut-text.ts";
import type { Field, Rec, Shape } from "./shape.ts";

/** Fields from this number on are ours; who has not announced them gets none. */
export const EXTENSION_FIRST = 1_000;

/** `extensions: false` leaves out every field from {@link EXTENSION_FIRST} on, at any depth. */
export function writeRecord(shape: Shape, record: object, o: { readonly extensions: boolean }): Uint8Array {
  const writer = new ByteWriter();
  writeFields(writer, { shape, o }, record as Rec);
  return writer.finish();
}

interface Whole { readonly shape: Shape; readonly o: { readonly extensions: boolean } }

function writeFields(writer: ByteWriter, { shape, o }: Whole, record: Rec): void {
  for (const field of shape.fields) {
    if (!o.extensions && field.no >= EXTENSION_FIRST) break;
    const value = record[field.key];
    if (value === undefined) {
      if (field.rule === "required") throw wrong(shape, field, "required");
    } else if (field.rule === "repeated") writeList(writer, { shape, field, o }, value as readonly unknown[]);
    else writeField(writer, { shape, field, o }, value);
  }
}

interface Place extends Whole { readonly field: Field }

function writeList(writer: ByteWriter, place: Place, list: readonly unknown[]): void {
  const { shape, field } = place;
  if (list.length > (field.entriesMax ?? Infinity)) throw wrong(shape, field, "entries");
  let sumBytes = 0;
  for (const value of list) sumBytes += writeField(writer, place, value);
  if (sumBytes > (field.sumBytesMax ?? Infinity)) throw wrong(shape, field, "size");
}

/** Gives the bytes of a nested message with its length; 0 for anything else. */
function writeField(writer: ByteWriter, { shape, field, o }: Place, value: unknown): number {
  writer.u32(field.tag);
  switch (field.kind) {
    case "text": writer.text(checkedText(shape, field, value as string)); return 0;
    case "bytes": writer.bytesField(checkedBytes(shape, field, value as Uint8Array)); return 0;
    case "u32": writer.u32(whole(shape, field, value, [0, 0xffff_ffff])); return 0;
    case "i32": writer.i32(whole(shape, field, value, [-0x8000_0000, 0x7fff_ffff])); return 0;
    case "u64": writer.u64(whole64(shape, field, value, 0n)); return 0;
    case "i64": writer.u64(whole64(shape, field, value, 1n << 63n)); return 0;
    case "count": writer.count(whole(shape, field, value, [0, Number.MAX_SAFE_INTEGER])); return 0;
    case "signed_count":
      writer.count(whole(shape, field, value, [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]));
      return 0;
    case "bool": writer.u32(value === true ? 1 : 0); return 0;
    case "float": writer.float(value as number); return 0;
    case "double": writer.double(value as number); return 0;
    case "enum": {
      const number = field.numbers.get(value);
      if (number === undefined) throw wrong(shape, field, "value");
      writer.i32(number);
      return 0;
    }
    case "message": {
      // It was written before, and is the same in many messages.
      if (value instanceof Uint8Array) return writer.bytesField(value);
      const start = writer.begin();
      writeFields(writer, { shape: must(field.shape, "a message field has a shape"), o }, value as Rec);
      return writer.end(start);
    }
  }
}

function checkedText(shape: Shape, field: Field, text: string): string {
  if (field.nonEmpty && text === "") throw wrong(shape, field, "empty");
  const { bytesMax } = field;
  if (bytesMax !== undefined && cutText(text, bytesMax) !== text) throw wrong(shape, field, "size");
  return field.cutBytes === undefined ? text : cutText(text, field.cutBytes);
}

function checkedBytes(shape: Shape, field: Field, bytes: Uint8Array): Uint8Array {
  if (field.bytesExact !== undefined && bytes.length !== field.bytesExact) throw wrong(shape, field, "size");
  return bytes;
}

function whole(shape: Shape, field: Field, value: unknown, [min, max]: readonly [number, number]): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
  throw wrong(shape, field, "range");
}

/** `below`: how far under zero the value may be, which is also what it lacks at the top. */
function whole64(shape: Shape, field: Field, value: unknown, below: bigint): bigint {
  if (typeof value === "bigint" && value >= -below && value < (1n << 64n) - below) return value;
  throw wrong(shape, field, "range");
}

function wrong(shape: Shape, field: Field, rule: string): Fault {
  return malformed({ what: shape.name, rule, field: field.name });
}
