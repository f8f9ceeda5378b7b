/**
 * What an op knows of the call it serves. A class, since every call of a host makes one: a literal with an
 * accessor is slow to make.
 */
import type { LateAbort, LogLevel, Stop } from "@atoll-run/core";
import type { OpCall, Value } from "../bridges/op.ts";
import type { Aside } from "../bus/dispatcher.ts";
import type { EventOrigin } from "../bus/origin.ts";
import type { Role } from "../isle/thread/protocol.ts";
import type { CallTrace } from "../observe/spans.ts";

type Callback = OpCall["callback"];

export interface IsleCallParts {
  readonly abort: LateAbort;
  readonly task: number;
  /** Who asked for the event, or for that of the call. */
  origin(event?: number): EventOrigin | undefined;
  aside(): Aside | undefined;
  callback(role: Role, ...args: Parameters<Callback>): ReturnType<Callback>;
  note(
    level: Exclude<LogLevel, "trace">, target: string, msg: string, fields?: Record<string, unknown>,
  ): void;
}

export class IsleCall implements OpCall {
  readonly isle: Role;
  readonly trace: CallTrace;
  declare readonly deadlineMs?: number;
  // no private names: `traced` in observe/ puts another object before this one
  readonly parts: IsleCallParts;

  constructor(isle: Role, trace: CallTrace, parts: IsleCallParts, deadlineMs: number | undefined) {
    this.isle = isle;
    this.trace = trace;
    this.parts = parts;
    if (deadlineMs !== undefined) this.deadlineMs = deadlineMs;
  }

  get owner(): string {
    return `${this.isle}:${this.parts.task}`;
  }

  get signal(): AbortSignal {
    return this.parts.abort.signal;
  }

  get stop(): Stop {
    return this.parts.abort;
  }

  origin(event?: number): EventOrigin | undefined {
    return this.parts.origin(event);
  }

  aside(): Aside | undefined {
    return this.parts.aside();
  }

  callback(...args: Parameters<Callback>): Promise<Value> {
    return this.parts.callback(this.isle, ...args);
  }

  log(level: LogLevel, target: string, msg: string, fields?: Record<string, unknown>): void {
    if (level !== "trace") this.parts.note(level, target, msg, fields);
  }
}
