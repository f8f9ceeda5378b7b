/**
 * Messages with generated types (everything but envelopes and chunks, which have a codec of their own).
 *
 * takes bytes or the fields of a message; gives the other; promises what the strict reader promises, by the
 * rules of the schema; refuses with `codec.malformed` or `codec.too_large`; never keeps unknown fields. The
 * reading half of the protobuf runtime is not used: it accepts missing required fields, doubled ones, invalid
 * UTF-8 and numbers out of range, and merges messages that come twice. Tests hold this reader against it for
 * everything that is valid.
 */
import { readRecord } from "../codec/read-record.ts";
import { toRead, type Read } from "../codec/read.ts";
import { defineShape, type FieldInit, type FieldKind, type Rec, type Shape } from "../codec/shape.ts";
import { writeRecord } from "../codec/write-record.ts";
import { tooLarge } from "../core-fault.ts";
import { must } from "../must.ts";
import {
  create, ScalarType, toBinary, type DescField, type DescMessage, type MessageInitShape, type MessageShape,
} from "./protobuf.ts";
import { WIRE_LIMITS } from "./wire-limits.ts";

/** Reads a message of at most `bytesMax` bytes. Byte fields are views of `bytes`. */
export function readMessage<S extends DescMessage>(
  schema: S, bytes: Uint8Array, bytesMax: number = WIRE_LIMITS.messageBytesMax,
): Read<MessageShape<S>> {
  return toRead(() => {
    if (bytes.length > bytesMax) throw tooLarge(schema.typeName, bytes.length, bytesMax);
    // The shape was made from the schema, so the record is what the schema's type says.
    return create(schema, readRecord(shapeOf(schema), bytes) as MessageInitShape<S>);
  });
}

/** The canonical bytes of a message. A required field that is missing is our own bug and throws. */
export function writeMessage<S extends DescMessage>(schema: S, init: MessageInitShape<S>): Uint8Array {
  return toBinary(schema, create(schema, init), { writeUnknownFields: false });
}

/**
 * The same without what the runtime adds: its fields alone, absent ones `undefined`. For the messages of a handshake,
 * which are read so rarely that the platform never makes the runtime's general ways fast.
 */
export function readFields<S extends DescMessage, Key extends keyof MessageShape<S>>(
  schema: S, bytes: Uint8Array, bytesMax: number,
): Read<Pick<MessageShape<S>, Key>> {
  return toRead(() => {
    if (bytes.length > bytesMax) throw tooLarge(schema.typeName, bytes.length, bytesMax);
    // The shape was made from the schema; who calls names the keys, and leaves out numbers that may be absent.
    return readRecord(shapeOf(schema), bytes) as unknown as Pick<MessageShape<S>, Key>;
  });
}

/** Fields of a message; one that is a message itself may be given as its bytes. */
export type FieldsInit<S extends DescMessage> = {
  [Key in keyof Omit<MessageInitShape<S>, "$typeName" | "$unknown">]: MessageInitShape<S>[Key] | Uint8Array
};

/** What {@link writeMessage} writes, for a message without oneofs. Throws `codec.malformed`. */
export function writeFields<S extends DescMessage>(schema: S, init: FieldsInit<S>): Uint8Array {
  return writeRecord(shapeOf(schema), init, { extensions: true });
}

/**
 * {@link readFields}, but fields that are messages themselves stay bytes: mostly the reader has seen the same before.
 * `R`: those fields, as who calls knows them of the schema.
 */
export function readParts<R>(schema: DescMessage, bytes: Uint8Array, bytesMax: number): Read<R> {
  return toRead(() => {
    if (bytes.length > bytesMax) throw tooLarge(schema.typeName, bytes.length, bytesMax);
    return readRecord(outerShapeOf(schema), bytes) as unknown as R;
  });
}

const OUTER_SHAPES = new WeakMap<DescMessage, Shape>();

function outerShapeOf(schema: DescMessage): Shape {
  let shape = OUTER_SHAPES.get(schema);
  if (shape === undefined) {
    const { name, fields, finish } = shapeOf(schema);
    shape = defineShape(name, fields.map((field) => field.kind === "message" ? { ...field, kind: "bytes" } : field), finish);
    OUTER_SHAPES.set(schema, shape);
  }
  return shape;
}

const SHAPES = new WeakMap<DescMessage, Shape>();

/** The shape of a schema, made once. */
export function shapeOf(schema: DescMessage): Shape {
  let shape = SHAPES.get(schema);
  if (shape === undefined) {
    const oneofs = schema.oneofs.map(({ localName, fields }) => ({
      key: localName, cases: fields.map((field) => field.localName),
    }));
    shape = defineShape(schema.typeName, schema.fields.map(toField), (record) => foldOneofs(record, oneofs));
    SHAPES.set(schema, shape);
  }
  return shape;
}

/** The generated types show a oneof as `{case, value}`. */
function foldOneofs(record: Rec, oneofs: readonly { key: string; cases: readonly string[] }[]): Rec {
  for (const { key, cases } of oneofs) {
    const chosen = cases.find((name) => record[name] !== undefined);
    if (chosen === undefined) continue;
    record[key] = { case: chosen, value: record[chosen] };
    delete record[chosen];
  }
  return record;
}

function toField(field: DescField): FieldInit {
  const isList = field.fieldKind === "list";
  const kind = isList ? field.listKind : field.fieldKind;
  const { message, enum: values } = field;
  return {
    no: field.number, name: field.name, key: field.localName, kind: toKind(field, kind),
    rule: isList ? "repeated" : field.presence === LEGACY_REQUIRED ? "required" : "optional",
    ...kind === "message" && message ? { shape: shapeOf(message) } : {},
    ...kind === "enum" && values ? { values: numbersOf(values) } : {},
    ...field.oneof === undefined ? {} : { oneof: field.oneof.name },
  };
}

function numbersOf({ values }: NonNullable<DescField["enum"]>): ReadonlyMap<number, number> {
  return new Map(values.map(({ number }) => [number, number]));
}

/** `google.protobuf.FeatureSet.FieldPresence`. */
const LEGACY_REQUIRED = 3;

const KINDS: Readonly<Partial<Record<ScalarType, FieldKind>>> = {
  [ScalarType.UINT32]: "u32", [ScalarType.INT32]: "i32",
  [ScalarType.UINT64]: "u64", [ScalarType.INT64]: "i64",
  [ScalarType.BOOL]: "bool", [ScalarType.STRING]: "text", [ScalarType.BYTES]: "bytes",
  [ScalarType.FLOAT]: "float", [ScalarType.DOUBLE]: "double",
};

function toKind(field: DescField, kind: string): FieldKind {
  if (kind === "message" || kind === "enum") return kind;
  const type = kind === "scalar" ? must(field.scalar, "a scalar field has a type") : undefined;
  const known = type === undefined ? undefined : KINDS[type];
  return must(known, `${field.parent.typeName}.${field.name}: no schema of the wire has such a field`);
}
