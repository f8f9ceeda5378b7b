/** What a handler, a stream reader and a hook get (spec: node 2, 2.7, 2.10). */
import {
  type DispatchContext, type Json, type LogLevel, type MetadataEntry, nodeError, type Principal, type Write,
} from "@atoll-run/core";
import { json, type Codec } from "./codec.ts";
import { Refusal } from "./refusal.ts";
import type { AnyRoute, ErrorSchemas, In, Written } from "./route.ts";
import { createTalk, encode, toAsk, type Talk, type TellOptions } from "./talk.ts";

/** Documents of the node, as JSON. Handlers see committed state plus what they have recorded themselves. */
export interface KvReader {
  /** Undefined when there is none. */
  get(key: string): Promise<Json | undefined>;
  /** Version 0: there is none. For {@link Tx} `kv.check`. */
  read(key: string): Promise<{ readonly value: Json | undefined; readonly version: number }>;
}

/** Records; everything is done in the one commit that finishes the message, or not at all. */
export interface Tx {
  readonly kv: {
    set(key: string, value: Json): void;
    delete(key: string): void;
    /** The handler runs again when the document has another version by then. */
    check(key: string, version: number): void;
  };
  /** Sent once the message is finished, until its receiver took it. Needs `to` a node, not a type. */
  tell<R extends AnyRoute>(route: R, input: In<R>, o: Pick<TellOptions, "to" | "ttlMs" | "metadata">): void;
}

/** Lines of the node's log, with the route and the request they belong to. */
export type Logger = Readonly<Record<LogLevel, (msg: string, fields?: Readonly<Record<string, unknown>>) => void>>;

export interface Ctx<E extends ErrorSchemas = ErrorSchemas> extends Talk {
  /** Text of the node's id, or its local name. */
  readonly self: string;
  readonly caller: Principal;
  readonly requestId: string;
  /** Of a stream or a hook: its name. */
  readonly route: string;
  readonly kind: "call" | "tell" | "stream" | "hook";
  /** 1 for the first run. */
  readonly attempt: number;
  /** A run of this message may have begun before. */
  readonly redelivered: boolean;
  /** Wall clock, milliseconds; `Infinity` = none. */
  readonly deadlineAtMs: number;
  remainingMs(): number;
  /** Aborts at the deadline, when the caller cancels, and when the node closes. */
  readonly signal: AbortSignal;
  readonly metadata: ReadonlyMap<string, string>;
  readonly trace: { readonly traceparent?: string; readonly tracestate?: string };
  readonly log: Logger;
  readonly kv: KvReader;
  /** Records what `record` writes. It must not be async. Throws `node.wrong_state` when the message is finished. */
  transaction(record: (tx: Tx) => void): void;
  /** Ends the request with a business error of the route; what was recorded is discarded. */
  fail<C extends keyof E & string>(code: C, ...details: E[C] extends null ? [] : [details: Written<E[C]>]): never;
}

/** What the node knows of the message. */
export interface About extends Pick<Ctx, "caller" | "requestId" | "route" | "kind" | "attempt" | "redelivered"> {
  readonly entries: readonly MetadataEntry[];
  readonly traced: Ctx["trace"];
  readonly logger: () => Logger;
}

/** Documents of TypeScript services; a block names a space of its own with each. */
const SPACE = "kv";
const DOCUMENT: Codec = json();

export function createContext(about: About, inner: DispatchContext): Ctx {
  return new Context(about, inner);
}

/** Each power is made when a handler asks for it: most use one or two. All can be taken out of the context. */
class Context implements Ctx {
  readonly #about: About;
  readonly #inner: DispatchContext;
  readonly caller: Principal;
  readonly requestId: string;
  readonly route: string;
  readonly kind: Ctx["kind"];
  readonly attempt: number;
  readonly redelivered: boolean;
  readonly deadlineAtMs: number;
  #talk: Talk | undefined;
  #kv: KvReader | undefined;
  #metadata: ReadonlyMap<string, string> | undefined;
  #log: Logger | undefined;

  constructor(about: About, inner: DispatchContext) {
    this.#about = about;
    this.#inner = inner;
    this.caller = about.caller;
    this.requestId = about.requestId;
    this.route = about.route;
    this.kind = about.kind;
    this.attempt = about.attempt;
    this.redelivered = about.redelivered;
    this.deadlineAtMs = inner.deadlineAtMs;
  }

  get self(): string {
    return this.#inner.self;
  }

  get signal(): AbortSignal {
    return this.#inner.signal;
  }

  get remainingMs(): Ctx["remainingMs"] {
    return () => this.#inner.remainingMs();
  }

  get metadata(): Ctx["metadata"] {
    return this.#metadata ??= new Map(this.#about.entries.map(({ key, value }) => [key, value]));
  }

  get trace(): Ctx["trace"] {
    return { ...traceOf(this.#inner), ...traceOf(this.#about.traced) };
  }

  get log(): Logger {
    return this.#log ??= this.#about.logger();
  }

  get kv(): KvReader {
    return this.#kv ??= kvReader(this.#inner);
  }

  get transaction(): Ctx["transaction"] {
    return (record) => this.#inner.record(recorded(record));
  }

  get fail(): Ctx["fail"] {
    return fail;
  }

  get call(): Talk["call"] {
    return this.#say().call;
  }

  get callResult(): Talk["callResult"] {
    return this.#say().callResult;
  }

  get tell(): Talk["tell"] {
    return this.#say().tell;
  }

  get callRaw(): Talk["callRaw"] {
    return this.#say().callRaw;
  }

  get tellRaw(): Talk["tellRaw"] {
    return this.#say().tellRaw;
  }

  get openStream(): Talk["openStream"] {
    return this.#say().openStream;
  }

  get discover(): Talk["discover"] {
    return this.#say().discover;
  }

  #say(): Talk {
    return this.#talk ??= createTalk(this.#inner);
  }
}

function fail(code: string, ...details: readonly unknown[]): never {
  throw new Refusal(code, details[0]);
}

function kvReader(inner: DispatchContext): KvReader {
  const read: KvReader["read"] = async (key) => {
    const { value, version } = await inner.read(SPACE, key);
    return { value: value === null ? undefined : JSON.parse(value) as Json, version };
  };
  return { read, get: async (key) => (await read(key)).value };
}

function traceOf({ traceparent, tracestate }: Ctx["trace"]): Ctx["trace"] {
  return { ...traceparent === undefined ? {} : { traceparent }, ...tracestate === undefined ? {} : { tracestate } };
}

/** All that `record` asks for, or nothing when it throws. */
function recorded(record: (tx: Tx) => void): readonly Write[] {
  const writes: Write[] = [];
  const given: unknown = record({
    kv: {
      set: (key, value) => void writes.push({ write: "set", space: SPACE, key, value: documentText(key, value) }),
      delete: (key) => void writes.push({ write: "delete", space: SPACE, key }),
      check: (key, version) => void writes.push({ write: "check", space: SPACE, key, version }),
    },
    tell: (route, input, o) => {
      const { input: codec } = route.codecs;
      const { ttlMs } = o;
      const { to, payload, metadata } = toAsk(route.key, encode(codec, input, `input of ${route.key}`), o);
      writes.push({
        write: "tell", to, route: route.key, payload, content_type: codec.contentType,
        ...metadata === undefined ? {} : { metadata }, ...ttlMs === undefined ? {} : { ttlMs },
      });
    },
  });
  if (given instanceof Promise) {
    given.catch(() => undefined);
    const text = "ctx.transaction: the function must not be async: record after the last await";
    throw nodeError("node.invalid_argument", text);
  }
  return writes;
}

function documentText(key: string, value: Json): string {
  if (value === undefined) {
    throw nodeError("node.invalid_argument", `tx.kv.set: no value for ${JSON.stringify(key)}: use delete`);
  }
  return new TextDecoder().decode(encode(DOCUMENT, value, `tx.kv.set: value of ${JSON.stringify(key)}`));
}
