/**
 * What the parts of our own code inside a JavaScript isle share. Each part is one function of this object; its source
 * text is what runs in the isle (see boot.ts), so it must use nothing but its argument and the language.
 */

/** What the isle is told when it begins; plain data. */
export interface GuestSetup {
  /** Functions that are plain calls: of an op of the host (a promise), or of a pure function (at once). */
  readonly functions: readonly { readonly name: string; readonly path: readonly string[]; readonly pure: boolean;
    /** Place of an argument that is a table of options, whose keys may be camelCase. */
    readonly opts: number; }[];
  readonly role: "main" | "handler";
  readonly scriptName: string;
  readonly agentId: string;
  readonly projectRoot: string;
  readonly taskGraceMs: number;
  readonly liveTasksMax: number;
  /** Numbers of functions kept for the host begin here. */
  readonly firstRef: number;
  /** Host tools in order. */
  readonly tools: readonly { name: string; description: string; group?: string; input_schema: unknown }[];
  readonly trace: Readonly<Record<string, string>>;
}

// values of scripts: anything at all
// oxlint-disable-next-line typescript/no-explicit-any
export type Any = any;

export interface FaultLike {
  readonly code: string;
  readonly text: string;
  readonly retry: string;
  readonly retry_after_ms?: number;
  readonly facts?: Readonly<Record<string, unknown>>;
}

export interface CallOptions {
  readonly signal?: Any;
  /** The host may call functions among the arguments until it releases them. */
  readonly keeps?: boolean;
}

export interface Guest {
  /** The one way out. Gives a packed value, or nothing. */
  host(what: string, id: number, text: string, extra: string, ...bytes: ArrayBuffer[]): string | undefined;
  readonly setup: GuestSetup;
  pack(value: unknown, keep?: (fn: Any) => number): { text: string; bytes: ArrayBuffer[] };
  unpack(text: string, bytes: readonly ArrayBuffer[]): Any;
  BlockError: Any;
  fault(data: FaultLike): Error;
  error(code: string, text: string, facts?: Record<string, unknown>): Error;
  wrongType(fn: string, index: number, wanted: string, got: unknown): Error;
  typeName(value: unknown): string;
  /** How a failure is told to the host. */
  told(error: unknown): unknown;
  /** A value of the host made at once; throws its fault. */
  now(what: string, name: string, value: unknown): Any;
  call(op: string, args: readonly unknown[], o?: CallOptions): Promise<Any>;
  keep(fn: Any): number;
  kept: Map<number, Any>;
  /** Calls back after at least `ms`; gives a way to call it off. */
  after(ms: number, then: () => void): () => void;
  /** Anything that may begin to wait: settles early, with a fault, when the isle ends. */
  readonly ending: { fault?: Error };
  /** Runs what a message of the host is about. */
  readonly on: Record<string, (id: number, text: string, extra: string, bytes: ArrayBuffer[]) => void>;
  /** Answers the host with what `work` gives, or how it failed. */
  answer(what: string, id: number, work: () => unknown): Promise<void>;
  note(level: string, target: string, msg: string, fields?: Record<string, unknown>): void;
  show(values: readonly unknown[]): string;
  /** Option names as the host has them. */
  snake(options: Any): Any;
  /** What `@atoll-run/atoll/script` exports. */
  readonly api: Record<string, Any>;
  /** The event that is handled now. */
  event: { signal: Any } | undefined;
}
