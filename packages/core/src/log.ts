/** Structured log as a part. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

export interface LogEvent {
  readonly level: LogLevel;
  /** Room that speaks: block bus isle mesh http sh tool mcp llm lua store. */
  readonly target: string;
  readonly msg: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export interface Log {
  write(event: LogEvent): void;
}
