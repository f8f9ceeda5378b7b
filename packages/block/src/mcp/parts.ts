/** What the MCP room asks of the block around it. */
import type { BlockLimits, Clock, Ids, Json, LogLevel, TraceContext } from "@atoll-run/core";
import type { OpCall } from "../bridges/op.ts";
import type { HttpClient } from "../bridges/http/client.ts";
import type { ChildRunner } from "../children/runner.ts";
import type { Gate } from "../grants/create-gate.ts";

/** What the guard is asked; an answer stands for the call, as does what its result was, if it was told; undefined lets it go on. Throws `grant.denied`. */
export type McpGuard = (o: {
  readonly grant: string;
  readonly tool?: string;
  /** Function that is called: `mcp.call`. */
  readonly what: string;
  readonly args: Json;
  readonly signal: AbortSignal;
  readonly about?: { readonly [key: string]: Json };
  readonly aside?: OpCall["aside"];
  readonly done?: (keep: (made: Json) => Promise<void>) => void;
}) => Promise<{ readonly answer: Json } | { readonly made: Json } | undefined>;

export interface McpParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly gate: Pick<Gate, "restricted" | "run" | "url" | "mcp" | "mcpWithholds">;
  readonly runner: ChildRunner;
  /** The block's HTTP client, loaded when it is needed. */
  readonly client: () => Promise<HttpClient>;
  /** Where children start and relative paths begin; absolute. */
  readonly projectRoot: string;
  /** What servers are told of us. */
  readonly version: string;
  readonly guard?: McpGuard | undefined;
  /** Somebody reads the log. */
  logs(): boolean;
  /** `trace`: who asks; default the run. */
  log(
    ...line: [level: LogLevel, target: string, msg: string, fields?: Record<string, unknown>, trace?: TraceContext]
  ): void;
  /** A value that must not be seen in logs, events and errors. */
  secret(value: string): void;
  state(fact: { readonly server: string; readonly state: "up" | "down" }): void;
}

/** `mcpMs`: one round trip; `mcpNotificationsMax`: of each server. */
export type McpLimits = Pick<
  BlockLimits, "mcpMs" | "mcpNotificationsMax" | "mcpStderrBytesMax" | "mcpStopMs" | "httpBodyBytesMax"
>;
