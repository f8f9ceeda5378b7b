/**
 * Messages between the host and a worker thread that carries isles. Plain data; text payloads pass through
 * untouched.
 */
import type { FaultData, TraceContext } from "@atoll-run/core";
import type { Value } from "../../bridges/op.ts";
import type { TimeLimit } from "../lua/vm-errors.ts";
import type { VmLimits } from "../lua/vm-host.ts";

export type Role = "main" | "handler";

/** What a thread is started with. */
export interface ThreadData {
  /** Doorbell and waiting flag of the thread: see `BELL`. */
  readonly bell: SharedArrayBuffer;
  /** Folder where compiled code is kept, when the host keeps it. */
  readonly codeCache?: string;
  /** Folder to write the bytecode of our own Lua code to, once: for the build. */
  readonly saveCode?: string;
}

/**
 * Words of the thread's shared memory: messages sent; it waits for one; its beats, one at each poll and message;
 * the isle it works for, 0 while it rests.
 */
export const BELL = { rings: 0, waiting: 1, beats: 2, isle: 3, words: 4 } as const;
/**
 * Words of an isle's shared memory: the host wants its end; the event whose handler is to stop; bytes of
 * output and notes the host has worked off (modulo 2^32); the isle waits for that; bytes of its memory.
 */
export const CONTROL = { kill: 0, abortEvent: 1, outputAcked: 2, outputWaits: 3, bytes: 4, words: 5 } as const;

/** Everything an isle needs before its first line of script. */
export interface IsleSetup {
  readonly role: Role;
  /** Language of the script, and so of all code in the isle; absent = Lua. */
  readonly engine?: "lua" | "js" | "ts";
  /** Placed beside other isles: gives way every few milliseconds. */
  readonly shared: boolean;
  readonly limits: VmLimits;
  readonly control: SharedArrayBuffer;
  /** Microseconds of CPU that all isles of the run have spent, as a 64-bit integer. */
  readonly spent: SharedArrayBuffer;
  /** Global names and their JSON text (rules J); `undefined` text stays nil. */
  readonly globals: Readonly<Record<string, string>>;
  readonly packagePath: string;
  readonly projectRoot: string;
  readonly agentId: string;
  readonly scriptName: string;
  /** Refuse bytecode in `load`. */
  readonly textOnly: boolean;
  readonly trace?: TraceContext;
  /** Host tools, in order. */
  readonly hostTools: readonly HostToolData[];
  readonly taskGraceMs: number;
  readonly taskDriver: string;
}

export interface HostToolData {
  readonly name: string;
  readonly description: string;
  readonly group?: string;
  /** JSON text. */
  readonly input_schema: string;
}

/** A handler that left its isle: bytecode and what it captured. */
export interface MovedFunction {
  readonly code: Uint8Array;
  readonly chunk: string;
  readonly captures: readonly Capture[];
}

/**
 * A captured value. Integers and floats stay apart; `path` names a library value that the other isle has
 * itself.
 */
export type Capture =
  | { readonly is: "globals" | "nil" | "null" }
  | { readonly is: "boolean"; readonly value: boolean }
  | { readonly is: "integer"; readonly value: bigint }
  | { readonly is: "float"; readonly value: number }
  | { readonly is: "string"; readonly bytes: Uint8Array }
  | { readonly is: "table"; readonly array: boolean; readonly pairs: readonly (readonly [Capture,
    Capture])[] }
  | { readonly is: "path"; readonly module?: string; readonly path: readonly string[] };

export interface IsleEvent {
  readonly seq: number;
  readonly ref: number;
  readonly kind: string;
  readonly id: string;
  readonly payload: string;
  readonly meta: string;
  /** Milliseconds the handler may take; absent = no bound. */
  readonly leftMs?: number;
  /** Stands in the payload as `data`, or for the payload where that is null. */
  readonly raw?: Uint8Array;
  /** The handler gets `event.tx`. */
  readonly tx?: boolean;
}

type To<T extends string, F> = { readonly t: T; readonly isle: number } & Readonly<F>;

export type ToThread =
  /** Comes once, before the first isle. */
  | { readonly t: "module"; readonly module: WebAssembly.Module }
  | { readonly t: "open"; readonly isle: number; readonly setup: IsleSetup }
  | To<"run", { source: string | Uint8Array; chunk: string; args: readonly string[] }>
  | { readonly t: "install"; readonly isle: number; readonly call: number; readonly fn: MovedFunction }
  | { readonly t: "event"; readonly isle: number; readonly event: IsleEvent }
  /** The time of an event is over: also told through shared memory, which a busy isle sees. */
  | { readonly t: "abortEvent"; readonly isle: number; readonly seq: number }
  | To<"callback", { call: number; ref: number; args: readonly Arg[] }>
  | { readonly t: "abortCallback"; readonly isle: number; readonly call: number }
  | { readonly t: "reply"; readonly isle: number; readonly call: number; readonly value: Value }
  | { readonly t: "json"; readonly isle: number; readonly call: number; readonly text: string }
  | { readonly t: "fault"; readonly isle: number; readonly call: number; readonly fault: FaultData }
  /** The host has worked off output that the isle waits for. */
  | { readonly t: "room"; readonly isle: number }
  /** The host will not call this function again. */
  | { readonly t: "release"; readonly isle: number; readonly ref: number }
  /** Tell when no task is left; until then they are named now and then. */
  | { readonly t: "linger"; readonly isle: number; readonly everyMs: number }
  | { readonly t: "kill"; readonly isle: number }
  | { readonly t: "close"; readonly isle: number };

export type Arg = { readonly v: Value } | { readonly j: string };

/** What a task gave back: JSON text by the rules of its place, or what it raised. */
export type Outcome =
  | { readonly ok: true; readonly text: string; readonly warning?: string }
  | {
    readonly ok: false; readonly text: string; readonly traceback: string;
    readonly fault?: FaultData; readonly value?: Value;
  };

/** How a callback ended. */
export type Called = { readonly ok: true; readonly value: Value } | (Outcome & { readonly ok: false });

type NoteLevel = "debug" | "info" | "warn" | "error";
type Death = "cancelled" | "timeout" | "memory" | "crashed" | "output" | "cotenant";

export type FromThread =
  | To<"opened", object>
  | To<"out", { bytes: Uint8Array }>
  | To<"call", {
    call: number; op: string; args: readonly Value[]; task: number; leftMs?: number; event?: number;
  }>
  | To<"cancelCall", { call: number }>
  | To<"ran", { outcome: Outcome }>
  | To<"installed", { call: number; ref: number; problem?: string }>
  | To<"handled", { seq: number; outcome: Outcome }>
  | To<"called", { call: number; outcome: Called }>
  | To<"idle", object>
  /** `bytes`: what it counts for until the host has worked it off. */
  | To<"note", {
    bytes: number; level: NoteLevel; target: string; msg: string; fields?: Readonly<Record<string, unknown>>;
    task?: string; event?: number;
  }>
  | To<"died", { why: Death; text: string; limit?: TimeLimit }>
  | To<"closed", object>;
