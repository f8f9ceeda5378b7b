/** Structured log as a part. */
import type { TraceContext } from "./trace.ts";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

/** From most to least talkative. */
export const LOG_LEVELS: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error"];

export interface LogEvent {
  readonly level: LogLevel;
  /** Room that speaks: block bus isle mesh http sh tool mcp llm lua store. */
  readonly target: string;
  readonly msg: string;
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Script that speaks or is spoken of. */
  readonly script?: string;
  readonly isle?: "main" | "handler";
  /** Task of the script, when one is running. */
  readonly task?: string;
  readonly trace?: TraceContext;
}

/** Takes events. Contract: `write` returns at once and never throws. */
export interface Log {
  write(event: LogEvent): void;
}
