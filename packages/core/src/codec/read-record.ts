/**
 * The strict reader: bytes of one protobuf message → a record.
 *
 * takes bytes and a shape; gives the record; promises that every rule of the shape holds in it; refuses what
 * lacks a required field, is cut, overlong, doubled where that is forbidden, no UTF-8, too deep, or of a
 * wrong type; never keeps unknown fields.
 */
import { malformed } from "../core-fault.ts";
import { must } from "../must.ts";
import { WIRE_LIMITS } from "../protocol/wire-limits.ts";
import { ByteReader } from "./byte-reader.ts";
import { cutText } from "./cut-text.ts";
import { plainBytes } from "./read.ts";
import type { Field, Rec, Shape } from "./shape.ts";

/** An enum value that the shape does not know. */
const UNKNOWN = Symbol("unknown");

/** Throws `codec.malformed`. Byte fields of the record are views of `bytes`. */
export function readRecord(shape: Shape, bytes: Uint8Array): Rec {
  return readInto(new ByteReader(plainBytes(bytes), shape.name), shape, 1);
}

function readInto(reader: ByteReader, shape: Shape, depth: number): Rec {
  if (depth > WIRE_LIMITS.depthMax) throw reader.wrong("depth");
  const record: Rec = {};
  for (const key of shape.repeated) record[key] = [];
  let seen = 0;
  let have = 0;
  let sumBytes = 0;
  while (reader.at < reader.end) {
    reader.field = undefined;
    const tag = reader.u32();
    if (tag < 8) throw reader.wrong("field_number");
    const field = shape.byNo.get(tag >>> 3);
    if (field === undefined) {
      reader.skipValue(tag & 7);
      continue;
    }
    reader.field = field.name;
    if ((seen & field.bit) !== 0 && field.once) throw reader.wrong("doubled");
    seen |= field.bit;
    if (tag !== field.tag) {
      readPacked(reader, { field, wireType: tag & 7, record });
      continue;
    }
    const start = reader.at;
    const value = readValue(reader, field, depth);
    sumBytes += field.sumBytesMax === undefined ? 0 : reader.at - start;
    if (value === UNKNOWN) continue;
    have |= field.bit;
    if (field.rule === "repeated") append(reader, { field, record, value, sumBytes });
    else {
      for (const other of field.siblings) delete record[other];
      record[field.key] = value;
    }
  }
  if ((have & shape.required) !== shape.required) throw missing(reader, shape, have);
  return shape.finish(record);
}

function missing(reader: ByteReader, shape: Shape, have: number): Error {
  const lost = shape.fields.find(({ rule, bit }) => rule === "required" && (have & bit) === 0);
  const { name } = must(lost, "a field is missing");
  return malformed({ what: shape.name, rule: "required", field: name, at: reader.at });
}

interface Entry {
  readonly field: Field;
  readonly record: Rec;
  readonly value: unknown;
  readonly sumBytes: number;
}

function append(reader: ByteReader, { field, record, value, sumBytes }: Entry): void {
  const list = record[field.key] as unknown[];
  list.push(value);
  if (list.length > (field.entriesMax ?? Infinity)) throw reader.wrong("entries");
  if (sumBytes > (field.sumBytesMax ?? Infinity)) throw reader.wrong("size");
}

/** Repeated numbers may stand one by one or in one block, whatever the schema says. */
function readPacked(
  reader: ByteReader, { field, wireType, record }: { field: Field; wireType: number; record: Rec },
): void {
  if (wireType === 3 || wireType === 4) throw reader.wrong("group");
  if (wireType !== 2 || field.rule !== "repeated" || field.wireType === 2) throw reader.wrong("wire_type");
  const length = reader.length();
  const outer = reader.end;
  reader.end = reader.at + length;
  while (reader.at < reader.end) {
    const value = readValue(reader, field, 0);
    if (value !== UNKNOWN) (record[field.key] as unknown[]).push(value);
  }
  reader.end = outer;
}

function readValue(reader: ByteReader, field: Field, depth: number): unknown {
  switch (field.kind) {
    case "text": return checkText(reader, field);
    case "bytes": return checkBytes(reader, field, reader.bytesField());
    case "message": return readMessage(reader, must(field.shape, "a message field has a shape"), depth);
    case "u32": return reader.u32();
    case "i32": return reader.i32();
    case "u64": return reader.u64();
    case "i64": return reader.i64();
    case "count": return reader.count();
    case "signed_count": return reader.signedCount();
    case "bool": return reader.bool();
    case "enum": {
      const number = reader.i32();
      return field.values?.has(number) ? field.values.get(number) : UNKNOWN;
    }
    case "float": return reader.float();
    case "double": return reader.double();
  }
}

function readMessage(reader: ByteReader, shape: Shape, depth: number): Rec {
  const length = reader.length();
  const { end, what, field } = reader;
  reader.end = reader.at + length;
  reader.what = shape.name;
  const record = readInto(reader, shape, depth + 1);
  reader.end = end;
  reader.what = what;
  reader.field = field;
  return record;
}

function checkText(reader: ByteReader, field: Field): string {
  const start = reader.at;
  const text = reader.text();
  if (field.nonEmpty && text === "") throw reader.wrong("empty");
  if (field.bytesMax !== undefined && reader.at - start > field.bytesMax) checkSize(reader, field, text);
  return field.cutBytes === undefined ? text : cutText(text, field.cutBytes);
}

/**
 * The bytes that were read count with the length before them, so what is near the limit is measured again.
 */
function checkSize(reader: ByteReader, { bytesMax = Infinity }: Field, text: string): void {
  if (cutText(text, bytesMax) !== text) throw reader.wrong("size");
}

function checkBytes(reader: ByteReader, field: Field, bytes: Uint8Array): Uint8Array {
  if (field.bytesExact !== undefined && bytes.length !== field.bytesExact) throw reader.wrong("size");
  return bytes;
}
