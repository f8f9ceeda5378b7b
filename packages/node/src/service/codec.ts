/**
 * How the values of a route become bytes (spec: node 2.4). The wire carries what a caller writes and a handler
 * returns; each reader checks it with its own schema, so that distance changes nothing.
 */
import { fromBinary, toBinary, type DescMessage, type MessageShape } from "@atoll-run/core/internal";
import { check, isStandardSchema, type Checked, type StandardSchema } from "./standard-schema.ts";

/** `Written` goes in at one end, `Read` comes out at the other. */
export interface Codec<Written = unknown, Read = Written> {
  readonly contentType: string;
  /** Throws when the value cannot be written. */
  encode(value: Written): Uint8Array;
  /** Throws for bytes that are no such value. */
  decode(bytes: Uint8Array): unknown;
  /** What was decoded, against the schema. Undefined: everything that decodes is right. */
  readonly check?: (value: unknown) => Promise<Checked<Read>>;
  /** Only for the compiler: what `check` gives. */
  readonly reads?: Read;
}

/** What a route may name: a codec, or a validator of JSON. */
export type Schema<Written = unknown, Read = Written> = Codec<Written, Read> | StandardSchema<Written, Read>;

/** Any schema at all, for the compiler. */
export type AnySchema = Pick<Codec, "contentType" | "decode"> | {
  readonly "~standard": Pick<StandardSchema["~standard"], "version" | "vendor">;
};

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { fatal: true });

/** JSON of any shape; with a validator, of that shape. No value is `null`. */
export function json<T = unknown>(): Codec<T>;
export function json<Written, Read>(schema: StandardSchema<Written, Read>): Codec<Written, Read>;
export function json(schema?: StandardSchema): Codec {
  return {
    contentType: "application/json",
    encode: (value) => ENCODER.encode(JSON.stringify(value) ?? "null"),
    decode: (bytes) => bytes.length === 0 ? null : JSON.parse(DECODER.decode(bytes)) as unknown,
    ...schema === undefined ? {} : { check: (value: unknown) => check(schema, value) },
  };
}

/** What other generators make of a message. */
export interface MessageType<T> {
  encode(value: T): Uint8Array | { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** A protobuf message: a schema of `@bufbuild/protobuf`, or any object with `encode` and `decode`. */
export function proto<S extends DescMessage>(type: S): Codec<MessageShape<S>>;
export function proto<T>(type: MessageType<T>): Codec<T>;
export function proto(type: DescMessage | MessageType<unknown>): Codec {
  const contentType = "application/x-protobuf";
  if ("encode" in type) {
    return {
      contentType, decode: (bytes) => type.decode(bytes),
      encode: (value) => {
        const written = type.encode(value);
        return written instanceof Uint8Array ? written : written.finish();
      },
    };
  }
  return {
    contentType, decode: (bytes) => fromBinary(type, bytes),
    encode: (value) => toBinary(type, value as MessageShape<DescMessage>),
  };
}

/** The payload as it is. */
export const bytes: Codec<Uint8Array> = {
  contentType: "application/octet-stream", encode: (value) => value, decode: (value) => value,
};

/** No value: `null` on the wire, whatever comes is dropped. */
export const nothing: Codec<void> = {
  contentType: "application/json", encode: () => ENCODER.encode("null"), decode: () => undefined,
};

export function toCodec(schema: Schema): Codec {
  return isStandardSchema(schema) ? json(schema) : schema;
}
