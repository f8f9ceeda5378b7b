/**
 * The host half of a bridge, as every isle engine calls it. An op is a plain function from values to a value: no Lua, no
 * thread, no message in sight.
 */
import type { LogLevel, Stop } from "@atoll-run/core";
import type { Aside } from "../bus/dispatcher.ts";
import type { EventOrigin } from "../bus/origin.ts";
import type { CallTrace } from "../observe/spans.ts";

/**
 * What crosses between a script and the host. Text is `string` where the bytes are UTF-8, else `Uint8Array`; an op that
 * wants bytes takes both. Lua integers beyond 2^53 are `bigint`.
 */
export type Value = undefined | null | boolean | number | bigint | string | Uint8Array | readonly Value[] | { readonly [key: string]: Value };

/** JSON text on its way to a script, which decodes it by rules J (integers and floats stay apart). */
export class JsonText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What an op may know of the call it serves. */
export interface OpCall {
  readonly isle: "main" | "handler";
  /** Isle and task, for what belongs to a task (transactions). */
  readonly owner: string;
  /** Aborted when the task is cancelled or its isle ends; the reason says why. */
  readonly signal: AbortSignal;
  /** The same as `signal`, which then is not made. */
  readonly stop?: Stop;
  readonly trace: CallTrace;
  /** Milliseconds left of the event being handled, if one is. */
  readonly deadlineMs?: number;
  /** Who asked for an event, while its handler runs; default: the event that this call belongs to. */
  readonly origin?: (event?: number) => EventOrigin | undefined;
  /** Lets other events be handled while the op waits for something outside. Undefined: the next one waits. */
  readonly aside?: () => Aside | undefined;
  /**
   * Calls a function that the script passed (a callback); resolves with its first result. The signal aborts
   * its task, and the wait with its reason.
   */
  callback(ref: number, args: readonly (Value | JsonText)[], o?: { readonly signal?: AbortSignal }): Promise<Value>;
  log(level: LogLevel, target: string, msg: string, fields?: Record<string, unknown>): void;
}

/** `args` are in the order of the declaration in api.ts; a `json` argument arrives as its JSON text. */
export type Op = (args: readonly Value[], call: OpCall) => Promise<Value | JsonText> | Value | JsonText;

/** Ops by script name: `"sh.exec"`, `"std.kv.get"`. */
export type Ops = Readonly<Record<string, Op>>;
