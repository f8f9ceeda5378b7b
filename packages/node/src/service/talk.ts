/**
 * Typed calls (spec: node 2): the same for a host program, a handler, a hook and a stream reader.
 *
 * takes routes and values; gives values; promises that what leaves was encoded once and what comes was checked;
 * refuses with a `NodeError`; never sends a value that cannot be written.
 */
import {
  isFault, nodeError, type Candidate, type DiscoverAsk, type MetadataEntry, type OutStream, type Speaker,
  type StreamAsk, type TellAsk, type Told,
} from "@atoll-run/core";
import type { Codec } from "./codec.ts";
import { businessFault } from "./refusal.ts";
import type { AnyRoute, BusinessError, In, Item, Out, StreamRoute } from "./route.ts";
import { toTargetText, type Target } from "./target.ts";

export interface CallOptions {
  readonly to: Target;
  /** Milliseconds, a positive whole number; default 30,000, of a tell 13,000; in a handler at most what is left. */
  readonly deadlineMs?: number;
  /** The idempotency key, 1-128 bytes. */
  readonly requestId?: string;
  /** May be sent to another node although the first may have run it. */
  readonly idempotent?: boolean;
  /** Of asks to a type: those with the same text go to the same node, while it is there and answers; 1-128 bytes. */
  readonly sticky?: string;
  readonly priority?: "normal" | "signal";
  readonly orderKey?: string;
  /** At most 64 entries and 16 KiB. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly retry?: "auto" | "none";
  readonly signal?: AbortSignal | undefined;
}

export interface TellOptions extends CallOptions {
  /** How long it may wait at the receiver, milliseconds; absent = for ever. */
  readonly ttlMs?: number;
}

export interface StreamOptions extends Omit<StreamAsk, "headers"> {
  readonly headers?: Readonly<Record<string, string>>;
}

/** The writing end of a typed stream. */
export interface ItemStream<T> extends AsyncDisposable {
  readonly id: string;
  readonly signal: AbortSignal;
  /** Resolves when credit and buffer allow the next. */
  write(item: T, o?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Resolves when the reader has everything. */
  end(o?: { readonly signal?: AbortSignal }): Promise<void>;
  reset(text?: string): void;
}

export type CallResult<R> =
  | { readonly ok: true; readonly value: Out<R> }
  | { readonly ok: false; readonly error: BusinessError<R> };

export interface Talk {
  /** Throws a `NodeError`; a business error of the route is `node.business` with the fact `error: {code, details}`. */
  call<R extends AnyRoute>(route: Called<R>, input: In<R>, o: CallOptions): Promise<Out<R>>;
  /** As `call`, with the route's business errors as values. */
  callResult<R extends AnyRoute>(route: Called<R>, input: In<R>, o: CallOptions): Promise<CallResult<R>>;
  /** Resolves when the receiver has committed it (`accepted`), or a legacy peer's lane took it (`sent`). */
  tell<R extends AnyRoute>(route: R, input: In<R>, o: TellOptions): Promise<Told>;
  callRaw(route: string, body: Uint8Array, o: CallOptions): Promise<Uint8Array>;
  tellRaw(route: string, body: Uint8Array, o: TellOptions): Promise<Told>;
  openStream<S extends StreamRoute>(
    to: Target, stream: S, o?: Omit<StreamOptions, "mode">,
  ): Promise<ItemStream<Item<S>>>;
  openStream(to: Target, name: string, o?: StreamOptions): Promise<OutStream>;
  discover(type: Target, o?: DiscoverAsk): Promise<readonly Candidate[]>;
}

/** A route that is only told cannot be called. */
type Called<R> = R extends { readonly types?: { readonly tell: true } } ? never : R;

/** All powers of a speaker, typed by routes. */
export function createTalk(speaker: Speaker): Talk {
  const call = async (route: AnyRoute, input: unknown, o: CallOptions): Promise<unknown> => {
    const payload = encode(route.codecs.input, input, `input of ${route.key}`);
    try {
      const { contentType } = route.codecs.input;
      const reply = await speaker.call(toAsk(route.key, payload, o, contentType));
      const { output } = route.codecs;
      const what = `output of ${route.key}`;
      return output.check === undefined ? decode(output, reply.payload, what) : await read(output, reply.payload, what);
    } catch (error) {
      throw await withDetails(error, route);
    }
  };
  const openStream = async (to: Target, stream: string | StreamRoute, o: StreamOptions = {}): Promise<unknown> => {
    const { headers, ...rest } = o;
    const ask: StreamAsk = { ...rest, ...headers === undefined ? {} : { headers: toEntries(headers) } };
    if (typeof stream === "string") return speaker.openStream(toTargetText(to), stream, ask);
    const { name, mode, item } = stream;
    const out = await speaker.openStream(toTargetText(to), name, { ...ask, mode, content_type: item.contentType });
    return toItemStream(out, stream);
  };
  const tell = (route: AnyRoute, input: unknown, o: TellOptions): Promise<Told> => {
    const { contentType } = route.codecs.input;
    const payload = encode(route.codecs.input, input, `input of ${route.key}`);
    return speaker.tell(toAsk(route.key, payload, o, contentType));
  };
  return {
    call: call as Talk["call"],
    callResult: (async (route: AnyRoute, input: unknown, o: CallOptions) => {
      try {
        return { ok: true, value: await call(route, input, o) };
      } catch (error) {
        const declared = declaredError(error, route);
        if (declared === undefined) throw error;
        return { ok: false, error: declared };
      }
    }) as Talk["callResult"],
    tell: async (route, input, o) => tell(route, input, o),
    callRaw: async (route, body, o) => (await speaker.call(toAsk(route, body, o))).payload,
    tellRaw: async (route, body, o) => speaker.tell(toAsk(route, body, o)),
    openStream: openStream as Talk["openStream"],
    discover: async (type, o) => speaker.discover(toTargetText(type), o),
  };
}

/** Throws `node.invalid_argument`: nothing is sent. */
export function encode(codec: Codec, value: unknown, what: string): Uint8Array {
  try {
    return codec.encode(value);
  } catch (error) {
    throw nodeError("node.invalid_argument", `${what}: cannot be written: ${textOf(error)}`, { cause: error });
  }
}

/** Throws `node.decode_failure`: these bytes are no value at all. */
function decode(codec: Codec, bytes: Uint8Array, what: string): unknown {
  try {
    return codec.decode(bytes);
  } catch (error) {
    throw nodeError("node.decode_failure", `${what}: cannot be read: ${textOf(error)}`, { cause: error });
  }
}

/** Throws `node.decode_failure`; what a peer sent is not what the route says. */
async function read(codec: Codec, bytes: Uint8Array, what: string): Promise<unknown> {
  const value = decode(codec, bytes, what);
  const checked = await codec.check?.(value);
  if (checked === undefined) return value;
  if (checked.ok) return checked.value;
  const { issues } = checked;
  throw nodeError("node.decode_failure", `${what}: not what its schema says: ${issues.join("; ")}`, { facts: { issues } });
}

/** A business error with its body read by the route. */
async function withDetails(error: unknown, route: AnyRoute): Promise<unknown> {
  if (!isFault(error) || error.code !== "node.business") return error;
  const { error: fact } = error.facts as { error?: { code: string; body?: Uint8Array } };
  const codec = fact === undefined ? undefined : route.codecs.errors.get(fact.code);
  if (fact === undefined || codec === undefined) return error;
  const o = { text: error.message, cause: error };
  if (codec === null || fact.body === undefined) return businessFault(fact.code, undefined, o);
  try {
    return businessFault(fact.code, await read(codec, fact.body, `details of ${fact.code}`), o);
  } catch (unreadable) {
    // The code alone says what happened; a peer that breaks the contract must not hide it.
    return businessFault(fact.code, undefined, { ...o, cause: unreadable });
  }
}

function declaredError(error: unknown, route: AnyRoute): { code: string; details: unknown } | undefined {
  if (!isFault(error) || error.code !== "node.business") return undefined;
  const { error: fact } = error.facts as { error?: { code: string; details?: unknown } };
  if (fact === undefined || !route.codecs.errors.has(fact.code)) return undefined;
  return { code: fact.code, details: fact.details };
}

/** For a tell as well. */
export function toAsk(route: string, payload: Uint8Array, o: TellOptions, contentType?: string): TellAsk {
  const { to, metadata } = o;
  // Whole and then set: to leave fields out of a copy costs several times as much.
  const ask: { -readonly [Name in keyof TellAsk]: TellAsk[Name] } = { ...o as object, to: toTargetText(to), route, payload };
  if (contentType !== undefined) ask.content_type = contentType;
  if (metadata !== undefined) ask.metadata = toEntries(metadata);
  return ask;
}

function toEntries(record: Readonly<Record<string, string>>): readonly MetadataEntry[] {
  return Object.entries(record).map(([key, value]) => ({ key, value }));
}

function toItemStream(out: OutStream, { name, item }: StreamRoute): ItemStream<unknown> {
  return {
    id: out.id, signal: out.signal,
    write: async (value, o) => out.write(encode(item, value, `item of ${name}`), o),
    end: (o) => out.end(o), reset: (text) => out.reset(text),
    [Symbol.asyncDispose]: () => out[Symbol.asyncDispose](),
  };
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
