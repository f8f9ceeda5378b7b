/**
 * Routes as data: what goes in, what comes out, which errors are part of the contract, and how messages are
 * handled (spec: node 2.4 to 2.6, 4.11, 4.16).
 */
import { nodeError, type Principal, type RoutePolicy } from "@atoll-run/core";
import { nothing, toCodec, type AnySchema, type Codec, type Schema } from "./codec.ts";

/** Business errors by code, each with the schema of its details; `null`: it has none. */
export type ErrorSchemas = Readonly<Record<string, AnySchema | null>>;

/** What somebody gives for a schema, and what is made of it at the other end. */
export type Written<S> = S extends Validates<infer W, unknown> ? W : S extends Encodes<infer W> ? W : void;
export type Read<S> = S extends Validates<unknown, infer R> ? R : S extends Reads<infer R> ? R : void;

interface Validates<W, R> {
  readonly "~standard": { readonly types?: { readonly input: W; readonly output: R } | undefined };
}

interface Encodes<W> {
  encode(value: W): Uint8Array;
}

interface Reads<R> {
  decode(bytes: Uint8Array): unknown;
  readonly reads?: R;
}

/** Only for the compiler: the types behind a route. */
export interface RouteTypes {
  /** What a caller gives. */
  readonly input: unknown;
  /** What the handler gets. */
  readonly handed: unknown;
  /** What the handler returns. */
  readonly returned: unknown;
  /** What the caller gets. */
  readonly output: unknown;
  readonly errors: ErrorSchemas;
  readonly tell: boolean;
}

export interface RouteCodecs {
  readonly input: Codec;
  readonly output: Codec;
  /** Null: no details. */
  readonly errors: ReadonlyMap<string, Codec | null>;
}

/** What `route` makes; a service gives it its key. */
export interface RouteSpec<T extends RouteTypes = RouteTypes> {
  readonly codecs: RouteCodecs;
  readonly policy: RoutePolicy;
  readonly tell: boolean;
  readonly keyOf: ((input: never, caller: Principal) => string | null) | undefined;
  readonly types?: T;
}

/** A route of a service, as callers name it. */
export interface Route<T extends RouteTypes = RouteTypes> extends RouteSpec<T> {
  /** `package.Service.Method`. */
  readonly key: string;
}

export type AnyRoute = Route<RouteTypes>;
/** What a caller gives. */
export type In<R> = R extends RouteSpec<infer T> ? T["input"] : never;
/** What a caller gets. */
export type Out<R> = R extends RouteSpec<infer T> ? T["output"] : never;

/** The errors of a route, as its caller sees them. */
export type BusinessError<R> = R extends RouteSpec<infer T>
  ? { [C in ErrorCode<T>]: { readonly code: C; readonly details: Read<T["errors"][C]> } }[ErrorCode<T>]
  : never;

type ErrorCode<T extends RouteTypes> = keyof T["errors"] & string;

export interface RouteOptions<
  I extends AnySchema | undefined, O extends AnySchema | undefined, E extends ErrorSchemas,
  Tell extends boolean,
> extends RoutePolicy {
  /** A Standard Schema validator, `proto(Type)`, `bytes` or `json<T>()`. Absent: no input. */
  readonly input?: I;
  readonly output?: O;
  readonly errors?: E;
  /** It is told, never called: nobody gets what the handler returns. */
  readonly tell?: Tell;
  /** Messages with one key run one at a time; null = no order. */
  readonly key?: (input: Read<I>, caller: Principal) => string | null;
}

/**
 * One route. Throws `node.invalid_argument` for a told route with an output or errors: nobody would get them.
 */
export function route<
  const I extends AnySchema | undefined = undefined,
  const O extends AnySchema | undefined = undefined,
  const E extends ErrorSchemas = Readonly<Record<never, never>>, const Tell extends boolean = false,
>(options: RouteOptions<I, O, E, Tell> = {}): RouteSpec<{
  input: Written<I>; handed: Read<I>; returned: Written<O>; output: Read<O>; errors: E; tell: Tell;
}> {
  const { input, output, errors, tell, key, ...policy } = options;
  if (tell === true && (output !== undefined || errors !== undefined)) {
    const text = "route: a told route has neither output nor errors: nobody would get them";
    throw nodeError("node.invalid_argument", text);
  }
  const named = Object.entries<AnySchema | null>(errors ?? {});
  return {
    policy, tell: tell === true, keyOf: key as RouteSpec["keyOf"],
    codecs: {
      input: codecOf(input), output: codecOf(output),
      errors: new Map(named.map(([code, schema]) => [code, schema === null ? null : codecOf(schema)])),
    },
  };
}

/** Only for the compiler: the types behind the items of a stream. */
export interface StreamTypes {
  readonly item: unknown;
  readonly read: unknown;
}

export interface StreamSpec<T extends StreamTypes = StreamTypes> {
  readonly mode: "reliable" | "latency_first";
  readonly item: Codec;
  readonly types?: T;
}

/** A stream of a service, as writers name it. */
export interface StreamRoute<T extends StreamTypes = StreamTypes> extends StreamSpec<T> {
  /** `package.Service.Stream`. */
  readonly name: string;
}

export type Item<S> = S extends StreamSpec<infer T> ? T["item"] : never;

/** A stream of items that a service reads. */
export function streamRoute<const S extends AnySchema>(
  options: { readonly mode?: "reliable" | "latency_first"; readonly item: S },
): StreamSpec<{ item: Written<S>; read: Read<S> }> {
  return { mode: options.mode ?? "reliable", item: codecOf(options.item) };
}

/** The types are the compiler's business: at run time a codec takes what it is given. */
function codecOf(schema: AnySchema | undefined): Codec {
  return schema === undefined ? nothing as Codec : toCodec(schema as Schema);
}
